"""Thousands of VFs through a real daemon and the command line: claimed, refused, cordoned, re-plugged."""

from __future__ import annotations

import gzip
import json
import re
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.program import PATIENCE, CommandLine, Serving, claim, empty, serve

HOSTS = Path(__file__).parents[1] / "data/hosts"

PFS, VFS = 64, 64
DENSE = f"cpus=256,cells=4,sockets=2,memory=1TiB,pfs={PFS},vfs={VFS},name=dense"

CONFIG = """
[[devices]]
vendor_id = "8086"
product_id = "1889"
physical_network = "net1"

[[devices]]
vendor_id = "8086"
product_id = "1592"

[[aliases]]
name = "nic"
vendor_id = "8086"
product_id = "1889"
device_type = "vf"

[[aliases]]
name = "port"
vendor_id = "8086"
product_id = "1592"
device_type = "pf"
"""


@pytest.fixture(scope="module")
def dense() -> Iterator[Serving]:
    with (
        tempfile.TemporaryDirectory(prefix="ik-") as directory,
        serve(Path(directory), DENSE, config=CONFIG) as ready,
    ):
        yield ready


@pytest.fixture
def run(dense: Serving) -> Iterator[CommandLine]:
    """Each test begins and ends with an empty host."""
    yield dense.command_line
    empty(dense.command_line)


def addresses(made: dict[str, Any]) -> list[str]:
    return [one["address"] for one in made["placement"]["devices"]]


def pools(run: CommandLine, kind: str = "vf") -> list[dict[str, Any]]:
    return [one for one in run("pools", "-o", "json").expect(0).json if one["kind"] == kind]


def states(run: CommandLine) -> dict[str, str]:
    listed = run("devices", "-o", "json").expect(0).json
    return {one["function"]["address"]: one["state"] for one in listed}


def until(wanted: Callable[[], bool]) -> None:
    """Until the daemon has seen it; every look is a question to the daemon."""
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < deadline, "never seen"


# -- 64 PFs with 64 VFs each ---------------------------------------------------------------------


def test_every_pf_is_a_pool_of_its_vfs(run: CommandLine) -> None:
    found = pools(run)
    assert len(found) == PFS
    assert {(one["total"], one["free"], one["used"]) for one in found} == {(VFS, VFS, 0)}
    assert all(one["tags"]["physical_network"] == "net1" for one in found)
    aliases = {one["name"]: one["fit"] for one in run("aliases", "-o", "json").expect(0).json}
    assert aliases == {"nic": PFS * VFS, "port": PFS}
    table = run("pools").expect(0).out.splitlines()
    assert table[0].split()[:5] == ["ID", "KIND", "CELL", "PARENT", "TAGS"]


def test_a_claim_by_alias_from_asking_to_release(run: CommandLine) -> None:
    fit = run("fit", "--device", "nic=8", "-o", "json").expect(0).json
    assert fit["count"] == PFS * VFS // 8
    made = claim(run, "--device", "nic=8", "--vcpus", "4", "--memory", "8GiB")
    held = addresses(made)
    assert held == [one["address"] for one in fit["placement"]["devices"]]
    assert len({one["parent"] for one in made["placement"]["devices"]}) == 1
    parent = made["placement"]["devices"][0]["parent"]
    siblings = [address for address in states(run) if address.startswith(parent[:8])]
    assert sorted(held) == siblings[-8:], "from the highest address down"
    run("confirm", made["id"]).expect(0)
    listed = run("devices", "--held-by", made["id"], "-o", "name").expect(0).out.split()
    assert listed == sorted(held)
    free = run("devices", "--free", "-o", "name").expect(0).out.split()
    assert len(free) == PFS * VFS - 8 + PFS - 1
    assert not {*held, parent} & set(free)
    run("release", made["id"]).expect(0)
    assert run("aliases", "-o", "json").expect(0).json[0]["fit"] == PFS * VFS


def test_policies_are_judged_by_the_cells_of_the_instance(run: CommandLine) -> None:
    words = ("--device", "nic=3,numa_policy=required", "--on-cells", "2")
    made = claim(run, *words)
    assert {one["cell"] for one in made["placement"]["devices"]} == {2}
    too_many = ("--device", "nic=1500,numa_policy=required", "--on-cells", "2")
    refused = run("fit", *too_many).expect(3)
    assert "would fit now: --device nic=1021,numa_policy=required --on-cells 2" in refused.err


