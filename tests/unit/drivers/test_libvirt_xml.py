"""What libvirt writes: read as it was recorded over captured hosts, and refused where it is not sensible.

No libvirt is needed for any of it.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from innkeeper.drivers.libvirt.capabilities import Capabilities
from innkeeper.drivers.libvirt.domains import read_domain
from innkeeper.drivers.libvirt.functions import Described, read_functions
from innkeeper.drivers.libvirt.xml import LONGEST, kib_of, read_xml
from innkeeper.drivers.sysfs.notes import Notes
from innkeeper.objects import PciFunction, PciKind

ORACLES = Path(__file__).parents[2] / "data" / "hosts" / "oracles"
SEVERAL = frozenset(range(4))


def recorded(name: str) -> str:
    return gzip.decompress((ORACLES / name).read_bytes()).decode()


def capabilities(inner: str) -> str:
    return f"<capabilities><host>{inner}</host></capabilities>"


def cells(*cells: str) -> str:
    return capabilities(f"<topology><cells>{''.join(cells)}</cells></topology>")


def pci(inner: str, slot: int = 0) -> str:
    return (
        "<device><name>x</name><capability type='pci'><class>0x020000</class><domain>0</domain>"
        f"<bus>59</bus><slot>{slot}</slot><function>0</function><product id='0x158b'/>"
        f"<vendor id='0x8086'/>{inner}</capability></device>"
    )


def read_one(text: str) -> tuple[PciFunction, ...]:
    notes = Notes()
    found = read_functions([("x", text)], frozenset({0}), notes)
    assert not notes.lines()
    return found


@pytest.fixture(scope="module")
def found() -> dict[str, PciFunction]:
    described: dict[str, str] = json.loads(recorded("qemu64-9n-B-vfs.libvirt.json.gz"))["nodedev"]
    notes = Notes()
    functions = read_functions(described.items(), frozenset(range(9)), notes)
    assert not notes.lines()
    return {one.address: one for one in functions}


class TestXml:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "is no XML"),
            ("<device>", "is no XML"),
            ("<domain/>", "is a <domain>, not a <device>"),
            ("<device>&nbsp;</device>", "is no XML"),
            ("<device>\ud800</device>", "is no XML"),
            (f"<device>{' ' * LONGEST}</device>", "characters of XML, at most"),
            ("<!DOCTYPE device><device/>", "has a document type"),
            (
                "<!DOCTYPE device [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><device>&a;</device>",
                "has a document type",
            ),
            (
                "<!DOCTYPE device [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'>]><device>&b;</device>",
                "has a document type",
            ),
        ],
    )
    def test_what_libvirt_never_writes_is_refused(self, text: str, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            read_xml(text, "device")

    def test_very_deep_texts_are_no_trouble(self) -> None:
        deep = "<device>" + "<a>" * 200_000 + "</a>" * 200_000 + "</device>"
        assert read_xml(deep, "device").tag == "device"

    @pytest.mark.parametrize(("unit", "kib"), [("", 7), (" unit='KiB'", 7), (" unit='MiB'", 7168)])
    def test_memory_is_kib_unless_it_says_otherwise(self, unit: str, kib: int) -> None:
        assert kib_of(read_xml(f"<memory{unit}>7</memory>", "memory")) == kib

    def test_memory_in_other_units_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no unit of memory"):
            kib_of(read_xml("<memory unit='parsec'>7</memory>", "memory"))


class TestCapabilities:
    def test_of_a_captured_host(self) -> None:
        notes = Notes()
        read = Capabilities(recorded("qemu64-9n-B-vfs.capabilities.xml.gz"), notes)
        assert read.hugepage_sizes == [2048, 1048576]
        host = read.topology({8: {2048: 70}})
        assert not notes.lines()
        assert [cell.id for cell in host.cells] == [*range(9)]
        assert [cell.memory_kib for cell in host.cells][6:] == [255764, 0, 252428]
        assert host.cells[8].cpus == ()
        pages = host.cells[8].pages
        assert [(one.size_kib, one.total, one.free) for one in pages] == [
            (2048, 72, 70),
            (1048576, 0, 0),
        ]
        assert host.cells[0].distances[8] == 17
        assert host.page_kib == 4
        last = host.cpus[63]
        assert (last.id, last.socket, last.die, last.cell, last.l3) == (63, 1, 1, 7, 32)
        assert last.siblings == (62, 63)

    def test_cpus_that_are_offline_are_not_told(self) -> None:
        read = Capabilities(recorded("qemu64-9n-D-smt-off.capabilities.xml.gz"), Notes())
        cpus = read.topology({}).cpus
        assert [cpu.id for cpu in cpus] == [*range(0, 64, 2)]
        assert all(cpu.siblings == (cpu.id,) for cpu in cpus)

    def test_a_host_that_tells_nothing_of_cells(self) -> None:
        read = Capabilities(capabilities("<cpu><pages unit='KiB' size='64'/></cpu>"), Notes())
        host = read.topology({})
        assert not host.cells
        assert not host.cpus
        assert read.page_kib == 64

    @pytest.mark.parametrize(
        ("cell", "said"),
        [
            ("<cell id='x'/>", "a cell is left out: 'x' is no number"),
            ("<cell id='65536'/>", "a cell is left out: '65536' is no id"),
            ("<cell id='1'><cpus><cpu id='-1'/></cpus></cell>", "a CPU of cell 1 is left out"),
            ("<cell id='1'><cpus><cpu id='9' siblings='a'/></cpus></cell>", "a CPU of cell 1"),
            ("<cell id='1'><cpus><cpu id='0'/></cpus></cell>", "CPU 0 is in cell 0 too"),
            ("<cell id='1'><memory>much</memory></cell>", "memory of cell 1: 'much' is no number"),
            ("<cell id='1'><pages size='4'>x</pages></cell>", "pages of a cell are left out"),
            (
                "<cell id='1'><distances><sibling id='7' value='10'/></distances></cell>",
                "distances of cell 1 are not to all cells",
            ),
            (
                "<cell id='1'><distances><sibling id='1' value='far'/></distances></cell>",
                "distances of cell 1: 'far'",
            ),
        ],
    )
    def test_what_is_malformed_is_one_warning_and_the_rest_stays(
        self, cell: str, said: str
    ) -> None:
        notes = Notes()
        good = "<cell id='0'><memory unit='KiB'>64</memory><cpus><cpu id='0'/></cpus></cell>"
        host = Capabilities(cells(good, cell), notes).topology({})
        assert (host.cells[0].cpus, host.cells[0].memory_kib) == ((0,), 64)
        (line,) = notes.lines()
        assert said in line

    def test_free_pages_never_are_more_than_there_are(self) -> None:
        text = cells("<cell id='0'><pages size='4'>9</pages><pages size='2048'>3</pages></cell>")
        (cell,) = Capabilities(text, Notes()).topology({0: {2048: 5}}).cells
        assert [(one.total, one.free) for one in cell.pages] == [(3, 3)]


class TestFunctions:
    def test_every_function_of_a_captured_host_is_there(
        self, found: dict[str, PciFunction]
    ) -> None:
        kinds = [one.kind for one in found.values()]
        assert len(kinds) == 146
        assert kinds.count(PciKind.PF) == 10
        assert kinds.count(PciKind.VF) == 120

    def test_a_pf_and_its_vfs(self, found: dict[str, PciFunction]) -> None:
        pf, vf = found["0000:01:00.0"], found["0000:01:10.2"]
        assert (pf.vendor_id, pf.product_id, pf.class_id) == ("8086", "10c9", "020000")
        assert (pf.total_vfs, pf.num_vfs, pf.driver) == (7, 7, "igb")
        assert (pf.netdevs, pf.mac) == (("eth0",), "52:54:00:aa:00:00")
        assert (vf.parent, vf.vf_number, vf.iommu_group) == (pf.address, 1, 25)

    @pytest.mark.parametrize(
        ("inner", "said"),
        [
            ("<capability type='phys_function'><address domain='x'/></capability>", "'x' is no"),
            (
                (
                    "<capability type='phys_function'>"
                    "<address domain='0' bus='0x100' slot='0' function='0'/></capability>"
                ),
                "is no PCI address",
            ),
            ("<capability type='virt_functions' maxCount='70000'/>", "70000 is no number of VFs"),
            ("<iommuGroup number='one'/>", "'one' is no number"),
            ("<numa node='two'/>", "'two' is no number"),
        ],
    )
    def test_one_that_is_malformed_is_one_warning_and_the_rest_stays(
        self, inner: str, said: str
    ) -> None:
        notes = Notes()
        described: list[Described] = [
            ("bad", pci(inner)),
            ("good", pci("", slot=1)),
            ("bare", "<device/>"),
        ]
        functions = read_functions(described, frozenset(), notes)
        assert [one.address for one in functions] == ["0000:3b:01.0"]
        bad, bare = sorted(notes.lines())
        assert bad.startswith("libvirt's device bad is left out: ")
        assert said in bad
        assert bare == "libvirt's device bare is left out: has no capability"

    @pytest.mark.parametrize(
        "key", ["class", "domain", "bus", "slot", "function", "product", "vendor"]
    )
    def test_one_that_cannot_be_told_apart_is_left_out(self, key: str) -> None:
        notes = Notes()
        assert read_functions([("x", pci("").replace(key, "other"))], frozenset(), notes) == ()
        assert len(notes.lines()) == 1

    def test_a_cell_that_is_not_there_is_no_cell(self) -> None:
        notes = Notes()
        (one,) = read_functions([("x", pci("<numa node='5'/>"))], frozenset({0}), notes)
        assert one.cell is None
        assert notes.lines() == ("libvirt's device x names cell 5, which is not there",)

    def test_vital_product_data_has_the_serial(self) -> None:
        vpd = (
            "<capability type='vpd'><name>card</name><fields access='readonly'>"
            "<serial_number>S210ABC</serial_number></fields></capability>"
        )
        assert [one.serial for one in read_one(pci(vpd))] == ["S210ABC"]

    def test_a_vf_with_a_vdpa_device_says_so(self) -> None:
        parent = (
            "<capability type='phys_function'>"
            "<address domain='0x0000' bus='0x3b' slot='0x00' function='0x1'/></capability>"
        )
        vdpa = "<device><parent>vf</parent><capability type='vdpa'/></device>"
        (one,) = read_functions([("vf", pci(parent)), ("vdpa", vdpa)], frozenset(), Notes())
        assert (one.kind, one.parent) == (PciKind.VDPA, "0000:3b:00.1")

    def test_network_devices_are_found_through_virtio_and_circles_end(self) -> None:
        described: list[Described] = [
            ("card", pci("")),
            ("virtio", "<device><parent>card</parent><capability type='virtio'/></device>"),
            (
                "net",
                (
                    "<device><parent>virtio</parent><capability type='net'>"
                    "<interface>ens3</interface></capability></device>"
                ),
            ),
            (
                "round",
                (
                    "<device><parent>round</parent><capability type='net'>"
                    "<interface>odd0</interface></capability></device>"
                ),
            ),
        ]
        (one,) = read_functions(described, frozenset(), Notes())
        assert one.netdevs == ("ens3",)


class TestDomains:
    def test_pins_are_those_that_do_not_float_everywhere(self) -> None:
        text = (
            "<domain><vcpu cpuset='0-2'>4</vcpu><cputune><vcpupin vcpu='1' cpuset='3'/>"
            "<vcpupin vcpu='2' cpuset='0-3'/><vcpupin vcpu='9' cpuset='1'/>"
            "<emulatorpin cpuset='1'/></cputune></domain>"
        )
        assert read_domain(text, 4, SEVERAL).pins == {0: "0-2", 1: "3", 3: "0-2"}
        assert read_domain("<domain><vcpu>4</vcpu></domain>", 4, SEVERAL).pins == {}

    def test_functions_of_the_host_stand_in_several_places(self) -> None:
        address = "<address type='pci' domain='0x0000' bus='0x3b' slot='0x0{}' function='0x1'/>"
        text = (
            "<domain><devices>"
            f"<hostdev mode='subsystem' type='pci'><source>{address.format(4)}</source></hostdev>"
            f"<interface type='hostdev'><source>{address.format(3)}</source>{address.format(9)}"
            f"</interface><interface type='network'>{address.format(8)}</interface>"
            f"<disk type='nvme'><source>{address.format(2)}</source></disk>"
            "<hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source>"
            "</hostdev></devices></domain>"
        )
        devices = read_domain(text, 1, SEVERAL).devices
        assert devices == ("0000:3b:02.1", "0000:3b:03.1", "0000:3b:04.1")

    @pytest.mark.parametrize(
        "inner",
        [
            "<vcpu cpuset='all'>1</vcpu>",
            "<cputune><vcpupin vcpu='x' cpuset='1'/></cputune>",
            "<devices><hostdev type='pci'><source><address bus='q'/></source></hostdev></devices>",
        ],
    )
    def test_what_is_malformed_is_refused(self, inner: str) -> None:
        with pytest.raises(ValueError, match=" is no "):
            read_domain(f"<domain>{inner}</domain>", 1, SEVERAL)
