"""Functions that the host itself needs, and the words for it."""

from __future__ import annotations

import pytest
from tests.unit.drivers.conftest import HostTree

BRIDGE, CARD, OTHER = "0000:00:01.0", "0000:01:00.0", "0000:02:00.0"
ROUTES = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"


def route(
    device: str, destination: str = "00000000", flags: str = "0003", mask: str = "0" * 8
) -> str:
    return f"{device}\t{destination}\t010200C0\t{flags}\t0\t0\t0\t{mask}\t0\t0\t0   \n"


def route6(device: str, flags: str = "00000003", prefix: str = "00") -> str:
    zero = "0" * 32
    return f"{zero} {prefix} {zero} 00 {zero} 00000400 00000001 00000000 {flags} {device}\n"


def mount(numbers: str, point: str, source: str = "/dev/x", tags: str = "") -> str:
    return f"27 1 {numbers} / {point} rw,relatime {tags}- ext4 {source} rw\n"


@pytest.fixture
def cards(tree: HostTree) -> HostTree:
    """Two cards, eth0 on the first below a bridge, eth1 on the second."""
    tree.function(BRIDGE, **{"class": "0x060400"})
    tree.function(CARD, below=f"pci0000:00/{BRIDGE}")
    tree.function(OTHER)
    tree.netdev("eth0", f"pci0000:00/{BRIDGE}/{CARD}")
    tree.netdev("eth1", f"pci0000:00/{OTHER}")
    return tree


def virtual(tree: HostTree, name: str, *lowers: str, flags: str = "0x1003", kind: str = "") -> str:
    path = tree.netdev(name, "virtual", flags=flags)
    for lower in lowers:
        tree.link(f"{path}/lower_{lower}", f"../../{lower}")
        real = tree.root / "sys/class/net" / lower
        if kind and real.is_dir():
            tree.link(f"sys/class/net/{lower}/master", f"/sys/devices/virtual/net/{name}")
    if kind in ("bridge", "bonding"):
        tree.folder(f"{path}/{kind}")
    return path


def test_nothing_is_used_without_routes_mounts_and_members(cards: HostTree) -> None:
    assert cards.uses() == {}


def test_the_default_route_uses_its_function_and_the_bridges_above(cards: HostTree) -> None:
    cards.file("proc/net/route", ROUTES + route("eth0") + route("eth1", "0002000A", "0001"))
    assert cards.uses() == {
        CARD: "default route via eth0",
        BRIDGE: f"above {CARD}: default route via eth0",
    }


@pytest.mark.parametrize(
    "line",
    [
        route("eth1", flags="0002"),
        route("eth1", flags="0203"),
        route("eth1", mask="000000FF"),
        route("../eth1"),
        "eth1\n",
        "\n",
    ],
)
def test_other_routes_use_nothing(cards: HostTree, line: str) -> None:
    cards.file("proc/net/route", ROUTES + line)
    assert cards.uses() == {}


def test_the_default_route_of_ipv6_counts_too(cards: HostTree) -> None:
    cards.file(
        "proc/net/ipv6_route",
        route6("lo", flags="00200200") + route6("eth0", prefix="40") + route6("eth1"),
    )
    assert cards.uses() == {OTHER: "default route via eth1"}


def test_a_default_route_goes_down_through_vlan_bridge_and_bond(cards: HostTree) -> None:
    virtual(cards, "bond0", "eth0", "eth1", kind="bonding")
    virtual(cards, "bond0.5", "bond0")
    virtual(cards, "br0", "bond0.5", kind="bridge")
    cards.file("proc/net/route", ROUTES + route("br0"))
    assert cards.uses()[CARD] == "default route via br0, through eth0"
    assert cards.uses()[OTHER] == "default route via br0, through eth1"


def test_old_kernels_name_members_in_brif_and_slaves(cards: HostTree) -> None:
    bridge = virtual(cards, "br0", kind="bridge")
    cards.link(f"{bridge}/brif/bond0", "../../bond0/brport")
    bond = virtual(cards, "bond0", kind="bonding")
    cards.file(f"{bond}/bonding/slaves", "eth1\n")
    cards.file("proc/net/route", ROUTES + route("br0"))
    assert cards.uses() == {OTHER: "default route via br0, through eth1"}


@pytest.mark.parametrize(("kind", "word"), [("bridge", "bridge"), ("bonding", "bond")])
def test_members_of_a_bridge_or_bond_that_is_up_are_used(
    cards: HostTree, kind: str, word: str
) -> None:
    virtual(cards, "above0", "eth1", kind=kind)
    assert cards.uses() == {OTHER: f"eth1 is a member of {word} above0"}


