"""Discovery on captures of real hosts, against their expected numbers and what other tools say of them.

Our own captures lie in tests/data/hosts. Captures of others are read from the folder that the
environment variable TEST_INNKEEPER_CAPTURES names, and are never copied into the project.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from innkeeper.drivers.sysfs import SysfsDriver
from innkeeper.drivers.sysfs.location import ADDRESS
from innkeeper.drivers.sysfs.parse import parse_ids
from innkeeper.drivers.sysfs.place import find_root
from innkeeper.objects import Cpu, Host, PciFunction, PciKind

OURS = Path(__file__).parents[1] / "data" / "hosts"
GIVEN = os.environ.get("TEST_INNKEEPER_CAPTURES")

OUR_NAMES = ("qemu64-9n-A-novfs", "qemu64-9n-B-vfs", "qemu64-9n-D-smt-off")
#: Name, and the name that oracles have for it.
OTHERS = {
    "128arm-2pa2n8cluster4co": "hwloc-128arm-2pa2n8cluster4co",
    "256ia64-64n2s2c": None,
    "256ppc-8n8s4t": None,
    "memorysidecaches": "hwloc-memorysidecaches",
    "nvidiagpunumanodes": "hwloc-nvidiagpunumanodes",
    "40intel64-2g2n4c+pcilocality": "hwloc-40intel64-2g2n4c+pcilocality",
    "32em64t-2n8c+dax+nvme+mic+dimms": "hwloc-32em64t-2n8c+dax+nvme+mic+dimms",
    "32intel64-2p8co2t+8ve": "hwloc-32intel64-2p8co2t+8ve",
    "fakememinitiators-1np2c+1npp+gi": "hwloc-fakememinitiators-1np2c+1npp+gi",
    "32amd64-4s2n4c-cgroup2": "hwloc-32amd64-4s2n4c-cgroup2",
    "16amd64-8n2c-cpusets": "hwloc-16amd64-8n2c-cpusets",
    "cnto-bare-metal-master": "cnto-bare-metal_master",
    "cnto-bare-metal-worker1": "cnto-bare-metal_worker1",
    "nri-sample2": "nri-sample2",
    "util-linux-epyc_7451": "util-linux-epyc_7451",
    "libvirt-ppc64-deconf-cpus": None,
}

needs_captures = pytest.mark.skipif(
    GIVEN is None, reason="TEST_INNKEEPER_CAPTURES does not name the folder of others' captures"
)
CAPTURES = [*OUR_NAMES, *(pytest.param(name, marks=needs_captures) for name in OTHERS)]


@dataclass(frozen=True)
class Difference:
    """Where discovery is right to answer something else than the tool did."""

    ours: Any
    why: str


_CGROUP = "the tool shows what a cgroup allows a process; a host's CPUs do not depend on who looks"

DIFFERENCES: dict[tuple[str, str], Difference] = {
    ("256ppc-8n8s4t", "sockets"): Difference(
        0, "physical_package_id is -1, unknown; lstopo shows each core as a package"
    ),
    ("nvidiagpunumanodes", "numa_nodes"): Difference(
        8, "lstopo leaves out the memory of GPUs unless told to keep it; the kernel has 8 cells"
    ),
    ("nvidiagpunumanodes", "numa_node_ids"): Difference("0,8,250-255", "as above"),
    ("nvidiagpunumanodes", "pci_device_count"): Difference(
        0, "the capture has neither vendor nor device of its functions: each is a warning"
    ),
    ("fakememinitiators-1np2c+1npp+gi", "numa_nodes"): Difference(
        11, "lstopo hides cells without memory; 5 to 10 are those with memory"
    ),
    ("fakememinitiators-1np2c+1npp+gi", "numa_node_ids"): Difference("0-10", "as above"),
    ("cnto-bare-metal-worker1", "memory_total"): Difference(
        "196633688Ki", "Kubernetes was asked at another boot; /proc/meminfo of the capture decides"
    ),
}

#: lstopo counts bridges apart: what it lists is compared with the functions that are none.
WITHOUT_BRIDGES = (
    "40intel64-2g2n4c+pcilocality",
    "32em64t-2n8c+dax+nvme+mic+dimms",
    "32intel64-2p8co2t+8ve",
)

#: Expected keys that are not the host's view, or no number of the host.
NOT_COMPARED = {
    "cpus_allowed": _CGROUP,
    "cpu_allowed_list": _CGROUP,
    **dict.fromkeys(
        (
            "allowed_numa_nodes",
            "allowed_numa_node_ids",
            "allowed_sockets",
            "allowed_cores",
            "allowed_threads_per_core",
            "allowed_l3_caches",
            "allowed_memory_per_node",
        ),
        _CGROUP,
    ),
    "libvirt_nodeinfo": "libvirt falls back to a flat answer there and counts CPUs that are offline",
    "memory_per_node": "rounded by the tool: compared with its own tolerance",
    "memory_backend_mib_per_node": "given to the guest, whose kernel keeps a part: compared as a bound",
}


# --- unpacking --------------------------------------------------------------------------------------


def manifest(folder: Path) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in json.loads((folder / "manifest.json").read_text())}


@functools.cache
def entry_of(name: str) -> dict[str, Any]:
    return manifest(OURS if name in OUR_NAMES else Path(GIVEN or ""))[name]


def unpack(archive: Path, target: Path) -> None:
    """Unpack so that nothing lands outside: links are made last, so no file is written through one."""
    links = []
    with tarfile.open(archive) as members:
        for member in members:
            name = PurePosixPath(member.name)
            assert not name.is_absolute()
            assert ".." not in name.parts
            place = target / name
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
            elif member.issym():
                links.append((place, member.linkname))
            elif content := members.extractfile(member):
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("xb") as file:
                    file.write(content.read())
    for place, linked in links:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(linked)


@contextmanager
def unpacked(name: str) -> Iterator[Path]:
    """The root of a captured host; what was unpacked is gone again."""
    folder = OURS if name in OUR_NAMES else Path(GIVEN or "")
    # Tens of thousands of small files: in memory where there is such a place.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="innkeeper-capture-", dir=memory) as target:
        unpack(folder / entry_of(name)["file"], Path(target))
        # This one is the inside of /sys/devices/system, with files beside it.
        bare = Path(target) / "virhostcpudata/linux-deconf-cpus"
        root = Path(target)
        if bare.is_dir():
            root = Path(target) / "root"
            (root / "sys/devices").mkdir(parents=True)
            bare.rename(root / "sys/devices/system")
        yield Path(find_root(str(root)))


@functools.cache
def observed(name: str) -> Host:
    """The host of a capture."""
    with unpacked(name) as root:
        return SysfsDriver(str(root)).observe()


# --- numbers ----------------------------------------------------------------------------------------


def as_list(ids: Iterable[int]) -> str:
    """Ids in the kernel's list format."""
    runs: list[list[int]] = []
    for one in sorted(ids):
        if runs and one == runs[-1][-1] + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    return ",".join(f"{run[0]}-{run[-1]}" if run[1:] else f"{run[0]}" for run in runs)


