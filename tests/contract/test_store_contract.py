"""What every store promises, over every store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Self
from uuid import UUID, uuid4

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.shared_databases import SERVERS, SharedDatabase, shared_database
from tests.unit.store.made import (
    NODE,
    START,
    change_set,
    made_claim,
    made_cordon,
    made_event,
    made_finding,
)

from innkeeper.clock import SystemClock
from innkeeper.errors import BadRequest, EventsForgotten, StoreError, StoreFenced
from innkeeper.objects import (
    ChangeSet,
    Claim,
    ClaimState,
    ComputeNode,
    Cordon,
    CordonCause,
    CordonKind,
    Device,
    EventKind,
    Finding,
    Holder,
    Instance,
    Migration,
    PciDevice,
    Placement,
    Request,
)
from innkeeper.objects.event import EventFilter
from innkeeper.store.base import Opened, RowsWanted, Store
from innkeeper.store.digests import digest_of_claim
from innkeeper.store.memory import Memory
from innkeeper.store.memory_store import MemoryStore
from innkeeper.store.ownership import LOCK_NAME
from innkeeper.store.shared import SharedStore
from innkeeper.store.sqlite import SqliteStore

LIVE = frozenset({ClaimState.PENDING, ClaimState.CONFIRMED})


class Site:
    """A place where stores of one kind open the same records, one after another or as rivals."""

    def __init__(self, make: Callable[[], Store], directory: Path | None = None) -> None:
        self.make = make
        self._directory = directory

    @classmethod
    def on_disk(cls, directory: Path) -> Self:
        path = directory / "innkeeper.sqlite3"
        return cls(lambda: SqliteStore(path, node=NODE, clock=SystemClock()), directory)

    @classmethod
    def in_memory(cls) -> Self:
        memory = Memory()
        return cls(lambda: MemoryStore(memory, node=NODE))

    @classmethod
    def on_server(cls, database: SharedDatabase) -> Self:
        database.clear()
        return cls(lambda: SharedStore(database.address, node=NODE))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Store]:
        store = self.make()
        await store.open(boot_id="boot")
        try:
            yield store
        finally:
            await store.close()

    @asynccontextmanager
    async def rival(self) -> AsyncIterator[Store]:
        """A second owner, as when somebody removed the lock of the first where there is one."""
        if self._directory is not None:
            await anyio.Path(self._directory / LOCK_NAME).unlink()
        async with self.opened() as store:
            yield store


@pytest.fixture(scope="module", params=["sqlite", "memory", *SERVERS])
def database(request: pytest.FixtureRequest) -> Iterator[SharedDatabase | str]:
    """Made once, for that takes longer than most of the tests."""
    if request.param not in SERVERS:
        yield request.param
        return
    with shared_database(request.param) as made:
        yield made


@pytest.fixture
def site(database: SharedDatabase | str, tmp_path: Path) -> Site:
    if isinstance(database, SharedDatabase):
        return Site.on_server(database)
    return Site.in_memory() if database == "memory" else Site.on_disk(tmp_path)


@pytest.fixture
async def store(site: Site) -> AsyncIterator[Store]:
    async with site.opened() as store:
        yield store


async def every_claim(store: Store, **words: object) -> list[Claim]:
    claims: list[Claim] = []
    marker = None
    while page := await store.list_claims(marker=marker, **words):  # type: ignore[arg-type]
        claims += page
        marker = page[-1].id
    return claims


# -- what is applied is there -----------------------------------------------------------------


async def test_a_change_set_is_there_after_a_restart(site: Site) -> None:
    claim = made_claim(1, instance_uuid=uuid4(), name='a "name", ünïcode \u2028 and 😀')
    finding = made_finding("f1")
    async with site.opened() as store:
        await store.apply(change_set(claim, findings=(finding,)))
    async with site.opened() as store:
        assert await store.find_claim(claim.id) == claim
        assert await store.list_claims() == (claim,)
        assert await store.list_findings() == (finding,)
        (event,) = await store.list_events()
        assert event == made_event(claim).model_copy(update={"sequence": 1})


async def test_each_opening_is_a_new_epoch_of_the_same_generation(site: Site) -> None:
    first = site.make()
    opened = await first.open(boot_id="boot")
    commit = await first.apply(change_set(made_claim(1)))
    await first.close()
    second = site.make()
    again = await second.open(boot_id="boot")
    await second.close()
    assert again == Opened(
        generation=commit.generation,
        epoch=opened.epoch + 1,
        ledger=opened.ledger,
        sequence=commit.sequence,
    )


async def test_the_next_form_of_a_claim_replaces_the_last(store: Store) -> None:
    await store.apply(change_set(made_claim(1), made_claim(2)))
    ended = made_claim(1, ClaimState.RELEASED)
    await store.apply(change_set(ended, made_claim(3)))
    assert await store.list_claims() == (ended, made_claim(2), made_claim(3))


async def test_of_two_forms_that_wait_together_the_later_stays(store: Store) -> None:
    forms = [
        made_claim(1),
        made_claim(1, ClaimState.CONFIRMED),
        made_claim(1, ClaimState.RELEASED),
    ]
    async with anyio.create_task_group() as group:
        for form in forms:
            group.start_soon(store.apply, change_set(form))
    assert await store.find_claim(forms[0].id) == forms[-1]


async def test_an_empty_change_set_has_a_generation_and_no_sequence(store: Store) -> None:
    first = await store.apply(change_set(made_claim(1)))
    commit = await store.apply(change_set())
    assert commit.generation > first.generation
    assert commit.sequence == 0


words = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=255)
claims_of_any_words = st.builds(
    made_claim,
    st.integers(1, 5),
    st.sampled_from(ClaimState),
    name=st.none() | words,
    holder=st.builds(Holder, project=words, user=words, reason=st.none() | words),
    instance_uuid=st.none() | st.sampled_from([UUID(int=1), UUID(int=2)]),
    lease_seconds=st.none() | st.floats(1, 1000),
    request=st.builds(Request, vcpus=st.integers(1, 65536), memory_mib=st.integers(1, 2**40)),
    placement=st.builds(Placement, counters=st.dictionaries(st.just("slots"), st.integers(0, 9))),
)
histories = st.lists(st.lists(claims_of_any_words, max_size=3), max_size=6)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    history=histories,
    states=st.none() | st.frozensets(st.sampled_from(ClaimState), min_size=1),
    instance_uuid=st.none() | st.just(UUID(int=1)),
    limit=st.integers(1, 4),
)
def test_lists_are_the_latest_forms_that_match_in_pages(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[list[Claim]],
    states: frozenset[ClaimState] | None,
    instance_uuid: UUID | None,
    limit: int,
) -> None:
    site = Site.on_disk(tmp_path_factory.mktemp("history"))

    async def check() -> None:
        async with site.opened() as store:
            for forms in history:
                await store.apply(change_set(*forms))
            latest = {claim.id: claim for forms in history for claim in forms}
            expected = [
                claim
                for _, claim in sorted(latest.items())
                if (states is None or claim.state in states)
                and instance_uuid in (None, claim.instance_uuid)
            ]
            asked = {"states": states, "instance_uuid": instance_uuid, "limit": limit}
            assert await every_claim(store, **asked) == expected

    asyncio.run(check())


# -- refusals ---------------------------------------------------------------------------------


class Projected(Finding):
    """A record that no store knows."""


async def test_records_that_it_does_not_project_are_refused_whole(store: Store) -> None:
    stranger = Projected.model_validate(made_finding("x").model_dump())
    with pytest.raises(BadRequest, match="Projected"):
        await store.apply(change_set(made_claim(1), records=(stranger,)))
    assert await store.list_claims() == ()
    assert await store.list_events() == ()


async def test_another_nodes_claims_are_refused(store: Store) -> None:
    with pytest.raises(BadRequest, match="elsewhere"):
        await store.apply(change_set(made_claim(1, node="elsewhere")))
    with pytest.raises(BadRequest, match="elsewhere"):
        await store.apply(ChangeSet(id=uuid4(), node="elsewhere"))
    assert await store.list_claims() == ()


async def test_what_is_no_json_is_refused_and_harms_nobody_else(store: Store) -> None:
    claim = made_claim(1)
    bad = change_set(claim, events=[made_event(claim, thing=object())])
    async with anyio.create_task_group() as group:
        group.start_soon(store.apply, change_set(made_claim(2)))
        with pytest.raises(BadRequest, match="JSON"):
            await store.apply(bad)
    assert await store.list_claims() == (made_claim(2),)


async def test_own_writes_are_not_foreign(store: Store) -> None:
    before = await store.foreign_writes()
    await store.apply(change_set(made_claim(1)))
    await store.prune(before=START)
    assert await store.foreign_writes() == before


CALLS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "apply": lambda store: store.apply(change_set(made_claim(1))),
    "find_claim": lambda store: store.find_claim(UUID(int=1)),
    "list_claims": lambda store: store.list_claims(),
    "list_claim_digests": lambda store: store.list_claim_digests(),
    "list_instances": lambda store: store.list_instances(NODE, NODE),
    "list_migrations": lambda store: store.list_migrations(NODE, NODE),
    "list_compute_nodes": lambda store: store.list_compute_nodes(NODE),
    "list_pci_devices": lambda store: store.list_pci_devices(1),
    "list_cordons": lambda store: store.list_cordons(),
    "was_applied": lambda store: store.was_applied(UUID(int=1)),
    "foreign_writes": lambda store: store.foreign_writes(),
    "prune": lambda store: store.prune(before=START),
    "follow_events": lambda store: store.follow_events(after=0),
    "forget_events": lambda store: store.forget_events(before=START),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_store_that_is_not_open_says_so(site: Site, name: str) -> None:
    store, call = site.make(), CALLS[name]
    with pytest.raises(StoreError, match="not open"):
        await call(store)
    await store.open(boot_id=None)
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="not open"):
        await call(store)


async def test_digests_tell_which_records_are_as_they_were_written(store: Store) -> None:
    claims = [made_claim(number) for number in range(5)]
    ended = made_claim(5, ClaimState.RELEASED)
    await store.apply(change_set(*claims, ended))
    digests = {one.id: one.digest for one in await store.list_claim_digests()}
    assert digests == {claim.id: digest_of_claim(claim) for claim in claims}
    await store.apply(change_set(made_claim(3, ClaimState.CONFIRMED)))
    after = {one.id: one.digest for one in await store.list_claim_digests()}
    assert [key for key, digest in after.items() if digest != digests[key]] == [claims[3].id]


async def test_digests_come_in_pages_by_id_and_of_what_changed_since(store: Store) -> None:
    claims = [made_claim(number) for number in range(5)]
    await store.apply(change_set(*claims))
    ids = [claim.id for claim in claims]
    first = await store.list_claim_digests(limit=3)
    rest = await store.list_claim_digests(limit=3, marker=first[-1].id)
    assert [one.id for one in (*first, *rest)] == ids
    assert await store.list_claim_digests(marker=ids[-1]) == ()
    changed = await store.list_claim_digests(since=claims[3].updated_at)
    assert [one.id for one in changed] == ids[3:]


# -- together ---------------------------------------------------------------------------------


async def test_change_sets_that_wait_together_share_a_transaction(store: Store) -> None:
    async with anyio.create_task_group() as group:
        for number in range(64):
            group.start_soon(store.apply, change_set(made_claim(number)))
    counts = store.statistics()
    assert counts.change_sets == 64
    assert counts.batches < 16
    assert counts.largest_batch > 4
    assert len(await store.list_claims()) == 64


async def test_sequences_follow_the_order_of_the_calls(store: Store) -> None:
    commits: dict[int, int] = {}

    async def apply(number: int) -> None:
        claim = made_claim(number)
        events = [made_event(claim), made_event(claim, EventKind.RENEWED)]
        commits[number] = (await store.apply(change_set(claim, events=events))).sequence

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(apply, number)
    assert commits == {number: 2 * number + 2 for number in range(50)}
    assert [event.sequence for event in await store.list_events()] == list(range(1, 101))


async def test_a_reader_never_sees_a_later_event_first(store: Store) -> None:
    seen: list[int] = []

    async def follow() -> None:
        while len(seen) < 300:
            page = await store.list_events(after=seen[-1] if seen else 0, limit=7)
            seen.extend(event.sequence or 0 for event in page)

    async def write(first: int) -> None:
        for number in range(first, first + 30):
            await store.apply(change_set(made_claim(number)))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            for first in range(0, 300, 30):
                group.start_soon(write, first)
    assert seen == list(range(1, 301))


async def test_a_cancelled_caller_does_not_cancel_the_write(store: Store) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.apply(change_set(made_claim(1)))
    async with anyio.create_task_group() as group:
        group.start_soon(store.apply, change_set(made_claim(2)))
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    await store.apply(change_set(made_claim(3)))
    assert await store.list_claims() == tuple(map(made_claim, (1, 2, 3)))


async def test_closing_finishes_what_waits(site: Site) -> None:
    store = site.make()
    await store.open(boot_id=None)
    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(store.apply, change_set(made_claim(number)))
        await anyio.lowlevel.checkpoint()
        await store.close()
    async with site.opened() as again:
        assert len(await again.list_claims()) == 20


# -- owners -----------------------------------------------------------------------------------


async def test_a_former_owner_writes_nothing_and_stays_fenced(site: Site, store: Store) -> None:
    await store.apply(change_set(made_claim(1)))
    async with site.rival() as rival:
        with pytest.raises(StoreFenced, match=NODE):
            await store.apply(change_set(made_claim(2)))
        await rival.apply(change_set(made_claim(3)))
        assert await rival.list_claims() == (made_claim(1), made_claim(3))
    async with anyio.create_task_group() as group:
        for number in range(10, 14):
            group.start_soon(require_fenced, store, change_set(made_claim(number)))
    with pytest.raises(StoreFenced):
        await store.prune(before=START)
    assert await store.list_claims() == (made_claim(1), made_claim(3))


async def require_fenced(store: Store, refused: ChangeSet) -> None:
    with pytest.raises(StoreFenced):
        await store.apply(refused)


# -- history, findings, forgetting ------------------------------------------------------------


async def test_events_are_found_by_claim_and_instance(store: Store) -> None:
    instance = uuid4()
    one, two = made_claim(1, instance_uuid=instance), made_claim(2)
    await store.apply(change_set(one, two))
    await store.apply(change_set(one, events=[made_event(one, EventKind.CONFIRMED, n=1.5)]))
    of_one, of_guest = EventFilter(claim_id=one.id), EventFilter(instance_uuid=instance)
    assert [event.sequence for event in await store.list_events(wanted=of_one)] == [1, 3]
    assert [event.sequence for event in await store.list_events(wanted=of_guest)] == [1, 3]
    (event,) = await store.list_events(wanted=of_one, after=1)
    assert event.details == {"n": 1.5}
    assert [event.sequence for event in await store.list_events(after=1, limit=1)] == [2]


async def test_cleared_findings_are_listed_when_asked_for(store: Store) -> None:
    names = ["a", "b", "c"]
    await store.apply(change_set(findings=tuple(map(made_finding, names))))
    cleared = made_finding("b", cleared_at=START)
    await store.apply(change_set(findings=(cleared,)))
    assert [finding.id for finding in await store.list_findings()] == ["a", "c"]
    assert [finding.id for finding in await store.list_findings(limit=1, marker="a")] == ["c"]
    everything = await store.list_findings(include_cleared=True)
    assert everything == (made_finding("a"), cleared, made_finding("c"))


async def test_it_tells_which_change_sets_were_applied(site: Site) -> None:
    applied, refused = change_set(made_claim(1)), change_set(made_claim(2, node="elsewhere"))
    async with site.opened() as store:
        await store.apply(applied)
        with pytest.raises(BadRequest):
            await store.apply(refused)
    async with site.opened() as store:
        assert await store.was_applied(applied.id)
        assert not await store.was_applied(refused.id)


async def test_prune_forgets_what_ended_before_then(store: Store) -> None:
    old, young = made_claim(1, ClaimState.RELEASED), made_claim(100, ClaimState.ABORTED)
    live = made_claim(2)
    cleared = [made_finding("a", START), made_finding("b", START + timedelta(seconds=100))]
    await store.apply(change_set(old, young, live, findings=(*cleared, made_finding("c"))))
    assert await store.prune(before=START + timedelta(seconds=50)) == 2
    assert await store.list_claims() == (live, young)
    left = await store.list_findings(include_cleared=True)
    assert [finding.id for finding in left] == ["b", "c"]
    assert len(await store.list_events()) == 3
    assert await store.prune(before=START + timedelta(seconds=50)) == 0


async def test_prune_goes_through_many_claims_in_slices(store: Store) -> None:
    ended = [made_claim(number, ClaimState.RELEASED) for number in range(1, 1201)]
    await store.apply(change_set(*ended, made_claim(0), events=()))
    assert await store.prune(before=START + timedelta(days=1)) == 1200
    assert await store.list_claims() == (made_claim(0),)


# -- following history ------------------------------------------------------------------------


async def test_history_is_followed_without_gaps(store: Store) -> None:
    assert (await store.follow_events(after=0)).through == 0
    commits = [await store.apply(change_set(made_claim(number))) for number in range(1, 8)]
    page = await store.follow_events(after=2, limit=3)
    assert [one.event.sequence for one in page.events] == [3, 4, 5]
    assert [one.generation for one in page.events] == [one.generation for one in commits[2:5]]
    assert page.through == 5
    rest = await store.follow_events(after=page.through, limit=3)
    assert ([one.event.sequence for one in rest.events], rest.through) == ([6, 7], 7)
    end = await store.follow_events(after=None)
    assert (end.events, end.through) == ((), 7)


async def test_what_is_wanted_of_history_is_chosen_and_the_rest_is_passed(store: Store) -> None:
    instance = uuid4()
    one, two = made_claim(1, instance_uuid=instance), made_claim(2)
    await store.apply(change_set(one, two))
    await store.apply(change_set(two, events=[made_event(two, EventKind.CONFIRMED)]))
    await store.apply(change_set(one, events=[made_event(one, EventKind.RELEASED)]))
    ends = frozenset({EventKind.CONFIRMED, EventKind.RELEASED})
    for wanted, sequences in [
        (EventFilter(kinds=ends), [3, 4]),
        (EventFilter(claim_id=two.id), [2, 3]),
        (EventFilter(instance_uuid=instance), [1, 4]),
        (EventFilter(ref=instance), [1, 4]),
        (EventFilter(ref=one.id), [1, 4]),
        (EventFilter(ref=two.id, kinds=ends), [3]),
        (EventFilter(ref=uuid4()), []),
    ]:
        page = await store.follow_events(after=0, wanted=wanted)
        assert [one.event.sequence for one in page.events] == sequences
        assert page.through == 4
    first = await store.follow_events(after=0, wanted=EventFilter(claim_id=one.id), limit=1)
    assert first.through == 1


async def test_a_place_in_another_history_is_refused(store: Store) -> None:
    await store.apply(change_set(made_claim(1)))
    with pytest.raises(EventsForgotten, match="ends at 1") as refusal:
        await store.follow_events(after=2)
    assert refusal.value.details == {"oldest": 1, "last": 1}


async def test_old_history_is_forgotten_but_not_that_of_a_live_claim(site: Site) -> None:
    live, ended, young = made_claim(1), made_claim(2), made_claim(1000)
    async with site.opened() as store:
        await store.apply(change_set(live, ended))
        gone = made_claim(2, ClaimState.RELEASED)
        await store.apply(change_set(gone, events=[made_event(gone, EventKind.RELEASED)]))
        await store.apply(change_set(live, events=[made_event(live, EventKind.RENEWED)]))
        await store.apply(change_set(young))
        assert await store.forget_events(before=START + timedelta(seconds=500)) == 2
        assert await store.forget_events(before=START + timedelta(seconds=500)) == 0
    async with site.opened() as store:
        assert [event.sequence for event in await store.list_events()] == [1, 4, 5]
        with pytest.raises(EventsForgotten) as refusal:
            await store.follow_events(after=2)
        assert refusal.value.details["oldest"] == 4
        page = await store.follow_events(after=3)
        assert [one.event.sequence for one in page.events] == [4, 5]
        await store.apply(change_set(made_claim(1, ClaimState.RELEASED), events=()))
        assert await store.forget_events(before=START + timedelta(seconds=500)) == 2
        with pytest.raises(EventsForgotten):
            await store.follow_events(after=3)


async def test_history_is_forgotten_in_slices_between_which_claims_are_written(
    store: Store,
) -> None:
    ended = [made_claim(number, ClaimState.RELEASED) for number in range(1, 1201)]
    await store.apply(change_set(*ended))
    before = (await store.apply(change_set(made_claim(0)))).generation
    assert await store.forget_events(before=START + timedelta(days=1)) == 1200
    after = (await store.apply(change_set(made_claim(2000)))).generation
    assert after - before == 1 + 3
    assert [event.sequence for event in await store.list_events()] == [1201, 1202]


async def test_a_wrong_clock_keeps_what_came_after_right_times(store: Store) -> None:
    """Before the clock was set the machine believed in 1970, or in a time to come."""
    right = SystemClock().now()
    to_come = made_claim(3, ClaimState.RELEASED, updated_at=right + timedelta(days=9999))
    old = made_claim(1, ClaimState.RELEASED)
    young = made_claim(2, ClaimState.RELEASED, updated_at=right)
    for claim in (to_come, old, young, old):
        await store.apply(change_set(claim))
    assert await store.forget_events(before=right - timedelta(hours=1)) == 1
    assert [event.sequence for event in await store.list_events()] == [1, 3, 4]


async def test_a_device_table_of_any_size_is_taken_with_the_rest(store: Store) -> None:
    devices = [
        Device(address=f"0000:{bus:02x}:00.{slot}", vendor_id="8086", product_id="1572")
        for bus in range(256)
        for slot in range(8)
    ]
    await store.apply(change_set(made_claim(1), devices=tuple(devices)))
    await store.apply(change_set(made_claim(2), devices=tuple(devices[:5])))
    await store.apply(change_set(made_claim(3), devices=()))
    assert len(await store.list_claims()) == 3


# -- cordons ----------------------------------------------------------------------------------


def lifted(cordon: Cordon) -> Cordon:
    return cordon.model_copy(update={"lifted_at": START + timedelta(seconds=1)})


async def test_cordons_are_there_after_a_restart(site: Site) -> None:
    dirty = made_cordon(
        cause=CordonCause.DIRTY,
        by=None,
        claim_id=made_claim(1).id,
        identity="8086:1572:ünïcode \u2028",
    )
    cell = made_cordon("1", CordonKind.CELL)
    async with site.opened() as store:
        assert await store.list_cordons() == ()
        await store.apply(change_set(made_claim(1), cordons=(dirty, cell)))
    async with site.opened() as store:
        assert await store.list_cordons() == (cell, dirty)


async def test_a_thing_has_a_cordon_for_each_cause_and_each_is_lifted_alone(store: Store) -> None:
    by_hand, dirty = made_cordon(), made_cordon(cause=CordonCause.DIRTY)
    elsewhere = made_cordon("0000:42:00.0")
    await store.apply(change_set(cordons=(by_hand, dirty, elsewhere)))
    await store.apply(change_set(cordons=(lifted(dirty),)))
    assert await store.list_cordons() == (by_hand, elsewhere)
    again = by_hand.model_copy(update={"reason": "smells worse"})
    await store.apply(change_set(cordons=(again, lifted(elsewhere))))
    assert await store.list_cordons() == (again,)
    await store.apply(change_set(cordons=(lifted(elsewhere),)))
    assert await store.list_cordons() == (again,)


async def test_of_forms_of_a_cordon_that_wait_together_the_last_counts(store: Store) -> None:
    first, second = made_cordon("1"), made_cordon("2")
    async with anyio.create_task_group() as group:
        for form in (first, lifted(second), lifted(first), second):
            group.start_soon(store.apply, change_set(cordons=(form,)))
    assert await store.list_cordons() == (second,)


async def test_a_cordon_stays_out_with_the_change_set_that_is_refused(store: Store) -> None:
    await store.apply(change_set(cordons=(made_cordon("1"),)))
    stranger = Projected.model_validate(made_finding("x").model_dump())
    both = (made_cordon("2"), lifted(made_cordon("1")))
    with pytest.raises(BadRequest):
        await store.apply(change_set(cordons=both, records=(stranger,)))
    assert await store.list_cordons() == (made_cordon("1"),)


async def test_every_cordon_is_listed_however_many_there_are(store: Store) -> None:
    many = tuple(made_cordon(f"{number:05}", cause=CordonCause.DIRTY) for number in range(4100))
    await store.apply(change_set(cordons=many))
    assert await store.list_cordons() == many


async def test_a_rival_cannot_lift_a_cordon(site: Site, store: Store) -> None:
    await store.apply(change_set(cordons=(made_cordon(),)))
    async with site.rival() as rival:
        with pytest.raises(StoreFenced):
            await store.apply(change_set(cordons=(lifted(made_cordon()),)))
        assert await rival.list_cordons() == (made_cordon(),)


# -- Nova's rows ------------------------------------------------------------------------------


def made_instance(number: int) -> Instance:
    return Instance(
        uuid=str(UUID(int=number)), host=NODE, node=NODE, vm_state="active", vcpus=number
    )


async def test_novas_rows_come_in_pages_and_of_what_changed_since(store: Store) -> None:
    rows = tuple(made_instance(number) for number in range(1, 6))
    await store.apply(change_set(records=rows))
    first = await store.list_instances(NODE, NODE, RowsWanted(limit=3))
    assert first.after is not None
    rest = await store.list_instances(NODE, NODE, RowsWanted(after=first.after, limit=3))
    assert [one.vcpus for one in (*first.objects, *rest.objects)] == [1, 2, 3, 4, 5]
    assert rest.after is None
    now = SystemClock().now()
    since = RowsWanted(since=now - timedelta(hours=1))
    assert len((await store.list_instances(NODE, NODE, since)).objects) == 5
    later = RowsWanted(since=now + timedelta(hours=1))
    assert (await store.list_instances(NODE, NODE, later)).objects == ()
    assert (await store.list_instances("another", NODE)).objects == ()


async def test_node_devices_and_moves_are_read_as_they_were_written(store: Store) -> None:
    node = ComputeNode(host=NODE, hypervisor_hostname=NODE, vcpus=8, memory_mb=1, local_gb=1)
    device = PciDevice(
        address="0000:41:00.1",
        vendor_id="8086",
        product_id="1889",
        dev_type="type-VF",
        status="available",
    )
    move = Migration(
        uuid=str(UUID(int=77)),
        instance_uuid=made_instance(1).uuid,
        source_compute=NODE,
        source_node=NODE,
        dest_compute="there",
        dest_node="there",
        status="migrating",
        migration_type="migration",
    )
    await store.apply(change_set(records=(node, device, made_instance(1), move)))
    (there,) = await store.list_compute_nodes(NODE)
    assert there.vcpus == 8
    (found,) = (await store.list_pci_devices(there.id)).objects
    assert (found.address, found.status) == (device.address, "available")
    (moved,) = (await store.list_migrations(NODE, NODE)).objects
    assert (moved.uuid, moved.status) == (move.uuid, "migrating")
