"""Guest cells through a real daemon and the command line: asked for, counted, refused, shown, kept."""

from __future__ import annotations

import json
import shlex
import signal
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.program import PATIENCE, CommandLine, Serving, claim, empty, run_program, serve

from innkeeper.objects.cpu_spec import parse_cpu_spec

# 4 cells of 16 CPUs, two siblings a core; of each cell 4 CPUs are shared and 12 dedicated, and there are
# 2 GiB in pages of 2 MiB and 8 in pages of 1 GiB.
CELLS, DEDICATED = 4, 12
HOST = "cpus=64,cells=4,sockets=2,threads=2,memory=256GiB,pages_2m=4096,pages_1g=32,pfs=4,vfs=4,name=numa"
CONFIG = """
[cpus]
shared = "0-1,8-9,16-17,24-25,32-33,40-41,48-49,56-57"
dedicated = "2-7,10-15,18-23,26-31,34-39,42-47,50-55,58-63"

[[devices]]
vendor_id = "8086"
product_id = "1889"

[[aliases]]
name = "nic"
vendor_id = "8086"
product_id = "1889"
device_type = "vf"
"""

PINNED = ("--vcpus", "8", "--memory", "4GiB", "--cells", "2", "--dedicated", "--hugepages", "1GiB")


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with (
        tempfile.TemporaryDirectory(prefix="ik-") as directory,
        serve(Path(directory), HOST, config=CONFIG) as ready,
    ):
        yield ready


@pytest.fixture
def run(serving: Serving) -> Iterator[CommandLine]:
    """Each test begins and ends with an empty host."""
    yield serving.command_line
    empty(serving.command_line)


def cells_of(made: dict[str, Any]) -> list[dict[str, Any]]:
    placed: list[dict[str, Any]] = made["placement"]["cells"]
    return placed


def would_fit(err: str) -> list[str]:
    """The words that a refusal offers."""
    (line,) = [one for one in err.splitlines() if "would fit now: " in one]
    return shlex.split(line.partition("would fit now: ")[2])


def test_guest_cells_from_asking_to_release(run: CommandLine) -> None:
    fit = run("fit", *PINNED, "-o", "json").expect(0).json
    made = claim(run, *PINNED, "--name", "db")
    cells = cells_of(made)
    assert made["placement"] == fit["placement"]
    assert len({cell["cell"] for cell in cells}) == 2
    assert [list(map(int, cell["pins"])) for cell in cells] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [(cell["page_kib"], cell["pages"]) for cell in cells] == [(2**20, 2)] * 2
    usage = run("show", "-o", "json").expect(0).json["usage"]["cells"]
    used = {one["cell"]: one["dedicated_cpus"]["used"] for one in usage}
    assert used == {one: 4 if one in {cell["cell"] for cell in cells} else 0 for one in used}
    run("release", made["id"]).expect(0)
    usage = run("show", "-o", "json").expect(0).json["usage"]["cells"]
    assert {one["dedicated_cpus"]["used"] for one in usage} == {0}


def test_a_claim_is_shown_with_its_cells_pins_and_pages(run: CommandLine) -> None:
    made = claim(run, *PINNED, "--threads", "isolate", "--emulator-threads", "isolate")
    cells = cells_of(made)
    shown = run("claims", "show", made["id"]).expect(0).out
    for number, cell in enumerate(cells):
        assert f"guest cell {number} on cell {cell['cell']}, 2 GiB in 2 x 1 GiB" in shown
        assert " ".join(f"{vcpu}:{cpu}" for vcpu, cpu in cell["pins"].items()) in shown
    assert f"emulator on CPU {cells[0]['emulator']}" in shown
    assert "kept idle" in shown
    wide = run("claims", "-o", "wide").expect(0).out
    assert "2 x 1 GiB, 2 x 1 GiB" in wide
    assert "4 GiB" in wide
    lines = run("claims", "show", made["id"], "-o", "env").expect(0).out.splitlines()
    said = dict(line.split("=", 1) for line in lines)
    assert said["INNKEEPER_CELLS"] == ",".join(str(cell["cell"]) for cell in cells)


def test_libvirt_is_told_what_was_decided(run: CommandLine) -> None:
    made = claim(run, *PINNED, "--device", "nic=1")
    text = run("claims", "show", made["id"], "-o", "libvirt").expect(0).out
    domain = ElementTree.fromstring(f"<domain>{text}</domain>")
    told = {
        int(one.get("vcpu", "")): one.get("cpuset") for one in domain.iterfind("cputune/vcpupin")
    }
    pins = {int(vcpu): str(cpu) for cell in cells_of(made) for vcpu, cpu in cell["pins"].items()}
    assert told == pins
    nodes = [int(one.get("nodeset", "")) for one in domain.iterfind("numatune/memnode")]
    assert nodes == [cell["cell"] for cell in cells_of(made)]
    pages = [dict(one.items()) for one in domain.iterfind("memoryBacking/hugepages/page")]
    assert pages == [{"size": "1048576", "unit": "KiB", "nodeset": "0-1"}]
    assert len(domain.findall("hostdev")) == 1


