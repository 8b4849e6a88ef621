"""A snapshot as an answer: of any size, encoded piece by piece in a thread as the caller takes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import anyio.to_thread
from starlette.responses import Response, StreamingResponse

from innkeeper.api.answers import JSON_TYPE
from innkeeper.api.views import SnapshotView
from innkeeper.objects import Claim
from innkeeper.tracker.telling import Snapshot

PIECE: Final = 256
"""Claims encoded at once."""


def snapshot_answer(node: str, snapshot: Snapshot) -> Response:
    """The picture of one moment; claims never change once they are made, so it may take its time."""
    return StreamingResponse(_pieces(node, snapshot), media_type=JSON_TYPE)


async def _pieces(node: str, snapshot: Snapshot) -> AsyncIterator[bytes]:
    view = SnapshotView(
        node=node,
        token=str(snapshot.token),
        generation=snapshot.generation,
        cordons=snapshot.cordons,
        findings=snapshot.findings,
        claims=(),
    )
    # Claims are its last field: the others, then each piece, then the end.
    head, bracket, tail = view.model_dump_json().rpartition("[")
    yield f"{head}{bracket}".encode()
    for start in range(0, len(snapshot.claims), PIECE):
        piece = snapshot.claims[start : start + PIECE]
        text = await anyio.to_thread.run_sync(_encoded, piece)
        yield b"," + text if start else text
    yield tail.encode()


def _encoded(claims: tuple[Claim, ...]) -> bytes:
    return ",".join(claim.model_dump_json() for claim in claims).encode()
