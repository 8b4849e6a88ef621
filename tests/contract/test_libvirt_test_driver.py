"""libvirt's own test driver: the real library, without a daemon and without rights."""

from __future__ import annotations

import gzip
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import anyio
import anyio.to_thread
import pytest

from innkeeper.clock import SystemClock
from innkeeper.drivers.base import Driver, Hypervisor
from innkeeper.errors import HostUnreadable
from innkeeper.objects import PciKind, PowerState, RunningInstance

libvirt: ModuleType = pytest.importorskip("libvirt", reason="libvirt-python is not installed")

DEFAULT = "test:///default"
NODE = Path(__file__).parents[1] / "data" / "libvirt" / "node.xml.gz"
GUEST = UUID("1f6a2c7e-6f0e-4c39-9a55-0c1f3f3b7a01")

DOMAIN = f"""
<domain type='test'>
  <name>web-1</name>
  <uuid>{GUEST}</uuid>
  <memory unit='MiB'>512</memory>
  <currentMemory unit='MiB'>256</currentMemory>
  <vcpu placement='static'>3</vcpu>
  <cputune><vcpupin vcpu='0' cpuset='4'/><vcpupin vcpu='1' cpuset='0-15'/></cputune>
  <os><type arch='i686'>hvm</type></os>
  <devices>
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source><address domain='0x0000' bus='0x3b' slot='0x02' function='0x1'/></source>
    </hostdev>
  </devices>
</domain>
"""

HBA = """
<device>
  <parent>scsi_host1</parent>
  <capability type='scsi_host'><capability type='fc_host'>
    <wwnn>20000000c9831b4b</wwnn><wwpn>10000000c9831b4b</wwpn>
  </capability></capability>
</device>
"""


def driver_of(uri: str) -> Driver:
    from innkeeper.drivers.libvirt.driver import LibvirtDriver

    return LibvirtDriver(uri)


def hypervisor_of(uri: str, patience: float = 30.0) -> Hypervisor:
    from innkeeper.drivers.libvirt.hypervisor import LibvirtHypervisor

    return LibvirtHypervisor(uri, patience)


@pytest.fixture
def open_libvirt() -> Iterator[Any]:
    """A connection that may write; all of this process share one host, so its guests are taken away."""
    from innkeeper.drivers.libvirt.event_loop import start_event_loop

    start_event_loop()
    handle = libvirt.open(DEFAULT)
    yield handle
    for domain in handle.listAllDomains(0):
        if domain.UUIDString() == str(GUEST):
            if domain.isActive():
                domain.destroy()
            if domain.isPersistent():
                domain.undefine()
    handle.close()


@pytest.fixture
def node(tmp_path: Path) -> str:
    """The URI of a host of one PF and 64 VFs."""
    file = tmp_path / "node.xml"
    file.write_bytes(gzip.decompress(NODE.read_bytes()))
    return f"test://{file}"


def of_guest(hypervisor: Hypervisor) -> RunningInstance | None:
    return next((one for one in hypervisor.instances() if one.uuid == GUEST), None)


def test_the_default_host_has_two_cells() -> None:
    host = driver_of(DEFAULT).observe()
    assert [cell.cpus for cell in host.cells] == [tuple(range(8)), tuple(range(8, 16))]
    assert [cell.memory_kib for cell in host.cells] == [2 * 2**20, 4 * 2**20]
    assert host.memory_kib == 6 * 2**20
    assert host.page_kib == 4
    assert {cpu.socket for cpu in host.cpus} == {0, 1}
    assert host.functions == ()


def test_a_host_without_cells_is_one_cell_with_everything(node: str) -> None:
    host = driver_of(node).observe()
    (cell,) = host.cells
    assert (cell.id, len(cell.cpus), cell.memory_kib) == (0, 128, 2**30)
    assert all(cpu.siblings == (cpu.id,) and cpu.cell == 0 for cpu in host.cpus)
    assert host.warnings[-1].startswith("libvirt does not tell of cells")


