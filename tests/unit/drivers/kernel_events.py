"""Events of this machine's own kernel, where it can be asked for them."""

from __future__ import annotations

import os
import select
from pathlib import Path

from innkeeper.drivers.sysfs.uevents import Receiver

CPU = Path("/sys/devices/system/cpu/cpu0/uevent")
LOOPBACK = Path("/sys/class/net/lo/uevent")


def poke(file: Path = CPU) -> None:
    """Have the kernel say again that a device is there, which changes nothing."""
    file.write_text("change")


def why_not_here() -> str | None:
    """Why a test that needs the kernel's events has to be skipped."""
    if not os.access(CPU, os.W_OK):
        return "only root may ask the kernel for an event"
    try:
        receiver = Receiver()
    except OSError as error:
        return f"no netlink: {error.strerror}"
    with receiver:
        poke()
        heard, _, _ = select.select([receiver.socket], [], [], 1)
    return None if heard else "the kernel sends no events to this network namespace"
