"""History as it becomes durable: to programs over HTTP, and in the process itself."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from sqlalchemy import Engine, event
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.hosts import HostOfSpec
from tests.scenario.test_outcomes import faulty
from tests.serving import Served, problem_of, serving
from tests.watching import STREAM, Said, take, watching

from innkeeper.api import event_stream
from innkeeper.api.connections import DEFAULT_LIMITS, Limits
from innkeeper.api.views import SnapshotView
from innkeeper.config import Config
from innkeeper.config.sections import Access
from innkeeper.errors import BadRequest, EventsForgotten, OutcomeUnknown
from innkeeper.objects import ClaimSpec, CordonKind, Event, EventKind, Holder, Request
from innkeeper.objects.event import EventFilter
from innkeeper.tracker import Tracker
from innkeeper.tracker.history.streams import Entry, Stream

SMALL = {"request": {"vcpus": 1, "memory_mib": 64}}
SPEC = ClaimSpec(request=Request(vcpus=1, memory_mib=64))
EVE = Holder(user="eve")

Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve(make_tracker: MakeTracker, short_dir: Path, config: Config) -> Serve:
    @asynccontextmanager
    async def start(
        limits: Limits = DEFAULT_LIMITS, words: Config = config
    ) -> AsyncIterator[Served]:
        async with (
            make_tracker(config=words) as tracker,
            serving(tracker, short_dir, config=words, limits=limits) as served,
        ):
            yield served

    return start


async def claim(served: Served, **words: Any) -> dict[str, Any]:
    answer = await served.client.post("/v1/claims", json=SMALL | words)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def kinds(said: list[Said]) -> list[str | None]:
    return [one.event for one in said]


# -- over HTTP --------------------------------------------------------------------------------


async def test_a_watcher_is_told_what_becomes_durable(serve: Serve) -> None:
    async with serve() as served, watching(served.client) as stream:
        begin = await anext(stream)
        assert (begin.data, begin.id) == (None, str(served.tracker.snapshot().token))
        made = await claim(served)
        await served.client.post(f"/v1/claims/{made['id']}/confirm")
        told = await take(stream, 2)
        assert kinds(told) == ["claimed", "confirmed"]
        now = served.tracker.generation
        assert [one.data["generation"] for one in told] == [now - 1, now]
        assert [one.data["token"] for one in told] == [one.id for one in told]
        page = (await served.client.get("/v1/events", params={"after": begin.id})).json()
        assert [one.data["event"] for one in told] == page["events"]


async def test_it_goes_on_where_it_was(serve: Serve) -> None:
    async with serve() as served:
        async with watching(served.client, after="0") as stream:
            (started,) = await take(stream, 1)
        assert started.event == "started"
        for _ in range(3):
            await claim(served)
        async with watching(served.client, after=started.id) as stream:
            first = await take(stream, 2)
        headers = STREAM | {"Last-Event-ID": first[-1].id or ""}
        query = {"after": started.id}
        get = served.client.stream("GET", "/v1/events", params=query, headers=headers)
        async with get as response:
            assert str(first[-1].id) in await anext(response.aiter_text())
        async with watching(served.client, after=first[-1].id) as stream:
            rest = await take(stream, 1)
        assert [one.sequence for one in [started, *first, *rest]] == [1, 2, 3, 4]


async def test_tokens_outlive_a_restart(serve: Serve) -> None:
    async with serve() as served:
        await claim(served)
        token = served.tracker.snapshot().token
    async with serve() as served:
        await claim(served)
        async with watching(served.client, after=str(token)) as stream:
            told = await take(stream, 2)
        assert kinds(told) == ["started", "claimed"]
        assert [one.sequence for one in told] == [token.sequence + 1, token.sequence + 2]


async def test_only_what_is_wanted_is_told(serve: Serve) -> None:
    guest = "aaaaaaaa-0000-4000-8000-000000000001"
    async with serve() as served:
        one, two = await claim(served, instance_uuid=guest), await claim(served)
        for made in (one, two):
            await served.client.post(f"/v1/claims/{made['id']}/confirm")
            await served.client.delete(f"/v1/claims/{made['id']}")
        for query, sequences in [
            ({"claim_id": two["id"]}, [3, 6, 7]),
            ({"instance_uuid": guest}, [2, 4, 5]),
            ({"ref": guest}, [2, 4, 5]),
            ({"ref": one["id"]}, [2, 4, 5]),
            ({"kind": ["released"]}, [5, 7]),
            ({"kind": ["claimed", "confirmed"], "ref": guest}, [2, 4]),
        ]:
            async with watching(served.client, after="0", **query) as stream:
                told = await take(stream, len(sequences))
            assert [one.sequence for one in told] == sequences
            page = await served.client.get("/v1/events", params=query)
            assert [one["sequence"] for one in page.json()["events"]] == sequences


async def test_a_quiet_stream_lives_on_and_moves_its_watcher_on(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also past the time that a connection may be idle."""
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_SECONDS", 0.02)
    limits = Limits(head_seconds=0.05, body_seconds=0.05, idle_seconds=0, linger_seconds=0.05)
    async with serve(limits) as served, watching(served.client, kind="released") as stream:
        await anext(stream)
        made = await claim(served)
        for _ in range(10):
            sign = await anext(stream)
            assert (sign.data, sign.comments) == (None, ["idle"])
        assert sign.id == str(served.tracker.snapshot().token)
        await served.client.post(f"/v1/claims/{made['id']}/confirm")
        await served.client.delete(f"/v1/claims/{made['id']}")
        assert kinds(await take(stream, 1)) == ["released"]


