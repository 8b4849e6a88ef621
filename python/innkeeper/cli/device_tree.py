"""Devices as a tree: cards below their switches, VFs below their PFs, and who holds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from uuid import UUID

from innkeeper.api.views import DeviceState, DeviceView
from innkeeper.cli.device_tables import claimable_words
from innkeeper.cli.quantities import printable

_BRANCH, _LAST, _PASSING, _PASSED = "|-- ", "`-- ", "|   ", "    "


@dataclass(slots=True)
class _Twig:
    """One line of the tree, and what hangs from it."""

    text: str
    twigs: list[_Twig] = field(default_factory=list)


def devices_tree(devices: Sequence[DeviceView]) -> str:
    """The devices by address; VFs in a row that are alike in everything are one line."""
    by_address = {view.function.address: view for view in devices}
    vfs: dict[str, list[DeviceView]] = {}
    tops: list[DeviceView] = []
    for view in devices:
        parent = view.function.parent
        if parent is None:
            tops.append(view)
        else:
            vfs.setdefault(parent, []).append(view)
    twigs = [_card(view, vfs.pop(view.function.address, ())) for view in tops]
    # Of what was left out by a filter, the PFs still say where the VFs belong.
    strays = [
        _Twig(f"{parent}  not in this list", list(_folded(below)))
        for parent, below in vfs.items()
        if parent not in by_address
    ]
    return "\n".join(_drawn([*_below_switches(tops, twigs), *strays]))


def _card(view: DeviceView, vfs: Sequence[DeviceView]) -> _Twig:
    one = view.function
    facts = [
        one.address,
        f"{one.vendor_id}:{one.product_id} {one.kind}",
        "" if one.cell is None else f"cell {one.cell}",
        one.driver or "",
        ",".join(one.netdevs),
        _state(view),
        _vfs_in_words(vfs),
    ]
    return _Twig("  ".join(filter(None, facts)), list(_folded(vfs)))


def _vfs_in_words(vfs: Sequence[DeviceView]) -> str:
    if not vfs:
        return ""
    held = sum(view.state is DeviceState.HELD for view in vfs)
    free = sum(view.state is DeviceState.FREE for view in vfs)
    return f"{len(vfs)} VFs: {held} held, {free} free"


def _state(view: DeviceView) -> str:
    return "free" if view.state is DeviceState.FREE else claimable_words(view)


def _below_switches(tops: Sequence[DeviceView], twigs: Sequence[_Twig]) -> Iterator[_Twig]:
    """Cards in the order of their addresses, those behind a switch below its upstream port."""
    places = {view.function.address: twig for view, twig in zip(tops, twigs, strict=True)}
    for view, twig in zip(tops, twigs, strict=True):
        switch = view.function.switch
        if switch is None or switch == view.function.address:
            yield twig
            continue
        if switch not in places:
            # It was left out by a filter: it stands where its first card does.
            places[switch] = _Twig(f"switch {switch}  not in this list")
            yield places[switch]
        places[switch].twigs.append(twig)


# -- runs of alike VFs ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Alike:
    """What VFs of one line have in common; drivers come and go, and a line names all of them."""

    product: str
    state: DeviceState
    claim_id: UUID | None
    reason: str | None


def _folded(vfs: Iterable[DeviceView]) -> Iterator[_Twig]:
    for alike, run in groupby(vfs, key=_alike):
        yield _Twig(_run_in_words(alike, list(run)))


def _alike(view: DeviceView) -> _Alike:
    one = view.function
    product = f"{one.vendor_id}:{one.product_id} {one.kind}"
    # A name of a device in the reason, such as the PF's, is the same for all of one PF.
    return _Alike(product, view.state, view.claim_id, view.reason)


def _run_in_words(alike: _Alike, run: Sequence[DeviceView]) -> str:
    first, last = run[0].function.address, run[-1].function.address
    many = len(run) > 1
    where = f"{first} .. {_short(first, last)}" if many else first
    facts = [where, f"{len(run)} x {alike.product}" if many else alike.product]
    drivers = sorted({view.function.driver for view in run if view.function.driver})
    return "  ".join([*facts, *([",".join(drivers)] if drivers else []), _state(run[0])])


def _short(first: str, last: str) -> str:
    """The last address without the domain that it shares with the first."""
    domain, _, rest = last.partition(":")
    return rest if first.startswith(f"{domain}:") else last


# -- lines ---------------------------------------------------------------------------------------


def _drawn(twigs: Sequence[_Twig], margin: str | None = None) -> Iterator[str]:
    for twig in twigs:
        last = twig is twigs[-1]
        if margin is None:
            yield printable(twig.text)
            yield from _drawn(twig.twigs, "")
        else:
            yield printable(margin + (_LAST if last else _BRANCH) + twig.text)
            yield from _drawn(twig.twigs, margin + (_PASSED if last else _PASSING))
