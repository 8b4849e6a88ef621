"""A simulated host behind the protocol of every driver."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final
from uuid import UUID

import anyio
import anyio.to_thread

from innkeeper.clock import Clock
from innkeeper.config.toml_file import SIZE_LIMIT
from innkeeper.drivers.base import Change
from innkeeper.drivers.simulated.devices import lay_out_functions
from innkeeper.drivers.simulated.spec import SimulatedSpec, file_of_spec, parse_spec
from innkeeper.drivers.simulated.topology import lay_out_cells, lay_out_cpus, pages_of_host
from innkeeper.drivers.unchanged import Unchanged
from innkeeper.errors import BadRequest, HostUnreadable
from innkeeper.objects import Disk, Host

POLL_SECONDS: Final = 0.25
"""How often the file of a spec is looked at."""


class SimulatedDriver:
    """Observes the same host each time, until the file that its spec is in changes.

    Not for use by several threads at once.
    """

    def __init__(self, spec: str) -> None:
        """Take a spec such as `cpus=1024,cells=32,pfs=64,vfs=64`, or the path of a TOML file.

        Raises:
            BadRequest: the spec is wrong; the message says which key and what is allowed.
        """
        self._file = file_of_spec(spec)
        self._unchanged = Unchanged()
        self._content = _content_of(self._file)
        self._host = self._build(str(self._file or spec))

    def observe(self) -> Host:
        """The host of the spec as it is now.

        Raises:
            HostUnreadable: the file that it is in is gone, or no longer a spec.
        """
        content = _content_of(self._file)
        if content != self._content:
            try:
                self._host = self._build(str(self._file))
            except BadRequest as error:
                message = f"the simulated host is no more: {error.message}"
                raise HostUnreadable(message, file=str(self._file)) from error
            self._content = content
        return self._host

    async def changes(self, clock: Clock) -> AsyncGenerator[Change, None]:
        """Changes of the file, each when it has been left alone for `POLL_SECONDS`."""
        told, seen = self._content, self._content
        while self._file is not None:
            await clock.sleep(POLL_SECONDS)
            before, seen = seen, await anyio.to_thread.run_sync(_content_of, self._file)
            if seen == before and seen not in (told, self._content):
                told = seen
                yield Change(f"{self._file.name} changed")

    def _build(self, spec: str) -> Host:
        host = build_host(parse_spec(spec))
        # Given to the constructor, the tuple would be copied.
        return host.model_copy(update={"functions": self._unchanged.keep(host.functions)})


def _content_of(file: Path | None) -> bytes | None:
    """What is in the file; null when there is none.

    Its time would not do: two contents may be written within one tick of the file system.
    """
    try:
        if file is None or not file.is_file():
            return None
        with file.open("rb") as opened:
            return opened.read(SIZE_LIMIT + 1)
    except OSError:
        return None


def simulated(spec: str) -> Host:
    """A host of the size that the spec asks for; the same words give an equal host.

    `simulated("cpus=1024,cells=32,pfs=64,vfs=64")` has 64 PFs with 64 VFs each. Other keys are
    `sockets`, `threads` (per core), `l3` (cores under one L3 cache; 0: not told), `memory` and `disk`
    (`4TiB`), `pages_2m` and `pages_1g` (of the whole host), `page_kib` (of an ordinary page), `vdpa` (VFs
    of each PF that carry a vDPA device), `gpus` (each with an audio function), `switch` (cards behind one
    PCIe switch), `serials` (`no`: cards have none), `offline` and `isolated` (CPUs, `2-3,7`), `name` and
    `seed` (another one is another machine), and `boot` (another number: it started anew).

    Single cards are called `pf0`, `gpu0` and so on: `pf1.plugged=no`, `pf0.vfs=2`, `pf0.vdpa=1`,
    `gpu0.address=0100:01:00.0` (it was renumbered), `.slot`, `.product` and `.serial`.

    Single cells are called `cell0` and so on: `cell1.cpus=0`, `cell2.memory=0`, `cell0.pages_2m=512`,
    `cell0.pages_1g=2`, `cell0.used_2m=4` and `.used_1g` (of its pages those in use), `cell0.distances=10/21`. What
    the host has beyond that is spread over the other cells.

    Instead of words, the path of a TOML file with these keys will do, where `[pf1]` begins what is of one
    card. A daemon looks at its file again and again: whoever edits it plugs and unplugs.

    Raises:
        BadRequest: the spec is wrong; the message says which key and what is allowed.
    """
    return build_host(parse_spec(spec))


def build_host(spec: SimulatedSpec) -> Host:
    """The host of a spec that was checked.

    Raises:
        BadRequest: a card was moved to where another one is.
    """
    cpus = lay_out_cpus(spec)
    cells = lay_out_cells(spec, cpus)
    return Host(
        hostname=spec.name,
        boot_id=str(UUID(bytes=_digest(spec, f"boot {spec.boot}" if spec.boot else "boot"))),
        machine_id=_digest(spec, "machine").hex(),
        cpus=cpus,
        cells=cells,
        memory_kib=spec.memory_mib * 1024,
        pages=pages_of_host(cells),
        page_kib=spec.page_kib,
        functions=lay_out_functions(spec),
        disk=Disk(path="/", total_mib=spec.disk_mib, free_mib=spec.disk_mib),
    )


def _digest(spec: SimulatedSpec, what: str) -> bytes:
    return hashlib.sha256(f"{what} {spec.name} {spec.seed}".encode()).digest()[:16]
