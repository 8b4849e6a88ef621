"""Which driver the operator's words mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from innkeeper.drivers.base import Driver, Hypervisor
from innkeeper.drivers.capture import open_capture
from innkeeper.drivers.capture.driver import has_manifest
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.drivers.sysfs import SysfsDriver
from innkeeper.drivers.sysfs.place import find_root
from innkeeper.errors import BadRequest
from innkeeper.objects import Host


@contextmanager
def driver_for(
    root: str | None = None,
    simulate: str | None = None,
    disk_path: str | None = None,
    libvirt_uri: str | None = None,
) -> Iterator[Driver]:
    """A driver for this machine, for the host under `root`, for a simulated one, or for that of a libvirt.

    `root` is a folder with sys/ and proc/, or a capture; a capture brings its own disk, and a simulated
    host has the one of its spec, so `disk_path` counts for the others. What was unpacked is removed when
    the context ends.

    Raises:
        BadRequest: more than one of them is given, or the spec is wrong.
        BadConfig: libvirt-python is not there.
        HostUnreadable: there is no host at `root`.
    """
    if libvirt_uri is not None:
        _require_no_other(root, simulate)
        from innkeeper.drivers.libvirt.opening import open_driver

        yield open_driver(libvirt_uri, disk_path)
    elif simulate is not None:
        if root is not None:
            problem = "a host is either read from --root or made by --simulate, not both"
            raise BadRequest(problem, errors=[{"path": "simulate", "message": problem}])
        yield SimulatedDriver(simulate)
    elif root is None or _is_plain_tree(root):
        yield SysfsDriver(root or "/", disk_path)
    else:
        with open_capture(Path(root)) as driver:
            yield driver


def hypervisor_for(libvirt_uri: str | None) -> Hypervisor | None:
    """Who tells which instances run; null where nobody does.

    Raises:
        BadConfig: libvirt-python is not there.
    """
    if libvirt_uri is None:
        return None
    from innkeeper.drivers.libvirt.opening import open_hypervisor

    return open_hypervisor(libvirt_uri)


def _require_no_other(root: str | None, simulate: str | None) -> None:
    if root is None and simulate is None:
        return
    option = "--root" if simulate is None else "--simulate"
    problem = f"a host is observed either through libvirt or with {option}: set observe = false"
    raise BadRequest(
        f"libvirt.observe: {problem}", errors=[{"path": "libvirt.observe", "message": problem}]
    )


def _is_plain_tree(root: str) -> bool:
    return Path(root).is_dir() and not has_manifest(Path(find_root(root)))


def discover(root: str = "/", *, disk_path: str | None = None) -> Host:
    """The host that this is, or that a folder or a capture holds.

    Raises:
        HostUnreadable: there is no host at `root`.
    """
    with driver_for(root, disk_path=disk_path) as driver:
        return driver.observe()
