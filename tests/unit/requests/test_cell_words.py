"""What flavors and images say of a guest's NUMA cells, its pages, and what is asked for it."""

from __future__ import annotations

from typing import Any

import pytest

from innkeeper.errors import BadRequest
from innkeeper.objects.request import NumaPolicy
from innkeeper.objects.topology import CellPreference, GuestCell
from innkeeper.requests.numa_words.candidate_query import CandidateQuery
from innkeeper.requests.numa_words.constraints import constraints_of_flavor, topology_of_flavor

Words = dict[str, str]
TWO = {"hw:numa_nodes": "2"}
APART = {
    "hw:numa_cpus.0": "0",
    "hw:numa_cpus.1": "1-3",
    "hw:numa_mem.0": "1024",
    "hw:numa_mem.1": "3072",
}
MASK = "hw:cpu_dedicated_mask"
DEDICATED = {"hw:cpu_policy": "dedicated"}


def cells_of(flavor: Words, image: Words | None = None) -> list[tuple[str, str, int]]:
    """Shared and dedicated vCPUs and MiB of each cell of four vCPUs and 4 GiB."""
    topology = topology_of_flavor(4, 4096, flavor, image)
    assert topology is not None
    return [(cell.shared, cell.dedicated, cell.memory_mib) for cell in topology.cells]


def refusal_of(flavor: Words, image: Words | None = None) -> tuple[str, str]:
    with pytest.raises(BadRequest) as caught:
        constraints_of_flavor(4, 4096, flavor, image)
    (error,) = caught.value.details["errors"]
    return error["cause"], error["message"]


def test_a_flavor_that_asks_for_no_cells_has_none() -> None:
    words = {
        "hw:cpu_policy": "shared",
        "hw:numa_nodes": "",
        "hw:mem_page_size": "0",
        "hw:pmem": " ,",
    }
    assert topology_of_flavor(4, 4096, words) is None
    assert topology_of_flavor(4, 4096, {}) is None


@pytest.mark.parametrize(
    ("flavor", "image"),
    [
        (TWO, {}),
        ({}, {"hw_numa_nodes": "2"}),
        ({"hw:numa_nodes": ""}, {"hw_numa_nodes": "2"}),
    ],
)
def test_cells_are_equal_shares(flavor: Words, image: Words) -> None:
    assert cells_of(flavor, image) == [("0-1", "", 2048), ("2-3", "", 2048)]


def test_cells_are_as_they_are_said() -> None:
    assert cells_of(TWO | APART) == [("0", "", 1024), ("1-3", "", 3072)]
    mixed = {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "1,3"}
    assert cells_of(TWO | APART | mixed) == [("0", "", 1024), ("2", "1,3", 3072)]


def test_a_list_of_the_flavor_and_one_of_the_image() -> None:
    flavor = {key: text for key, text in APART.items() if "cpus" in key}
    image = {key.replace(":", "_"): text for key, text in APART.items() if "mem" in key}
    assert cells_of(TWO | flavor, image) == [("0", "", 1024), ("1-3", "", 3072)]


def test_a_cell_may_lack_cpus_or_memory() -> None:
    words = {"hw:numa_cpus.0": "", "hw:numa_cpus.1": "0-3", "hw:numa_mem.0": "4096"}
    expected = [("", "", 4096), ("0-3", "", 0)]
    assert cells_of(TWO | words | {"hw:numa_mem.1": "0"}) == expected


