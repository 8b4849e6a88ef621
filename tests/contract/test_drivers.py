"""What every driver promises, whatever the host is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import anyio
import pytest

from innkeeper.clock import SystemClock
from innkeeper.drivers import Change, Driver, driver_for
from innkeeper.drivers.sysfs import SysfsDriver
from innkeeper.objects import Host, PciKind

FUNCTIONS = Path("/sys/bus/pci/devices")
CAPTURE = Path(__file__).parents[1] / "data" / "hosts" / "qemu64-9n-B-vfs.tar.xz"


@contextmanager
def this_machine() -> Iterator[Driver]:
    yield SysfsDriver("/", "/")


@contextmanager
def smallest_tree() -> Iterator[Driver]:
    """All that a driver needs: one file with one CPU."""
    with tempfile.TemporaryDirectory() as folder:
        online = Path(folder) / "sys/devices/system/cpu/online"
        online.parent.mkdir(parents=True)
        online.write_text("7\n")
        yield SysfsDriver(folder)


@contextmanager
def simulated() -> Iterator[Driver]:
    with driver_for(simulate="cpus=64,cells=4,pfs=4,vfs=8,vdpa=2,gpus=2,switch=2") as driver:
        yield driver


@contextmanager
def simulated_by_a_file() -> Iterator[Driver]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "host.toml"
        file.write_text("cpus = 4\npfs = 2\nvfs = 3\n[pf1]\nplugged = false\n")
        with driver_for(simulate=str(file)) as driver:
            yield driver


@contextmanager
def capture() -> Iterator[Driver]:
    """Unpacked once: it takes longer than all else here."""
    with driver_for(str(CAPTURE)) as driver:
        yield driver


DRIVERS = [this_machine, smallest_tree, simulated, simulated_by_a_file, capture]


@pytest.fixture(params=DRIVERS, ids=lambda make: make.__name__, scope="module")
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    with ExitStack() as stack:
        yield stack.enter_context(request.param())


@pytest.fixture(scope="module")
def host(driver: Driver) -> Host:
    return driver.observe()


def test_cpus_and_cells_are_in_order_and_each_is_there_once(host: Host) -> None:
    for ids in ([cpu.id for cpu in host.cpus], [cell.id for cell in host.cells]):
        assert ids == sorted(set(ids))
        assert ids


def test_a_cell_has_the_online_cpus_that_say_so(host: Host) -> None:
    for cell in host.cells:
        said = tuple(cpu.id for cpu in host.cpus if cpu.online and cpu.cell == cell.id)
        assert cell.cpus == said


def test_siblings_are_online_and_of_one_mind(host: Host) -> None:
    cpus = {cpu.id: cpu for cpu in host.cpus}
    for cpu in host.cpus:
        assert bool(cpu.siblings) == cpu.online
        assert all(cpus[other].siblings == cpu.siblings for other in cpu.siblings)
        assert not cpu.online or cpu.id in cpu.siblings


def test_distances_are_to_cells_that_are_there(host: Host) -> None:
    ids = {cell.id for cell in host.cells}
    for cell in host.cells:
        assert not cell.distances or set(cell.distances) == ids
        assert cell.distances.get(cell.id, 10) == 10


def test_pages_are_by_size_and_never_more_free_than_there_are(host: Host) -> None:
    for pages in (host.pages, *(cell.pages for cell in host.cells)):
        sizes = [page.size_kib for page in pages]
        assert sizes == sorted(set(sizes))
        assert all(page.free <= page.total for page in pages)


def test_functions_are_there_once_and_in_cells_that_are_there(host: Host) -> None:
    addresses = [function.address for function in host.functions]
    assert len(addresses) == len(set(addresses))
    assert {function.cell for function in host.functions} <= {None, *(c.id for c in host.cells)}


def test_a_vf_has_a_pf_with_that_many_vfs(host: Host) -> None:
    parents = {one.address: one for one in host.functions if one.kind is PciKind.PF}
    children = [one for one in host.functions if one.kind in (PciKind.VF, PciKind.VDPA)]
    for vf in children:
        assert vf.parent in parents
    for pf in parents.values():
        assert sum(vf.parent == pf.address for vf in children) == pf.num_vfs <= pf.total_vfs


def test_each_vf_has_a_number_of_its_own_below_that_of_its_pfs_vfs(host: Host) -> None:
    for pf in host.functions:
        numbers = [one.vf_number for one in host.functions if one.parent == pf.address]
        assert sorted(number for number in numbers if number is not None) == [*range(pf.num_vfs)]
    assert {one.vf_number for one in host.functions if not one.parent} <= {None}


def test_only_what_has_hardware_of_its_own_says_so(host: Host) -> None:
    for one in host.functions:
        assert one.mac is None or (one.kind is PciKind.PF and one.netdevs)
        assert one.serial is None or one.parent is None


def test_a_vf_is_where_its_pf_is(host: Host) -> None:
    functions = {one.address: one for one in host.functions}
    for vf in (one for one in host.functions if one.parent):
        pf = functions[vf.parent or ""]
        assert (vf.slot, vf.switch, vf.cell) == (pf.slot, pf.switch, pf.cell)


def test_a_switch_is_a_bridge_of_this_host(host: Host) -> None:
    bridges = {one.address for one in host.functions if one.class_id.startswith("0604")}
    assert {one.switch for one in host.functions} <= {None, *bridges}


def test_functions_that_did_not_change_stay_the_same_objects(driver: Driver, host: Host) -> None:
    again = driver.observe()
    if again.functions != host.functions:
        pytest.skip("a function of this machine changed meanwhile")
    assert again.functions is driver.observe().functions
    assert all(one is other for one, other in zip(again.functions, host.functions, strict=True))


@pytest.mark.parametrize(
    "make", [smallest_tree, simulated, capture], ids=lambda make: make.__name__
)
def test_what_never_changes_says_so_at_once(
    make: Callable[[], AbstractContextManager[Driver]],
) -> None:
    async def listen(driver: Driver) -> list[Change]:
        with anyio.fail_after(10):
            return [change async for change in driver.changes(SystemClock())]

    with make() as driver:
        assert anyio.run(listen, driver) == []


def test_a_host_travels_as_json(host: Host) -> None:
    assert Host.model_validate_json(host.model_dump_json()) == host


def test_the_same_host_is_seen_the_same_way_twice(driver: Driver) -> None:
    moving = {"observed_at": None, "disk": None}
    first, second = (driver.observe().model_copy(update=moving) for _ in range(2))
    assert first == second


# --- this machine, against its own tools ------------------------------------------------------------


@pytest.fixture(scope="module")
def here() -> Host:
    return SysfsDriver("/").observe()


@pytest.mark.skipif(shutil.which("lscpu") is None, reason="lscpu is not installed")
def test_lscpu_sees_the_same_cpus_here(here: Host) -> None:
    command = ["lscpu", "--all", "--json", "--extended=CPU,CORE,SOCKET,NODE,ONLINE"]
    seen = json.loads(subprocess.check_output(command))["cpus"]
    assert [int(cpu["cpu"]) for cpu in seen] == [cpu.id for cpu in here.cpus]
    online = [cpu for cpu in seen if cpu.get("online") in (True, "yes")]
    ours = [cpu for cpu in here.cpus if cpu.online]
    assert [int(cpu["cpu"]) for cpu in online] == [cpu.id for cpu in ours]
    assert [cpu["node"] for cpu in online if cpu["node"] is not None] in (
        [],
        [cpu.cell for cpu in ours],
    )
    counts: list[tuple[str, Callable[[int], object]]] = [
        ("core", lambda index: ours[index].siblings),
        ("socket", lambda index: ours[index].socket),
    ]
    for key, of in counts:
        pairs = {(online[index][key], of(index)) for index in range(len(ours))}
        assert len(pairs) == len({left for left, _ in pairs}) == len({right for _, right in pairs})


def test_meminfo_says_the_same_memory_here(here: Host) -> None:
    lines = Path("/proc/meminfo").read_text().splitlines()
    amounts = {line.partition(":")[0]: int(line.split()[1]) for line in lines}
    assert here.memory_kib == amounts["MemTotal"]
    default = [page for page in here.pages if page.size_kib == amounts.get("Hugepagesize")]
    assert [page.total for page in default] == [amounts["HugePages_Total"]] * len(default)


@pytest.mark.skipif(not FUNCTIONS.is_dir(), reason="this machine has no PCI bus")
def test_the_bus_has_the_same_functions_here(here: Host) -> None:
    assert {one.address for one in here.functions} == set(os.listdir(FUNCTIONS))  # noqa: PTH208
    for one in here.functions:
        folder = FUNCTIONS / one.address
        assert f"0x{one.vendor_id}" == (folder / "vendor").read_text().strip()
        assert f"0x{one.product_id}" == (folder / "device").read_text().strip()
        assert f"0x{one.class_id}" == (folder / "class").read_text().strip()


@pytest.mark.skipif(shutil.which("lspci") is None, reason="lspci is not installed")
def test_lspci_sees_the_same_functions_here(here: Host) -> None:
    lines = subprocess.check_output(["lspci", "-Dn"], text=True).splitlines()
    seen = {line.split()[0]: line.split()[1:3] for line in lines}
    assert seen == {
        one.address: [f"{one.class_id[:4]}:", f"{one.vendor_id}:{one.product_id}"]
        for one in here.functions
    }


def test_the_root_disk_of_this_machine_is_in_use(here: Host) -> None:
    numbers = Path("/").stat().st_dev
    link = Path(f"/sys/dev/block/{os.major(numbers)}:{os.minor(numbers)}")
    above = [part for part in link.resolve().parts if (FUNCTIONS / part).is_dir()]
    if not link.exists() or not above[-1:]:
        pytest.skip("the root file system of this machine is on no PCI function")
    uses = {one.address: one.used_by_host for one in here.functions}
    assert (uses[above[-1]] or "").startswith(("mounted at ", "default route"))


def test_who_this_machine_is(here: Host) -> None:
    assert here.hostname == os.uname().nodename
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    assert here.boot_id == (boot_id.read_text().strip() if boot_id.exists() else None)