@pytest.mark.parametrize(
    "after", ["x", "-1", "1-2", "9" * 17, "f" * 32, "g" * 32 + "-1", "1\u0663", " 1"]
)
async def test_what_is_no_token_is_refused(serve: Serve, after: str) -> None:
    async with serve() as served:
        for query in ({"after": after}, {"after": after, "watch": "true"}):
            answer = await served.client.get("/v1/events", params=query)
            problem = problem_of(answer, 400, "invalid_request")
            assert problem["errors"][0]["path"] == "after"


async def test_a_token_of_another_ledger_or_of_the_future_is_refused(serve: Serve) -> None:
    async with serve() as served:
        token = served.tracker.snapshot().token
        for after in (f"{'0' * 32}-{token.sequence}", f"{token.ledger.hex}-99"):
            for headers in ({}, STREAM):
                query = {"after": after}
                answer = await served.client.get("/v1/events", params=query, headers=headers)
                assert "snapshot" in problem_of(answer, 410, "events_forgotten")["detail"]


async def test_what_is_forgotten_is_told_and_a_snapshot_goes_on(
    serve: Serve, clock: VirtualClock, config: Config
) -> None:
    words = config.model_copy(update={"events": config.events.model_copy(update={"keep": 60.0})})
    async with serve(words=words) as served:
        await served.client.post("/v1/cordons", json={"kind": "cpu", "subject": "7", "reason": "x"})
        live, ended = await claim(served), await claim(served)
        for made in (live, ended):
            await served.client.post(f"/v1/claims/{made['id']}/confirm")
        await served.client.delete(f"/v1/claims/{ended['id']}")
        async with watching(served.client, after="0") as stream:
            early = await take(stream, 3)
        await clock.advance(3600)
        await served.until(lambda: served.tracker.statistics().store.batches > 6)
        answer = await served.client.get(
            "/v1/events", params={"after": early[1].id}, headers=STREAM
        )
        problem = problem_of(answer, 410, "events_forgotten")
        kept = (await served.client.get("/v1/events")).json()["events"]
        assert [one["sequence"] for one in kept if one["claim_id"] == live["id"]] == [3, 5]
        assert not [one for one in kept if one["claim_id"] == ended["id"]]
        assert problem["oldest"] == 8
        snapshot = SnapshotView.model_validate_json(
            (await served.client.get("/v1/snapshot")).content
        )
        assert [str(one.id) for one in snapshot.claims] == [live["id"]]
        assert [one.subject for one in snapshot.cordons] == ["7"]
        async with watching(served.client, after=snapshot.token) as stream:
            await served.client.delete(f"/v1/claims/{live['id']}")
            assert kinds(await take(stream, 1)) == ["released"]


