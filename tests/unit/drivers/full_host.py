"""A host tree with something of all that discovery looks at, and names that are to be kept secret."""

from __future__ import annotations

from tests.unit.drivers.conftest import SYSTEM, HostTree

from innkeeper.drivers.capture.serial_files import files_of
from innkeeper.drivers.sysfs.config_space import PortType

SECRETS = {
    "hostname": "zaphod-7",
    "domain": "magrathea.example",
    "machine id": "0123456789abcdef0123456789abcdef",
    "boot id": "deadbeef-1111-4222-8333-444455556666",
    "MAC address": "enx0a1b2c3d4e5f",
    "hardware address": "0a:1b:2c:3d:4e:60",
    "serial of config": "0a-1b-2c-ff-fe-3d-4e-5f",
    "serial of vpd": "SN4711XYZ",
    "gateway": "0101A8C0",
    "network": "0001A8C0",
    "IPv6 gateway": "fd123456789a00000000000000000001",
    "volume": "vg_zaphod-root",
    "mount point": "/srv/magrathea",
    "user": "trillian",
    "NFS server": "10.1.2.3",
    "btrfs id": "aaaabbbb-cccc-4ddd-8eee-ffff00001111",
    "bond": "uplink-magrathea",
}


def secret(name: str) -> str:
    return SECRETS[name]


def fill(tree: HostTree) -> None:
    """A host with something of all that discovery looks at, and names to keep secret."""
    tree.link(f"{SYSTEM}/node/node0/cpu0", "../../cpu/cpu0")
    tree.file(f"{SYSTEM}/cpu/cpu0/cache/index3/level", "3\n")
    tree.file(f"{SYSTEM}/cpu/cpu0/cache/index3/shared_cpu_list", "0-1\n")
    tree.file(f"{SYSTEM}/node/node0/distance", "10\n")
    for place in ("sys/kernel/mm", f"{SYSTEM}/node/node0"):
        tree.file(f"{place}/hugepages/hugepages-2048kB/nr_hugepages", "4\n")
        tree.file(f"{place}/hugepages/hugepages-2048kB/free_hugepages", "3\n")
    _identify(tree)
    _add_network(tree)
    _add_switch(tree)
    _add_storage(tree)


def _identify(tree: HostTree) -> None:
    tree.file("proc/sys/kernel/hostname", f"{secret('hostname')}.{secret('domain')}\n")
    tree.file("proc/sys/kernel/osrelease", "6.12.1\n")
    tree.file("proc/sys/kernel/random/boot_id", secret("boot id") + "\n")
    tree.file("etc/machine-id", secret("machine id") + "\n")
    tree.file(
        "proc/cmdline", f"root=/dev/mapper/{secret('volume')} isolcpus=1 user={secret('user')}"
    )
    tree.file("proc/cpuinfo", f"processor : 0\nSerial : {secret('serial of vpd')}\n")


def _add_network(tree: HostTree) -> None:
    path = tree.function("0000:41:00.0", sriov_totalvfs=7, sriov_numvfs=1, numa_node=0)
    tree.link(f"{path}/driver", "../../../bus/pci/drivers/igb")
    tree.link(f"{path}/iommu_group", "../../../kernel/iommu_groups/20")
    tree.folder("sys/bus/pci/drivers/igb")
    tree.file(f"{path}/config", files_of(secret("serial of config"), None)["config"])
    vf = tree.function("0000:41:10.0", device="0x10ca")
    tree.link(f"{vf}/physfn", "../0000:41:00.0")
    tree.link(f"{path}/virtfn0", "../0000:41:10.0")
    tree.folder(f"{vf}/vdpa0")
    tree.link("sys/bus/vdpa/devices/vdpa0", "../../../devices/pci0000:00/0000:41:10.0/vdpa0")
    tree.file("sys/bus/pci/slots/7-1/address", "0000:41:00\n")
    tree.function("0000:42:00.0")
    vpd = files_of(secret("serial of vpd"), None)["vpd"]
    tree.file("sys/devices/pci0000:00/0000:42:00.0/vpd", vpd)
    nic = tree.netdev(secret("MAC address"), "pci0000:00/0000:41:00.0")
    tree.file(f"{nic}/address", secret("hardware address") + "\n")
    bond = tree.netdev(secret("bond"), "virtual")
    tree.file(f"{bond}/bonding/slaves", f"{secret('MAC address')}\n")
    tree.link(
        f"{bond}/lower_{secret('MAC address')}",
        f"../../../pci0000:00/0000:41:00.0/net/{secret('MAC address')}",
    )
    tree.link(f"{nic}/master", f"../../../../virtual/net/{secret('bond')}")
    header = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
    default = f"{secret('bond')} 00000000 {secret('gateway')} 0003 0 0 0 00000000 0 0 0\n"
    local = f"{secret('bond')} {secret('network')} 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
    tree.file("proc/net/route", header + default + local)
    six = (
        f"{'0' * 32} 00 {'0' * 32} 00 {secret('IPv6 gateway')} 00000400 00000001 00000000 00000003"
    )
    tree.file("proc/net/ipv6_route", f"{six} {secret('bond')}\n")


def _add_switch(tree: HostTree) -> None:
    """Three downstream ports deep by number; by their own words the first two bridges are the switch."""
    below, kinds = "pci0000:80", (PortType.UPSTREAM, PortType.DOWNSTREAM, PortType.PCIE_TO_PCI)
    for bus, kind in enumerate(kinds, start=0x80):
        address = f"0000:{bus:02x}:01.0"
        path = tree.function(address, below, **{"class": "0x060400"})
        tree.file(f"{path}/config", files_of(None, kind)["config"])
        below = f"{below}/{address}"
    tree.function("0000:83:00.0", below)


def _add_storage(tree: HostTree) -> None:
    tree.function("0000:43:00.0", **{"class": "0x010802"})
    tree.disk("nvme0n1", "259:0", "pci0000:00/0000:43:00.0/nvme/nvme0")
    volume = tree.disk("dm-0", "253:0", "virtual/block")
    tree.file(f"{volume}/dm/name", secret("volume") + "\n")
    tree.link(f"{volume}/slaves/nvme0n1", "../../../../pci0000:00/0000:43:00.0/nvme/nvme0/nvme0n1")
    tree.function("0000:44:00.0", **{"class": "0x010802"})
    tree.disk("nvme1n1", "259:1", "pci0000:00/0000:44:00.0/nvme/nvme1")
    tree.link(
        f"sys/fs/btrfs/{secret('btrfs id')}/devices/nvme1n1", "../../../../class/block/nvme1n1"
    )
    volume_path = f"/dev/mapper/{secret('volume')}"
    mounts = [
        f"21 1 253:0 /{secret('user')} {secret('mount point')} rw - ext4 {volume_path} rw",
        f"22 21 0:40 / /mnt/{secret('user')} rw - nfs {secret('NFS server')}:/x rw,addr=1",
    ]
    tree.file("proc/self/mountinfo", "\n".join(mounts) + "\n")
    tree.file(
        "proc/swaps",
        "Filename Type Size Used Priority\n"
        f"/{secret('user')}.swap file 1 0 -2\n/dev/nvme1n1 partition 1 0 -2\n",
    )
