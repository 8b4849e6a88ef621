"""Which functions the host itself needs, and why."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from innkeeper.drivers.sysfs.location import functions_on
from innkeeper.drivers.sysfs.network import Network
from innkeeper.drivers.sysfs.pci import Found
from innkeeper.drivers.sysfs.storage import Storage
from innkeeper.drivers.sysfs.tree import Tree
from innkeeper.objects import PciFunction


def mark_used(tree: Tree, found: tuple[Found, ...]) -> tuple[PciFunction, ...]:
    """The functions, each that the host needs with its first reason in `used_by_host`."""
    uses = _uses(tree, found)
    return tuple(
        one.function.model_copy(update={"used_by_host": uses[one.function.address]})
        if one.function.address in uses
        else one.function
        for one in found
    )


def _uses(tree: Tree, found: tuple[Found, ...]) -> dict[str, str]:
    uses: dict[str, str] = {}
    for address, reason in chain(_direct_uses(tree, found), _opened(found)):
        uses.setdefault(address, reason)
    for address, reason in [*_parents_of(uses, found)]:
        uses.setdefault(address, reason)
    for address, reason in [*_bridges_above(uses, found)]:
        uses.setdefault(address, reason)
    return uses


def _direct_uses(tree: Tree, found: tuple[Found, ...]) -> Iterator[tuple[str, str]]:
    own = {name: one.function.address for one in found for name in one.function.netdevs}
    network, storage = Network(tree, own), Storage(tree)
    yield from network.default_routes()
    yield from storage.mounts()
    yield from storage.swaps()
    yield from storage.held()
    yield from network.members()


def _opened(found: tuple[Found, ...]) -> Iterator[tuple[str, str]]:
    for one in found:
        if one.opened_through:
            yield one.function.address, f"opened by a program through {one.opened_through}"


def _parents_of(uses: dict[str, str], found: tuple[Found, ...]) -> Iterator[tuple[str, str]]:
    """A VF does not live without its PF."""
    for function in (one.function for one in found):
        if function.parent and function.address in uses:
            yield function.parent, f"parent of {function.address}: {uses[function.address]}"


def _bridges_above(uses: dict[str, str], found: tuple[Found, ...]) -> Iterator[tuple[str, str]]:
    for one in found:
        address = one.function.address
        if address in uses:
            for bridge in functions_on(one.path)[:-1]:
                yield bridge, f"above {address}: {uses[address]}"
