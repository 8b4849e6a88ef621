"""A request as a flavor: whoever reads its words asks for the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.objects import DeviceRequest, GuestCell, GuestTopology, Request
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.objects.request import NumaPolicy
from innkeeper.objects.topology import CellPreference, EmulatorThreads, L3Policy, ThreadPolicy
from innkeeper.requests.extra_specs import devices_of_flavor
from innkeeper.requests.nova_flavors import gib_up, nova_flavor
from innkeeper.requests.numa_words.constraints import topology_of_flavor

PLAIN = Request(vcpus=2, memory_mib=1024, disk_mib=10_241)


@st.composite
def topologies(draw: st.DrawFn) -> GuestTopology:
    """Cells that share, or have CPUs of their own, or both; with every word that goes with that."""
    kind = draw(st.sampled_from(["shared", "dedicated", "mixed"]))
    cells = []
    first = 0
    for _ in range(draw(st.integers(1, 3))):
        count = draw(st.integers(2, 4))
        floating = {"shared": count, "dedicated": 0, "mixed": 1}[kind]
        vcpus = range(first, first + count)
        first += count
        cells.append(
            GuestCell(
                shared=format_cpu_spec(vcpus[:floating]),
                dedicated=format_cpu_spec(vcpus[floating:]),
                memory_mib=draw(st.sampled_from([256, 1024, 1536])),
            )
        )
    words = {} if kind == "shared" else draw(_words_of_dedicated())
    return GuestTopology(
        cells=tuple(cells),
        pages=draw(st.sampled_from([None, "small", "large", "any", 2048])),
        preference=draw(st.sampled_from([None, *CellPreference])),
        **words,
    )


def _words_of_dedicated() -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(
        {
            "threads": st.sampled_from([None, *ThreadPolicy]),
            "emulator_threads": st.sampled_from([None, EmulatorThreads.ISOLATE]),
            "l3": st.sampled_from([None, *L3Policy]),
        }
    )


@given(topologies())
def test_its_words_ask_for_the_same_cells(topology: GuestTopology) -> None:
    vcpus = sum(_vcpus(cell) for cell in topology.cells)
    memory_mib = sum(cell.memory_mib for cell in topology.cells)
    flavor = nova_flavor(Request(vcpus=vcpus, memory_mib=memory_mib, topology=topology))
    assert topology_of_flavor(flavor.vcpus, flavor.memory_mb, flavor.extra_specs) == topology


def _vcpus(cell: GuestCell) -> int:
    spans = [part.split("-") for part in f"{cell.shared},{cell.dedicated}".split(",") if part]
    return sum(int(span[-1]) - int(span[0]) + 1 for span in spans)


def test_amounts_are_those_of_the_request() -> None:
    flavor = nova_flavor(PLAIN)
    assert (flavor.vcpus, flavor.memory_mb, flavor.root_gb) == (2, 1024, 11)
    assert (flavor.ephemeral_gb, flavor.swap, flavor.extra_specs) == (0, 0, {})
    empty = nova_flavor(Request())
    assert (empty.vcpus, empty.memory_mb, empty.root_gb) == (0, 0, 0)


@pytest.mark.parametrize(("mib", "gib"), [(0, 0), (1, 1), (1024, 1), (1025, 2)])
def test_disks_are_whole_gib(mib: int, gib: int) -> None:
    assert gib_up(mib) == gib


def test_the_same_words_are_the_same_flavor_and_others_another() -> None:
    others = [
        PLAIN,
        PLAIN.model_copy(update={"vcpus": 3}),
        PLAIN.model_copy(update={"memory_mib": 1025}),
        PLAIN.model_copy(update={"disk_mib": 1}),
        PLAIN.model_copy(update={"devices": (DeviceRequest(alias="nic"),)}),
    ]
    for name in ("id", "flavorid", "name"):
        made = [getattr(nova_flavor(one), name) for one in others]
        assert len(set(made)) == len(others)
        assert made == [getattr(nova_flavor(one), name) for one in others]
    assert all(1 <= nova_flavor(one).id < 2**31 for one in others)


def test_devices_are_told_by_name_and_as_near_as_all_of_them_are_to_be() -> None:
    near = DeviceRequest(alias="nic", numa_policy=NumaPolicy.REQUIRED)
    pair = (near, near.model_copy(update={"alias": "gpu", "count": 2}))
    flavor = nova_flavor(Request(devices=pair))
    assert devices_of_flavor(flavor.extra_specs) == pair
    mixed = (near, DeviceRequest(alias="gpu"), DeviceRequest(vendor_id="8086", product_id="1889"))
    assert nova_flavor(Request(devices=mixed)).extra_specs == {
        "pci_passthrough:alias": "nic:1,gpu:1"
    }