def test_the_whole_host_can_be_held_and_given_back(run: CommandLine) -> None:
    everything = claim(run, "--device", f"nic={PFS * VFS}")
    assert len(set(addresses(everything))) == PFS * VFS
    assert {(one["used"], one["free"]) for one in pools(run)} == {(VFS, 0)}
    assert {one["free"] for one in pools(run, "pf")} == {0}, "barred by their VFs"
    refused = run("claim", "--device", "nic").expect(3)
    assert "nothing of this kind would fit now" in refused.err
    run("release", everything["id"]).expect(0)
    assert {(one["used"], one["free"]) for one in pools(run)} == {(0, VFS)}


def test_a_refusal_says_what_each_filter_removed_from_each_pool(run: CommandLine) -> None:
    made = claim(run, "--device", "nic=10")
    parent = made["placement"]["devices"][0]["parent"]
    asked = ("--device", "port=1", "--device", f"nic={PFS * VFS}")
    refused = run("fit", *asked, "-o", "json").expect(3)
    said = refused.json
    reason = next(one for one in said["reasons"] if one["resource"] == "nic")
    assert reason["request"] == 1
    assert len(reason["pools"]) == PFS
    booked = {
        pool["parent"]: step["removed"]
        for pool in reason["pools"]
        for step in pool["filters"]
        if step["filter"] == "booked"
    }
    assert booked == {parent: 10}
    told = run("fit", *asked).expect(3)
    assert "booked 10" in told.err
    assert len(told.err.splitlines()) < 30, "alike pools are one line"
    nearest = told.err.partition("would fit now: ")[2].split()
    assert run("fit", *nearest).expect(0).out.startswith("it fits")
    more = [*nearest[:-1], re.sub(r"=\d+", lambda found: f"={int(found[0][1:]) + 1}", nearest[-1])]
    run("fit", *more).expect(3)


def test_a_pf_and_its_vfs_exclude_each_other(run: CommandLine) -> None:
    (pf,) = addresses(claim(run, "--device", "port=1"))
    seen = states(run)
    barred = [address for address, state in seen.items() if state == "barred"]
    assert len(barred) == VFS
    assert run("aliases", "-o", "json").expect(0).json[0]["fit"] == (PFS - 1) * VFS
    tree = run("devices", "--tree").expect(0).out
    assert f"64 x 8086:1889 vf  vfio-pci  its PF {pf} is held" in tree


def test_the_tree_is_readable(run: CommandLine) -> None:
    made = claim(run, "--device", "nic=5")
    tree = run("devices", "--tree").expect(0).out.splitlines()
    assert len(tree) < 4 * PFS
    assert sum("64 VFs: 0 held, 64 free" in line for line in tree) == PFS - 1
    assert sum(f"5 x 8086:1889 vf  vfio-pci  held by {made['id']}" in line for line in tree) == 1


def test_a_cordon_keeps_claims_off_and_says_why(run: CommandLine) -> None:
    made = claim(run, "--device", "nic=2")
    kept, other = addresses(made)[0], run("devices", "--free", "-o", "name").out.split()[-1]
    for address in (kept, other):
        run("devices", "cordon", address.removeprefix("0000:"), "--reason", "link flaps").expect(0)
    assert states(run)[kept] == "held"
    assert states(run)[other] == "withheld"
    assert f"{other} " in run("devices").expect(0).out
    assert ": link flaps" in run("devices").expect(0).out
    assert sum(one["withheld"] for one in pools(run)) == 1
    refused = run("fit", "--device", f"nic={PFS * VFS - 2}").expect(3)
    assert "cordoned 1" in refused.err
    run("release", made["id"]).expect(0)
    assert states(run)[kept] == "withheld"
    assert sum(one["withheld"] for one in pools(run)) == 2
    shown = run("show").expect(0).out
    assert "Takes no new claims" in shown
    assert "2 withheld" in shown
    assert "is no longer cordoned" in run("devices", "uncordon", kept).expect(0).out
    run("devices", "uncordon", kept).expect(1)
    history = [one["kind"] for one in run("history", "-o", "json").expect(0).json]
    assert history.count("cordoned") >= 2
    assert "uncordoned" in history


