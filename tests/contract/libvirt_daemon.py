"""A real libvirtd of its own: nothing of the machine's is touched, and it sees the /sys that it is given."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0
SOCKET = "libvirt-sock-ro"

#: In a mount namespace. libvirt's QEMU driver does not begin without its user, whoever it runs guests as.
WITH_USER = """
set -eu
mount --make-rprivate /
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
shift
exec "$@"
"""

#: Whatever it writes is gone with the namespace.
SCRIPT = """
set -eu
for folder in /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt; do
  mkdir -p "$folder"
  mount -t tmpfs none "$folder"
done
cp "$1/qemu.conf" /etc/libvirt/
mount --bind "$1/no-qemu" "$(command -v qemu-system-x86_64 || echo "$1/no-qemu")"
[ -z "$2" ] || mount --bind "$2/sys" /sys
exec libvirtd -f "$1/libvirtd.conf" -p "$1/pid"
"""

QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
stdio_handler = "file"
namespaces = []
cgroup_controllers = []
remember_owner = 0
"""

LIBVIRTD_CONF = """\
unix_sock_dir = "{folder}"
unix_sock_group = "root"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_level = 3
log_outputs = "3:file:{folder}/log"
"""


def why_no_libvirtd() -> str | None:
    """Why there can be no libvirtd here."""
    if os.geteuid() != 0:
        return "a libvirtd of its own needs root"
    if shutil.which("libvirtd") is None:
        return "libvirtd is not installed (libvirt-daemon, libvirt-daemon-driver-qemu)"
    return why_no_namespace()


def why_no_namespace() -> str | None:
    """Why nothing can be mounted for one process alone."""
    tried = subprocess.run(["unshare", "-m", "true"], capture_output=True, text=True, check=False)
    return f"no mount namespace: {tried.stderr.strip()}" if tried.returncode else None


class Libvirtd:
    """One that answers; over the tree below `root`, else over this machine's own."""

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        self._folder = folder
        self._root = root
        (folder / "qemu.conf").write_text(QEMU_CONF)
        (folder / "libvirtd.conf").write_text(LIBVIRTD_CONF.format(folder=folder))
        # libvirt asks each QEMU that it finds what it can do, which takes most of ten seconds.
        (folder / "no-qemu").write_text("")
        self.process = self._started()

    @property
    def uri(self) -> str:
        return f"qemu+unix:///system?socket={self._folder / SOCKET}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        (self._folder / SOCKET).unlink(missing_ok=True)

    def restart(self) -> None:
        self.kill()
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        folder = self._folder
        with (self._folder / "out").open("w") as out:
            process = subprocess.Popen(
                [*beside_user(folder), "sh", "-c", SCRIPT, "sh", folder, str(self._root or "")],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, "SYSTEMD_DEVICE_VERIFY_SYSFS": "0"},
            )
        limit = time.monotonic() + PATIENCE
        while not (self._folder / SOCKET).exists():
            if process.poll() is not None or time.monotonic() > limit:
                process.kill()
                raise AssertionError(f"libvirtd did not start: {self._said()}")
            time.sleep(0.05)
        return process

    def _said(self) -> list[str]:
        files = (self._folder / name for name in ("out", "log"))
        return [file.read_text() for file in files if file.exists()]


@contextmanager
def libvirtd(root: Path | None = None) -> Iterator[Libvirtd]:
    """Its files are gone in the end."""
    with tempfile.TemporaryDirectory(prefix="ik-virt-") as folder:
        daemon = Libvirtd(Path(folder), root)
        try:
            yield daemon
        finally:
            daemon.kill()


def beside_user(folder: Path) -> list[str | Path]:
    """A command that runs another where there is the user that libvirt's QEMU driver asks for."""
    (folder / "passwd").write_text(_with("/etc/passwd", "64055:64055::/:/usr/sbin/nologin"))
    (folder / "group").write_text(_with("/etc/group", "64055:"))
    return ["unshare", "-m", "sh", "-c", WITH_USER, "sh", folder]


def _with(table: str, fields: str) -> str:
    rows = Path(table).read_text()
    return rows if "\nlibvirt-qemu:" in rows else f"{rows}libvirt-qemu:x:{fields}\n"
