"""History as server-sent events (the `text/event-stream` of the HTML standard).

Events are read from the store when the caller has taken those before, so one that reads slowly costs
no memory here; one that reads nothing for a while is cut off, and goes on by its last event's id.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from innkeeper.api.problems import problem_json
from innkeeper.api.views import WatchedEvent
from innkeeper.errors import InnkeeperError
from innkeeper.objects.event import EventFilter
from innkeeper.tracker import Tracker
from innkeeper.tracker.history.streams import Entry, Stream, StreamPage

EVENT_STREAM: Final = "text/event-stream"

KEEP_ALIVE_SECONDS: Final = 15.0
"""A sign of life goes out after so long without an event; it moves the caller's id on, too."""
STALL_SECONDS: Final = 30.0
"""How long a caller may read nothing while there is something for it."""
RETRY_MILLISECONDS: Final = 1000
"""How soon a browser comes again."""


class EventStream(StreamingResponse):
    """A stream of events that ends when the caller goes, when it stalls, or when the daemon drains."""

    def __init__(self, tracker: Tracker, after: str | None, wanted: EventFilter) -> None:
        super().__init__((), media_type=EVENT_STREAM, headers={"Cache-Control": "no-store"})
        self._tracker = tracker
        self._after = after
        self._wanted = wanted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open it, which may be refused, and tell until it ends."""
        async with self._tracker.stream(self._after, self._wanted) as stream:
            telling = _Telling(scope, send)
            await telling.begin(self.status_code, self.raw_headers, stream)
            if scope.get("bodiless"):
                await telling.end(b"")
                return
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_when_gone, receive, group.cancel_scope)
                await telling.tell(stream)
                group.cancel_scope.cancel()


class _Telling:
    """The answer to one watcher."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]], stream: Stream) -> None:
        """The head, and at once where the stream begins: who is cut off before the first event knows."""
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._say(f"retry: {RETRY_MILLISECONDS}\nid: {stream.token}\n\n".encode())

    async def tell(self, stream: Stream) -> None:
        """All that comes, and how it ends."""
        try:
            while (page := await stream.next_page(patience=KEEP_ALIVE_SECONDS)) is not None:
                await self._say(frames(page))
        except InnkeeperError as refusal:
            await self.end(b"event: problem\ndata: %b\n\n" % problem_json(refusal))
        else:
            await self.end(b": the daemon is stopping\n\n")

    async def end(self, words: bytes) -> None:
        """The last words."""
        await self._say(words)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _say(self, words: bytes) -> None:
        with anyio.move_on_after(STALL_SECONDS) as patience:
            await self._send({"type": "http.response.body", "body": words, "more_body": True})
        if patience.cancelled_caught:
            self._scope["hang_up"]()
            # The end of the connection cancels this.
            await anyio.sleep_forever()


@lru_cache(maxsize=4)
def frames(page: StreamPage) -> bytes:
    """A page as it travels; watchers side by side get the same page, and it is encoded once."""
    told = b"".join(map(_frame, page.entries))
    return told or b": idle\nid: %b\n\n" % str(page.token).encode()


def _frame(entry: Entry) -> bytes:
    token = str(entry.token)
    said = WatchedEvent(token=token, generation=entry.generation, event=entry.event)
    head = f"id: {token}\nevent: {entry.event.kind}\ndata: "
    return head.encode() + said.model_dump_json().encode() + b"\n\n"


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