def test_cells_cpus_and_the_host_are_cordoned(run: CommandLine) -> None:
    run("cordon", "cell", "1", "--reason", "memory is replaced").expect(0)
    run("cordon", "cpu", "0", "--reason", "errors").expect(0)
    assert {one["cell"] for one in pools(run) if one["free"]} == {0, 2, 3}
    view = run("show", "-o", "json").expect(0).json
    assert view["usage"]["vcpus"]["capacity"] == 256 - 64 - 1
    run("cordon", "host", "--reason", "emptied").expect(0)
    refused = run("claim", "--vcpus", "1").expect(3)
    assert "emptied" in refused.err
    assert run("devices", "--free", "-o", "name").expect(0).out == ""
    listed = run("cordons").expect(0).out
    for words in ("host", "cell 1", "CPU 0", "memory is replaced"):
        assert words in listed
    run("uncordon", "host").expect(0)
    claim(run, "--device", "nic=1")


def test_a_spec_file_asks_by_pattern_and_unit(run: CommandLine, tmp_path: Path) -> None:
    spec = tmp_path / "guest.toml"
    spec.write_text(
        """
        name = "guest"
        [request]
        vcpus = 2
        cells = [3]
        [[request.devices]]
        alternatives = [{ physical_network = "net1", dev_type = "type-VF" }]
        numa_policy = "required"
        count = 2
        [[request.devices]]
        alias = "port"
        """
    )
    made = claim(run, "--spec", str(spec))
    placed = made["placement"]["devices"]
    assert [one["request"] for one in placed] == [0, 0, 1]
    assert {one["cell"] for one in placed[:2]} == {3}
    assert placed[2]["address"] not in {one["parent"] for one in placed[:2]}
    spec.write_text(spec.read_text().replace("alternatives", "alternative"))
    refused = run("fit", "--spec", str(spec)).expect(2)
    assert "did you mean `alternatives`?" in refused.err


def test_a_killed_daemon_comes_back_with_claims_and_cordons() -> None:
    with tempfile.TemporaryDirectory(prefix="ik-") as directory:
        with serve(Path(directory), DENSE, config=CONFIG) as ready:
            run = ready.command_line
            made = claim(run, "--device", "nic=100", "--device", "port=1", "--lease", "1h")
            run("confirm", made["id"]).expect(0)
            run("cordon", "cell", "2", "--reason", "memory is replaced").expect(0)
            before = states(run), pools(run), run("cordons", "-o", "json").expect(0).json
            ready.process.send_signal(signal.SIGKILL)
            ready.process.wait(PATIENCE)
        with serve(Path(directory), DENSE, config=CONFIG) as ready:
            run = ready.command_line
            after = states(run), pools(run), run("cordons", "-o", "json").expect(0).json
            assert after == before
            assert run("audit", "run", "-o", "json").expect(0).json["findings"] == []
            empty(run)


# -- hot-plug ------------------------------------------------------------------------------------

PLUGGED = 'cpus = 16\ncells = 2\nmemory = "64GiB"\npfs = 3\nvfs = 8\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "host.toml"
    file.write_text(PLUGGED)
    return file


@pytest.fixture
def plugged(short_dir: Path, file: Path) -> Iterator[CommandLine]:
    with serve(short_dir, str(file), config=CONFIG) as ready:
        yield ready.command_line


def rewrite(file: Path, words: str) -> None:
    """As an editor does it: nobody reads half a file."""
    fresh = file.with_suffix(".new")
    fresh.write_text(PLUGGED + words)
    fresh.replace(file)


def fit_now(run: CommandLine) -> int:
    aliases = run("aliases", "-o", "json").expect(0).json
    return next(int(one["fit"]) for one in aliases if one["name"] == "nic")


def test_a_card_that_is_pulled_and_plugged_is_seen_without_being_asked(
    plugged: CommandLine, file: Path
) -> None:
    assert fit_now(plugged) == 24
    rewrite(file, '[pf2]\nplugged = "no"\n')
    until(lambda: fit_now(plugged) == 16)
    assert len(pools(plugged)) == 2
    rewrite(file, "[pf2]\nvfs = 4\n")
    until(lambda: fit_now(plugged) == 20)
    assert sorted(one["total"] for one in pools(plugged)) == [4, 8, 8]


