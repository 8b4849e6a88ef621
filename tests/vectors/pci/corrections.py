"""Nova's tracker with the corrections that innkeeper makes, each by its name and each alone.

With none of them it is Nova; with all of them it is what docs/differences-from-nova.md promises. So
a row that innkeeper answers otherwise is explained by the fewest corrections that turn the one
answer into the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from tests.vectors.pci.first_choice import Candidate, Choice, Nearness, Want
from tests.vectors.pci.nova_pools import (
    Filter,
    Pool,
    Words,
    matches_any,
    providers_of,
    serialized,
    supported,
)
from tests.vectors.pci.nova_specs import NovaError, NovaSpec, Report
from tests.vectors.pci.nova_tracker import CHILDREN, NovaDevice, NovaTracker

Taken = list[tuple[str, NovaDevice]]

#: name -> numbers of the quirks that it mends, in the order in which they are tried.
CORRECTIONS: Final = {
    "order-by-content": (16, 17),
    "tags-are-texts": (24,),
    "numa-last": (21,),
    "exact-providers": (30, 31),
    "relatives-in-question": (26,),
    "atomic": (27, 28),
    "pf-vf-alternatives": (18, 29),
    "joint": (),
    "remote-managed-pf": (11,),
    "pf-of-held-vf": (4,),
    "parent-by-address": (32,),
    "follows-changes": (1, 33),
    "relatives-come-back": (36,),
    "second-claim-adds": (35,),
    "durable-at-once": (3, 5),
    "back-while-held": (),
    "no-device-no-claim": (),
    "unreadable-skipped": (10,),
    "wide-domains": (),
    "zero-count": (),
}
ALL: Final = frozenset(CORRECTIONS)


def _name_of(pool: Pool) -> str:
    """A text for each set of properties."""
    apart = ("count", "devices", "rp_uuid")
    return repr(sorted((name, str(it)) for name, it in pool.items() if name not in apart))


class CorrectedFilter(Filter):
    """The filter chain in which providers are all or nothing."""

    exact = False

    def _by_provider(self, pools: list[Pool], rps: list[str]) -> list[Pool]:  # type: ignore[override]
        if not self.exact or not rps:
            return super()._by_provider(pools, rps)
        return [pool for pool in pools if pool.get("rp_uuid") in rps]


class CorrectedTracker(NovaTracker):
    """Nova's tracker, mended in some ways."""

    corrections: frozenset[str] = ALL

    @classmethod
    def with_corrections(cls, names: frozenset[str]) -> type[CorrectedTracker]:
        return type("Corrected", (cls,), {"corrections": names})

    def has(self, *names: str) -> bool:
        return not self.corrections.isdisjoint(names)

    def __init__(self, specs: Sequence[NovaSpec], host_cells: Any, saved: Any = ()) -> None:
        super().__init__(specs, host_cells, saved)
        self.chain = CorrectedFilter(host_cells, numa_last=self.has("numa-last"))
        self.chain.exact = self.has("exact-providers")

    # Pools

    def _key(self, device: NovaDevice) -> Pool | None:
        key = super()._key(device)
        if key is None or not self.has("tags-are-texts"):
            return key
        return {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in key.items()
        }

    def _take_out(self, device: NovaDevice) -> None:
        if not self.has("follows-changes"):
            super()._take_out(device)
            return
        for pool in [pool for pool in self.pools if device in pool["devices"]]:
            self._leave(pool, device)

    def _add(self, device: NovaDevice) -> None:
        if self.has("pf-of-held-vf") and (self._is_free(device) or self._is_barred(device)):
            return
        super()._add(device)

    def _is_barred(self, device: NovaDevice) -> bool:
        """A relative is held, as far as addresses tell."""
        if device.status in ("unclaimable", "unavailable"):
            return True
        related = (
            it
            for it in self.devices
            if (it.dev_type in CHILDREN and it.parent_addr == device.address)
            or (device.dev_type in CHILDREN and device.parent_addr == it.address)
        )
        barring = [it for it in related if it.status in ("claimed", "allocated")]
        if barring:
            device.status = "unclaimable"
        return bool(barring)

    def _sort(self) -> None:
        """Pools by number of entries and lowest address, whoever holds it; devices ascending."""
        lowest = {
            _name_of(pool): min((it.address for it in pool["devices"]), default=pool["address"])
            for pool in self.pools
        }
        free = {it.address for pool in self.pools for it in pool["devices"]}
        for device in self.devices:
            if device.address not in free and device.status not in ("removed", "deleted"):
                name = _name_of(self._key(device) or {})
                lowest[name] = min(lowest.get(name, device.address), device.address)

        def order(pool: Pool) -> tuple[int, str]:
            return len(pool), lowest[_name_of(pool)]

        self.pools.sort(key=order)
        for pool in self.pools:
            pool["devices"].sort(key=lambda device: device.address)

    # Sync

    def _build_tree(self) -> None:
        if not self.has("parent-by-address"):
            super()._build_tree()
            return
        alive = [it for it in self.devices if it.status not in ("removed", "deleted")]
        alive.sort(key=lambda it: it.address)
        parents = {it.address: it for it in alive if it.dev_type not in CHILDREN}
        for it in alive:
            it.children, it.parent, it.has_vfs = [], None, False
        for it in alive:
            if it.dev_type in CHILDREN and (parent := parents.get(str(it.parent_addr))):
                it.parent, parent.has_vfs = parent, True
                parent.children.append(it)

    def _admitted(self, reports: Sequence[Report]) -> Iterator[Report]:
        if not self.has("unreadable-skipped"):
            yield from super()._admitted(reports)
            return
        for report in reports:
            try:
                yield from super()._admitted([report])
            except NovaError:
                continue

    def _changed(self, device: NovaDevice, report: Report) -> None:
        if self.has("back-while-held") and device in self.remove_when_freed:
            self.remove_when_freed.remove(device)
        free = self._is_free(device)
        if not self.has("follows-changes") or device.status in ("claimed", "allocated"):
            super()._changed(device, report)
            return
        if free:
            self._take_out(device)
        device.extra = {}
        device.update(report)
        if free:
            self._add(device)

    # Claims

    def could(
        self, requests: Sequence[Words], cells: Sequence[int] | None, mapping: Any = None
    ) -> bool:
        """The question."""
        if self._is_nothing(requests):
            return False
        if self._asks_by_trying(requests):
            return self._could_claim(requests, cells)
        solved = self.has("joint") and self._solved(requests, cells) is not None
        return solved or supported(self.chain, self.pools, requests, cells, mapping)

    def could_there(
        self, requests: Sequence[Words], cells: Sequence[int] | None, mapping: Any
    ) -> bool:
        """The scheduler's question, on the pools as it reads them."""
        there = serialized(self.pools)
        if self._is_nothing(requests) or self._asks_by_trying(requests):
            return self.could(requests, cells)
        solved = self.has("joint") and self._solved(requests, cells) is not None
        return solved or supported(self.chain, there, requests, cells, mapping)

    def _asks_by_trying(self, requests: Sequence[Words]) -> bool:
        """Whether the question is a claim that is undone."""
        return (
            self.has("relatives-in-question")
            or (self.has("exact-providers") and any(providers_of(it, None) for it in requests))
            or (self.has("pf-vf-alternatives") and any(self._mixes(it) for it in requests))
        )

    def _could_claim(self, requests: Sequence[Words], cells: Sequence[int] | None) -> bool:
        with self._undone():
            try:
                self.claim(requests, "dry run", cells)
            except NovaError:
                return False
            return bool(self.devices)
        raise AssertionError

    def _is_nothing(self, requests: Sequence[Words]) -> bool:
        """Nobody can ask for none of something."""
        return self.has("zero-count") and any(one["count"] < 1 for one in requests)

    @contextmanager
    def _undone(self) -> Iterator[None]:
        pools = [dict(pool) | {"devices": list(pool["devices"])} for pool in self.pools]
        marks = [(it, it.status, it.owner) for it in self.devices]
        claims = {owner: list(held) for owner, held in self.claims.items()}
        try:
            yield
        finally:
            self.pools, self.claims = pools, claims
            for it, status, owner in marks:
                it.status, it.owner = status, owner

    def claim(self, requests: Sequence[Words], owner: str, cells: Sequence[int] | None) -> Taken:
        empty = not self.devices and requests and self.has("no-device-no-claim")
        if empty or self._is_nothing(requests):
            raise NovaError("PciDeviceRequestFailed")
        before = list(self.claims.get(owner, []))
        if not self.has("atomic"):
            taken = super().claim(requests, owner, cells)
        else:
            taken = self._claim_or_undo(requests, owner, cells)
        if taken and before and self.has("second-claim-adds"):
            self.claims[owner] = before + self.claims[owner]
        return taken

    def _claim_or_undo(
        self, requests: Sequence[Words], owner: str, cells: Sequence[int] | None
    ) -> Taken:
        pools = [dict(pool) | {"devices": list(pool["devices"])} for pool in self.pools]
        marks = [(it, it.status, it.owner) for it in self.devices]
        try:
            return super().claim(requests, owner, cells)
        except NovaError:
            self.pools = pools
            for it, status, holder in marks:
                it.status, it.owner = status, holder
            raise

    def consume(self, requests: Sequence[Words], cells: Sequence[int] | None) -> Taken:
        if self.has("order-by-content"):
            self._sort()
        if self.has("exact-providers"):
            self._check_providers(requests)
        chosen = self._solved(requests, cells) if self.has("joint") else None
        if chosen is not None:
            return self._take(chosen)
        if not self.has("pf-vf-alternatives") or not any(self._mixes(it) for it in requests):
            return super().consume(requests, cells)
        taken: Taken = []
        try:
            for request in requests:
                taken += self._consume_one(request, cells)
        except NovaError:
            for _, device in reversed(taken):
                self._add(device)
            raise
        return taken

    def _consume_one(self, request: Words, cells: Sequence[int] | None) -> Taken:
        if not self._mixes(request):
            return super().consume([request], cells)
        chosen = self._solved([request], cells)
        if chosen is None:
            raise NovaError("PciDeviceRequestFailed")
        return self._take(chosen)

    def _mixes(self, request: Words) -> bool:
        """Whether a PF and one of its own VFs may both be given for a request."""
        wants = self._wants(request, Nearness(None, None))
        named = {address for want in wants for address in want.admitted}
        return any(it.parent_addr in named for it in self.devices if it.address in named)

    @staticmethod
    def _check_providers(requests: Sequence[Words]) -> None:
        for request in requests:
            rps = providers_of(request, None)
            if rps and len(rps) != request["count"]:
                raise NovaError("PciDeviceRequestFailed")

    def _shares(  # type: ignore[override]
        self, kept: list[Pool], left: int, rps: list[str]
    ) -> Iterator[tuple[Pool, int]]:
        if not rps or not self.has("exact-providers"):
            yield from super()._shares(kept, left, rps)
            return
        for name, count in Counter(rps).items():
            lacking = count
            for pool in kept:
                if pool["rp_uuid"] == name and lacking:
                    taken = min(lacking, pool["count"])
                    lacking -= taken
                    yield pool, taken
            if lacking:
                raise NovaError("PciDeviceRequestFailed")

    def _solved(
        self, requests: Sequence[Words], cells: Sequence[int] | None
    ) -> list[tuple[str, str]] | None:
        """What each request gets when all are asked together."""
        nearness = Nearness(cells, self.chain.host_cells)
        wants = [want for one in requests for want in self._wants(one, nearness)]
        return Choice(self._candidates(), wants, nearness).first()

    def _take(self, chosen: Sequence[tuple[str, str]]) -> Taken:
        known = {it.address: it for it in self.devices}
        taken = [(name, known[address]) for name, address in chosen]
        for _, device in taken:
            self._take_out_with_relatives(device)
        return taken

    def _take_out_with_relatives(self, device: NovaDevice) -> None:
        relatives = device.children if device.is_pf() else [device.parent]
        for it in (device, *relatives):
            for pool in list(self.pools):
                if it in pool["devices"]:
                    self._leave(pool, it)

    def _candidates(self) -> Iterator[Candidate]:
        for place, pool in enumerate(self.pools):
            for number, it in enumerate(reversed(pool["devices"])):
                yield Candidate(it.address, it.parent_addr, it.numa_node, (place, number))

    def _wants(self, request: Words, nearness: Nearness) -> Iterator[Want]:
        rps = providers_of(request, None)
        pools = [pool for pool in self.pools if matches_any(pool, request["spec"])]
        pools = self.chain._by_live_migratable(
            self.chain._by_type(pools, request["spec"]),
            request["spec"],
        )
        levels = nearness.levels(request.get("numa_policy"))
        for name, count in Counter(rps).items() if rps else [(None, request["count"])]:
            mine = [pool for pool in pools if name is None or pool.get("rp_uuid") == name]
            named = frozenset(it.address for pool in mine for it in pool["devices"])
            yield Want(request["id"], count, levels, named)

    # Freeing

    def _free(self, device: NovaDevice, owner: str | None) -> None:
        retiring = device in self.remove_when_freed
        if self.has("follows-changes") and device.address in self.stale:
            device.extra = {}
        super()._free(device, owner)
        if retiring and self.has("relatives-come-back"):
            self._part(device)

    def _part(self, device: NovaDevice) -> None:
        """What is gone bars nobody."""
        relatives = [*device.children, *([device.parent] if device.parent else [])]
        device.children, device.parent = [], None
        for it in relatives:
            it.children = [one for one in it.children if one is not device]
            if it.parent is device:
                it.parent = None
            barred = any(one.status in ("claimed", "allocated") for one in it.children)
            if it.status in ("available", "unclaimable", "unavailable") and not barred:
                it.status = "available"
                if not self._is_free(it):
                    self._add(it)
