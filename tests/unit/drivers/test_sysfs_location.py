"""Slots, switches, numbers of VFs and hardware addresses."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.drivers.conftest import HostTree

from innkeeper.drivers.capture.serial_files import files_of
from innkeeper.drivers.sysfs.config_space import PortType, port_type_of
from innkeeper.objects import PciKind

PF, VF = "0000:41:00.0", "0000:41:10.2"
ROOT, UP, DOWN = PortType.ROOT_PORT, PortType.UPSTREAM, PortType.DOWNSTREAM
TO_PCI = PortType.PCIE_TO_PCI
LINK = {"max_link_speed": "16.0 GT/s PCIe"}


def chain(tree: HostTree, *ports: PortType | None, root_bus: str = "pci0000:40") -> str:
    """Bridges one below the other; the answer is what the last one's path is below /sys/devices."""
    below = root_bus
    for bus, port in enumerate(ports, start=0x40):
        address = f"0000:{bus:02x}:01.0"
        path = tree.function(address, below, **{"class": "0x060400"})
        if port:
            tree.file(f"{path}/config", files_of(None, port)["config"])
        below = f"{below}/{address}"
    return below


def switch_of_a_card(tree: HostTree, below: str) -> str | None:
    tree.function("0000:90:00.0", below)
    return tree.functions()["0000:90:00.0"].switch


# --- switches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ports", "switch"),
    [
        ((), None),
        ((ROOT,), None),
        ((ROOT, UP, DOWN), "0000:41:01.0"),
        ((ROOT, UP, DOWN, UP, DOWN), "0000:43:01.0"),
        ((ROOT, UP, DOWN, TO_PCI), "0000:41:01.0"),
        ((ROOT, TO_PCI), None),
        ((UP, DOWN), "0000:40:01.0"),
        ((ROOT, TO_PCI, TO_PCI), None),
    ],
    ids=lambda value: None,
)
def test_the_ports_own_words_decide(
    tree: HostTree, ports: tuple[PortType, ...], switch: str | None
) -> None:
    assert switch_of_a_card(tree, chain(tree, *ports)) == switch


@pytest.mark.parametrize(
    ("bridges", "switch"),
    [
        (0, None),
        (1, None),
        (2, None),
        (3, "0000:41:01.0"),
        (4, "0000:41:01.0"),
        (5, "0000:43:01.0"),
    ],
)
def test_without_their_words_bridges_after_the_root_port_come_in_pairs(
    tree: HostTree, bridges: int, switch: str | None
) -> None:
    assert switch_of_a_card(tree, chain(tree, *[None] * bridges)) == switch


def test_one_silent_port_makes_the_number_decide(tree: HostTree) -> None:
    assert switch_of_a_card(tree, chain(tree, ROOT, None, DOWN)) == "0000:41:01.0"


def test_bridges_of_conventional_pci_are_no_switch(tree: HostTree) -> None:
    below = chain(tree, None, None, None)
    paths = [Path(below).parents[1], Path(below).parents[0], Path(below)]
    tree.file(f"sys/devices/{paths[0]}/max_link_speed", "8.0 GT/s PCIe\n")
    tree.file(f"sys/devices/{paths[1]}/max_link_speed", "8.0 GT/s PCIe\n")
    assert switch_of_a_card(tree, below) is None
    tree.file(f"sys/devices/{paths[2]}/max_link_speed", "8.0 GT/s PCIe\n")
    assert tree.functions()["0000:90:00.0"].switch == "0000:41:01.0"


def test_what_is_above_a_controller_with_a_bus_of_its_own_is_no_port(tree: HostTree) -> None:
    vmd = tree.function("0000:64:00.5", "pci0000:64", **{"class": "0x010400"})
    below = f"{vmd.removeprefix('sys/devices/')}/pci10000:00"
    tree.function("10000:00:02.0", below, **{"class": "0x060400"})
    tree.function("10000:01:00.0", f"{below}/10000:00:02.0")
    assert tree.functions()["10000:01:00.0"].switch is None


