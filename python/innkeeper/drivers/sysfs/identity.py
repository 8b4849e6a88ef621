"""Who the host is, and the disk that instances live on."""

from __future__ import annotations

import os
import re

from innkeeper.drivers.sysfs.notes import Notes, printable
from innkeeper.drivers.sysfs.tree import Tree
from innkeeper.objects import Disk

_MIB = 1024 * 1024
_BOOT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MACHINE_ID = re.compile(r"[0-9a-f]{32}")


def read_hostname(tree: Tree, root: str) -> str:
    """The kernel's host name, else the configured one, else the name of the root's folder."""
    for path in ("proc/sys/kernel/hostname", "etc/hostname"):
        name = (tree.text(path) or "").split("\n")[0].strip()
        if name:
            return printable(name)[:255]
    return printable(os.path.basename(os.path.abspath(root))) or "unknown"


def read_boot_id(tree: Tree) -> str | None:
    """Names this run of the kernel."""
    return _read_id(tree, "proc/sys/kernel/random/boot_id", _BOOT_ID)


def read_machine_id(tree: Tree) -> str | None:
    """Names this installation; see machine-id(5)."""
    machine_id = _read_id(tree, "etc/machine-id", _MACHINE_ID)
    return machine_id or _read_id(tree, "var/lib/dbus/machine-id", _MACHINE_ID)


def is_of_this_kernel(root: str) -> bool:
    """Whether the root shows the kernel that this process runs on, such as /host in a container."""
    if os.path.realpath(root) == "/":
        return True
    boot_ids = []
    for place in ("/", root):
        try:
            with Tree(place, Notes()) as tree:
                boot_ids.append(read_boot_id(tree))
        except (OSError, ValueError):
            return False
    return boot_ids[0] is not None and boot_ids[0] == boot_ids[1]


def read_page_kib(root: str) -> int | None:
    """Size of an ordinary page in KiB, which only a running kernel tells."""
    return os.sysconf("SC_PAGE_SIZE") // 1024 if is_of_this_kernel(root) else None


def _read_id(tree: Tree, path: str, form: re.Pattern[str]) -> str | None:
    text = tree.text(path)
    # A machine that was never booted says "uninitialized" or nothing.
    return text if text and form.fullmatch(text) else None


def read_disk(tree: Tree, root: str, path: str | None) -> Disk | None:
    """The file system of `path`: of this machine, or, in a captured tree, of the place under its root."""
    if path is None:
        return None
    here = os.path.realpath(root) == "/"
    place = os.path.abspath(path) if here else path
    try:
        sizes = tree.file_system(place)
    except (OSError, ValueError) as error:
        if here:
            tree.note(place.lstrip("/"), error)
        return None
    return Disk(
        path=printable(path),
        total_mib=sizes.f_blocks * sizes.f_frsize // _MIB,
        free_mib=sizes.f_bavail * sizes.f_frsize // _MIB,
    )
