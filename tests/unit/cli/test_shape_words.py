"""Guest cells, dedicated CPUs and pages as flags and as a flavor's words; and back from a request to flags."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from tests.unit.cli.program import CommandLine

from innkeeper.cli.request_flags import request_flags, unsaid
from innkeeper.cli.words import ClaimWords
from innkeeper.errors import BadRequest
from innkeeper.objects import (
    CellPreference,
    DeviceRequest,
    EmulatorThreads,
    GuestCell,
    GuestTopology,
    L3Policy,
    Limits,
    Networks,
    NumaPolicy,
    Request,
    ThreadPolicy,
)

SHAPES = ("cells", "threads", "hugepages", "l3", "prefer", "emulator-threads")


def words(text: str) -> ClaimWords:
    """The flags as the command line reads them."""
    said: dict[str, Any] = {}
    parts = iter(shlex.split(text))
    for flag in parts:
        name = flag.removeprefix("--").replace("-", "_")
        if name == "dedicated":
            said[name] = True
        elif name == "property":
            said.setdefault("properties", []).append(next(parts))
        else:
            said[name] = next(parts)
    return ClaimWords(**said)


def request(text: str) -> Request:
    return words(text).order().request


def topology(text: str) -> GuestTopology:
    found = request(text).topology
    assert found is not None
    return found


def test_without_a_word_on_the_shape_there_is_none() -> None:
    assert request("--vcpus 4 --memory 4GiB").topology is None


def test_cells_share_vcpus_and_memory_evenly_in_order() -> None:
    assert topology("--vcpus 6 --memory 3000 --cells 3") == GuestTopology(
        cells=(
            GuestCell(shared="0-1", memory_mib=1000),
            GuestCell(shared="2-3", memory_mib=1000),
            GuestCell(shared="4-5", memory_mib=1000),
        )
    )
    assert request("--vcpus 6 --memory 3000 --cells 3").vcpus == 6


def test_one_cell_is_there_wherever_the_shape_is_spoken_of() -> None:
    assert topology("--vcpus 2 --dedicated").cells == (GuestCell(dedicated="0-1", memory_mib=0),)
    assert topology("--memory 1GiB --hugepages 2MiB").cells == (GuestCell(memory_mib=1024),)


def test_every_policy_has_a_flag() -> None:
    found = topology(
        "--vcpus 2 --memory 1GiB --dedicated --threads full-cores --hugepages 1GiB "
        "--emulator-threads isolate --l3 require --prefer spread-sockets"
    )
    assert found.threads is ThreadPolicy.FULL_CORES
    assert found.pages == 1_048_576
    assert found.emulator_threads is EmulatorThreads.ISOLATE
    assert found.l3 is L3Policy.REQUIRE
    assert found.preference is CellPreference.SPREAD_SOCKETS


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "--vcpus 7 --memory 1GiB --cells 2",
            "should divide 7 vCPUs evenly; 6 or 8 vCPUs would do",
        ),
        ("--vcpus 2 --memory 1025 --cells 2", "1025 MiB evenly; 1024 or 1026 MiB would do"),
        ("--vcpus 7 --memory 1025 --cells 2", "divide 7 vCPUs and 1025 MiB evenly"),
        ("--vcpus 1 --memory 4 --cells 4", "divide 1 vCPU evenly; 4 vCPUs would do"),
        ("--vcpus 2 --cells 0", "from 1 to 128; host cells that the instance is on already are"),
        ("--vcpus 2 --cells 129", "from 1 to 128"),
        ("--vcpus 2 --cells 0,2", "are --on-cells"),
        ("--vcpus 2 --cells ²", "from 1 to 128"),
        ("--cells 2", "say --vcpus and --memory too"),
        ("--memory 1GiB --dedicated", "--dedicated is about vCPUs; say --vcpus too"),
        ("--vcpus 1 --hugepages 2MiB", "--hugepages is about memory; say --memory too"),
        ("--vcpus 1 --threads isolate", "is about dedicated CPUs; say --dedicated too"),
        ("--vcpus 1 --l3 prefer", "--l3 prefer is about dedicated CPUs"),
        ("--vcpus 1 --emulator-threads isolate", "is about dedicated CPUs"),
        ("--vcpus 1 --dedicated --threads isolated", "did you mean `isolate`?"),
        ("--vcpus 1 --dedicated --prefer spread-socket", "did you mean `spread-sockets`?"),
        ("--vcpus 1 --memory 1GiB --hugepages huge", "--hugepages 'huge'"),
        (
            "--vcpus 1 --dedicated --on-cells 0",
            "--on-cells names host cells that the instance is on",
        ),
        ("--vcpus 1 --property hw:cpu_polcy=dedicated", "did you mean `hw:cpu_policy`?"),
        ("--vcpus 1 --property hw:cpu_policy", "KEY=VALUE"),
        ("--vcpus 1 --property hw:numa_nodes=1", "say --vcpus and --memory too"),
        (
            "--vcpus 1 --memory 1 --dedicated --property hw:numa_nodes=1",
            "all of it in the one form",
        ),
        ("--vcpus 1 --property hw:pci_numa_affinity_policy=required", "--device WHAT=N"),
        (
            "--vcpus 1 --memory 1 --property hw:numa_nodes=1 --property hw:numa_nodes=2",
            "--property hw:numa_nodes is given twice",
        ),
        (
            "--vcpus 3 --memory 4 --property hw:numa_nodes=2",
            "3 vCPUs cannot be divided by 2",
        ),
        ("--vcpus 1 --memory 1 --property innkeeper:cpu_l3=require", "innkeeper:cpu_l3_policy"),
    ],
)
def test_a_wrong_word_is_refused_with_what_would_do(text: str, told: str) -> None:
    with pytest.raises(BadRequest) as refused:
        request(text)
    assert told in refused.value.message


def test_properties_are_what_a_flavor_says() -> None:
    found = request(
        "--vcpus 4 --memory 4GiB --property hw:numa_nodes=2 --property hw:cpu_policy=dedicated "
        "--property hw:cpu_thread_policy=require --property hw:mem_page_size=1GB "
        "--property pci_passthrough:alias=nic:2,gpu:1 "
        "--property hw:pci_numa_affinity_policy=required"
    )
    assert found.topology == topology(
        "--vcpus 4 --memory 4GiB --cells 2 --dedicated --threads require --hugepages 1GiB"
    )
    assert found.devices == tuple(
        DeviceRequest(alias=alias, count=count, numa_policy=NumaPolicy.REQUIRED)
        for alias, count in (("nic", 2), ("gpu", 1))
    )


def test_properties_of_devices_stand_beside_flags_of_the_shape() -> None:
    found = request("--vcpus 1 --dedicated --property pci_passthrough:alias=nic:1")
    assert found.topology is not None
    assert found.devices[0].alias == "nic"


def test_flags_stand_over_the_amounts_of_a_spec(tmp_path: Any) -> None:
    spec = tmp_path / "guest.json"
    spec.write_text('{"request": {"vcpus": 4, "memory_mib": 4096}}')
    assert len(topology(f"--spec {spec} --cells 2").cells) == 2
    assert topology(f"--spec {spec} --cells 2 --vcpus 8").cells[1].shared == "4-7"
    spec.write_text('{"request": {"vcpus": "4"}}')
    with pytest.raises(BadRequest, match="divides `vcpus`, which should be a number above 0"):
        request(f"--spec {spec} --cells 2")


def test_the_same_flags_reach_every_command_that_asks(tmp_path: Any) -> None:
    run = CommandLine({"HOME": "/nonexistent", "INNKEEPER_SOCKET": str(tmp_path / "none.sock")})
    for command in ("fit", "claim", "run"):
        shown = run(command, "--help").expect(0).out
        assert all(f"--{name}" in shown for name in (*SHAPES, "on-cells", "dedicated", "property"))


# -- and back ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "--vcpus 4 --memory 4096MiB --cells 2",
        "--vcpus 4 --cells 1",
        "--vcpus 4 --memory 4096MiB --dedicated",
        "--memory 4096MiB --cells 2 --hugepages 2MiB",
        "--vcpus 4 --memory 4096MiB --cells 2 --dedicated --threads full-cores --hugepages any",
        "--vcpus 4 --dedicated --emulator-threads isolate --l3 prefer --prefer spread-sockets",
        "--vcpus 4 --memory 4096MiB --hugepages 64KiB --prefer closest",
    ],
)
def test_a_request_is_told_in_the_flags_that_made_it(text: str) -> None:
    assert " ".join(request_flags(request(text))) == text
    assert list(unsaid(request(text))) == []


@pytest.mark.parametrize(
    "cells",
    [
        (GuestCell(shared="0-2", memory_mib=100), GuestCell(shared="3", memory_mib=50)),
        (GuestCell(dedicated="0-1", memory_mib=100), GuestCell(dedicated="2-3", memory_mib=50)),
        (GuestCell(shared="0", dedicated="1", memory_mib=9), GuestCell(shared="2", memory_mib=9)),
        (GuestCell(shared="1,3", memory_mib=9), GuestCell(shared="0,2", memory_mib=9)),
    ],
)
@pytest.mark.parametrize("pages", [None, "large", 2048])
def test_unequal_cells_are_told_in_a_flavor_s_words(
    cells: tuple[GuestCell, ...], pages: Any
) -> None:
    dedicated = any(cell.dedicated for cell in cells)
    asked = Request(
        vcpus=3 if cells[1].shared == "2" else 4,
        memory_mib=sum(cell.memory_mib for cell in cells),
        topology=GuestTopology(
            cells=cells,
            pages=pages,
            threads=ThreadPolicy.ISOLATE if dedicated else None,
            l3=L3Policy.REQUIRE if dedicated else None,
            preference=CellPreference.PACK,
        ),
    )
    told = " ".join(request_flags(asked))
    assert "--property hw:numa_nodes=2" in told
    assert request(told) == asked


def test_what_no_flag_says_is_named() -> None:
    gaps = (GuestCell(shared="0", memory_mib=1), GuestCell(shared="5", memory_mib=1))
    asked = Request(
        vcpus=2,
        memory_mib=2,
        topology=GuestTopology(cells=gaps),
        limits=Limits(vcpus=2.0),
        networks=Networks(tunneled=True),
    )
    assert list(request_flags(asked)) == ["--vcpus 2", "--memory 2MiB"]
    assert list(unsaid(asked)) == ["the guest cells", "the limits", "the networks"]