def online(host: Host) -> list[Cpu]:
    return [cpu for cpu in host.cpus if cpu.online]


def groups(host: Host, of: Callable[[Cpu], object]) -> int:
    return len({of(cpu) for cpu in online(host)} - {None})


def numbers(host: Host) -> dict[str, Any]:
    """The numbers of a host under the names that the manifest has for them."""
    cores = groups(host, lambda cpu: cpu.siblings)
    return {
        "cpus_online": len(online(host)),
        "cpu_list": as_list([cpu.id for cpu in online(host)]),
        "numa_nodes": len(host.cells),
        "numa_node_ids": as_list([cell.id for cell in host.cells]),
        "sockets": groups(host, lambda cpu: cpu.socket),
        "dies": groups(host, lambda cpu: (cpu.socket, cpu.die)),
        "cores": cores,
        "threads_per_core": max(len(cpu.siblings) for cpu in online(host)),
        "smt_enabled": len(online(host)) > cores,
        "l3_caches": groups(host, lambda cpu: cpu.l3),
        "pci_device_count": len(host.functions),
        "pfs": sum(one.kind is PciKind.PF for one in host.functions),
        "vfs": sum(one.kind is PciKind.VF for one in host.functions),
        "memoryless_nodes": [cell.id for cell in host.cells if not cell.memory_kib],
        "cpuless_nodes": [cell.id for cell in host.cells if not cell.cpus],
        "nodes_with_cpus": as_list([cell.id for cell in host.cells if cell.cpus]),
        "nodes_without_cpus": as_list([cell.id for cell in host.cells if not cell.cpus]),
        "thread_siblings_of_cpu0": ",".join(map(str, host.cpus[0].siblings)),
        "cpus_per_numa_node": {str(cell.id): set(cell.cpus) for cell in host.cells},
        "distances_from_node0": distances_from_first(host),
        "memory_total": f"{host.memory_kib}Ki",
        "hugepages_2Mi": megabytes(sum(p.total * 2 for p in host.pages if p.size_kib == 2048)),
        "hugepages_2048kB": {
            str(cell.id): page.total
            for cell in host.cells
            for page in cell.pages
            if page.size_kib == 2048 and page.total
        },
    }