async def test_a_snapshot_of_many_claims_is_one_answer(serve: Serve) -> None:
    async with serve() as served:
        await served.tracker.place_all([ClaimSpec(request=Request(disk_mib=1))] * 600)
        answer = await served.client.get("/v1/snapshot")
        snapshot = SnapshotView.model_validate_json(answer.content)
        assert snapshot.claims == await served.tracker.list_claims(limit=1000)
        assert snapshot.token == str(served.tracker.snapshot().token)
        assert snapshot.generation == served.tracker.generation


async def test_as_many_watch_as_may(serve: Serve, config: Config) -> None:
    most = config.events.model_copy(update={"max_watchers": 3})
    async with serve(words=config.model_copy(update={"events": most})) as served:
        async with watching(served.client), watching(served.client), watching(served.client):
            answer = await served.client.get("/v1/events", headers=STREAM)
            assert problem_of(answer, 429, "too_many_watching")["watching"] == 3
            assert answer.headers["retry-after"] == "1"
            assert (await served.client.get("/v1/events")).status_code == 200
        async with watching(served.client) as stream:
            await claim(served)
            assert kinds(await take(stream, 1)) == ["claimed"]


async def test_watchers_side_by_side_share_what_is_read(serve: Serve) -> None:
    async with serve() as served:
        told: list[list[int]] = []

        async def watch(started: Callable[[], None]) -> None:
            async with watching(served.client, after="0") as stream:
                started()
                told.append([one.sequence for one in await take(stream, 41)])

        begun: list[None] = []
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(watch, lambda: begun.append(None))
            await served.until(lambda: len(begun) == 20)
            with counted_statements() as statements:
                for _ in range(40):
                    await served.tracker.place(ClaimSpec(request=Request(disk_mib=1)))
        assert told == [list(range(1, 42))] * 20
        reads = [one for one in statements if "FROM innkeeper_events" in one]
        assert len(reads) < 20 * 40 / 4


async def test_a_reader_may_watch_and_nobody_else_may(serve: Serve) -> None:
    async with serve() as served:
        access = served.parts.access
        access._always_admin = frozenset()
        access.access = Access(readers=("*",))
        assert (await served.client.get("/v1/snapshot")).status_code == 200
        async with watching(served.client):
            access.access = Access(readers=())
        for path in ("/v1/events", "/v1/snapshot"):
            problem_of(await served.client.get(path, headers=STREAM), 403, "forbidden")


async def test_who_asks_for_the_head_gets_no_stream(serve: Serve) -> None:
    async with serve() as served:
        answer = await served.client.head("/v1/events", headers=STREAM)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"].startswith("text/event-stream")


async def test_draining_ends_streams(serve: Serve) -> None:
    async with serve() as served, watching(served.client) as stream:
        begin = await anext(stream)
        await served.tracker.drain()
        last = await anext(stream)
        assert last.comments == ["the daemon is stopping"]
        assert [one async for one in stream] == []
        answer = await served.client.get("/v1/events", params={"after": begin.id}, headers=STREAM)
        problem_of(answer, 503, "draining")


async def test_who_reads_nothing_is_cut_off_and_goes_on_by_token(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "STALL_SECONDS", 0.2)
    async with serve() as served:
        slow = await anyio.to_thread.run_sync(_deaf_watcher, served.path)
        await served.until(lambda: len(served.tracker._streams) == 1)
        note = "n" * 200
        holder = Holder(user="eve", reason=note)
        specs = [ClaimSpec(request=Request(disk_mib=1), holder=holder)] * 250
        for _ in range(8):
            await served.tracker.place_all(specs)
        await served.until(lambda: len(served.tracker._streams) == 0)
        heard = await anyio.to_thread.run_sync(_read_to_end, slow)
        whole = heard.rpartition("\n\n")[0]
        known = whole.count("event: claimed")
        assert 0 < known < 2000
        last = whole.rpartition("id: ")[2].partition("\n")[0]
        assert last == f"{served.tracker.opened.ledger.hex}-{known + 1}"
        async with watching(served.client, after=last) as stream:
            rest = await take(stream, 2000 - known)
        assert [one.sequence for one in rest] == list(range(known + 2, 2002))