def test_a_count_is_what_fits_and_names_what_runs_out(run: CommandLine) -> None:
    asked = ("--vcpus", "10", "--memory", "2GiB", "--cells", "2", "--dedicated")
    told = run("fit", *asked, "--count").expect(0).out
    answer = run("fit", *asked, "--count", "-o", "json").expect(0).json
    assert answer["count"] == CELLS * (DEDICATED // 5) // 2
    assert told.startswith(
        f"{answer['count']} more; then dedicated CPUs run out: guest cell 0 asks"
    )
    assert {one["code"] for one in answer["stopped_by"]} == {"insufficient_dedicated_cpus"}
    made = [claim(run, *asked) for _ in range(answer["count"])]
    held = Counter(
        cpu for one in made for cell in cells_of(one) for cpu in parse_cpu_spec(cell["charged"])
    )
    assert set(held.values()) == {1}, "no CPU has two holders"
    refused = run("fit", *asked, "--count").expect(3)
    assert "it does not fit" in refused.err


def test_a_refusal_has_a_table_of_cells_and_words_that_work(run: CommandLine) -> None:
    claim(run, "--vcpus", "10", "--dedicated")
    claim(run, "--vcpus", "11", "--dedicated")
    asked = ("--vcpus", "48", "--memory", "8GiB", "--cells", "4", "--dedicated")
    refused = run("fit", *asked).expect(3)
    assert "GUEST CELL  HOST CELLS  SHORT OF        ASKED  FREE" in refused.err
    assert "0           0           dedicated CPUs  12     " in refused.err
    said = run("fit", *asked, "-o", "json").expect(3).json
    (reason,) = said["reasons"]
    assert {one["free"] for one in reason["cells"]} == {1, 2}
    assert {one["asked"] for one in reason["cells"]} == {12}
    nearest = would_fit(refused.err)
    assert run("fit", *nearest).expect(0).out.startswith("it fits")
    assert nearest[nearest.index("--cells") + 1] == "4"
    vcpus = nearest.index("--vcpus") + 1
    more = [*nearest[:vcpus], str(int(nearest[vcpus]) + 4), *nearest[vcpus + 1 :]]
    run("fit", *more).expect(3)


def test_what_would_fit_can_be_given_back_as_a_spec(run: CommandLine, tmp_path: Path) -> None:
    asked = ("--vcpus", "4", "--memory", "40GiB", "--cells", "2", "--hugepages", "1GiB")
    refused = run("fit", *asked, "-o", "json").expect(3).json
    spec = tmp_path / "nearest.json"
    spec.write_text(json.dumps(refused["nearest"]))
    made = claim(run, "--spec", str(spec))
    assert sum(cell["memory_mib"] for cell in cells_of(made)) == 16 * 1024


def test_a_flavor_s_words_and_flags_are_placed_alike(run: CommandLine) -> None:
    flavor = (
        *("--property", "hw:numa_nodes=2", "--property", "hw:cpu_policy=dedicated"),
        *("--property", "hw:mem_page_size=1GiB", "--property", "pci_passthrough:alias=nic:1"),
        *("--property", "hw:pci_numa_affinity_policy=required"),
    )
    by_flavor = run("fit", "--vcpus", "8", "--memory", "4GiB", *flavor, "-o", "json").expect(0)
    device = ("--device", "nic=1,numa_policy=required")
    by_flags = run("fit", *PINNED, *device, "-o", "json").expect(0)
    assert by_flavor.json["placement"] == by_flags.json["placement"]
    placed = by_flags.json["placement"]
    assert placed["devices"][0]["cell"] in {cell["cell"] for cell in placed["cells"]}


def test_unequal_and_mixed_cells_are_refused_in_words_that_work(run: CommandLine) -> None:
    words = (
        *("--property", "hw:numa_nodes=2", "--property", "hw:numa_cpus.0=0-15"),
        *("--property", "hw:numa_cpus.1=16-17", "--property", "hw:numa_mem.0=2048"),
        *("--property", "hw:numa_mem.1=1024", "--property", "hw:cpu_policy=mixed"),
        *("--property", "hw:cpu_dedicated_mask=^0-1"),
    )
    refused = run("fit", "--vcpus", "18", "--memory", "3GiB", *words).expect(3)
    assert "guest cell 0 asks for 14 dedicated CPUs" in refused.err
    nearest = would_fit(refused.err)
    assert "hw:cpu_policy=mixed" in nearest
    made = claim(run, *nearest)
    assert [bool(cell["shared"]) for cell in cells_of(made)] == [True, False]


def test_a_spec_file_has_a_topology(run: CommandLine, tmp_path: Path) -> None:
    spec = tmp_path / "guest.toml"
    spec.write_text(
        """
        name = "guest"
        [request]
        vcpus = 3
        memory_mib = 2048
        [request.topology]
        pages = 2048
        threads = "isolate"
        [[request.topology.cells]]
        dedicated = "0-1"
        memory_mib = 1024
        [[request.topology.cells]]
        dedicated = "2"
        memory_mib = 1024
        """
    )
    cells = cells_of(claim(run, "--spec", str(spec)))
    assert [len(parse_cpu_spec(cell["charged"])) for cell in cells] == [4, 2], "whole cores"
    assert [(cell["page_kib"], cell["pages"]) for cell in cells] == [(2048, 512)] * 2
    refused = run("fit", "--spec", str(spec), "--vcpus", "4").expect(2)
    assert "vcpus is 4, but its guest cells have 3 together" in refused.err
    spec.write_text(spec.read_text().replace("isolate", "isolated"))
    assert "topology.threads" in run("fit", "--spec", str(spec)).expect(2).err


def test_cordoned_cells_take_no_guest_cell(run: CommandLine) -> None:
    run("cordon", "cell", "2", "--reason", "memory is replaced").expect(0)
    refused = run("fit", "--vcpus", "4", "--memory", "4GiB", "--cells", "4").expect(3)
    assert "cells that are not cordoned" in refused.err
    made = claim(run, "--vcpus", "3", "--memory", "3GiB", "--cells", "3")
    assert {cell["cell"] for cell in cells_of(made)} == {0, 1, 3}
    run("uncordon", "cell", "2").expect(0)


def test_pins_outlive_the_daemon() -> None:
    with tempfile.TemporaryDirectory(prefix="ik-") as directory:
        with serve(Path(directory), HOST, config=CONFIG) as ready:
            made = claim(ready.command_line, *PINNED, "--lease", "1h")
            ready.command_line("confirm", made["id"]).expect(0)
            ready.process.send_signal(signal.SIGKILL)
            ready.process.wait(PATIENCE)
        with serve(Path(directory), HOST, config=CONFIG) as ready:
            run = ready.command_line
            again = run("claims", "show", made["id"], "-o", "json").expect(0).json
            assert again["placement"] == made["placement"]
            assert run("audit", "run", "-o", "json").expect(0).json["findings"] == []
            other = claim(run, *PINNED)
            mine, others = (
                {cpu for cell in cells_of(one) for cpu in cell["pins"].values()}
                for one in (made, other)
            )
            assert not mine & others


README = Path(__file__).parents[2] / "README.md"
SECTION = README.read_text().partition("## NUMA cells, dedicated CPUs, hugepages")[2]


def block(language: str) -> list[str]:
    """The lines of the section's first block of this language."""
    return SECTION.partition(f"```{language}\n")[2].partition("```")[0].splitlines()


@pytest.fixture(scope="module")
def host_of_readme() -> Iterator[CommandLine]:
    """A daemon with the words that the README starts one with."""
    export, start = block("text")
    cpus = dict(word.split("=", 1) for word in export.split()[1:])
    config = "[cpus]\n" + "".join(
        f'{name.rpartition("__")[2].lower()} = "{text}"\n' for name, text in cpus.items()
    )
    host = start.removeprefix("innkeeper serve --simulate ")
    with (
        tempfile.TemporaryDirectory(prefix="ik-") as directory,
        serve(Path(directory), host, config=config) as ready,
    ):
        claim(ready.command_line, *PINNED)
        yield ready.command_line


@pytest.mark.parametrize("line", [line.partition(" # ")[0] for line in block("sh")])
def test_each_command_of_the_readme_works(host_of_readme: CommandLine, line: str) -> None:
    held = host_of_readme("claims", "-o", "name").expect(0).out.split()[0]
    name, *words = shlex.split(line.replace(" ID", f" {held}"))
    assert name == "innkeeper"
    assert host_of_readme(*words).expect(0).out


def test_a_command_runs_on_its_own_cpu(short_dir: Path) -> None:
    words = '[cpus]\nshared = "1"\ndedicated = "0"\n'
    with serve(short_dir, "cpus=2,cells=1,threads=1,memory=4GiB", config=words) as ready:
        script = "import os; print(os.sched_getaffinity(0), os.environ['INNKEEPER_PINS'])"
        ran = run_program(
            *("run", "--vcpus", "1", "--dedicated", "--", "python3", "-c", script),
            INNKEEPER_SOCKET=str(ready.socket),
        )
        assert ran.expect(0).out == "{0} 0:0\n"