def megabytes(number: int) -> str:
    return f"{number}Mi" if number else "0"


def distances_from_first(host: Host) -> dict[str, list[int]]:
    away = [(distance, to) for to, distance in host.cells[0].distances.items() if distance != 10]
    return {str(d): [to for distance, to in away if distance == d] for d, _ in sorted(away)}


def rounded(text: str | int) -> tuple[int, int]:
    """KiB that the tool printed, and how far its rounding may be off."""
    if isinstance(text, int):
        return text // 1024, 0
    number, unit = int(text[:-3]), {"MiB": 1024, "GiB": 1024 * 1024}[text[-3:]]
    return number * unit, unit


# --- the manifest -----------------------------------------------------------------------------------


def test_our_captures_are_all_here() -> None:
    assert tuple(manifest(OURS)) == OUR_NAMES


@needs_captures
def test_every_capture_that_is_given_is_tried() -> None:
    assert set(manifest(Path(GIVEN or ""))) == {*OUR_NAMES, *OTHERS}


@pytest.mark.parametrize("name", CAPTURES)
def test_the_numbers_are_those_of_the_manifest(name: str) -> None:
    host = observed(name)
    found = numbers(host)
    for key, value in entry_of(name)["expected"].items():
        if value is None or key in NOT_COMPARED:
            continue
        expected = value
        if key == "cpus_per_numa_node":
            expected = {cell: set(parse_ids(cpus)) for cell, cpus in value.items()}
        elif key == "pci_device_count" and name in WITHOUT_BRIDGES:
            found[key] = sum(not one.class_id.startswith("0604") for one in host.functions)
        if (name, key) in DIFFERENCES:
            expected = DIFFERENCES[name, key].ours
        assert found[key] == expected, key


@pytest.mark.parametrize("name", CAPTURES)
def test_nothing_of_what_the_archive_holds_is_lost(name: str) -> None:
    host, held = observed(name), entry_of(name)["observed"]
    present, running = held["cpu_present_file"], held["cpu_online_file"]
    assert as_list(cpu.id for cpu in host.cpus) == (present or held["cpu_dirs"])
    assert as_list(cpu.id for cpu in online(host)) == as_list(
        parse_ids(running or held["cpu_dirs"])
    )
    assert as_list(cell.id for cell in host.cells) == held["node_dirs"]
    memory = {str(cell.id): cell.memory_kib for cell in host.cells if held["node_mem_kib"]}
    assert memory == held["node_mem_kib"]
    assert sum(len(cell.pages) for cell in host.cells) == held["hugepage_dirs"]
    assert sum(bool(cell.distances) for cell in host.cells) == held["distance_files"]


#: Archives whose folders of functions are not all in bus/pci/devices, or lack ids.
_PARTS_OF_FUNCTIONS = ("32intel64-2p8co2t+8ve", "nvidiagpunumanodes")


