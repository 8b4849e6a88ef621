"""Hosts that exist only in memory."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import aclosing
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.scenario.conftest import VirtualClock

from innkeeper.config import Config, DeviceSpec
from innkeeper.drivers.simulated import SimulatedDriver, parse_spec, simulated
from innkeeper.drivers.simulated.driver import POLL_SECONDS
from innkeeper.errors import BadConfig, BadRequest, HostUnreadable
from innkeeper.objects import Cpu, Host, PciFunction, PciKind
from innkeeper.requests.admission import why_not_offered
from innkeeper.requests.device_specs import DeviceRule
from innkeeper.requests.inventory import take_inventory

LARGE = "cpus=1024,cells=32,pfs=64,vfs=64"
GIB_IN_KIB = 1024 * 1024


@pytest.fixture(scope="module")
def large() -> Host:
    return simulated(LARGE)


def of_kind(host: Host, kind: PciKind) -> list[PciFunction]:
    return [function for function in host.functions if function.kind is kind]


def test_the_same_words_give_an_equal_host(large: Host) -> None:
    driver = SimulatedDriver(LARGE)
    assert driver.observe() == driver.observe() == large


def test_every_object_of_it_is_valid(large: Host) -> None:
    assert Host.model_validate(large.model_dump()) == large


def test_a_large_host_is_built_in_under_a_second() -> None:
    started = time.process_time()
    simulated(LARGE)
    assert time.process_time() - started < 1


def test_it_has_what_was_asked_for(large: Host) -> None:
    assert [cpu.id for cpu in large.cpus] == list(range(1024))
    assert [cell.id for cell in large.cells] == list(range(32))
    assert len(of_kind(large, PciKind.PF)) == 64
    assert len(of_kind(large, PciKind.VF)) == 4096
    assert large.memory_kib == 4 * 1024 * GIB_IN_KIB == sum(c.memory_kib for c in large.cells)


def test_siblings_are_numbered_as_linux_does() -> None:
    host = simulated("cpus=16,cells=2,threads=2")
    assert [cpu.siblings for cpu in host.cpus[:3]] == [(0, 8), (1, 9), (2, 10)]
    assert [cell.cpus for cell in host.cells] == [
        (0, 1, 2, 3, 8, 9, 10, 11),
        (4, 5, 6, 7, 12, 13, 14, 15),
    ]


def test_siblings_share_core_cell_and_l3(large: Host) -> None:
    for cpu in large.cpus:
        for sibling in cpu.siblings:
            other = large.cpus[sibling]
            places = {(one.socket, one.die, one.core, one.cell, one.l3) for one in (cpu, other)}
            assert len(places) == 1
            assert other.siblings == cpu.siblings


def test_cores_are_told_apart_by_socket_die_and_core(large: Host) -> None:
    cores = Counter((cpu.socket, cpu.die, cpu.core) for cpu in large.cpus)
    assert set(cores.values()) == {2}
    assert len(cores) == 512


def test_a_cell_is_in_one_socket_and_an_l3_in_one_cell(large: Host) -> None:
    assert len({(cpu.cell, cpu.socket) for cpu in large.cpus}) == 32
    groups = {(cpu.l3, cpu.cell) for cpu in large.cpus}
    assert len(groups) == len({l3 for l3, _ in groups}) == 64
    assert all(
        cpu.l3 == min(c.id for c in large.cpus if c.l3 == cpu.l3) for cpu in large.cpus[::97]
    )


def test_cpus_that_do_not_divide_evenly_are_spread() -> None:
    host = simulated("cpus=10,cells=4,threads=1")
    assert [len(cell.cpus) for cell in host.cells] == [3, 3, 2, 2]


def test_a_host_may_have_cells_without_cpus() -> None:
    host = simulated("cpus=1,cells=2")
    assert [cell.cpus for cell in host.cells] == [(0,), ()]


def test_distances_grow_with_the_way() -> None:
    cells = simulated("cpus=64,cells=16,sockets=8").cells
    assert [cells[0].distances[there] for there in (0, 1, 2, 7, 8, 15)] == [10, 12, 21, 21, 31, 31]
    for one in cells:
        assert all(other.distances[one.id] == one.distances[other.id] for other in cells)


@pytest.mark.parametrize(
    ("cells", "sockets"), [(1, 1), (2, 2), (4, 2), (6, 2), (7, 7), (8, 2), (16, 4), (32, 8)]
)
def test_sockets_have_at_most_four_cells_unless_asked(cells: int, sockets: int) -> None:
    assert parse_spec(f"cells={cells}").sockets == sockets
    assert parse_spec(f"cells={cells},sockets=1").sockets == 1


def test_hugepages_are_spread_over_the_cells() -> None:
    host = simulated("cpus=4,cells=2,memory=8GiB,pages_2m=5,pages_1g=2")
    assert [(p.size_kib, p.total, p.free) for p in host.pages] == [
        (2048, 5, 5),
        (GIB_IN_KIB, 2, 2),
    ]
    assert [[p.total for p in cell.pages] for cell in host.cells] == [[3, 1], [2, 1]]
    assert take_inventory(host).memory_mib.total == 8192 - 10 - 2048


def test_addresses_are_unique_and_ascend(large: Host) -> None:
    addresses = [function.address for function in large.functions]
    assert addresses == sorted(set(addresses))


def test_each_vf_lies_where_sriov_puts_it(large: Host) -> None:
    """Routing id of VF n = that of the PF + offset 8 + n, carried over into further buses."""
    for pf in of_kind(large, PciKind.PF)[::13]:
        vfs = [one for one in large.functions if one.parent == pf.address]
        assert [routing_id(vf) - routing_id(pf) for vf in vfs] == list(range(8, 72))
        assert {vf.cell for vf in vfs} == {pf.cell}
        assert (pf.num_vfs, pf.total_vfs) == (64, 128)


def routing_id(function: PciFunction) -> int:
    domain, bus, rest = function.address.split(":")
    slot, number = rest.split(".")
    return int(domain, 16) << 16 | int(bus, 16) << 8 | int(slot, 16) << 3 | int(number)


def test_pfs_are_spread_over_the_cells(large: Host) -> None:
    counts = Counter(pf.cell for pf in of_kind(large, PciKind.PF))
    assert counts == dict.fromkeys(range(32), 2)
    few = simulated("cells=4,pfs=2")
    assert [pf.cell for pf in of_kind(few, PciKind.PF)] == [0, 2]


def test_every_function_has_an_iommu_group_of_its_own(large: Host) -> None:
    groups = {function.iommu_group for function in large.functions}
    assert None not in groups
    assert len(groups) == len(large.functions)


def test_many_vfs_reach_into_further_buses_and_many_pfs_into_further_domains() -> None:
    host = simulated("pfs=200,vfs=300")
    vfs = of_kind(host, PciKind.VF)
    assert len({vf.address for vf in vfs}) == 60_000
    assert len({function.address.split(":")[0] for function in host.functions}) == 2
    names = [name for pf in of_kind(host, PciKind.PF) for name in pf.netdevs]
    assert len(set(names)) == 200
    assert max(map(len, names)) <= 15


def test_the_host_needs_its_disk_and_its_network_card(large: Host) -> None:
    everything = Config(devices=(DeviceSpec(),))
    used = [one for one in large.functions if one.used_by_host]
    assert [one.used_by_host for one in used] == [
        "mounted at / (nvme0n1)",
        "default route via enp2s0f0",
    ]
    rule = DeviceRule(position=0, tags={})
    assert all("in use by host" in str(why_not_offered(one, rule)) for one in used)
    assert len(take_inventory(large, everything).devices) == 64 + 4096


def test_another_seed_gives_other_ids_and_serials() -> None:
    one, other = simulated("pfs=1,seed=1"), simulated("pfs=1,seed=2")
    assert one.machine_id != other.machine_id
    assert one.boot_id != other.boot_id
    again = simulated("pfs=1,seed=1,boot=1")
    assert (again.machine_id, again.functions) == (one.machine_id, one.functions)
    assert again.boot_id != one.boot_id
    assert one.functions[-1].serial != other.functions[-1].serial
    assert simulated("name=rack-7").hostname == "rack-7"


def test_a_file_has_the_same_keys(tmp_path: Path) -> None:
    file = tmp_path / "host.toml"
    file.write_text('cpus = 8\ncells = 2\nmemory = "3GiB"\ndisk = "5GiB"\nname = "f"\n')
    assert simulated(str(file)) == simulated("cpus=8,cells=2,memory=3GiB,disk=5GiB,name=f")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "is no spec; write one such as"),
        ("large", "is no spec; write one such as"),
        ("cpus=4,cells", "has a part 'cells' without `=`"),
        ("cpu=3", "'cpu' is an unknown key; did you mean `cpus`"),
        ("colour=red", "allowed are boot, cells"),
        ("cpus=4,cpus=8", "has the key `cpus` twice"),
        ("cpus=0", "cpus '0' should be a whole number from 1 to 65536"),
        ("cpus=-4", "from 1 to 65536"),
        ("cpus=65537", "from 1 to 65536"),
        ("cpus=1e3", "from 1 to 65536"),
        ("cpus=", "from 1 to 65536"),
        ("cpus=" + "9" * 5000, "from 1 to 65536"),
        ("cpus=3,threads=2", "divide the 3 CPUs into whole cores"),
        ("cells=4,sockets=3", "divide the 4 cells evenly"),
        ("vfs=3", "give pfs=1 or more"),
        ("pfs=4096,vfs=1024", "at most 65536"),
        ("memory=8GB", "did you mean 8GiB"),
        ("memory=1GiB,pages_1g=2", "less than the 2048 MiB"),
        ("disk=100", "has no unit"),
        ("name=A B", "host name"),
        ("serials=maybe", "serials 'maybe' should be yes or no"),
        ("cpus=4,offline=4", "some of the CPUs 0-3, but not all"),
        ("cpus=4,offline=0-3", "some of the CPUs 0-3, but not all"),
        ("offline=x", "should be a list such as 2-3,7"),
        ("pfs=1,vfs=2,vdpa=3", "vdpa '3' are more than the 2 VFs"),
        ("pfs=1,vfs=2,pf0.vdpa=3", "pf0.vdpa '3' are more than the 2 VFs"),
        ("pfs=1,pf1.vfs=3", "'pf1.vfs' there is no such card; the last one is pf0"),
        ("gpu0.plugged=no", "there is no such card; give gpus=1 or more"),
        ("pfs=1,pf01.vfs=3", "cards are called pf0, pf1, gpu0"),
        ("pfs=1,pf0.vf=3", "'pf0.vf' is an unknown key; did you mean `vfs`"),
        ("gpus=1,gpu0.vfs=3", "'gpu0.vfs' is an unknown key"),
        ("pfs=1,pf0.address=0000:c1:00.1", "the address of a first function"),
        ("pfs=1,vfs=300,pf0.address=0000:ff:00.0", "leaves no room for the buses"),
        ("pfs=1,pf0.address=0000:01:00.0", "is where other functions are"),
        ("pfs=1,pf0.product=12345", "four lower-case hex digits"),
        ("gpus=1,gpu0.serial=a b", "up to 64 letters, digits and hyphens"),
    ],
)
def test_a_wrong_spec_is_refused_with_what_would_do(spec: str, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        simulated(spec)
    assert words in caught.value.message
    assert caught.value.details["errors"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cpus = true", "cpus 'yes' should be a whole number"),
        ("cpus = [4]", "should be a number, text, true or false"),
        ("cpus =\n", "line 1"),
        ("[host]\ncpus = 4", "'host.cpus' is an unknown key; cards are called pf0, pf1, gpu0"),
        ("pfs = 1\n[pf0.more]\nvfs = 4", "should be a number, text, true or false"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "host.toml"
    file.write_text(text)
    with pytest.raises(BadRequest) as caught:
        simulated(str(file))
    assert words in caught.value.message


def test_a_missing_file_is_named() -> None:
    with pytest.raises(BadConfig, match=r"/nowhere/host.toml cannot be read"):
        simulated("/nowhere/host.toml")


# --- cards ------------------------------------------------------------------------------------------


def by_address(host: Host) -> dict[str, PciFunction]:
    return {function.address: function for function in host.functions}


def test_vdpa_devices_are_on_the_last_vfs() -> None:
    host = simulated("pfs=2,vfs=4,vdpa=1,pf1.vdpa=3")
    kinds = [
        "".join(one.kind[-1] for one in host.functions if one.parent == pf.address)
        for pf in of_kind(host, PciKind.PF)
    ]
    assert kinds == ["fffa", "faaa"]
    assert [vf.vf_number for vf in host.functions if vf.parent] == [0, 1, 2, 3] * 2


def test_a_gpu_and_its_audio_function_are_one_card() -> None:
    host = simulated("gpus=2,cells=2")
    gpus = [one for one in host.functions if one.vendor_id == "10de"]
    assert [one.class_id for one in gpus] == ["030000", "040300"] * 2
    for gpu, audio in (gpus[:2], gpus[2:]):
        assert (gpu.slot, gpu.iommu_group, gpu.serial) == (
            audio.slot,
            audio.iommu_group,
            audio.serial,
        )
    assert {one.cell for one in gpus[:2]} != {one.cell for one in gpus[2:]}
    assert len({(one.slot, one.iommu_group, one.serial) for one in gpus}) == 2


def test_cards_are_behind_switches_with_others_of_their_cell() -> None:
    host = simulated("cells=2,pfs=6,vfs=2,gpus=2,switch=2")
    counts = Counter(one.switch for one in host.functions if one.kind is PciKind.PF)
    assert sorted(counts.values()) == [1, 1, 2, 2]
    assert None not in counts
    cells = {(one.switch, one.cell) for one in host.functions if one.switch}
    assert len(cells) == len({switch for switch, _ in cells}) == 6
    functions = by_address(host)
    for switch, _ in cells:
        assert functions[switch or ""].class_id == "060400"
        assert functions[switch or ""].switch is None
    for vf in (one for one in host.functions if one.parent):
        assert vf.switch == functions[vf.parent or ""].switch


def test_without_switches_no_card_has_one(large: Host) -> None:
    assert {one.switch for one in large.functions} == {None}


def test_each_card_has_a_slot_and_each_pf_an_address_of_its_own(large: Host) -> None:
    pfs = of_kind(large, PciKind.PF)
    assert len({pf.slot for pf in pfs}) == len({pf.mac for pf in pfs}) == 64
    slots = {pf.address: pf.slot for pf in pfs}
    assert all(slots[vf.parent or ""] == vf.slot for vf in of_kind(large, PciKind.VF))


def test_hardware_may_have_no_serial_numbers() -> None:
    serials = [one.serial for one in simulated("pfs=2,gpus=1,serials=no,pf1.serial=abc").functions]
    assert [serial for serial in serials if serial] == ["abc"]


@pytest.mark.parametrize("change", ["pf1.plugged=no", "pf1.vfs=1", "pf1.vfs=9", "pf1.product=1593"])
def test_what_happens_to_one_card_changes_no_other(change: str) -> None:
    words = "cells=2,pfs=4,vfs=3,gpus=2,switch=2"
    before, after = simulated(words), simulated(f"{words},{change}")
    card = of_kind(before, PciKind.PF)[1].address
    assert before != after
    assert [one for one in before.functions if card not in (one.address, one.parent)] == [
        one for one in after.functions if card not in (one.address, one.parent)
    ]


def test_a_card_that_was_renumbered_keeps_what_it_is() -> None:
    before = simulated("pfs=2,vfs=2")
    after = simulated("pfs=2,vfs=2,pf0.address=0100:c1:00.0")
    old, new = of_kind(before, PciKind.PF)[0], of_kind(after, PciKind.PF)[-1]
    assert new.address == "0100:c1:00.0"
    same = {"serial", "mac", "slot", "product_id", "cell", "iommu_group"}
    assert new.model_dump(include=same) == old.model_dump(include=same)
    assert [one.address for one in after.functions if one.parent == new.address] == [
        "0100:c1:01.0",
        "0100:c1:01.1",
    ]


def test_cpus_that_are_offline_are_known_by_their_cell_alone() -> None:
    host = simulated("cpus=8,cells=2,threads=2,offline=0")
    assert host.cpus[0] == Cpu(id=0, online=False, cell=0)
    assert host.cpus[4].siblings == (4,)
    assert {cpu.l3 for cpu in host.cpus if cpu.cell == 0 and cpu.online} == {1}
    assert host.cells[0].cpus == (1, 4, 5)


# --- a host that changes ----------------------------------------------------------------------------


LARGE_FILE = "cpus = 64\ncells = 4\npfs = 64\nvfs = 64\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "host.toml"
    file.write_text(LARGE_FILE)
    return file


def test_the_host_follows_its_file(file: Path) -> None:
    driver = SimulatedDriver(str(file))
    first = driver.observe()
    assert driver.observe() is first
    file.write_text(LARGE_FILE + "[pf3]\nplugged = false\n[pf5]\nvfs = 63\n")
    second = driver.observe()
    assert len(first.functions) - len(second.functions) == 65 + 1
    changed = [one for one in second.functions if all(one is not old for old in first.functions)]
    assert [(one.kind, one.num_vfs) for one in changed] == [(PciKind.PF, 63)]


def test_a_host_that_only_gets_other_memory_keeps_its_functions(file: Path) -> None:
    driver = SimulatedDriver(str(file))
    first = driver.observe()
    file.write_text(LARGE_FILE + 'memory = "1TiB"\n')
    second = driver.observe()
    assert second.memory_kib != first.memory_kib
    assert second.functions is first.functions


@pytest.mark.parametrize("text", ["cpus = 'many'\n", "cpus =", "pfs = 2\n[pf2]\nvfs = 1\n", None])
def test_a_file_that_is_no_spec_any_more_is_a_host_that_cannot_be_read(
    file: Path, text: str | None
) -> None:
    driver = SimulatedDriver(str(file))
    before = driver.observe()
    file.unlink() if text is None else file.write_text(text)
    for _ in range(2):
        with pytest.raises(HostUnreadable, match="the simulated host is no more: "):
            driver.observe()
    file.write_text(LARGE_FILE)
    assert driver.observe().functions is before.functions


def test_a_relative_path_outlives_a_change_of_folder(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    driver = SimulatedDriver(file.name)
    monkeypatch.chdir("/")
    file.write_text("cpus = 2\n")
    assert len(driver.observe().cpus) == 2


class CountingClock(VirtualClock):
    sleeps = 0

    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        await super().sleep(seconds)


class Listener:
    """What a driver tells, one at a time; each is observed, as the tracker does."""

    def __init__(self, driver: SimulatedDriver, clock: CountingClock) -> None:
        self.driver, self.clock = driver, clock
        self.reasons: list[str] = []

    async def run(self) -> None:
        async with aclosing(self.driver.changes(self.clock)) as changes:
            async for change in changes:
                await anyio.to_thread.run_sync(self.driver.observe)
                self.reasons.append(change.reason)

    async def polls(self, count: int) -> None:
        """Let it look at the file so many times, each time until it sleeps again."""
        for _ in range(count):
            asleep = self.clock.sleeps
            await self.clock.advance(POLL_SECONDS)
            with anyio.fail_after(10):
                while self.clock.sleeps == asleep:
                    await anyio.sleep(0.001)


@pytest.fixture
def listener(file: Path) -> Listener:
    return Listener(SimulatedDriver(str(file)), CountingClock())


async def test_a_file_that_is_written_is_a_change_when_it_is_left_alone(
    file: Path, listener: Listener
) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(listener.run)
        await anyio.wait_all_tasks_blocked()
        await listener.polls(3)
        assert listener.reasons == []
        for count in (3, 4, 5):
            await write(file, f"cpus = {count}\n")
            await listener.polls(1)
        assert listener.reasons == []
        await listener.polls(1)
        assert listener.reasons == ["host.toml changed"]
        await listener.polls(3)
        assert len(listener.reasons) == 1
        host = await anyio.to_thread.run_sync(listener.driver.observe)
        assert len(host.cpus) == 5
        group.cancel_scope.cancel()


async def test_what_was_observed_already_is_no_change(file: Path, listener: Listener) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(listener.run)
        await anyio.wait_all_tasks_blocked()
        await write(file, "cpus = 3\n")
        await anyio.to_thread.run_sync(listener.driver.observe)
        await listener.polls(3)
        assert listener.reasons == []
        group.cancel_scope.cancel()


async def write(file: Path, text: str) -> None:
    await anyio.to_thread.run_sync(file.write_text, text)


async def test_a_spec_in_words_never_changes() -> None:
    driver = SimulatedDriver("cpus=4")
    assert [change async for change in driver.changes(VirtualClock())] == []


@given(
    cells=st.integers(1, 12),
    cores=st.integers(1, 40),
    threads=st.sampled_from([1, 2, 4]),
    pfs=st.integers(0, 9),
    vfs=st.integers(0, 9),
)
@settings(max_examples=50, deadline=None)
def test_any_size_is_a_whole_host(cells: int, cores: int, threads: int, pfs: int, vfs: int) -> None:
    words = f"cpus={cores * threads},cells={cells},threads={threads},pfs={pfs}"
    host = simulated(words + (f",vfs={vfs}" if pfs else ""))
    assert sorted(cpu for cell in host.cells for cpu in cell.cpus) == [c.id for c in host.cpus]
    assert all(cpu.id in host.cells[cpu.cell or 0].cpus for cpu in host.cpus)
    assert all(len(cpu.siblings) == threads for cpu in host.cpus)
    addresses = {function.address for function in host.functions}
    assert len(addresses) == len(host.functions)
    assert all(one.parent in addresses for one in host.functions if one.kind is PciKind.VF)
    assert Host.model_validate(host.model_dump()) == host
