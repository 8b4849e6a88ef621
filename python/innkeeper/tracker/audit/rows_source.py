"""Nova's tables compared with the claims that they are the projection of; no claim follows from them.

A row that is as it was when it was compared, with claims that are the same, is not made an object again.
Between full audits rows that changed are looked at, and all of them as long as something differs or when
somebody else wrote to the database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from anyio.lowlevel import checkpoint

from innkeeper.objects import Claim, ComputeNode, Instance, Migration, PciDevice
from innkeeper.requests.remarks import Remark
from innkeeper.store.base import RowsWanted
from innkeeper.tracker.audit.comparing import Comparison
from innkeeper.tracker.audit.known_rows import KnownRows
from innkeeper.tracker.audit.row_differences import (
    Difference,
    of_device,
    of_instance,
    of_pools,
    of_totals,
    told,
)
from innkeeper.tracker.nova.counting import count_instance
from innkeeper.tracker.nova.projecting import Projecting
from innkeeper.tracker.parts import Parts

if TYPE_CHECKING:
    from innkeeper.store.nova.paging import Page

OVERLAP: Final = timedelta(minutes=1)
"""Before the last look: rows keep whole seconds, and a moment may be older than its write."""
FAILED: Final = "error"
"""Of a cold move: over, and nobody holds anything for it, though Nova lists it among those in progress."""
IN_A_PAGE: Final = 128
"""Rows that are read before others get their turn."""
IN_A_NEW_PAGE: Final = 24
"""Likewise where each has to be made an object."""


@dataclass(slots=True)
class _Look:
    """One comparison under way."""

    rows: Projecting
    changing: set[UUID]
    since: datetime | None
    remarks: list[Remark] = field(default_factory=list)
    examined: int = 0
    left_out: set[str] = field(default_factory=set)

    @property
    def is_whole(self) -> bool:
        return self.since is None


class NovaRowsSource:
    """Tells rows that are not as the claims have them; silent where Nova's tables are not kept."""

    kinds = frozenset(
        {
            *("row_unclaimed", "row_missing", "row_differs", "row_unreadable"),
            *("totals_differ", "pools_differ", "device_row_differs", "move_unclaimed"),
        }
    )

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._through: datetime | None = None
        self._foreign: object = None
        """What the store said of writes of others before it was read."""
        self._good: tuple[object, ...] | None = None
        """What the rows followed from when all were as they should be; null when some were not."""
        self._instances, self._devices = KnownRows(), KnownRows()

    async def compare(self, *, full: bool) -> Comparison:  # noqa: D102
        rows, register = self._parts.writer.rows, self._parts.register
        if not isinstance(rows, Projecting):
            return Comparison()
        began, foreign = self._parts.clock.now(), await self._parts.store.foreign_writes()
        basis = self._basis()
        is_whole = full or self._good is None or foreign != self._foreign
        if not is_whole and foreign is not None and basis == self._good:
            return Comparison()
        through = None if is_whole else self._through
        with register.watch() as changing:
            look = _Look(rows, changing, None if through is None else through - OVERLAP)
            await self._look_at_instances(look)
            await self._look_at_moves(look)
            await self._look_at_node(look)
        self._through, self._foreign = began, foreign
        self._good = None if look.remarks or look.left_out else basis
        return Comparison(look.remarks, look.examined, left_out=frozenset(look.left_out))

    def _basis(self) -> tuple[object, ...]:
        """Equal as long as the rows are to be the same; the store writes others only when it is not."""
        parts = self._parts
        functions = parts.offer.admission.by_address
        return parts.register.changes, parts.inventory, functions, parts.config

    # -- instances ---------------------------------------------------------------------------

    async def _look_at_instances(self, look: _Look) -> None:
        host, node, store = look.rows.service.host, self._parts.node, self._parts.store
        seen: set[str] = set()

        def read(wanted: RowsWanted) -> Awaitable[Page[Instance]]:
            return store.list_instances(host, node, wanted)

        known = self._instances.digests(self._claims_of) if look.is_whole else {}
        async for page in self._pages(look, read, known):
            ids = {subject: (row_id, digest) for row_id, (subject, digest) in page.digests.items()}
            seen.update(ids)
            for row in page.objects:
                self._judge_instance(look, row, *ids[row.uuid])
        if look.is_whole:
            held = {one.instance_uuid for one in self._parts.register if one.instance_uuid}
            for instance_uuid in held - set(_uuids(seen)):
                self._judge_missing(look, instance_uuid)

    def _claims_of(self, subject: str) -> tuple[Claim, ...]:
        found = _uuid(subject)
        return () if found is None else self._parts.register.of_instance(found)

    def _judge_instance(self, look: _Look, row: Instance, row_id: int, digest: int) -> None:
        instance_uuid = _uuid(row.uuid)
        if instance_uuid is None or self._is_changing(look, instance_uuid):
            look.left_out.add(row.uuid)
            return
        self._instances.forget(row_id)
        wanted = look.rows.instance_row(instance_uuid)
        if wanted is None:
            look.remarks.append(_unclaimed(row))
        elif differences := of_instance(wanted, row):
            look.remarks.append(self._row_differs(instance_uuid, differences))
        else:
            self._instances.keep(row_id, row.uuid, digest, self._claims_of(row.uuid))

    def _judge_missing(self, look: _Look, instance_uuid: UUID) -> None:
        wanted = look.rows.instance_row(instance_uuid)
        if self._is_changing(look, instance_uuid) or wanted is None:
            look.left_out.add(str(instance_uuid))
        elif wanted.node == self._parts.node:
            message = f"instance {instance_uuid} holds a claim here and has no row in `instances`"
            look.remarks.append(self._of_instance("row_missing", instance_uuid, message))

    def _is_changing(self, look: _Look, instance_uuid: UUID) -> bool:
        """Of a claim that ended meanwhile nobody tells any more whose it was."""
        ids = self._parts.register.ids_of_instance(instance_uuid)
        if not ids:
            return any(self._parts.register.find(one) is None for one in look.changing)
        return not look.changing.isdisjoint(ids)

    def _row_differs(self, instance_uuid: UUID, differences: list[Difference]) -> Remark:
        message = (
            f"the row of instance {instance_uuid} is not as its claim has it: {told(differences)}"
        )
        return self._of_instance("row_differs", instance_uuid, message)

    def _of_instance(self, kind: str, instance_uuid: UUID, message: str) -> Remark:
        claims = self._parts.register.of_instance(instance_uuid)
        claim_id = claims[0].id if claims else None
        return Remark(kind, str(instance_uuid), message, claim_id=claim_id)

    # -- moves -------------------------------------------------------------------------------

    async def _look_at_moves(self, look: _Look) -> None:
        """All that have not ended, whenever they changed: there are few."""
        host, node, store = look.rows.service.host, self._parts.node, self._parts.store
        wanted: RowsWanted | None = RowsWanted(limit=IN_A_PAGE)
        while wanted is not None:
            page = await store.list_migrations(host, node, wanted)
            for row in page.objects:
                look.examined += 1
                self._judge_move(look, row)
            wanted = None if page.after is None else RowsWanted(page.after, IN_A_PAGE)

    def _judge_move(self, look: _Look, row: Migration) -> None:
        move_id = _uuid(row.uuid) if row.is_set("uuid") else None
        ends = () if move_id is None else self._parts.register.of_move(move_id)
        subject = str(move_id or f"migration {row.id}")
        if row.status == FAILED:
            return
        if look.changing:
            look.left_out.add(subject)
        elif not any(end.is_moving for end in ends):
            message = (
                f"{subject} of instance {row.instance_uuid} is {row.status} from {row.source_node} to "
                f"{row.dest_node}, and no claim here is an end of it: nothing is held for it"
            )
            look.remarks.append(Remark("move_unclaimed", subject, message, observed=row.status))

    # -- node and devices --------------------------------------------------------------------

    async def _look_at_node(self, look: _Look) -> None:
        host, node = look.rows.service.host, self._parts.node
        nodes = await self._parts.store.list_compute_nodes(host)
        found = next((one for one in nodes if one.hypervisor_hostname == node), None)
        if found is None:
            message = f"`compute_nodes` has no row of node {node} on {host} that could be read"
            look.remarks.append(Remark("totals_differ", node, message))
            return
        look.examined += 1
        self._judge_node(look, found)
        await self._look_at_devices(look, found.id)

    def _judge_node(self, look: _Look, found: ComputeNode) -> None:
        node = self._parts.node
        if look.changing or not look.rows.is_settled:
            look.left_out.add(node)
            return
        wanted = look.rows.node_row()
        if differences := of_totals(wanted, found):
            message = (
                f"the row of node {node} has other totals than its claims: {told(differences)}"
            )
            look.remarks.append(Remark("totals_differ", node, message))
        if of_pools(wanted, found):
            message = f"the pools of node {node} in its row are not the devices that are free"
            look.remarks.append(Remark("pools_differ", node, message))

    async def _look_at_devices(self, look: _Look, node_id: int) -> None:
        store = self._parts.store

        def read(wanted: RowsWanted) -> Awaitable[Page[PciDevice]]:
            return store.list_pci_devices(node_id, wanted)

        known = self._devices.digests(look.rows.device_token) if look.is_whole else {}
        async for page in self._pages(look, read, known):
            ids = {subject: (row_id, digest) for row_id, (subject, digest) in page.digests.items()}
            for row in page.objects:
                self._judge_device(look, row, *ids[row.address])

    def _judge_device(self, look: _Look, row: PciDevice, row_id: int, digest: int) -> None:
        self._devices.forget(row_id)
        token = look.rows.device_token(row.address)
        differences = of_device(look.rows.device_row(row.address), row)
        if not differences:
            self._devices.keep(row_id, row.address, digest, token)
        elif look.changing or not look.rows.is_settled:
            look.left_out.add(row.address)
        else:
            message = (
                f"the row of device {row.address} is not as claims have it: {told(differences)}"
            )
            look.remarks.append(Remark("device_row_differs", row.address, message))

    # -- pages -------------------------------------------------------------------------------

    async def _pages(
        self,
        look: _Look,
        read: Callable[[RowsWanted], Awaitable[Page[Any]]],
        known: dict[int, int],
    ) -> AsyncIterator[Page[Any]]:
        after: int | None = 0
        limit = IN_A_PAGE if known else IN_A_NEW_PAGE
        while after is not None:
            page = await read(RowsWanted(after, limit, look.since, known))
            look.examined += len(page.digests)
            look.remarks += _unreadable(page)
            yield page
            await checkpoint()
            after = page.after


def _unclaimed(row: Instance) -> Remark:
    """What Nova would count for it, so that people know what may be handed out twice."""
    amounts = count_instance(row).amounts
    if amounts is None:
        counts = "Nova counts nothing for it"
    else:
        counts = (
            f"Nova counts {amounts.vcpus} vCPUs, {amounts.memory_mb} MiB of memory and "
            f"{amounts.local_gb} GiB of disk for it"
        )
    message = (
        f"the row of instance {row.uuid} says that it is on this node ({row.vm_state}), and it has no "
        f"claim here: {counts}, and nothing is held"
    )
    return Remark("row_unclaimed", row.uuid, message, observed=row.vm_state)


def _unreadable(page: Page[Any]) -> Iterator[Remark]:
    for one in page.unreadable:
        subject = f"{one.table} {one.subject}"
        yield Remark("row_unreadable", subject, f"the row {one.row_id} of {subject}: {one.reason}")


def _uuids(subjects: set[str]) -> Iterator[UUID]:
    return (found for found in map(_uuid, subjects) if found is not None)


def _uuid(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        return None
