"""A real guest of a real QEMU, as libvirt's QEMU driver within a process has it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.contract.libvirt_daemon import QEMU_CONF, beside_user, why_no_namespace

pytest.importorskip("libvirt", reason="libvirt-python is not installed")

QEMU = shutil.which("qemu-system-x86_64")
DRIVERS = [
    Path(folder) / "libvirt/connection-driver/libvirt_driver_qemu.so"
    for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")
]
GUEST = "8a4f5d52-7c0e-4e0e-8c39-0f5f3f0c9a02"

DOMAIN = f"""
<domain type='qemu'>
  <name>tiny</name>
  <uuid>{GUEST}</uuid>
  <memory unit='MiB'>64</memory>
  <vcpu placement='static'>2</vcpu>
  <cputune><vcpupin vcpu='1' cpuset='0'/></cputune>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <emulator>{QEMU}</emulator>
    <serial type='null'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""

#: The driver's threads and QEMU's end with the process that it is in.
PROGRAM = """
import json, sys
import libvirt
from innkeeper.drivers.libvirt.event_loop import start_event_loop
from innkeeper.drivers.libvirt.hypervisor import LibvirtHypervisor

uri, domain = sys.argv[1:]
start_event_loop()
writing = libvirt.open(uri)
hypervisor = LibvirtHypervisor(uri)

def say():
    found = hypervisor.instances()
    print(json.dumps([one.model_dump(mode="json") for one in found]), flush=True)

say()
guest = writing.createXML(domain, 0)
say()
guest.suspend()
say()
guest.destroy()
say()
"""


def why_no_qemu() -> str | None:
    """Why no guest can be started here."""
    if os.geteuid() != 0:
        return "qemu:///embed needs root"
    if QEMU is None:
        return "qemu-system-x86_64 is not installed"
    if not any(driver.exists() for driver in DRIVERS):
        return "libvirt's QEMU driver is not installed (libvirt-daemon-driver-qemu)"
    return "with one CPU every pin floats" if os.cpu_count() == 1 else why_no_namespace()


@pytest.mark.skipif(why_no_qemu() is not None, reason=why_no_qemu() or "")
def test_a_guest_is_there_while_it_runs(short_dir: Path) -> None:
    (short_dir / "etc").mkdir()
    (short_dir / "etc/qemu.conf").write_text(QEMU_CONF)
    uri = f"qemu:///embed?root={short_dir}"
    done = subprocess.run(
        [*beside_user(short_dir), sys.executable, "-c", PROGRAM, uri, DOMAIN],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, running, paused, after = map(json.loads, done.stdout.splitlines())
    assert before == after == []
    assert running == [instance("running")]
    assert paused == [instance("paused")]


def instance(state: str) -> dict[str, Any]:
    return {
        "uuid": GUEST,
        "name": "tiny",
        "state": state,
        "vcpus": 2,
        "memory_mib": 64,
        "pins": {"1": "0"},
        "devices": [],
    }
