"""Values of the core turned into objects, and objects' words into fingerprints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from innkeeper import _core
from innkeeper.errors import NoFit, Undecided
from innkeeper.objects import (
    ClaimSpec,
    DeviceRequest,
    GuestCell,
    GuestTopology,
    Misfit,
    Placement,
    Pool,
    Request,
    Usage,
)
from innkeeper.objects.base import VersionedObject
from innkeeper.objects.describe import describe_fields


def placement_object(placement: _core.Placement) -> Placement:
    """The core's answer as what travels and is stored."""
    return Placement.model_validate(placement, from_attributes=True)


def usage_object(usage: _core.Usage) -> Usage:
    """The core's sums as an object."""
    return Usage.model_validate(usage, from_attributes=True)


def pool_objects(pools: list[_core.Pool]) -> tuple[Pool, ...]:
    """The core's pools as objects, in its order."""
    return tuple(Pool.model_validate(pool, from_attributes=True) for pool in pools)


def fingerprint(spec: ClaimSpec) -> str:
    """SHA-256 over the caller's words; the order of keys means nothing.

    What a later version added counts only when something is said in it: the claims that an older
    release made are found by the same words.
    """
    words = spec.model_dump(mode="json", exclude={"claim_id"})
    _leave_out_unsaid(words, _ADDED_TO_SPEC)
    request = words["request"]
    _leave_out_unsaid(request, _ADDED_TO_REQUEST)
    for devices in request["devices"]:
        _leave_out_unsaid(devices, _ADDED_TO_DEVICES)
    return hashlib.sha256(orjson.dumps(words, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _leave_out_unsaid(words: dict[str, Any], added: Mapping[str, object]) -> None:
    for name, unsaid in added.items():
        if words[name] == unsaid:
            del words[name]


def _added_after_the_first(kind: type[VersionedObject]) -> Mapping[str, object]:
    """Fields that the first version did not have, and what stands in them when nothing is said."""
    later = [one.name for one in describe_fields(kind, kind.VERSION) if one.since != _FIRST]
    defaults = {name: kind.model_fields[name].default for name in later}
    return {name: [] if unsaid == () else unsaid for name, unsaid in defaults.items()}


_FIRST = "1.0"
_ADDED_TO_SPEC = _added_after_the_first(ClaimSpec)
_ADDED_TO_REQUEST = _added_after_the_first(Request)
_ADDED_TO_DEVICES = _added_after_the_first(DeviceRequest)


def book(ledger: _core.Ledger, claim_id: UUID, words: Request, resolved: Request) -> Placement:
    """Hold what a request asks for, with answer and reasons as objects.

    What would fit is told in the caller's `words`; `resolved` has every alias looked up
    and what the hypervisor needs itself.

    Raises:
        NoFit, Undecided, ClaimConflict: nothing changed.
    """
    with object_reasons(words, resolved):
        return placement_object(ledger.book(str(claim_id), resolved))


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of one request fit one after another, and why not one more."""

    times: int | None
    """Null when the search bound was reached before it was known."""
    stopped_by: tuple[Misfit, ...] = ()
    """What runs out first; empty when the limit was reached."""


def tally_of(ledger: _core.Ledger, request: Request, limit: int = 10_000) -> Tally:
    """How many fit; that this cannot be told is no reason to withhold that one does."""
    try:
        tally = ledger.tally(request, limit)
    except Undecided:
        return Tally(None)
    return Tally(tally.times, tuple(map(_misfit_object, tally.stopped_by)))


@contextmanager
def object_reasons(request: Request, resolved: Request) -> Iterator[None]:
    """Let a `NoFit` of the core pass on with its reasons and nearest request as objects.

    Reasons speak of what was `resolved`; what would fit is told in the words of `request`.
    """
    try:
        yield
    except NoFit as refusal:
        reasons = tuple(_misfit_object(reason) for reason in refusal.details["reasons"])
        nearest: _core.Nearest = refusal.details["nearest"]
        if not _was_sought(nearest):
            raise NoFit(refusal.message, reasons=reasons) from None
        raise NoFit(
            refusal.message, reasons=reasons, nearest=_nearest_object(request, resolved, nearest)
        ) from None


def _misfit_object(misfit: _core.Misfit) -> Misfit:
    return Misfit.model_validate(misfit, from_attributes=True)


def _was_sought(nearest: _core.Nearest) -> bool:
    """Guest cells that stay where they are get no suggestion: then it says nothing, not even zero."""
    amounts = (nearest.vcpus, nearest.memory_mib, nearest.disk_mib)
    said = (*amounts, *nearest.device_counts, *nearest.counters.values())
    return any(amount is not None for amount in said)


def _nearest_object(request: Request, resolved: Request, nearest: _core.Nearest) -> Request:
    """The words of the request with the numbers that fit, beside the overhead of the whole request."""
    devices = tuple(
        devices.model_copy(update={"count": count})
        for devices, count in zip(request.devices, nearest.device_counts, strict=True)
        if count
    )
    return Request(
        vcpus=nearest.vcpus or None,
        memory_mib=_without_overhead(nearest.memory_mib, request.memory_mib, resolved.memory_mib),
        disk_mib=_without_overhead(nearest.disk_mib, request.disk_mib, resolved.disk_mib),
        devices=devices,
        counters={name: count for name, count in nearest.counters.items() if count},
        cells=request.cells,
        topology=_nearest_topology(request, nearest),
        limits=request.limits,
        networks=request.networks,
    )


def _without_overhead(fits: int | None, asked: int | None, resolved: int | None) -> int | None:
    """With fewer vCPUs the overhead may be less, so it fits all the same."""
    overhead = (resolved or 0) - (asked or 0)
    return max(0, (fits or 0) - overhead) or None


def _nearest_topology(request: Request, nearest: _core.Nearest) -> GuestTopology | None:
    """The policies of the request with cells that fit."""
    if request.topology is None or not nearest.cells:
        return None
    cells = tuple(GuestCell.model_validate(one, from_attributes=True) for one in nearest.cells)
    return request.topology.model_copy(update={"cells": cells})
