"""PCI functions, their place in SR-IOV, and serial numbers."""

from __future__ import annotations

import pytest
from tests.unit.drivers.conftest import HostTree

from innkeeper.objects import PciKind

DEVICES = "sys/bus/pci/devices"
PF, VF = "0000:41:00.0", "0000:41:10.2"


def capability(identity: int, following: int, body: bytes = b"") -> bytes:
    return (identity | 1 << 16 | following << 20).to_bytes(4, "little") + body


def config(*extended: tuple[int, bytes]) -> bytes:
    """Configuration space of 4 KiB with extended capabilities at their offsets."""
    space = bytearray(4096)
    for offset, body in extended:
        space[offset : offset + len(body)] = body
    return bytes(space)


WITH_SERIAL = config(
    (0x100, capability(0x0001, 0x140)),
    (0x140, capability(0x0003, 0, bytes.fromhex("0000c9ffff00aa01"))),
)


def vpd(*keywords: tuple[bytes, bytes]) -> bytes:
    block = b"".join(key + bytes([len(value)]) + value for key, value in keywords)
    name = b"A card"
    return b"".join(
        (
            b"\x82" + len(name).to_bytes(2, "little") + name,
            b"\x90" + len(block).to_bytes(2, "little") + block,
            b"\x78",
        )
    )


def test_a_function_with_all_that_the_kernel_says(tree: HostTree) -> None:
    path = tree.function(PF, below="pci0000:40/0000:40:00.0", numa_node=0, sriov_totalvfs=7)
    tree.file(f"{path}/sriov_numvfs", "2\n")
    tree.link(f"{path}/driver", "../../../../bus/pci/drivers/igb")
    tree.link(f"{path}/iommu_group", "../../../../kernel/iommu_groups/20")
    tree.folder(f"{path}/net/eth1")
    tree.folder(f"{path}/net/eth0")
    function = tree.functions()[PF]
    assert function.model_dump(exclude={"used_by_host", "serial"}) == {
        "address": PF,
        "vendor_id": "8086",
        "product_id": "10c9",
        "class_id": "020000",
        "kind": PciKind.PF,
        "parent": None,
        "driver": "igb",
        "cell": 0,
        "iommu_group": 20,
        "total_vfs": 7,
        "num_vfs": 2,
        "netdevs": ("eth0", "eth1"),
        "mac": None,
        "vf_number": None,
        "slot": None,
        "switch": None,
    }


def test_a_vf_knows_its_parent_and_takes_ids_from_files_only(tree: HostTree) -> None:
    tree.function(PF, sriov_totalvfs=7, sriov_numvfs=1)
    path = tree.function(VF, device="0x10ca")
    tree.file(f"{path}/config", b"\xff" * 256)
    tree.link(f"{path}/physfn", f"../{PF}")
    vf = tree.functions()[VF]
    assert (vf.kind, vf.parent, vf.product_id) == (PciKind.VF, PF, "10ca")
    assert (vf.total_vfs, vf.num_vfs, vf.serial) == (0, 0, None)


def test_a_card_that_can_have_no_vf_is_no_pf(tree: HostTree) -> None:
    tree.function(PF, sriov_totalvfs=0, sriov_numvfs=0)
    assert tree.functions()[PF].kind is PciKind.PCI


def test_an_error_printed_as_a_number_of_vfs_is_unknown(tree: HostTree) -> None:
    path = tree.function(PF, sriov_totalvfs=4294967033)
    host = tree.observe()
    assert host.functions[0].total_vfs == 0
    assert host.warnings == (f"/{path}/sriov_totalvfs: 4294967033 is no number of VFs",)


def test_a_negative_numa_node_is_null(tree: HostTree) -> None:
    tree.function(PF, numa_node=-1)
    assert tree.functions()[PF].cell is None
    assert tree.observe().warnings == ()


def test_a_numa_node_that_is_not_there_is_null_with_a_warning(tree: HostTree) -> None:
    path = tree.function(PF, numa_node=5)
    host = tree.observe()
    assert host.functions[0].cell is None
    assert host.warnings == (f"/{path}/numa_node: names cell 5, which is not there",)


def test_domains_of_32_bits_come_after_those_of_16(tree: HostTree) -> None:
    tree.function("10000:00:04.0")
    tree.function("ffff:00:04.0")
    tree.function("0000:00:04.0")
    assert list(tree.functions()) == ["0000:00:04.0", "ffff:00:04.0", "10000:00:04.0"]


def test_a_plain_directory_without_links_and_uevent_is_a_function_too(tree: HostTree) -> None:
    for name, text in (("vendor", "0x15b3"), ("device", "0x1017"), ("class", "0x020700")):
        tree.file(f"{DEVICES}/{PF}/{name}", f"{text}\n")
    function = tree.functions()[PF]
    assert (function.vendor_id, function.driver, function.cell) == ("15b3", None, None)
    assert tree.observe().warnings == ()