def test_members_of_another_kind_of_master_are_used(cards: HostTree) -> None:
    virtual(cards, "ovs-system", "eth1", kind="openvswitch")
    assert cards.uses() == {OTHER: "eth1 is a member of device ovs-system"}


def test_members_of_a_bridge_that_is_down_are_free(cards: HostTree) -> None:
    virtual(cards, "br0", "eth1", kind="bridge", flags="0x1002")
    assert cards.uses() == {}


def test_a_vlan_without_a_route_owns_nothing(cards: HostTree) -> None:
    virtual(cards, "eth1.5", "eth1")
    assert cards.uses() == {}


def test_a_pf_with_the_default_route_is_used_and_its_vfs_are_not(tree: HostTree) -> None:
    tree.function("0000:41:00.0", sriov_totalvfs=7, sriov_numvfs=1)
    tree.netdev("eth0", "pci0000:00/0000:41:00.0")
    path = tree.function("0000:41:10.0")
    tree.link(f"{path}/physfn", "../0000:41:00.0")
    tree.file("proc/net/route", ROUTES + route("eth0"))
    assert tree.uses() == {"0000:41:00.0": "default route via eth0"}


def test_a_vf_with_the_default_route_needs_its_pf(tree: HostTree) -> None:
    tree.function("0000:41:00.0", sriov_totalvfs=7, sriov_numvfs=1)
    path = tree.function("0000:41:10.0")
    tree.link(f"{path}/physfn", "../0000:41:00.0")
    tree.netdev("eth9", "pci0000:00/0000:41:10.0")
    tree.file("proc/net/route", ROUTES + route("eth9"))
    assert tree.uses() == {
        "0000:41:10.0": "default route via eth9",
        "0000:41:00.0": "parent of 0000:41:10.0: default route via eth9",
    }


def test_a_mounted_partition_uses_the_controller(cards: HostTree) -> None:
    disk = cards.disk("nvme0n1", "259:0", f"pci0000:00/{OTHER}/nvme/nvme0")
    part = cards.disk("nvme0n1p2", "259:2", disk.removeprefix("sys/devices/"))
    cards.file(f"{part}/partition", "2\n")
    cards.file("proc/self/mountinfo", mount("259:2", r"/mnt/with\040blank", tags="shared:1 "))
    assert cards.uses() == {OTHER: "mounted at /mnt/with blank (nvme0n1p2)"}


def test_a_virtio_disk_uses_the_function_above(cards: HostTree) -> None:
    cards.disk("vda", "254:0", f"pci0000:00/{OTHER}/virtio1/block")
    cards.file("proc/self/mountinfo", mount("0:21", "/proc", "proc") + mount("254:0", "/"))
    assert cards.uses() == {OTHER: "mounted at / (vda)"}


def test_a_stack_of_dm_over_md_over_partitions_uses_every_controller(cards: HostTree) -> None:
    first = cards.disk("sda", "8:0", f"pci0000:00/{BRIDGE}/{CARD}/host0/target0:0:0/0:0:0:0/block")
    second = cards.disk("sdb", "8:16", f"pci0000:00/{OTHER}/ata1/host1/block")
    for disk, name, numbers in ((first, "sda1", "8:1"), (second, "sdb1", "8:17")):
        part = cards.disk(name, numbers, disk.removeprefix("sys/devices/"))
        cards.file(f"{part}/partition", "1\n")
        cards.link(f"sys/devices/virtual/block/md0/slaves/{name}", f"../../../../../../{part}")
    md_part = cards.disk("md0p1", "259:9", "virtual/block/md0")
    cards.file(f"{md_part}/partition", "1\n")
    dm = cards.disk("dm-0", "253:0", "virtual/block")
    cards.link(f"{dm}/slaves/md0p1", "../../md0/md0p1")
    cards.file("proc/self/mountinfo", mount("253:0", "/", "/dev/mapper/vg-root"))
    assert cards.uses() == {
        CARD: "mounted at / (dm-0)",
        OTHER: "mounted at / (dm-0)",
        BRIDGE: f"above {CARD}: mounted at / (dm-0)",
    }


def test_a_stack_in_a_circle_ends(cards: HostTree) -> None:
    for name, below, numbers in (("dm-0", "dm-1", "253:0"), ("dm-1", "dm-0", "253:1")):
        path = cards.disk(name, numbers, "virtual/block")
        cards.link(f"{path}/slaves/{below}", f"../../{below}")
    cards.file("proc/self/mountinfo", mount("253:0", "/"))
    assert cards.uses() == {}