@pytest.mark.parametrize(
    ("flavor", "image", "cause", "parts"),
    [
        (TWO, {"hw_numa_nodes": "4"}, "ImageNUMATopologyForbidden", ("'2'", "'4'")),
        (
            TWO | APART,
            {"hw_numa_mem.0": "4096"},
            "ImageNUMATopologyForbidden",
            ("hw:numa_mem.0 is '1024'", "hw_numa_mem.0 is '4096'"),
        ),
        ({"hw:numa_nodes": "0"}, {}, "InvalidNUMANodesNumber", ("'0'",)),
        ({"hw:numa_nodes": "+2"}, {}, "InvalidNUMANodesNumber", ("'+2'", "plain digits")),
        ({"hw:numa_nodes": "\u0662"}, {}, "InvalidNUMANodesNumber", ("plain digits",)),
        ({}, {"hw_numa_nodes": "08"}, "InvalidImageProperty", ("'08'",)),
        ({}, {"hw_numa_nodes": "-1"}, "InvalidNUMANodesNumber", ("'-1'",)),
        (
            {"hw:numa_nodes": "3"},
            {},
            "ImageNUMATopologyAsymmetric",
            ("4 vCPUs", "hw:numa_nodes is '3'"),
        ),
        (
            {"hw:numa_nodes": "3"} | APART,
            {},
            "ImageNUMATopologyIncomplete",
            ("2 cells", "hw:numa_nodes is '3'"),
        ),
        (DEDICATED | APART, {}, "ImageNUMATopologyIncomplete", ("not set, so there is 1",)),
        (
            TWO | APART | {"hw:numa_cpus.1": "1-4"},
            {},
            "ImageNUMATopologyCPUOutOfRange",
            ("vCPU 4",),
        ),
        (
            TWO | APART | {"hw:numa_cpus.1": "0-3"},
            {},
            "ImageNUMATopologyCPUDuplicates",
            ("hw:numa_cpus.1 is '0-3'", "hw:numa_cpus.0 is '0'"),
        ),
        (TWO | APART | {"hw:numa_cpus.1": "1"}, {}, "ImageNUMATopologyCPUsUnassigned", ("2-3",)),
        (
            TWO | APART | {"hw:numa_mem.1": "1024"},
            {},
            "ImageNUMATopologyMemoryOutOfRange",
            ("2048 MiB", "4096 MiB"),
        ),
        (TWO | APART | {"hw:numa_mem.0": "-1024"}, {}, "InvalidNUMAMemory", ("'-1024'",)),
        (TWO | APART | {"hw:numa_mem.0": "1.5"}, {}, "InvalidNUMAMemory", ("'1.5'",)),
        (TWO | APART | {"hw:numa_cpus.0": "a"}, {}, "Invalid", ("hw:numa_cpus.0",)),
        (APART, {}, "ImageNUMATopologyIncomplete", ("no cells", "hw:numa_nodes")),
        (
            TWO | {"hw:numa_mem.3": "1"},
            {},
            "ImageNUMATopologyIncomplete",
            ("hw:numa_mem.3", "2 cells"),
        ),
        (TWO | {"hw:numa_cpus.x": "1"}, {}, "ImageNUMATopologyIncomplete", ("hw:numa_cpus.x",)),
    ],
)
def test_cells_that_cannot_be(
    flavor: Words, image: Words, cause: str, parts: tuple[str, ...]
) -> None:
    found = refusal_of(flavor, image)
    assert found[0] == cause
    for part in parts:
        assert part in found[1]


def test_a_guest_has_128_cells_at_most() -> None:
    words = {"hw:numa_nodes": "128"}
    topology = topology_of_flavor(128, 128, words)
    assert topology is not None
    assert topology.cells[127] == GuestCell(shared="127", memory_mib=1)
    with pytest.raises(BadRequest, match="'129', but a guest has 128 cells at most"):
        topology_of_flavor(129, 129, {"hw:numa_nodes": "129"})


@pytest.mark.parametrize(
    ("flavor", "image", "pages"),
    [
        ("small", None, "small"),
        ("2048", None, 2048),
        ("2MB", None, 2048),
        ("2MiB", None, 2048),
        ("1.5GB", None, 1_572_864),
        ("2097152B", None, 2048),
        ("1TB", None, 2**30),
        ("any", "1GiB", 1_048_576),
        ("large", "small", "small"),
        ("any", "", "any"),
    ],
)
def test_page_sizes(flavor: str, image: str | None, pages: str | int) -> None:
    properties = {} if image is None else {"hw_mem_page_size": image}
    topology = topology_of_flavor(4, 4096, {"hw:mem_page_size": flavor}, properties)
    assert topology is not None
    assert topology.pages == pages


@pytest.mark.parametrize(
    "text",
    [
        *("16Mib", "2Mb", "2097152b", "2Gbit", "0.5KB", "2048.0", "1e3", "1_0", "\u0663"),
        *("2M", "2mb", "LARGE", "-1", "+2MB", " 2048", "2048 ", "2EB", "9" * 40, f"{2**40 + 1}"),
    ],
)
def test_page_sizes_that_are_none(text: str) -> None:
    cause, message = refusal_of({"hw:mem_page_size": text})
    assert cause == "MemoryPageSizeInvalid"
    assert message.startswith("hw:mem_page_size ")


def test_an_image_chooses_pages_only_where_it_may() -> None:
    image = {"hw_mem_page_size": "2MB"}
    cause, message = refusal_of({"hw:mem_page_size": "1GB"}, image)
    assert cause == "MemoryPageSizeForbidden"
    assert "hw_mem_page_size is '2MB'" in message
    assert "hw:mem_page_size is '1GB'" in message
    assert "hw:mem_page_size is not set" in refusal_of({}, image)[1]


