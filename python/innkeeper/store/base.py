"""What every store promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from innkeeper.objects import (
    ChangeSet,
    Claim,
    ClaimState,
    ComputeNode,
    Cordon,
    Event,
    Finding,
    Instance,
    Migration,
    PciDevice,
    Service,
)
from innkeeper.objects.event import EVERY_EVENT, EventFilter

if TYPE_CHECKING:
    from innkeeper.store.nova.block_devices import BlockDevice
    from innkeeper.store.nova.paging import Page


@dataclass(frozen=True, slots=True)
class Commit:
    """Where a change set stands in the order of what is durable."""

    generation: int
    """The ledger's generation on disk after the batch that holds it."""
    sequence: int
    """Sequence of the last event of the change set; 0 when it holds none."""
    findings: tuple[Finding, ...] = ()
    """Texts that columns of Nova's tables could not hold, of everything in the same batch."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Whose claims a ledger holds."""

    id: str | None = None
    """From /etc/machine-id; null where the host does not say."""
    hostname: str | None = None


NOBODY: Final = Machine()
"""A host that does not say which one it is: it takes every ledger, and leaves none a sign."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a store found when it was opened."""

    generation: int
    epoch: int
    """Counts the owners of this ledger; every write is fenced by it."""
    ledger: UUID
    """What no other ledger has; one that was rebuilt after damage is another one."""
    sequence: int = 0
    """Of the last event."""
    set_aside: str | None = None
    """Path of a damaged database that was replaced."""
    rebuilt_claims: int = 0
    """Claims that could be carried over from it."""
    rebuilt_cordons: int = 0
    """Cordons that could be carried over from it."""
    unreadable_cordons: int | None = 0
    """Cordons that are there in it and could not; null when it cannot be told how many there were.
    Unless this is 0, something that was kept out is handed out again."""
    taken_from: Machine | None = None
    """Whose the ledger was, where it was taken over on purpose."""
    rebooted_from: str | None = None
    """Boot id under which the ledger was opened before, where the host started anew since."""
    booted_at: datetime | None = None
    """When the ledger was first opened on this boot, or on this machine: claims that were written last
    before then are of an earlier one. Null: no other is known."""


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """Counts since the store was opened."""

    change_sets: int
    """Change sets that became durable."""
    batches: int
    """Transactions that held them; each is one sync of the disk."""
    largest_batch: int
    retried: int
    """Change sets written alone after their batch was rolled back."""
    unreadable_claims: tuple[str, ...] = ()
    """Ids of claims that lists left out because their record is damaged. What such a claim holds
    is not known: whoever rebuilds a ledger asks for these after its last page."""
    unreadable_cordons: tuple[str, ...] = ()
    """What is left of kind, subject and cause of cordons that lists left out because even that is
    damaged: what they were around is handed out."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event, and the generation of the ledger that it is contained in."""

    event: Event
    generation: int | None
    """Null of events that older releases wrote."""


@dataclass(frozen=True, slots=True, eq=False)
class HistoryPage:
    """A stretch of history in which nothing that is wanted is missing."""

    events: tuple[Recorded, ...]
    through: int
    """Sequence of the last event that was looked at, whether it is wanted or not."""
    oldest: int
    """Sequence from which on nothing is forgotten."""


@dataclass(frozen=True, slots=True)
class ClaimDigest:
    """What tells whether a claim's record is still the one that is known, without reading it."""

    id: UUID
    digest: bytes
    """Of the text as it stands in the record; see `store.digests`."""


@dataclass(frozen=True, slots=True)
class RowsWanted:
    """Which rows of a table of Nova's, by ascending id."""

    after: int = 0
    """Id of the last row that was read."""
    limit: int = 200
    since: datetime | None = None
    """Only rows that came or changed in that second or later; tables keep whole seconds."""
    known: Mapping[int, int] = field(default_factory=dict)
    """Digests of rows by id: no object is made of one that is still the same."""
    of_instance: str | None = None
    """Only the rows of this instance."""


EVERY_ROW: Final = RowsWanted()


