"""What a refusal offers can be asked for as it is told, and fits."""

from __future__ import annotations

import shlex
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from innkeeper import Ledger, simulated, take_inventory
from innkeeper.cli.request_flags import request_flags, unsaid
from innkeeper.cli.words import ClaimWords
from innkeeper.config import Config
from innkeeper.errors import NoFit
from innkeeper.objects import (
    CellPreference,
    EmulatorThreads,
    GuestCell,
    GuestTopology,
    L3Policy,
    Request,
    ThreadPolicy,
)
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.tracker.convert import object_reasons

HOST = simulated("cpus=16,cells=2,threads=2,memory=8GiB,pages_2m=512,pages_1g=2")
CONFIG = Config.model_validate({"cpus": {"shared": "0,4,8,12", "dedicated": "1-3,5-7,9-11,13-15"}})
INVENTORY = take_inventory(HOST, CONFIG)


@st.composite
def shares(draw: st.DrawFn) -> tuple[GuestCell, ...]:
    """Up to three cells, in which vCPUs and memory lie anyhow."""
    sizes = draw(st.lists(st.integers(1, 8), min_size=1, max_size=3))
    order = draw(st.permutations(range(sum(sizes))))
    dedicated = draw(st.sampled_from([set(), set(order), set(order[::2]), set(order[:1])]))
    cells, start = [], 0
    for size in sizes:
        own = set(order[start : start + size])
        start += size
        cells.append(
            GuestCell(
                shared=format_cpu_spec(own - dedicated),
                dedicated=format_cpu_spec(own & dedicated),
                memory_mib=draw(st.sampled_from([1, 512, 1024, 3072, 8192])),
            )
        )
    return tuple(cells)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    cells = draw(shares())
    is_pinned = any(cell.dedicated for cell in cells)
    topology = GuestTopology(
        cells=cells,
        pages=draw(st.sampled_from([None, "small", "large", "any", 2048, 1_048_576])),
        threads=draw(st.none() | st.sampled_from(ThreadPolicy)) if is_pinned else None,
        emulator_threads=draw(st.none() | st.sampled_from(EmulatorThreads)) if is_pinned else None,
        l3=draw(st.none() | st.sampled_from(L3Policy)) if is_pinned else None,
        preference=draw(st.none() | st.sampled_from(CellPreference)),
    )
    vcpus = max(map(_last_vcpu, cells)) + 1
    memory_mib = sum(cell.memory_mib for cell in cells)
    return Request(vcpus=vcpus, memory_mib=memory_mib, topology=topology)


def _last_vcpu(cell: GuestCell) -> int:
    return max(
        int(part) for part in f"{cell.shared},{cell.dedicated}".replace("-", ",").split(",") if part
    )


def asked_with(text: str) -> Request:
    """The request of these flags."""
    said: dict[str, Any] = {}
    words = iter(shlex.split(text))
    for flag in words:
        name = flag.removeprefix("--").replace("-", "_")
        if name == "property":
            said.setdefault("properties", []).append(next(words))
        else:
            said[name] = True if name == "dedicated" else next(words)
    return ClaimWords(**said).order().request


def refusal_of(ledger: Ledger, request: Request) -> NoFit | None:
    try:
        with object_reasons(request, request):
            ledger.fit(request)
    except NoFit as refusal:
        return refusal
    return None


@given(requests())
def test_a_request_comes_back_from_its_words(request: Request) -> None:
    assert list(unsaid(request)) == []
    assert asked_with(" ".join(request_flags(request))) == request


@given(requests())
def test_what_a_refusal_offers_fits_in_the_words_that_it_has(request: Request) -> None:
    ledger = Ledger(INVENTORY)
    refusal = refusal_of(ledger, request)
    nearest = refusal.details["nearest"] if refusal else None
    if nearest is None or nearest.topology is None:
        return
    assert refusal_of(ledger, nearest) is None
    if list(unsaid(nearest)):
        assert not nearest.memory_mib, "a flavor's words need an amount of memory"
        return
    again = asked_with(" ".join(request_flags(nearest)))
    assert again.topology is not None
    assert again.topology.cells == nearest.topology.cells
    assert refusal_of(ledger, again) is None