@pytest.mark.parametrize("name", ["vendor", "device", "class"])
def test_a_function_that_cannot_be_told_apart_is_left_out(tree: HostTree, name: str) -> None:
    path = tree.function(PF)
    (tree.root / path / name).unlink()
    host = tree.observe()
    assert host.functions == ()
    assert host.warnings == (f"/{path}/{name}: is missing: the function is left out",)


@pytest.mark.parametrize("text", ["0x80", "8086", "0x8086 x", "0xFFFG", "", "\x00"])
def test_an_id_of_another_form_is_never_guessed(tree: HostTree, text: str) -> None:
    tree.function(PF, vendor=text)
    host = tree.observe()
    assert host.functions == ()
    assert "vendor: is malformed" in host.warnings[0]


def test_a_function_that_vanishes_between_listing_and_reading_is_not_there(tree: HostTree) -> None:
    tree.link(f"{DEVICES}/{PF}", f"../../../devices/pci0000:00/{PF}")
    assert tree.observe().functions == ()


def test_a_link_that_names_no_function_is_no_parent(tree: HostTree) -> None:
    path = tree.function(PF)
    tree.link(f"{path}/physfn", "/dev/null")
    tree.link(f"{path}/iommu_group", "../x")
    function = tree.functions()[PF]
    assert (function.kind, function.parent, function.iommu_group) == (PciKind.PCI, None, None)


def test_netdevs_of_virtio_belong_to_the_function_above(tree: HostTree) -> None:
    tree.function("0000:00:03.0")
    tree.netdev("eth0", "pci0000:00/0000:00:03.0/virtio2")
    assert tree.functions()["0000:00:03.0"].netdevs == ("eth0",)


def test_the_serial_number_comes_from_extended_configuration_space(tree: HostTree) -> None:
    path = tree.function(PF)
    tree.file(f"{path}/config", WITH_SERIAL)
    assert tree.functions()[PF].serial == "01-aa-00-ff-ff-c9-00-00"


def test_without_the_capability_it_comes_from_vital_product_data(tree: HostTree) -> None:
    path = tree.function(PF)
    tree.file(f"{path}/config", config())
    tree.file(f"{path}/vpd", vpd((b"PN", b"X1"), (b"SN", b"ABC-123  ")))
    assert tree.functions()[PF].serial == "ABC-123"


@pytest.mark.parametrize(
    "space",
    [
        b"",
        bytes(256),
        b"\xff" * 4096,
        config((0x100, capability(0x0003, 0, bytes(8)))),
        config((0x100, capability(0x0003, 0, b"\xff" * 8))),
        config((0x100, capability(0x0001, 0x100))),
        config((0x100, capability(0x0001, 0xFFC))),
        config((0x100, capability(0x0001, 0x004))),
        config((0xFFC, b"")) + b"x" * 100,
    ],
    ids=["empty", "conventional", "ff", "zero", "all ones", "circle", "end", "low", "long"],
)
def test_configuration_space_without_a_serial_number_ends(tree: HostTree, space: bytes) -> None:
    path = tree.function(PF)
    tree.file(f"{path}/config", space)
    assert tree.functions()[PF].serial is None


@pytest.mark.parametrize(
    "data",
    [b"", b"\x90", b"\x90\xff\xff", b"\x82\xff\xff" * 9000, b"\x00" * 40_000, vpd((b"PN", b"X"))],
)
def test_vital_product_data_without_a_serial_number_ends(tree: HostTree, data: bytes) -> None:
    path = tree.function(PF)
    tree.file(f"{path}/vpd", data)
    assert tree.functions()[PF].serial is None


def test_what_only_root_may_read_gives_one_warning_in_total(tree: HostTree) -> None:
    for number in range(3):
        path = tree.function(f"0000:00:0{number}.0")
        tree.file(f"{path}/config", bytes(64))
        tree.file(f"{path}/vpd").chmod(0)
    for host in (tree.observe_unprivileged(), tree.observe_unprivileged()):
        assert [function.serial for function in host.functions] == [None, None, None]
        (warning,) = host.warnings
        assert warning.startswith("/sys/devices/pci0000:00/0000:00:00.0/config: holds only what")


def test_a_sleeping_function_is_not_woken(tree: HostTree) -> None:
    path = tree.function(PF, power_state="D3cold")
    tree.file(f"{path}/config", WITH_SERIAL)
    assert tree.functions()[PF].serial is None
    tree.file(f"{path}/power_state", "D0\n")
    assert tree.functions()[PF].serial is not None


def test_serials_are_asked_for_once_for_each_time_a_function_appears(tree: HostTree) -> None:
    path = tree.function(PF)
    space = tree.file(f"{path}/config", WITH_SERIAL)
    first = tree.functions()[PF].serial
    space.write_bytes(config((0x100, capability(0x0003, 0, b"\x01" * 8))))
    assert tree.functions()[PF].serial == first
    # Taken out and put back: another directory under the same name.
    (tree.root / path).rename(tree.root / "sys/aside")
    (tree.root / DEVICES / PF).unlink()
    tree.file(f"{tree.function(PF)}/config", config())
    assert tree.functions()[PF].serial is None