def test_cards_behind_one_switch_and_their_vfs_name_the_same(tree: HostTree) -> None:
    below = chain(tree, None, None, None)
    second = f"{Path(below).parent}/0000:42:02.0"
    tree.function("0000:42:02.0", str(Path(below).parent), **{"class": "0x060400"})
    tree.function("0000:50:00.0", below, sriov_totalvfs=7, sriov_numvfs=1)
    vf = tree.function("0000:50:10.0", below)
    tree.link(f"{vf}/physfn", "../0000:50:00.0")
    tree.function("0000:60:00.0", second)
    functions = tree.functions()
    cards = ("0000:50:00.0", "0000:50:10.0", "0000:60:00.0")
    assert {functions[card].switch for card in cards} == {"0000:41:01.0"}
    assert {functions[port].switch for port in ("0000:41:01.0", "0000:42:01.0")} == {None}


def test_whoever_is_not_root_counts_bridges(tree: HostTree) -> None:
    """What the kernel shows of configuration space without rights is 64 bytes."""
    below = chain(tree, ROOT, TO_PCI, TO_PCI)
    assert switch_of_a_card(tree, below) is None
    for file in tree.root.rglob("config"):
        file.write_bytes(file.read_bytes()[:64])
    unprivileged = HostTree(tree.root)
    assert unprivileged.functions()["0000:90:00.0"].switch == "0000:41:01.0"


def test_a_list_of_capabilities_that_goes_round_ends(tmp_path: Path) -> None:
    space = bytearray(256)
    space[0x06], space[0x34] = 0x10, 0x40
    space[0x40:0x42] = bytes([0x05, 0x48])
    space[0x48:0x4A] = bytes([0x05, 0x40])
    file = tmp_path / "config"
    file.write_bytes(space)
    with file.open("rb") as config:
        assert port_type_of(config.fileno()) is None
        space[0x48:0x4C] = bytes([0x10, 0x00, 0x62, 0x01])
        file.write_bytes(space)
        assert port_type_of(config.fileno()) is DOWN


# --- slots ------------------------------------------------------------------------------------------


def test_all_functions_of_a_card_sit_in_its_slot(tree: HostTree) -> None:
    tree.file("sys/bus/pci/slots/12/address", "0000:41:00\n")
    tree.function(PF, sriov_totalvfs=7, sriov_numvfs=1)
    tree.function("0000:41:00.1")
    tree.link(f"{tree.function(VF)}/physfn", f"../{PF}")
    tree.function("0000:42:00.0")
    slots = {address: one.slot for address, one in tree.functions().items()}
    assert slots == {PF: "12", "0000:41:00.1": "12", VF: "12", "0000:42:00.0": None}


def test_a_slot_without_a_device_takes_the_bus(tree: HostTree) -> None:
    tree.file("sys/bus/pci/slots/Slot 3/address", "0000:41\n")
    tree.function(PF)
    assert tree.functions()[PF].slot == "Slot 3"


def test_a_card_with_a_switch_of_its_own_sits_where_its_upstream_port_does(tree: HostTree) -> None:
    below = chain(tree, ROOT, UP, DOWN)
    tree.file("sys/bus/pci/slots/1/address", "0000:40:01\n")
    tree.file("sys/bus/pci/slots/2/address", "0000:41:01\n")
    tree.function("0000:43:00.0", below)
    assert tree.functions()["0000:43:00.0"].slot == "2"
    tree.file("sys/bus/pci/slots/3/address", "0000:43:00\n")
    assert tree.functions()["0000:43:00.0"].slot == "3"


def test_a_slot_with_another_address_is_a_warning(tree: HostTree) -> None:
    tree.file("sys/bus/pci/slots/1/address", "somewhere\n")
    tree.function(PF)
    host = tree.observe()
    assert host.functions[0].slot is None
    assert host.warnings == (
        "/sys/bus/pci/slots/1/address: is malformed: 'somewhere' is no address of a slot",
    )


# --- VFs --------------------------------------------------------------------------------------------


