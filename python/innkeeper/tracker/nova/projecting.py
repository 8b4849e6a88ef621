"""Which rows of Nova's tables a step changes, from the parts of the tracker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from innkeeper.objects import ChangeSet, Claim, Instance, PciDevice, PciFunction, Request
from innkeeper.objects.base import VersionedObject
from innkeeper.objects.compute_node import ComputeNode
from innkeeper.objects.cordon import Cordon
from innkeeper.tracker.nova.cells import NovaCells
from innkeeper.tracker.nova.context_rows import Contexts
from innkeeper.tracker.nova.device_book import DeviceBook
from innkeeper.tracker.nova.device_rows import device_row
from innkeeper.tracker.nova.hosts import Hosts
from innkeeper.tracker.nova.instance_book import InstanceBook
from innkeeper.tracker.nova.instance_rows import InstanceRows
from innkeeper.tracker.nova.migration_rows import migration_row
from innkeeper.tracker.nova.node import NodeFacts, NodeRecord, compute_node_row
from innkeeper.tracker.nova.service import ServiceRecord
from innkeeper.tracker.nova.stats import NodeStats
from innkeeper.tracker.nova.totals import Totals
from innkeeper.tracker.parts import Parts


class Projecting:
    """Makes the rows of one host."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        admission = parts.offer.admission
        self._book = DeviceBook(admission)
        self._instances = InstanceBook(parts.register)
        for claim in parts.register:
            self._book.follow(claim)
        self._functions: Mapping[str, PciFunction] = {}
        self.service = ServiceRecord(parts.service_host)
        self._node = NodeRecord()
        self._stats = NodeStats(parts.node)
        self._cells = NovaCells(parts.config.nova.release)
        contexts = Contexts(parts.node, self._book, self._resolve, admission)
        self._hosts = Hosts(parts.node, self.service.host)
        self._instance_rows = InstanceRows(self._hosts, self._resolve, contexts)

    def _resolve(self, words: Request) -> Request:
        """By the aliases of the moment: they are others after a reload."""
        return self._parts.aliases.resolve(words)

    def of_host(self) -> tuple[VersionedObject, ...]:
        """Service, node, devices whose row may be another, and instances that hold any of these.

        A device that is held and not offered is always among them: the store takes the rows of devices
        that it is told nothing of for those of devices that left the host. Instances and moves are all
        among them when this is asked first.
        """
        self._observe()
        self._book.touch(self._book.absent())
        self._instances.touch_holders(self._holders())
        return (self.service.started(self._parts.cordons.durable), *self._rows())

    def _holders(self) -> Iterator[Claim]:
        held = map(self._book.holding, self._book.touched)
        return (one.claim for one in held if one is not None)

    def of_claims(self, claims: Sequence[Claim]) -> tuple[VersionedObject, ...]:
        """The next forms of these claims, the devices that this concerns, and the totals with them."""
        if not claims:
            return ()
        self._observe()
        before = [self._instances.find(claim.id) for claim in claims]
        try:
            for claim in claims:
                self._follow(claim)
            return tuple(self._rows(claims, [one for one in before if one is not None]))
        except BaseException:
            for claim in claims:
                self._follow_published(claim)
                self._stats.forget(str(claim.instance_uuid))
            raise

    def of_cordons(self, cordons: Sequence[Cordon]) -> tuple[VersionedObject, ...]:
        """The host's own cordon disables the service, and its end enables it."""
        return self.service.cordoned(cordons)

    def of_beat(self) -> tuple[VersionedObject, ...]:
        """The service is alive; of devices, instances and node what could not be written before."""
        self._observe()
        self._instances.touch_holders(self._holders())
        return (self.service.beat(self._parts.clock.now()), *self._rows())

    def of_return(self) -> tuple[VersionedObject, ...]:
        """The service as it is to be where somebody deleted it, with what a sign of life brings."""
        _beat, *others = self.of_beat()
        cordons, now = self._parts.cordons.durable, self._parts.clock.now()
        return (self.service.returned(cordons, now), *others)

    def sent(self, change_set: ChangeSet) -> None:
        """The form of the node in it is under way."""
        self._node.send(change_set.records)

    def landed(self, change_set: ChangeSet) -> None:
        """The claims in it are published; their forms were followed when its rows were made."""
        self._node.landed(change_set.records)
        for claim in change_set.claims:
            self._follow_published(claim)

    def lost(self, change_set: ChangeSet) -> None:
        """What is published counts again, and whatever was to be written is written with the next step."""
        for claim in change_set.claims:
            self._follow_published(claim)
        records = change_set.records
        self._node.lost(records)
        self._book.touch(one.address for one in records if isinstance(one, PciDevice))
        instances = [one.uuid for one in records if isinstance(one, Instance)]
        self._instances.touch(map(UUID, instances))
        for instance_uuid in instances:
            self._stats.forget(instance_uuid)

    # -- what the tables are to say; nothing is on its way by asking ------------------------------

    @property
    def is_settled(self) -> bool:
        """Whether everything that was to be written is written."""
        return not (self._book.touched or self._instances.touched or self._node.is_under_way)

    def instance_row(self, instance_uuid: UUID) -> Instance | None:
        """By its live claims; null when it has none here."""
        live = self._instances.of_instance(instance_uuid)
        return self._instance_rows.row(live, ()) if live else None

    def device_row(self, address: str) -> PciDevice:
        """`removed` for a device that the host does not have and nobody holds."""
        return device_row(self._parts.node, address, self._book, self._parts.offer.admission)

    def device_token(self, address: str) -> object:
        """Equal as long as its row is the same."""
        return self._book.find(address), self._book.holding(address), self._book.facts(address)

    def node_row(self) -> ComputeNode:
        """With the totals of this moment."""
        return self._node_row()

    def _follow(self, claim: Claim) -> None:
        self._book.follow(claim)
        self._instances.follow(claim)

    def _follow_published(self, claim: Claim) -> None:
        published = self._parts.register.find(claim.id)
        if published is not None and published.id == claim.id:
            self._follow(published)
        else:
            self._book.forget(claim)
            self._instances.forget(claim)

    def _observe(self) -> None:
        """Take over the devices, and what their functions say beside."""
        self._book.observe(self._parts.inventory.devices)
        before, now = self._functions, self._parts.offer.admission.by_address
        if now is before:
            return
        self._functions = now
        for address, function in now.items():
            if before.get(address) is not function:
                self._book.touch_family(address)

    def _rows(
        self, claims: Sequence[Claim] = (), before: Sequence[Claim] = ()
    ) -> Iterator[VersionedObject]:
        node = self._parts.node
        for address in self._book.take_touched():
            yield device_row(node, address, self._book, self._parts.offer.admission)
        self._instances.touch_holders(claims)
        ended = [claim for claim in claims if not claim.state.live]
        for instance_uuid in sorted(self._instances.touched):
            yield from self._rows_of(
                self._instances.of_instance(instance_uuid),
                [one for one in ended if one.instance_uuid == instance_uuid],
                [one for one in before if one.instance_uuid == instance_uuid],
            )
        self._instances.forget_touched()
        # With the instances above counted.
        yield from self._node.news(self._node_row())

    def _rows_of(
        self, live: Sequence[Claim], ended: Sequence[Claim], before: Sequence[Claim]
    ) -> Iterator[VersionedObject]:
        """One instance and its moves that are open, or were until now."""
        if not live and not ended:
            return
        row = self._instance_rows.row(live, ended)
        self._stats.follow([row])
        yield row
        open_before = {one.move.id for one in before if one.is_moving and one.move}
        ends: defaultdict[UUID, list[Claim]] = defaultdict(list)
        for claim in (*ended, *live):
            if claim.move is not None and (claim.is_moving or claim.move.id in open_before):
                ends[claim.move.id].append(claim)
        yield from (migration_row(some, self._hosts) for some in ends.values())

    def _node_row(self) -> ComputeNode:
        """The ledger still holds what is being given back: that does not count."""
        parts = self._parts
        usage, leaving = parts.ledger.usage(), parts.leaving
        facts = NodeFacts(
            service_host=self.service.host,
            node=parts.node,
            host=parts.host,
            inventory=parts.inventory,
            totals=Totals.of(usage, leaving),
            stats=self._stats,
            pools=self._book.pools.as_object(),
            cells=self._cells.text(parts.inventory, usage, leaving.placements),
        )
        return compute_node_row(facts)