def _deaf_watcher(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(30)
    made.connect(str(path))
    # HTTP/1.0 has no chunks: what comes is the stream itself.
    made.sendall(b"GET /v1/events?after=1&watch=true HTTP/1.0\r\n\r\n")
    return made


def _read_to_end(connection: socket.socket) -> str:
    with connection:
        parts: list[bytes] = []
        try:
            while part := connection.recv(65_536):
                parts.append(part)
        except ConnectionResetError:
            pass
        return b"".join(parts).decode(errors="replace")


# -- in the process ---------------------------------------------------------------------------


async def test_a_tracker_is_watched_without_a_daemon(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        told: list[Entry] = []

        async def watch() -> None:
            async with aclosing(
                tracker.watch("0", kinds=frozenset({EventKind.CLAIMED}))
            ) as watched:
                async for entry in watched:
                    told.append(entry)
                    if len(told) == 2:
                        return

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            claims = [(await tracker.place(SPEC)).claim for _ in range(2)]
        assert [one.event.claim_id for one in told] == [claim.id for claim in claims]
        async with aclosing(tracker.watch(told[0].token)) as watched:
            assert (await anext(watched)).event == told[1].event
        with pytest.raises(BadRequest):
            await anext(tracker.watch("nowhere"))


async def test_nobody_watching_costs_no_statement(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        with counted_statements() as alone:
            await tracker.place(SPEC)
        async with tracker.stream() as stream:
            with counted_statements() as watched:
                await tracker.place(SPEC)
                assert await stream.next_page() is not None
    assert not [one for one in alone if one.startswith("SELECT") and "events" in one]
    assert len([one for one in watched if "FROM innkeeper_events" in one]) == 1
    assert len(alone) == len([one for one in watched if not _of_a_reader(one)])


def _of_a_reader(statement: str) -> bool:
    return statement == "BEGIN" or "forgotten" in statement or "FROM innkeeper_events" in statement


class counted_statements:  # noqa: N801 - a context
    """Every statement that any engine runs meanwhile."""

    def __enter__(self) -> list[str]:
        self._seen: list[str] = []
        event.listen(Engine, "before_cursor_execute", self._note)
        return self._seen

    def __exit__(self, *_: object) -> None:
        event.remove(Engine, "before_cursor_execute", self._note)

    def _note(self, _conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self._seen.append(statement)


async def test_a_snapshot_waits_for_what_is_in_doubt(make_tracker: MakeTracker) -> None:
    """Its token never passes a change that it does not show."""
    async with faulty(make_tracker) as (tracker, store):
        store.fault, store.known = "landed", False
        with pytest.raises(OutcomeUnknown):
            await tracker.place(SPEC)
        seen = await tracker.place(SPEC)
        snapshot = tracker.snapshot()
        assert snapshot.claims == (seen.claim,)
        async with tracker.stream(str(snapshot.token)) as stream:
            page = await stream.next_page()
        assert page is not None
        assert [one.event.kind for one in page.entries] == [EventKind.CLAIMED] * 2


async def test_an_event_is_not_told_before_it_is_durable(make_tracker: MakeTracker) -> None:
    async with faulty(make_tracker) as (tracker, store), tracker.stream() as stream:
        store.fault = "lost"
        with pytest.raises(OutcomeUnknown):
            await tracker.place(SPEC)
        page = await stream.next_page(patience=0.05)
        assert page is not None
        assert page.entries == ()


async def test_a_snapshot_and_what_follows_are_the_whole_picture(
    make_tracker: MakeTracker,
) -> None:
    """Snapshots at any moment, each with what is told after it, come to the same in the end."""
    async with make_tracker("cpus=64,cells=1,memory=64GiB") as tracker:
        snapshots = [tracker.snapshot()]

        async def live_a_while(number: int) -> None:
            made = (await tracker.place(SPEC)).claim
            snapshots.append(tracker.snapshot())
            await tracker.confirm(made.id, by=EVE)
            if number % 2:
                await tracker.release(made.id, by=EVE)
            snapshots.append(tracker.snapshot())

        async with anyio.create_task_group() as group:
            for number in range(30):
                group.start_soon(live_a_while, number)
        live = {claim.id for claim in await tracker.list_claims(limit=1000)}
        for snapshot in snapshots:
            held = {claim.id for claim in snapshot.claims}
            for entry in await _all_after(tracker, str(snapshot.token)):
                kind, claim_id = entry.event.kind, entry.event.claim_id
                assert claim_id is not None
                if kind is EventKind.RELEASED:
                    held.discard(claim_id)
                else:
                    held.add(claim_id)
            assert held == live


async def _all_after(tracker: Tracker, after: str) -> list[Entry]:
    found: list[Entry] = []
    async with tracker.stream(after, EventFilter()) as stream:
        while (page := await stream.next_page(patience=0)) is not None and page.entries:
            found += page.entries
    return found


async def test_a_watcher_that_history_overtook_is_told(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker() as tracker:
        claim = (await tracker.place(SPEC)).claim
        await tracker.cordon(CordonKind.CPU, "1", reason="x", by=EVE)
        async with tracker.stream("0") as stream:
            await tracker.abort(claim.id, by=EVE)
            async with tracker.stream("1") as other:
                assert await other.next_page() is not None
            assert await tracker._store.forget_events(before=clock.now() + timedelta(1)) == 4
            with pytest.raises(EventsForgotten, match="before 5"):
                await stream.next_page()


# -- what it tells ----------------------------------------------------------------------------


async def test_each_event_of_a_claim_says_what_and_why(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    holder = Holder(user="eve", reason="a build")
    request = Request(vcpus=2, memory_mib=64, disk_mib=3)
    async with make_tracker() as tracker:
        spec = ClaimSpec(request=request, holder=holder, lease_seconds=60)
        claim = (await tracker.place(spec)).claim
        await tracker.confirm(claim.id, by=EVE)
        pending = (await tracker.place(spec)).claim
        await clock.advance(61)
        async with aclosing(tracker.watch("1")) as watched:
            events = [(await anext(watched)).event for _ in range(5)]
    by_claim = {one: [e for e in events if e.claim_id == one] for one in (claim.id, pending.id)}
    claimed, confirmed, lapsed = by_claim[claim.id]
    assert claimed.by == holder
    assert claimed.details == {"vcpus": 2, "memory_mib": 64, "disk_mib": 3}
    assert confirmed.details == {"expires_at": "2026-01-01T00:01:00+00:00"}
    assert (lapsed.by, lapsed.details) == (None, {"reason": "lease not renewed in time"})
    assert by_claim[pending.id][-1].details == {"reason": "not confirmed in time"}


async def test_another_device_table_is_told_by_address(make_tracker: MakeTracker) -> None:
    driver = HostOfSpec("cpus=4,cells=1,memory=4GiB,pfs=1,vfs=2")
    async with make_tracker(driver=driver) as tracker, tracker.stream() as stream:
        before = {device.address for device in tracker.inventory.devices}
        driver.become("cpus=4,cells=1,memory=4GiB,pfs=3,vfs=40")
        await tracker.audit()
        added = {device.address for device in tracker.inventory.devices} - before
        told = await told_now(stream)
        (change,) = [one for one in told if one.kind is EventKind.DEVICES_CHANGED]
        assert change.details["added"] == sorted(added)[:32]
        assert change.details["added_count"] == len(added) > 32
        assert "removed" not in change.details
        await tracker.audit()
        assert EventKind.DEVICES_CHANGED not in [one.kind for one in await told_now(stream)]


async def told_now(stream: Stream) -> list[Event]:
    page = await stream.next_page(patience=0)
    assert page is not None
    return [entry.event for entry in page.entries]