@pytest.mark.parametrize("name", CAPTURES)
def test_no_function_and_none_of_its_links_is_lost(name: str) -> None:
    if name in _PARTS_OF_FUNCTIONS:
        pytest.skip("the archive holds folders of functions that its kernel does not list")
    functions, held = observed(name).functions, entry_of(name)["observed"]
    assert len(functions) == held["pci_devices"]
    assert sum(one.driver is not None for one in functions) == held["driver_links"]
    assert sum(one.iommu_group is not None for one in functions) == held["iommu_group_links"]
    assert sum(one.kind is PciKind.PF for one in functions) == held["sriov_totalvfs_files"]
    assert sum(one.parent is not None for one in functions) == held["physfn_links"]
    assert sum(one.num_vfs for one in functions) == held["virtfn_links"]
    assert sum(len(one.netdevs) for one in functions) == held["net_ifaces"]


@pytest.mark.parametrize("name", CAPTURES)
def test_memory_is_what_the_tool_rounded(name: str) -> None:
    expected = entry_of(name)["expected"]
    cells = {str(cell.id): cell.memory_kib for cell in observed(name).cells}
    for cell, text in (expected.get("memory_per_node") or {}).items():
        memory_kib, off = rounded(text)
        assert abs(cells[cell] - memory_kib) <= off
    for cell, given_mib in (expected.get("memory_backend_mib_per_node") or {}).items():
        assert given_mib * 1024 * 0.7 <= cells[cell] <= given_mib * 1024


@pytest.mark.parametrize("name", CAPTURES)
def test_what_a_cgroup_allows_is_a_part_of_the_host(name: str) -> None:
    expected = entry_of(name)["expected"]
    cells = {cell.id for cell in observed(name).cells}
    cpus = {cpu.id for cpu in online(observed(name))}
    assert parse_ids(expected.get("cpu_allowed_list") or "") <= cpus
    assert parse_ids(expected.get("allowed_numa_node_ids") or "") <= cells


def held_texts(name: str, form: str) -> dict[str, str]:
    """Files of an archive whose name has the form, by the form's group."""
    folder = OURS if name in OUR_NAMES else Path(GIVEN or "")
    with tarfile.open(folder / entry_of(name)["file"]) as members:
        return {
            found[1]: content.read().decode().strip()
            for member in members
            if (found := re.search(form, member.name)) and (content := members.extractfile(member))
        }


@pytest.mark.parametrize("name", CAPTURES)
def test_a_function_sits_in_the_slot_that_has_its_address(name: str) -> None:
    held = held_texts(name, r"sys/bus/pci/slots/([^/]+)/address$")
    functions = {one.address: one for one in observed(name).functions}
    for slot, place in held.items():
        in_it = [one for address, one in functions.items() if address[:-2] == place]
        cards = [one for one in in_it if not one.parent]
        vfs = [one for one in functions.values() if one.parent in {card.address for card in cards}]
        assert {one.slot for one in [*cards, *vfs]} <= {slot}
    known = {one.slot for one in functions.values()} - {None}
    assert known <= set(held)
    if name in OUR_NAMES:
        assert known


@functools.cache
def cards_behind_switches(name: str) -> dict[str, str]:
    """Upstream ports by the cards below them, where the archive has services of the downstream ports.

    The kernel calls the services of a port by its type less 4, so those of a downstream port begin with 2
    (get_descriptor_id in drivers/pci/pcie/portdrv.h). Discovery does not look at them.
    """
    folder = OURS if name in OUR_NAMES else Path(GIVEN or "")
    with tarfile.open(folder / entry_of(name)["file"]) as members:
        paths = [PurePosixPath(member.name).parts[-3:] for member in members]
    ports = {
        path[1]: path[0]
        for path in paths
        if len(path) == 3 and re.fullmatch(re.escape(path[1]) + ":pcie2[0-9a-f]{2}", path[2])
    }
    return {
        path[2]: ports[path[1]]
        for path in paths
        if path[1:2] and path[1] in ports and ADDRESS.fullmatch(path[2])
    }