class Store(Protocol):
    """Keeps promises. One write, `apply`; reads are paged and never wait for a write."""

    async def open(self, *, boot_id: str | None, machine: Machine = NOBODY) -> Opened:
        """Take ownership of the node's ledger under a new epoch.

        That the host started anew, or that the ledger was another machine's, becomes an event.

        Raises:
            StoreInUse: another process owns the state directory.
            StoreForeign: the ledger is another machine's, or claims are kept under another node's name;
                nothing was written.
            StoreTooNew: this innkeeper is older than the database's oldest reader.
            StoreError: anything else that keeps it from opening.
        """
        ...

    async def close(self) -> None:
        """Finish what is being written and let go; safe to call twice."""
        ...

    async def apply(self, change_set: ChangeSet) -> Commit:
        """Return once the change set is durable; change sets that wait together share a transaction.

        Cancelling the caller does not cancel the write.

        Raises:
            StoreFenced: another owner has the ledger; nothing was written.
            OutcomeUnknown: it may be durable; `was_applied` tells later.
            StoreError: nothing was written.
        """
        ...

    async def was_applied(self, change_set_id: UUID) -> bool:
        """Whether a change set of the last hour is durable.

        Raises:
            StoreError: it cannot be known yet.
        """
        ...

    async def find_claim(self, claim_id: UUID) -> Claim | None:
        """The claim in its last durable form, tombstones included.

        Raises:
            StoreCorrupt: it is there and its record is damaged.
        """
        ...

    async def list_claims(
        self,
        *,
        states: frozenset[ClaimState] | None = None,
        instance_uuid: UUID | None = None,
        limit: int = 1000,
        marker: UUID | None = None,
    ) -> tuple[Claim, ...]:
        """Claims by ascending id, after `marker`; an empty page is the end.

        A damaged record is left out, and its id stands in `statistics().unreadable_claims`.
        """
        ...

    async def list_claim_digests(
        self, *, since: datetime | None = None, limit: int = 1000, marker: UUID | None = None
    ) -> tuple[ClaimDigest, ...]:
        """Of live claims by ascending id, after `marker`; an empty page is the end.

        With `since` only those of which the last form is of that moment or later. A damaged record is
        among them: whoever reads it finds out.
        """
        ...

    async def find_ended_of_move(self, move_id: UUID) -> tuple[Claim, ...]:
        """Tombstones of claims that were one end of a move, by ascending id."""
        ...

    async def list_events(
        self,
        *,
        after: int = 0,
        wanted: EventFilter = EVERY_EVENT,
        limit: int = 1000,
    ) -> tuple[Event, ...]:
        """Events by ascending sequence, later than `after`, as far as they are kept."""
        ...

    async def follow_events(
        self, *, after: int | None, wanted: EventFilter = EVERY_EVENT, limit: int = 1000
    ) -> HistoryPage:
        """The next of all events later than `after`; null is the end of what is durable now.

        Raises:
            EventsForgotten: some of them are deleted, or `after` is later than the last one.
        """
        ...

    async def list_findings(
        self, *, include_cleared: bool = False, limit: int = 1000, marker: str | None = None
    ) -> tuple[Finding, ...]:
        """Findings by ascending id, after `marker`."""
        ...

    async def find_finding(self, finding_id: str) -> Finding | None:
        """The finding as it was last written, cleared ones included."""
        ...

    async def list_cordons(self) -> tuple[Cordon, ...]:
        """Everything that takes no new claims, by kind, subject and cause.

        One whose record is damaged stays in force as long as its name can be read; see `statistics`.
        """
        ...

    async def list_instances(
        self, host: str, node: str, wanted: RowsWanted = EVERY_ROW
    ) -> Page[Instance]:
        """What Nova's tables say of the live instances of a node; rows that make no sense are told."""
        ...

    async def list_migrations(
        self, host: str, node: str, wanted: RowsWanted = EVERY_ROW
    ) -> Page[Migration]:
        """Likewise of moves from or to a node that have not ended."""
        ...

    async def list_pci_devices(
        self, compute_node_id: int, wanted: RowsWanted = EVERY_ROW
    ) -> Page[PciDevice]:
        """Likewise of the devices of a node, by the id of its row."""
        ...

    async def list_block_devices(self, instance_uuid: str) -> tuple[BlockDevice, ...]:
        """Likewise of the disks of an instance; none where the database does not have that table."""
        ...

    async def list_services(self, host: str) -> tuple[Service, ...]:
        """What Nova's tables say of the services of a host, by ascending id."""
        ...

    async def list_compute_nodes(self, host: str) -> tuple[ComputeNode, ...]:
        """What Nova's tables say of the nodes of a host, by ascending id."""
        ...

    async def list_set_aside(self) -> tuple[str, ...]:
        """Paths of damaged databases that were replaced and that nobody has moved away yet."""
        ...

    async def mark_seen(self, path: str) -> str | None:
        """Rename one of `list_set_aside`, which a person looked at, so that it is listed no more.

        Its new path; null when it is not listed. Nothing of it is deleted.

        Raises:
            StoreError: it cannot be renamed.
        """
        ...

    async def foreign_writes(self) -> object:
        """Equal as long as nobody but this store wrote to the database, at whatever moment they say.

        Null where others may write that and nobody tells: it has to be looked for.

        Raises:
            StoreError: it cannot be known.
        """
        ...

    async def accept_boot(self) -> None:
        """Claims of earlier boots count as of the present one from now on.

        Raises:
            StoreFenced, OutcomeUnknown, StoreError
        """
        ...

    async def prune(self, *, before: datetime) -> int:
        """Delete tombstones and cleared findings that ended before then; how many went."""
        ...

    async def forget_events(self, *, before: datetime) -> int:
        """Delete events of before then, but none of a live claim; how many went."""
        ...

    def statistics(self) -> StoreStatistics:
        """Counts since the store was opened; after it was closed, those of the end."""
        ...
