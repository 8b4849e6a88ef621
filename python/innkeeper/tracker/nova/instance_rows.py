"""Rows of `instances`, from all that an instance holds on this host and what of that just ended.

Where a claim is one end of a move the row says what Nova's says in that phase: the instance is on its
source until it arrived, and by the flavor, cells and requests that it has there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from innkeeper.objects import Claim, ClaimState, Move, MoveKind, MoveState, Side
from innkeeper.objects.instance import Instance
from innkeeper.tracker.nova.booked import Booked, Resolve
from innkeeper.tracker.nova.context_rows import Contexts
from innkeeper.tracker.nova.hosts import Hosts

_TASKS: Final = {
    (MoveKind.RESIZE, Side.DESTINATION): "resize_prep",
    (MoveKind.RESIZE, Side.SOURCE): "resize_migrating",
    (MoveKind.MIGRATION, Side.DESTINATION): "resize_prep",
    (MoveKind.MIGRATION, Side.SOURCE): "resize_migrating",
    (MoveKind.LIVE_MIGRATION, Side.DESTINATION): "migrating",
    (MoveKind.LIVE_MIGRATION, Side.SOURCE): "migrating",
    (MoveKind.EVACUATION, Side.DESTINATION): "rebuilding",
    (MoveKind.EVACUATION, Side.SOURCE): "rebuilding",
}
"""What the instance is busy with until it arrived, by the end that says so."""

_NO_MOVE: Final = {"old_flavor": None, "new_flavor": None, "migration_context": None}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an instance is, and what it does."""

    node: str
    vm_state: str = "active"
    task_state: str | None = None

    def words(self, hosts: Hosts) -> dict[str, Any]:
        return {
            "host": hosts.of(self.node),
            "node": self.node,
            "vm_state": self.vm_state,
            "task_state": self.task_state,
        }


class InstanceRows:
    """Makes the rows of one host."""

    def __init__(self, hosts: Hosts, resolve: Resolve, contexts: Contexts) -> None:
        self._hosts = hosts
        self._node = hosts.node
        self._resolve = resolve
        self._contexts = contexts

    def row(self, live: Sequence[Claim], ended: Sequence[Claim]) -> Instance:
        """The row of one instance, which holds or held at least one of these claims."""
        resident = next((claim for claim in live if not claim.is_arriving), None)
        arriving = next((claim for claim in live if claim.is_arriving), None)
        if arriving is not None:
            return self._arriving(arriving, resident)
        if resident is not None:
            return self._resident(resident)
        return self._gone(ended)

    def _arriving(self, claim: Claim, resident: Claim | None) -> Instance:
        """It moves hither, from elsewhere or within the host."""
        move, new = _move_of(claim), Booked.by(claim)
        if resident is not None:
            old: Booked | None = Booked.by(resident)
        else:
            old = Booked.elsewhere(new.instance_uuid, move)
        has_arrived = move.state is MoveState.ARRIVED
        return Instance(
            **_named(claim),
            **(_Place(self._node, "resized") if has_arrived else _on_the_way(move)).words(
                self._hosts
            ),
            **self._lives_by(new if has_arrived or old is None else old),
            **_flavors(move, old, new),
            migration_context=self._contexts.between(old, new, move.source),
        )

    def _resident(self, claim: Claim) -> Instance:
        """It is here; it may be on its way to another host, of which only that one knows more."""
        booked = Booked.by(claim)
        words = {**_named(claim), **self._lives_by(booked)}
        move = claim.move
        if move is None or not move.is_departing:
            vm_state = "building" if claim.state is ClaimState.PENDING else "active"
            return Instance(**words, **_Place(self._node, vm_state).words(self._hosts), **_NO_MOVE)
        has_left = move.state is MoveState.ARRIVED
        place = _Place(move.destination, "resized") if has_left else _on_the_way(move)
        return Instance(**words, **place.words(self._hosts), **_flavors(move, booked, None))

    def _gone(self, ended: Sequence[Claim]) -> Instance:
        """Nothing is held for it here: it lives elsewhere, or not at all."""
        moved = next((claim for claim in ended if _whither(self._node, claim) is not None), None)
        if moved is None:
            return _deleted(ended[-1])
        node, move = _whither(self._node, moved), _move_of(moved)
        assert node is not None
        origin = Booked.elsewhere(_uuid_of(moved), move)
        # What it has elsewhere is not always known here, and not in question: nothing here counts it.
        stays_by = {} if origin is None else self._lives_by(origin)
        return Instance(**_named(moved), **_Place(node).words(self._hosts), **stays_by, **_NO_MOVE)

    def _lives_by(self, booked: Booked) -> dict[str, Any]:
        flavor = booked.flavor
        return {
            "vcpus": flavor.vcpus,
            "memory_mb": flavor.memory_mb,
            "root_gb": flavor.root_gb,
            "ephemeral_gb": flavor.ephemeral_gb,
            "instance_type_id": flavor.id,
            "flavor": flavor,
            "numa_topology": booked.topology,
            "pci_requests": booked.pci_requests(self._resolve),
        }


def _flavors(move: Move, old: Booked | None, new: Booked | None) -> dict[str, Any]:
    """Those before and after, of moves that are settled later; the others change no flavor."""
    if not move.kind.is_settled_later:
        return {"old_flavor": None, "new_flavor": None}
    if move.kind is MoveKind.MIGRATION:
        old, new = old or new, new or old
    known = {"old_flavor": old, "new_flavor": new}
    return {name: booked.flavor for name, booked in known.items() if booked is not None}


def _on_the_way(move: Move) -> _Place:
    return _Place(move.source, task_state=_TASKS[move.kind, move.side])


def _whither(node: str, claim: Claim) -> str | None:
    """The other node that has the instance, as the end of this claim says; null when none has."""
    move = claim.move
    if move is None:
        return None
    at_source = move.side is Side.DESTINATION and move.state in (
        MoveState.REVERTED,
        MoveState.FAILED,
    )
    at_destination = move.side is Side.SOURCE and move.state is MoveState.CONFIRMED
    other = move.source if at_source else move.destination if at_destination else node
    return None if other == node else other


def _deleted(claim: Claim) -> Instance:
    return Instance(
        **_named(claim), host=None, node=None, vm_state="deleted", task_state=None, deleted=True
    )


def _named(claim: Claim) -> dict[str, Any]:
    return {
        "uuid": str(claim.instance_uuid),
        "project_id": claim.holder.project,
        "user_id": claim.holder.user,
        "display_name": claim.name,
    }


def _move_of(claim: Claim) -> Move:
    assert claim.move is not None
    return claim.move


def _uuid_of(claim: Claim) -> UUID:
    assert claim.instance_uuid is not None
    return claim.instance_uuid