@pytest.mark.parametrize("name", CAPTURES)
def test_below_a_downstream_port_the_switch_is_its_upstream_port(name: str) -> None:
    cards = cards_behind_switches(name)
    functions = {one.address: one for one in observed(name).functions}
    switches = {card: functions[card].switch for card in cards if card in functions}
    assert switches == {card: cards[card] for card in switches}
    assert bool(switches) == (name == "32intel64-2p8co2t+8ve")
    assert name in _WITH_SWITCHES or not any(one.switch for one in functions.values())


#: Cards behind switches; on the second it is the one inside the chipset.
_WITH_SWITCHES = ("32intel64-2p8co2t+8ve", "cnto-bare-metal-worker1")


#: All that may be wrong with a capture: parts that its maker left out.
_LEFT_OUT = re.compile(
    r"/proc/meminfo: does not say"
    r"|/sys/devices/system/node/node\d+/meminfo: does not say"
    r"|/proc/mounts: which device /dev/\S+ is cannot be told"
    r"|\S+/config: holds only what every user may read"
    r"|\S+/vendor: is missing"
)


@pytest.mark.parametrize("name", CAPTURES)
def test_warnings_name_what_was_left_out_and_nothing_else(name: str) -> None:
    warnings = observed(name).warnings
    assert [line for line in warnings if not _LEFT_OUT.match(line)] == []
    assert sum("/config:" in line for line in warnings) <= 1
    if name in OUR_NAMES:
        assert warnings == ()


@pytest.mark.parametrize("name", CAPTURES)
def test_the_host_travels(name: str) -> None:
    assert Host.model_validate_json(observed(name).model_dump_json()) == observed(name)


@needs_captures
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "40intel64-2g2n4c+pcilocality",
            {
                "0000:01:00.0": "mounted at / (sda1)",
                "0000:00:03.0": "above 0000:01:00.0: mounted at / (sda1)",
            },
        ),
        ("32em64t-2n8c+dax+nvme+mic+dimms", {"0000:00:1f.2": "mounted at / (sda1)"}),
    ],
)
def test_the_disk_that_the_host_runs_from_is_in_use(name: str, expected: dict[str, str]) -> None:
    functions = observed(name).functions
    assert {one.address: one.used_by_host for one in functions if one.used_by_host} == expected


def test_isolated_cpus_are_those_of_the_command_line() -> None:
    host = observed("qemu64-9n-B-vfs")
    assert as_list(cpu.id for cpu in host.cpus if cpu.isolated) == "56-63"


# --- what other tools say ---------------------------------------------------------------------------


def oracle(name: str, kind: str) -> str | None:
    """What a tool said of a capture, or None if it was not asked."""
    if name in OUR_NAMES:
        place = OURS / "oracles" / f"{name}.{kind}"
        packed = place.with_name(f"{place.name}.gz")
        return (
            gzip.decompress(packed.read_bytes()).decode() if packed.exists() else place.read_text()
        )
    place = Path(GIVEN or "") / "oracles" / f"{OTHERS[name]}.{kind}"
    return place.read_text() if OTHERS[name] and place.exists() else None


def required(element: ET.Element | None) -> ET.Element:
    assert element is not None
    return element


#: libvirt wants a list of CPUs in each cell where this archive has masks, and makes one cell up.
_ONE_CELL = "fakememinitiators-1np2c+1npp+gi"


@pytest.mark.parametrize("name", CAPTURES)
def test_libvirt_sees_the_same_cells(name: str) -> None:
    text = oracle(name, "capabilities.xml")
    if text is None or "<cells" not in text or name == _ONE_CELL:
        pytest.skip("libvirt has no cells of this capture")
    cells = {cell.id: cell for cell in observed(name).cells}
    cpus = {cpu.id: cpu for cpu in observed(name).cpus}
    seen = ET.fromstring(text).findall("host/topology/cells/cell")
    assert {int(cell.attrib["id"]) for cell in seen} == set(cells)
    for element in seen:
        cell = cells[int(element.attrib["id"])]
        assert int(element.findtext("memory") or 0) == cell.memory_kib
        pages = {p.attrib["size"]: int(p.text or 0) for p in element.findall("pages")}
        assert {str(p.size_kib): p.total for p in cell.pages}.items() <= pages.items()
        distances = {int(s.attrib["id"]): int(s.attrib["value"]) for s in element.iter("sibling")}
        assert distances == cell.distances
        listed = element.findall("cpus/cpu")
        assert [int(cpu.attrib["id"]) for cpu in listed] == list(cell.cpus)
        for cpu in listed:
            ours = cpus[int(cpu.attrib["id"])]
            assert parse_ids(cpu.attrib["siblings"]) == set(ours.siblings)
            assert int(cpu.attrib["socket_id"]) == ours.socket
            assert int(cpu.attrib["core_id"]) == ours.core
            assert int(cpu.attrib["die_id"]) == (ours.die or 0)