def test_a_held_card_that_vanishes_is_kept_and_reported_until_it_is_given_back(
    plugged: CommandLine, file: Path
) -> None:
    made = claim(plugged, "--device", "nic=2", "--lease", "1h")
    parent = made["placement"]["devices"][0]["parent"]
    listed = plugged("devices", "-o", "name").expect(0).out.split()
    number = [one["parent"] for one in pools(plugged)].index(parent)
    rewrite(file, f'[pf{number}]\nplugged = "no"\n')
    report = plugged("audit", "run", "-o", "json").expect(5).json
    missing = {one["subject"] for one in report["findings"] if one["kind"] == "device_missing"}
    assert missing == set(addresses(made))
    assert fit_now(plugged) == 16
    assert (
        plugged("claims", "show", made["id"], "-o", "json").expect(0).json["placement"]
        == (made["placement"])
    )
    rewrite(file, "")
    plugged("audit", "run").expect(0)
    assert fit_now(plugged) == 22
    assert plugged("devices", "-o", "name").expect(0).out.split() == listed
    held = plugged("devices", "--held-by", made["id"], "-o", "name").expect(0).out.split()
    assert held == sorted(addresses(made))
    plugged("release", made["id"]).expect(0)
    assert fit_now(plugged) == 24


def test_hardware_is_recognised_where_it_was_renumbered(plugged: CommandLine, file: Path) -> None:
    made = claim(plugged, "--device", "port=1", "--lease", "1h")
    (old,) = addresses(made)
    number = [one["function"]["address"] for one in functions(plugged, "pf")].index(old)
    new = "0100:01:00.0"
    rewrite(file, f'[pf{number}]\naddress = "{new}"\n')
    report = plugged("audit", "run", "-o", "json").expect(5).json
    moved = next(one for one in report["findings"] if one["kind"] == "device_moved")
    assert new in moved["message"]
    view = next(one for one in functions(plugged, "pf") if one["function"]["address"] == new)
    assert view["state"] == "withheld"
    assert "under the address that it had before" in view["reason"]
    plugged("release", made["id"]).expect(0)
    until(lambda: states(plugged)[new] == "free")


def functions(run: CommandLine, kind: str) -> list[dict[str, Any]]:
    listed = run("devices", "-o", "json").expect(0).json
    return [one for one in listed if one["function"]["kind"] == kind]


# -- units and dirt ------------------------------------------------------------------------------

CARDS = """
[[devices]]
vendor_id = "10de"
clean = ["/bin/sh", "-c", "exit 3"]

[[aliases]]
name = "gpu"
unit = "slot"
[[aliases.members]]
vendor_id = "10de"
product_id = "24b0"
[[aliases.members]]
vendor_id = "10de"
product_id = "228b"

[[aliases]]
name = "pair"
unit = "switch"
[[aliases.members]]
vendor_id = "10de"
product_id = "24b0"
count = 2
"""


@pytest.fixture
def cards(short_dir: Path) -> Iterator[CommandLine]:
    with serve(short_dir, "cpus=8,cells=2,gpus=4,switch=2", config=CARDS) as ready:
        yield ready.command_line


def test_units_are_taken_and_given_back_as_one(cards: CommandLine) -> None:
    fit = {one["name"]: one["fit"] for one in cards("aliases", "-o", "json").expect(0).json}
    assert fit == {"gpu": 4, "pair": 2}
    listed = cards("aliases").expect(0).out
    assert "a unit by slot: 1 x 10de:24b0 + 1 x 10de:228b" in listed
    card = addresses(claim(cards, "--device", "gpu=1"))
    assert len({address.rpartition(".")[0] for address in card}) == 1
    pair = claim(cards, "--device", "pair=1")
    switches = {
        one["function"]["switch"]
        for one in functions(cards, "pci")
        if one["function"]["address"] in addresses(pair)
    }
    assert len(switches) == 1
    refused = cards("fit", "--device", "pair=1").expect(3)
    assert "asked for 1 unit pair; 0 are free" in refused.err
    cards("fit", "--device", "gpu=1").expect(0)


def test_a_device_that_is_not_clean_is_not_given_out_again(cards: CommandLine) -> None:
    made = claim(cards, "--device", "gpu=4")
    held = addresses(made)
    cards("release", made["id"]).expect(0)
    assert {states(cards)[address] for address in held} == {"withheld"}
    until(lambda: "exit status 3" in cards("audit", "run").out)
    dirty = cards("cordons", "-o", "json").expect(0).json
    assert {one["subject"] for one in dirty} == set(held)
    assert {(one["cause"], one["claim_id"]) for one in dirty} == {("dirty", made["id"])}
    refused = cards("fit", "--device", "gpu=1").expect(3)
    assert "dirty 2" in refused.err
    picture = cards("show").expect(0).out
    assert "~ not clean yet" in picture
    first, second = sorted(held)[:2]
    cards("devices", "uncordon", first, "--dirty").expect(0)
    # The identity is what a card that was pulled is listed by; it has a slash.
    (identity,) = (one["identity"] for one in dirty if one["subject"] == second)
    assert identity in cards("cordons", "-o", "wide").expect(0).out
    assert "is no longer dirty" in cards("uncordon", "device", identity, "--dirty").expect(0).out
    assert addresses(claim(cards, "--device", "gpu=1")) == sorted(held)[:2]


