"""Recorded rows, the corrected model's and innkeeper's answers in one form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.vectors.pci.corrections import CorrectedTracker
from tests.vectors.pci.innkeeper_host import RecordedHost, provider_named
from tests.vectors.pci.nova_replay import History, devices_of, specs_of
from tests.vectors.pci.nova_specs import NovaError, NovaSpec
from tests.vectors.pci.nova_tracker import CHILDREN, PF
from tests.vectors.rows import Row

Answer = dict[str, Any]

HELD = ("claimed", "allocated")


def pools_in_one_form(pools: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """How many devices are free by what their pool has; empty pools and the order do not count.

    Nova has a pool for each function without a parent, innkeeper one for those that are alike.
    """
    counts: Counter[str] = Counter()
    for pool in pools:
        if pool["count"] > 0:
            counts[repr(sorted(_properties(pool).items()))] += pool["count"]
    return counts


def _properties(pool: Mapping[str, Any]) -> dict[str, Any]:
    words = {key: it for key, it in pool.items() if key not in _NOT_PROPERTIES}
    if words["dev_type"] in (PF, *CHILDREN) and words.get("remote_managed") is None:
        words["remote_managed"] = "false"
    if words["dev_type"] not in CHILDREN:
        words.pop("address", None)
    provider = words.pop("rp_uuid", None)
    if provider is not None:
        words["rp_uuid"] = provider if _IS_UUID(provider) else str(provider_named(provider))
    return words


_IS_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_NOT_PROPERTIES = ("count", "devices", "devices_len", "devices_sha256")


def chosen_in_one_form(
    requests: Sequence[Mapping[str, Any]], pairs: Iterable[Sequence[str]]
) -> dict[str, list[str]]:
    """Addresses by request, sorted."""
    chosen: dict[str, list[str]] = {one["id"]: [] for one in requests}
    for name, address in pairs:
        chosen[name].append(address)
    return {name: sorted(addresses) for name, addresses in chosen.items()}


# Claims on a fresh host


def recorded_claim(row: Row) -> Answer:
    """What Nova answered."""
    if "claim" not in row:
        return {"config_error": row["config_error"]["error"]}
    claim = row["claim"]
    chosen = claim.get("chosen")
    return {
        "before": pools_in_one_form(row["pools_before"]),
        "question": row["supported"],
        "scheduler": row["scheduler_supported"],
        "chosen": None if chosen is None else chosen_in_one_form(row["requests"], chosen),
        "after": pools_in_one_form(claim["pools"]),
    }


def corrected_claim(row: Row, names: frozenset[str]) -> Answer:
    """What Nova would answer with these corrections."""
    try:
        return _corrected_claim(row, CorrectedTracker.with_corrections(names))
    except NovaError as error:
        return {"config_error": error.name}


def _corrected_claim(row: Row, kind: type[CorrectedTracker]) -> Answer:
    tracker = kind(specs_of(row, row["device_spec"], kind.corrections), row["host_cells"])
    tracker.sync(devices_of(row))
    tracker.name_providers(row.get("rp_by_address") or {})
    requests, cells = row["requests"], row["numa_cells"]
    before = pools_in_one_form(tracker.pools)
    here = tracker.could(requests, cells)
    there = tracker.could_there(requests, cells, row.get("provider_mapping"))
    chosen = _claimed(tracker, requests, "i0", cells)
    return {
        "before": before,
        "question": here,
        "scheduler": there,
        "chosen": chosen,
        "after": pools_in_one_form(tracker.pools),
    }


def _claimed(
    tracker: CorrectedTracker,
    requests: Sequence[Mapping[str, Any]],
    owner: str,
    cells: Sequence[int] | None,
) -> dict[str, list[str]] | None:
    try:
        taken = tracker.claim(requests, owner, cells)
    except NovaError:
        return None
    return chosen_in_one_form(requests, [(name, it.address) for name, it in taken])


def our_claim(row: Row) -> Answer:
    """What innkeeper answers: question and scheduler are the dry run, which is also how it claims.

    Raises:
        BadConfig: of a device spec that innkeeper refuses.
    """
    reports, names = devices_of(row), row.get("rp_by_address") or {}
    places = {it["address"]: it.get("parent_addr") or it["address"] for it in reports}
    providers = {address: names[place] for address, place in places.items() if place in names}
    host = RecordedHost(row["device_spec"], row["host_cells"], providers)
    host.sync(reports)
    before = pools_in_one_form(host.pools())
    dry = host.fits(row["requests"], row["numa_cells"])
    assert pools_in_one_form(host.pools()) == before
    chosen = host.claim("i0", row["requests"], row["numa_cells"])
    assert dry == chosen
    return {
        "before": before,
        "question": dry is not None,
        "scheduler": dry is not None,
        "chosen": chosen,
        "after": pools_in_one_form(host.pools()),
    }


# Sequences


def recorded_steps(row: Row) -> list[Answer]:
    """What Nova answered."""
    return [_step(step["do"], step["then"]) for step in row["steps"]]


def corrected_steps(row: Row, names: frozenset[str]) -> Iterator[Answer]:
    """What Nova would answer with these corrections."""
    history = CorrectedHistory(row, CorrectedTracker.with_corrections(names))
    for step in row["steps"]:
        yield _step(step["do"], history.step(step["do"]))


def our_steps(row: Row) -> list[Answer]:
    """What innkeeper answers."""
    history = OurHistory(row)
    return [history.step(step["do"]) for step in row["steps"]]


def _step(do: Row, then: Row) -> Answer:
    owners = {
        address: owner for address, (status, owner) in then["statuses"].items() if status in HELD
    }
    answer: Answer = {"pools": pools_in_one_form(then["pools"]), "held": owners}
    if do["op"] == "claim":
        chosen = then.get("chosen")
        answer["question"] = then["supported"]
        answer["chosen"] = None if chosen is None else chosen_in_one_form(do["requests"], chosen)
    return answer


class CorrectedHistory(History):
    """A tracker with corrections that is stopped and started again."""

    def __init__(self, row: Row, kind: type[CorrectedTracker]) -> None:
        self.corrections = kind.corrections
        super().__init__(row, kind)

    def step(self, do: Row) -> Row:
        then = super().step(do)
        if "durable-at-once" in self.corrections:
            self.tracker.save()
        return then

    def _specs(self) -> list[NovaSpec]:
        return specs_of(self.row, self.words, self.corrections)

    def _question(self, do: Row) -> bool:
        assert isinstance(self.tracker, CorrectedTracker)
        return self.tracker.could(do["requests"], do.get("numa_cells"))


class OurHistory:
    """A ledger that is stopped and started again; claims by instance, as Nova's callers know them."""

    def __init__(self, row: Row) -> None:
        self.host = RecordedHost(row["device_spec"], row["host_cells"])
        self.claims: dict[str, str] = {}
        """Claim -> its instance."""
        self.allocated: set[str] = set()
        """Claims that Nova would call allocations."""
        if "start" in row:
            self.host.sync(row["devices"])

    def step(self, do: Row) -> Answer:
        match do["op"]:
            case "claim":
                return self._claim(do) | self._seen()
            case "sync":
                self.host.sync(do["devices"])
            case "restart":
                self.host.reports = do["devices"]
                self.host.start(do.get("device_spec", self.host.words))
            case "allocate":
                self.allocated |= self._of(do["instance"])
            case "free_device":
                self._give_back(do["instance"], do["address"])
            case "save":
                pass
            case _:
                self._release(self._given_up(do))
        return self._seen()

    def _given_up(self, do: Row) -> set[str]:
        """Claims that a step gives back."""
        match do["op"]:
            case "free":
                return self._of(do["instance"])
            case "free_claims":
                return self._of(do["instance"]) - self.allocated
            case "free_allocations":
                return self._of(do["instance"]) & self.allocated
            case "clean":
                kept = {*do["instances"], *do["migrations"]}
                return {it for it, instance in self.claims.items() if instance not in kept}
        raise ValueError(do["op"])

    def _of(self, instance: str) -> set[str]:
        return {it for it, owner in self.claims.items() if owner == instance}

    def _claim(self, do: Row) -> Answer:
        name, cells = f"{do['instance']}/{len(self.claims)}/{id(do)}", do.get("numa_cells")
        dry = self.host.fits(do["requests"], cells)
        chosen = self.host.claim(name, do["requests"], cells)
        assert dry == chosen
        if chosen is not None:
            self.claims[name] = do["instance"]
        return {"question": dry is not None, "chosen": chosen}

    def _release(self, names: set[str]) -> None:
        self.host.release(sorted(names))
        for name in names:
            del self.claims[name]

    def _give_back(self, instance: str, address: str) -> None:
        for name in sorted(self._of(instance)):
            held = [it.address for it in self.host.held[name].devices]
            if address in held:
                self.host.give_back(name, address)
                if len(held) == 1:
                    del self.claims[name]

    def _seen(self) -> Answer:
        held = {
            it.address: self.claims[name]
            for name, placement in self.host.held.items()
            for it in placement.devices
        }
        return {"pools": pools_in_one_form(self.host.pools()), "held": held}