def test_locked_memory() -> None:
    locked = {"hw:locked_memory": "yes", "hw:mem_page_size": "large"}
    assert constraints_of_flavor(4, 4096, locked).locked_memory
    assert not constraints_of_flavor(4, 4096, {"hw:locked_memory": "off"}).locked_memory
    assert refusal_of({}, {"hw_locked_memory": "true"})[0] == "LockMemoryForbidden"
    cause, message = refusal_of(locked, {"hw_locked_memory": "no"})
    assert cause == "FlavorImageLockedMemoryConflict"
    assert "'yes'" in message
    assert "'no'" in message


def test_what_else_follows() -> None:
    words = {
        "hw:cpu_policy": "mixed",
        "hw:cpu_realtime": "on",
        "hw:cpu_realtime_mask": "^0",
        "hw:emulator_threads_policy": "isolate",
        "hw:cpu_thread_policy": "require",
        "hw:pmem": "4GB, 8GB",
        "hw:pci_numa_affinity_policy": "socket",
    }
    found = constraints_of_flavor(4, 4096, words)
    assert found.realtime == {1, 2, 3}
    assert found.pmem == ("4GB", "8GB")
    assert found.device_policy is NumaPolicy.SOCKET
    traits = frozenset({"HW_CPU_HYPERTHREADING", "COMPUTE_SOCKET_PCI_NUMA_AFFINITY"})
    assert found.query == CandidateQuery(1, 4, 4096, traits)


@pytest.mark.parametrize(
    ("words", "vcpus", "pcpus"),
    [
        ({}, 4, 0),
        ({"resources:VCPU": "9"}, 9, 0),
        ({"resources:VCPU": "0"}, 0, 0),
        ({"resources:VCPU": "1", "resources1:VCPU": "2"}, 3, 0),
        (DEDICATED, 0, 4),
        ({"resources:PCPU": "5", "hw:emulator_threads_policy": "isolate"}, 0, 5),
    ],
)
def test_what_is_asked_of_the_inventory_service(words: Words, vcpus: int, pcpus: int) -> None:
    assert constraints_of_flavor(4, 4096, words).query == CandidateQuery(vcpus, pcpus, 4096)


def test_isolation_forbids_siblings() -> None:
    query = constraints_of_flavor(4, 4096, DEDICATED | {"hw:cpu_thread_policy": "isolate"}).query
    assert query.forbidden == {"HW_CPU_HYPERTHREADING"}


def test_which_cells_are_preferred() -> None:
    topology = topology_of_flavor(4, 4096, TWO | {"innkeeper:cell_preference": "spread_sockets"})
    assert topology is not None
    assert topology.preference is CellPreference.SPREAD_SOCKETS
    assert refusal_of(TWO | {"innkeeper:cell_preference": "far"})[0] == "InvalidCellPreference"
    cause, message = refusal_of({"innkeeper:cell_preference": "pack"})
    assert cause == "CellPreferenceConfigurationInvalid"
    assert "no cells" in message


def test_an_unknown_key_of_ours_is_refused_with_the_nearest() -> None:
    cause, message = refusal_of({"innkeeper:cell_preferense": "pack"})
    assert cause == "UnknownInnkeeperKey"
    assert "did you mean `innkeeper:cell_preference`?" in message


def test_a_list_of_cpus_is_not_endless() -> None:
    mixed = {"hw:cpu_policy": "mixed", MASK: "0,".ljust(4096, ",")}
    assert cells_of(mixed) == [("1-3", "0", 4096)]
    mixed[MASK] += ","
    assert refusal_of(mixed) == ("Invalid", f"{MASK} has 4097 characters; 4096 are the most")


@pytest.mark.parametrize("mark", ["hw:", "hw_"])
def test_lists_of_cpus_together_are_not_endless_either(mark: str) -> None:
    words = {f"{mark}numa_cpus.{cell}": "0-65535" for cell in range(128)}
    said = (words | TWO, {}) if mark == "hw:" else ({}, words)
    expected = f"{mark}numa_cpus.1 and those before it name more than 65536 vCPUs"
    assert refusal_of(*said) == ("Invalid", expected)


@pytest.mark.parametrize("words", [{"hw:numa_nodes": 2}, {3: "4"}, {"hw:numa_nodes": None}])
def test_words_are_texts(words: Any) -> None:
    assert refusal_of(words)[0] == "InvalidWords"
    assert refusal_of({}, words)[0] == "InvalidWords"


@pytest.mark.parametrize(("vcpus", "memory_mib"), [(0, 1), (65_537, 1), (1, 0), (1, 2**40 + 1)])
def test_a_flavor_has_a_size(vcpus: int, memory_mib: int) -> None:
    with pytest.raises(BadRequest, match="a flavor has"):
        constraints_of_flavor(vcpus, memory_mib, {})