def libvirt_functions(name: str) -> dict[str, ET.Element]:
    devices = json.loads(oracle(name, "libvirt.json") or "{}").get("nodedev", {})
    found = {}
    for key, text in devices.items():
        if key.startswith("pci_"):
            device = ET.fromstring(text)
            found[Path(device.findtext("path") or "").name] = device
    return found


def as_libvirt_says(device: ET.Element) -> dict[str, Any]:
    """A function in our words, from libvirt's."""
    capability = required(device.find("capability"))
    virtual = capability.find("capability[@type='virt_functions']")
    physical = capability.find("capability[@type='phys_function']/address")
    group, cell = capability.find("iommuGroup"), capability.find("numa")
    return {
        "vendor_id": required(capability.find("vendor")).attrib["id"].removeprefix("0x"),
        "product_id": required(capability.find("product")).attrib["id"].removeprefix("0x"),
        "class_id": (capability.findtext("class") or "").removeprefix("0x"),
        "driver": device.findtext("driver/name"),
        "iommu_group": None if group is None else int(group.attrib["number"]),
        "cell": None if cell is None else int(cell.attrib["node"]),
        "total_vfs": 0 if virtual is None else int(virtual.attrib["maxCount"]),
        "num_vfs": 0 if virtual is None else len(virtual.findall("address")),
        "parent": None if physical is None else as_address(physical),
    }


def as_address(element: ET.Element) -> str:
    part = {key: int(value, 16) for key, value in element.attrib.items()}
    return f"{part['domain']:04x}:{part['bus']:02x}:{part['slot']:02x}.{part['function']:x}"


@pytest.mark.parametrize("name", CAPTURES)
def test_libvirt_sees_the_same_functions(name: str) -> None:
    seen = libvirt_functions(name)
    if not seen:
        pytest.skip("libvirt lists no function of this capture, which lacks uevent files")
    functions = {one.address: one for one in observed(name).functions}
    assert set(seen) == set(functions)
    for address, device in seen.items():
        says = as_libvirt_says(device)
        if name in OTHERS and says["driver"] is None:
            # Archives of others lack the folder that the link points to, which libvirt wants to see.
            del says["driver"]
        assert functions[address].model_dump(include=set(says)) == says, address


@pytest.mark.parametrize("name", CAPTURES)
def test_libvirt_sees_the_same_network_devices(name: str) -> None:
    devices = json.loads(oracle(name, "libvirt.json") or "{}").get("nodedev", {})
    seen = {
        (device.findtext("capability/interface"), Path(device.findtext("path") or "").parts[-3])
        for key, text in devices.items()
        if key.startswith("net_")
        and "pci_" in ((device := ET.fromstring(text)).findtext("parent") or "")
    }
    functions = observed(name).functions
    assert seen <= {(netdev, one.address) for one in functions for netdev in one.netdevs}


@pytest.mark.parametrize("name", OUR_NAMES)
def test_libvirt_sees_the_vfs_in_the_order_of_their_numbers(name: str) -> None:
    listed = {
        as_address(element): number
        for device in libvirt_functions(name).values()
        for number, element in enumerate(
            device.findall("capability/capability[@type='virt_functions']/address")
        )
    }
    functions = observed(name).functions
    assert {one.address: one.vf_number for one in functions if one.parent} == listed