def test_a_multipath_nvme_disk_uses_its_controllers(cards: HostTree) -> None:
    cards.folder(f"sys/devices/pci0000:00/{OTHER}/nvme/nvme3")
    subsystem = "virtual/nvme-subsystem/nvme-subsys0"
    cards.link(f"sys/devices/{subsystem}/nvme3", f"../../../pci0000:00/{OTHER}/nvme/nvme3")
    cards.disk("nvme0n1", "259:0", subsystem)
    cards.file("proc/self/mountinfo", mount("259:0", "/data"))
    assert cards.uses() == {OTHER: "mounted at /data (nvme0n1)"}


def test_a_file_system_that_hides_its_devices_is_found_by_its_source(cards: HostTree) -> None:
    cards.disk("sda", "8:0", f"pci0000:00/{OTHER}/host0/block")
    dm = cards.disk("dm-7", "253:7", "virtual/block")
    cards.file(f"{dm}/dm/name", "vg-home\n")
    cards.link(f"{dm}/slaves/sda", f"../../../../pci0000:00/{OTHER}/host0/block/sda")
    cards.file("proc/self/mountinfo", mount("0:31", "/home", "/dev/mapper/vg-home"))
    assert cards.uses() == {OTHER: "mounted at /home (dm-7)"}


def test_every_device_of_a_mounted_btrfs_is_used(cards: HostTree) -> None:
    disk = cards.disk("sdb", "8:16", f"pci0000:00/{OTHER}/host0/block")
    cards.link("sys/fs/btrfs/0b1d/devices/sdb", f"../../../../../{disk}")
    cards.folder("sys/fs/btrfs/features")
    assert cards.uses() == {OTHER: "part of a mounted btrfs (sdb)"}


def test_without_mountinfo_the_table_of_mounts_tells(cards: HostTree) -> None:
    cards.disk("sda1", "8:1", f"pci0000:00/{OTHER}/host0/block/sda")
    cards.file("proc/self/mounts", "proc /proc proc rw 0 0\n/dev/sda1 / ext4 rw 0 0\nx\n")
    cards.link("proc/mounts", "self/mounts")
    assert cards.uses() == {OTHER: "mounted at / (sda1)"}


def test_a_mounted_device_that_is_not_to_be_found_is_a_warning(cards: HostTree) -> None:
    cards.file(
        "proc/self/mountinfo", mount("8:1", "/", "/dev/sda1") + mount("8:1", "/x", "/dev/sda1")
    )
    assert cards.observe().warnings == (
        "/proc/self/mountinfo: which device /dev/sda1 is cannot be told",
    )


def test_a_file_system_that_tells_no_device_is_a_warning(cards: HostTree) -> None:
    line = mount("0:44", "/", "rpool/root")
    cards.file("proc/self/mountinfo", line.replace(" ext4 ", " zfs "))
    assert cards.observe().warnings == (
        "/proc/self/mountinfo: zfs does not tell which devices its pools are on",
    )


def test_swap_uses_the_function_behind(cards: HostTree) -> None:
    cards.disk("sda3", "8:3", f"pci0000:00/{OTHER}/host0/block/sda")
    cards.file(
        "proc/swaps",
        "Filename Type Size Used Priority\n/dev/sda3  partition 1 0 -2\n/swapfile file 1 0 -3\n\n",
    )
    assert cards.uses() == {OTHER: "swap (sda3)"}


def test_a_disk_that_something_holds_is_used(cards: HostTree) -> None:
    path = cards.disk("sda", "8:0", f"pci0000:00/{OTHER}/host0/block")
    cards.folder(f"{path}/holders")
    assert cards.uses() == {}
    cards.link(f"{path}/holders/dm-3", "../../../../../virtual/block/dm-3")
    assert cards.uses() == {OTHER: "held by dm-3 (sda)"}


@pytest.mark.parametrize("driver", ["vfio-pci", "mlx5_vfio_pci"])
def test_a_function_that_a_program_has_open_through_vfio_is_used(
    tree: HostTree, driver: str
) -> None:
    for address, enabled in (("0000:05:00.0", 1), ("0000:05:00.1", 0)):
        path = tree.function(address, enable=enabled)
        tree.link(f"{path}/driver", f"../../../bus/pci/drivers/{driver}")
    assert tree.uses() == {"0000:05:00.0": f"opened by a program through {driver}"}


def test_other_drivers_enable_functions_without_any_program(tree: HostTree) -> None:
    path = tree.function("0000:05:00.0", enable=1)
    tree.link(f"{path}/driver", "../../../bus/pci/drivers/igb")
    assert tree.uses() == {}


@pytest.mark.parametrize("name", ["proc/net/route", "proc/self/mountinfo", "proc/swaps"])
def test_tables_of_junk_use_nothing_and_stop_nothing(cards: HostTree, name: str) -> None:
    cards.file(
        name, b"\n" + bytes(range(1, 127)) * 40 + b"\n - - \n\\000 /dev/\\000 - - - - - - - -\n"
    )
    assert cards.uses() == {}