def test_a_vf_has_the_number_of_the_link_that_its_pf_has_to_it(tree: HostTree) -> None:
    path = tree.function(PF, sriov_totalvfs=16, sriov_numvfs=12)
    for number in range(12):
        address = f"0000:41:{0x10 + number // 4:02x}.{number % 4 * 2}"
        tree.link(f"{tree.function(address)}/physfn", f"../{PF}")
        tree.link(f"{path}/virtfn{number}", f"../{address}")
    functions = tree.functions()
    assert functions[PF].vf_number is None
    assert functions["0000:41:10.2"].vf_number == 1
    assert functions["0000:41:12.6"].vf_number == 11


def test_a_vf_that_no_link_leads_to_has_no_number(tree: HostTree) -> None:
    tree.function(PF, sriov_totalvfs=7, sriov_numvfs=1)
    tree.link(f"{tree.function(VF)}/physfn", f"../{PF}")
    assert tree.functions()[VF].vf_number is None


def test_a_vf_with_a_vdpa_device_below_is_of_that_kind(tree: HostTree) -> None:
    tree.function(PF, sriov_totalvfs=7, sriov_numvfs=1)
    tree.link(f"{tree.function(VF)}/physfn", f"../{PF}")
    for number, below in enumerate((f"{VF}/mlx5_core.vnet.2", f"{PF}/mlx5_core.sf.3")):
        tree.folder(f"sys/devices/pci0000:00/{below}/vdpa{number}")
        target = f"../../../devices/pci0000:00/{below}/vdpa{number}"
        tree.link(f"sys/bus/vdpa/devices/vdpa{number}", target)
    functions = tree.functions()
    assert (functions[VF].kind, functions[VF].parent) == (PciKind.VDPA, PF)
    assert functions[PF].kind is PciKind.PF


# --- hardware addresses -----------------------------------------------------------------------------


def pf_with(tree: HostTree, *netdevs: tuple[str, str, int]) -> None:
    path = tree.function(PF, sriov_totalvfs=7)
    for name, address, index in netdevs:
        tree.file(f"{path}/net/{name}/address", f"{address}\n")
        tree.file(f"{path}/net/{name}/ifindex", f"{index}\n")


def test_a_pf_has_the_address_of_the_device_that_was_there_first(tree: HostTree) -> None:
    pf_with(tree, ("a_vf3", "02:00:00:00:00:03", 9), ("p0", "02:00:00:00:00:01", 7))
    assert tree.functions()[PF].mac == "02:00:00:00:00:01"


def test_a_device_of_virtio_has_its_address_too(tree: HostTree) -> None:
    tree.function(PF, sriov_totalvfs=7)
    path = tree.netdev("eth0", f"pci0000:00/{PF}/virtio3")
    tree.file(f"{path}/address", "02:00:00:00:00:01\n")
    assert tree.functions()[PF].mac == "02:00:00:00:00:01"


@pytest.mark.parametrize(
    ("text", "mac", "warnings"),
    [
        (":".join(["80", "00"] * 10), ":".join(["80", "00"] * 10), 0),
        ("00:00:00:00:00:00", None, 0),
        ("", None, 0),
        ("nobody", None, 1),
    ],
)
def test_only_a_hardware_address_is_one(
    tree: HostTree, text: str, mac: str | None, warnings: int
) -> None:
    pf_with(tree, ("ib0", text, 3))
    host = tree.observe()
    assert host.functions[0].mac == mac
    assert len(host.warnings) == warnings


def test_only_pfs_have_one(tree: HostTree) -> None:
    path = tree.function(PF)
    tree.file(f"{path}/net/eth0/address", "02:00:00:00:00:01\n")
    assert tree.functions()[PF].mac is None


# --- from one observation to the next ---------------------------------------------------------------


def test_functions_that_did_not_change_stay_the_same_objects(tree: HostTree) -> None:
    path = tree.function(PF, sriov_totalvfs=7, sriov_numvfs=0)
    tree.function("0000:42:00.0")
    first = tree.observe().functions
    assert tree.observe().functions is first
    tree.file(f"{path}/sriov_numvfs", "1\n")
    second = tree.observe().functions
    assert second[0] != first[0]
    assert second[1] is first[1]
    assert tree.observe().functions is second