@pytest.mark.parametrize("name", OUR_NAMES)
def test_libvirt_sees_the_same_hardware_addresses(name: str) -> None:
    devices = json.loads(oracle(name, "libvirt.json") or "{}")["nodedev"]
    seen = {
        Path(device.findtext("path") or "").parts[-3]: device.findtext("capability/address")
        for key, text in devices.items()
        if key.startswith("net_")
        for device in [ET.fromstring(text)]
    }
    pfs = [one for one in observed(name).functions if one.kind is PciKind.PF and one.netdevs]
    assert pfs
    assert {one.address: one.mac for one in pfs}.items() <= seen.items()


@pytest.mark.parametrize("name", OUR_NAMES)
def test_lscpu_sees_the_same_cpus(name: str) -> None:
    """Its numbers of cores and caches are its own, so what they group is compared."""
    rows = [
        line.split(",") for line in (oracle(name, "lscpu.csv") or "").splitlines() if line[0] != "#"
    ]
    host = observed(name)
    assert [(int(row[0]), row[-1] == "Y") for row in rows] == [(c.id, c.online) for c in host.cpus]
    told = [row for row in rows if row[-1] == "Y"]
    ours = online(host)
    assert [int(row[3]) for row in told] == [cpu.cell for cpu in ours]
    of_ours: dict[int, list[Any]] = {
        1: [c.siblings for c in ours],
        2: [c.socket for c in ours],
        8: [c.l3 for c in ours],
    }
    for column, groups_of_ours in of_ours.items():
        pairs = set(zip([row[column] for row in told], groups_of_ours, strict=True))
        assert len(pairs) == len({left for left, _ in pairs}) == len({right for _, right in pairs})


_LSPCI = re.compile(r"(\S+) .*? \[(\w{4})\]: .*\[(\w{4}):(\w{4})\]")


@pytest.mark.parametrize("name", OUR_NAMES)
def test_lspci_sees_the_same_functions(name: str) -> None:
    seen: dict[str, list[str | None]] = {}
    for line in (oracle(name, "lspci.txt") or "").splitlines():
        if line.startswith("\tKernel driver in use: "):
            seen[[*seen][-1]][-1] = line.partition(": ")[2]
        elif found := _LSPCI.match(line):
            seen[found[1]] = [found[2], found[3], found[4], None]
    assert seen == {
        one.address: [one.class_id[:4], one.vendor_id, one.product_id, one.driver]
        for one in observed(name).functions
    }


@pytest.mark.parametrize("name", OUR_NAMES)
def test_lstopo_sees_the_same_topology(name: str) -> None:
    topology = ET.fromstring(oracle(name, "lstopo.xml") or "")
    objects: dict[str, list[ET.Element]] = {}
    for element in topology.iter("object"):
        objects.setdefault(element.attrib["type"], []).append(element)
    host = observed(name)
    assert sorted(int(pu.attrib["os_index"]) for pu in objects["PU"]) == [
        c.id for c in online(host)
    ]
    assert len(objects["Package"]) == groups(host, lambda cpu: cpu.socket)
    assert len(objects["Core"]) == groups(host, lambda cpu: cpu.siblings)
    assert len(objects["L3Cache"]) == groups(host, lambda cpu: cpu.l3)
    assert {int(cell.attrib["os_index"]) for cell in objects["NUMANode"]} == {
        c.id for c in host.cells
    }
    for element in objects["NUMANode"]:
        cell = next(cell for cell in host.cells if cell.id == int(element.attrib["os_index"]))
        assert int(element.attrib.get("local_memory", 0)) == cell.memory_kib * 1024
        pages = {
            int(p.attrib["size"]): int(p.attrib["count"]) for p in element.findall("page_type")
        }
        assert {p.size_kib * 1024: p.total for p in cell.pages}.items() <= pages.items()
    devices = {one.attrib["pci_busid"]: one.attrib["pci_type"][:16] for one in objects["PCIDev"]}
    assert devices.items() <= {one.address: as_lstopo(one) for one in host.functions}.items()


def as_lstopo(function: PciFunction) -> str:
    return f"{function.class_id[:4]} [{function.vendor_id}:{function.product_id}]"
