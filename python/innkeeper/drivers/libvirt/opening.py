"""libvirt where the operator wants it: the one place that loads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from innkeeper.drivers.base import Driver, Hypervisor
from innkeeper.drivers.sysfs import SysfsDriver
from innkeeper.errors import BadConfig


def open_driver(uri: str, disk_path: str | None) -> Driver:
    """A driver that asks this libvirt; of this machine it reads the kernel's files as well.

    Raises:
        BadConfig: libvirt-python is not there.
    """
    with _required(uri):
        from innkeeper.drivers.libvirt.driver import LibvirtDriver
    return LibvirtDriver(uri, SysfsDriver("/", disk_path) if is_local(uri) else None)


def open_hypervisor(uri: str) -> Hypervisor:
    """The hypervisor behind this libvirt.

    Raises:
        BadConfig: libvirt-python is not there.
    """
    with _required(uri):
        from innkeeper.drivers.libvirt.hypervisor import LibvirtHypervisor
    return LibvirtHypervisor(uri)


def is_local(uri: str) -> bool:
    """Whether the host of this libvirt is the machine that we run on."""
    parts = urlsplit(uri)
    return not parts.netloc and parts.scheme.partition("+")[0] not in ("test", "")


@contextmanager
def _required(uri: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        problem = f"is set to {uri}, and libvirt-python cannot be loaded ({error})"
        raise BadConfig(
            f"libvirt.uri {problem}: install innkeeper[libvirt], or leave the key out",
            errors=[{"path": "libvirt.uri", "message": problem}],
        ) from error