# -- captured hosts ------------------------------------------------------------------------------

CAPTURED = """
[[devices]]
vendor_id = "8086"
product_id = "10c9"
[[devices]]
vendor_id = "8086"
product_id = "10ca"
trusted = true
[[devices]]
vendor_id = "1b36"
product_id = "0010"
[[aliases]]
name = "nic"
vendor_id = "8086"
product_id = "10ca"
device_type = "vf"
[[aliases]]
name = "disk"
vendor_id = "1b36"
product_id = "0010"
device_type = "vf"
[[aliases]]
name = "port"
vendor_id = "8086"
product_id = "10c9"
device_type = "pf"
"""

WITH_VFS = ("qemu64-9n-B-vfs", "qemu64-9n-D-smt-off")


@pytest.fixture(scope="module", params=WITH_VFS)
def captured(request: pytest.FixtureRequest) -> Iterator[tuple[str, CommandLine]]:
    bundle = HOSTS / f"{request.param}.tar.xz"
    with (
        tempfile.TemporaryDirectory(prefix="ik-") as directory,
        serve(Path(directory), root=bundle, config=CAPTURED) as ready,
    ):
        yield request.param, ready.command_line


@pytest.fixture
def host(captured: tuple[str, CommandLine]) -> Iterator[CommandLine]:
    yield captured[1]
    empty(captured[1])


def expected(name: str) -> dict[str, Any]:
    manifest = json.loads((HOSTS / "manifest.json").read_text())
    found: dict[str, Any] = next(one for one in manifest if one["name"] == name)["expected"]
    return found


def told_by_lspci(name: str, product: str) -> int:
    """How many functions of a product lspci saw there; its numeric form names them `[8086:10ca]`."""
    text = gzip.decompress((HOSTS / f"oracles/{name}.lspci.txt.gz").read_bytes()).decode()
    return len(re.findall(rf"^[0-9a-f:.]+ .*\[{product}\]", text, flags=re.MULTILINE))


def test_a_captured_host_offers_what_its_own_tools_saw(
    captured: tuple[str, CommandLine],
) -> None:
    name, run = captured
    wanted = expected(name)
    assert len(functions(run, "vf")) == wanted["vfs"]
    assert len(functions(run, "pf")) == wanted["pfs"]
    fit = {one["name"]: one["fit"] for one in run("aliases", "-o", "json").expect(0).json}
    assert fit["nic"] == told_by_lspci(name, "8086:10ca")
    assert fit["nic"] + fit["disk"] == wanted["vfs"]


def test_a_captured_host_is_claimed_and_refused(host: CommandLine) -> None:
    nics = next(one["fit"] for one in host("aliases", "-o", "json").json if one["name"] == "nic")
    made = claim(host, "--device", f"nic={nics}", "--device", "disk=3")
    parents = {one["parent"] for one in made["placement"]["devices"] if one["request"] == 0}
    refused = host("fit", "--device", "port=1").expect(3)
    assert "barred_by_pf_or_vfs" in refused.err
    assert {address for address, state in states(host).items() if state == "barred"} >= parents
    tree = host("devices", "--tree").expect(0).out
    assert f"held by {made['id']}" in tree
    host("release", made["id"]).expect(0)
    assert host("fit", "--device", "port=1").expect(0).out.startswith("it fits")


def test_near_devices_of_a_captured_host(host: CommandLine) -> None:
    made = claim(host, "--device", "nic=14,numa_policy=required", "--on-cells", "4")
    assert {one["cell"] for one in made["placement"]["devices"]} == {4}
    refused = host("fit", "--device", "nic=1,numa_policy=required", "--on-cells", "4").expect(3)
    assert re.search(r"\bnuma \d+", refused.err)
    host("fit", "--device", "nic=1,numa_policy=legacy", "--on-cells", "4").expect(0)