def test_a_pf_and_its_64_vfs(node: str) -> None:
    pf, *vfs = driver_of(node).observe().functions
    assert (pf.address, pf.kind, pf.total_vfs, pf.num_vfs) == ("0000:3b:00.0", PciKind.PF, 64, 64)
    assert [vf.vf_number for vf in vfs] == [*range(64)]
    assert {(vf.kind, vf.parent) for vf in vfs} == {(PciKind.VF, pf.address)}
    assert len({vf.iommu_group for vf in vfs}) == 64


def test_an_instance_comes_and_goes(open_libvirt: Any) -> None:
    hypervisor = hypervisor_of(DEFAULT)
    assert of_guest(hypervisor) is None
    domain = open_libvirt.createXML(DOMAIN, 0)
    assert of_guest(hypervisor) == RunningInstance(
        uuid=GUEST,
        name="web-1",
        state=PowerState.RUNNING,
        vcpus=3,
        memory_mib=512,
        pins={0: "4"},
        devices=("0000:3b:02.1",),
    )
    domain.destroy()
    assert of_guest(hypervisor) is None


def test_an_instance_is_paused_and_off(open_libvirt: Any) -> None:
    hypervisor = hypervisor_of(DEFAULT)
    domain = open_libvirt.defineXML(DOMAIN)
    states = []
    for step in (lambda: None, domain.create, domain.suspend, domain.resume, domain.destroy):
        step()
        found = of_guest(hypervisor)
        states.append(found.state if found else None)
    off, running, paused = PowerState.OFF, PowerState.RUNNING, PowerState.PAUSED
    assert states == [off, running, paused, running, off]


def test_instances_are_in_order_of_their_uuids(open_libvirt: Any) -> None:
    open_libvirt.defineXML(DOMAIN)
    uuids = [str(one.uuid) for one in hypervisor_of(DEFAULT).instances()]
    assert len(uuids) > 1
    assert uuids == sorted(uuids)


async def test_a_device_that_comes_and_goes_is_a_change(open_libvirt: Any) -> None:
    told = threading.Event()
    changes = driver_of(DEFAULT).changes(SystemClock())
    async with aclosing(changes), anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, plug_until, told, open_libvirt)
        with anyio.fail_after(30):
            reason = (await anext(changes)).reason
        told.set()
    assert re.fullmatch(r"scsi_host\d+ (created|deleted)(, and \d+ more events)?", reason)


def plug_until(told: threading.Event, handle: Any) -> None:
    """Whoever listens begins in a thread of its own, so a single device could come too early."""
    while not told.wait(0.05):
        handle.nodeDeviceCreateXML(HBA, 0).destroy()


def test_nobody_at_home_is_told() -> None:
    with pytest.raises(HostUnreadable, match=r"libvirt at qemu.*gives no answer: .*/nowhere"):
        hypervisor_of("qemu+unix:///system?socket=/nowhere").instances()


def test_a_file_that_is_no_host_is_told(tmp_path: Path) -> None:
    (tmp_path / "node.xml").write_text("<node><cpu/>")
    with pytest.raises(HostUnreadable, match="gives no answer"):
        driver_of(f"test://{tmp_path}/node.xml").observe()


def test_who_never_answers_keeps_one_question_and_no_more(short_dir: Path) -> None:
    path = short_dir / "silent"
    hypervisor = hypervisor_of(f"qemu+unix:///system?socket={path}", patience=0.5)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with pytest.raises(HostUnreadable, match=r"did not answer within 0\.5 s"):
            hypervisor.instances()
        with pytest.raises(HostUnreadable, match="has not answered an earlier question yet"):
            hypervisor.instances()
    # Once it hangs up the question ends, and the next one is asked.
    while True:
        with pytest.raises(HostUnreadable) as caught:
            hypervisor.instances()
        if "gives no answer" in caught.value.message:
            break
