"""A simulated host behind the protocol of every driver."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from uuid import UUID

from innkeeper.clock import Clock
from innkeeper.drivers.base import Change
from innkeeper.drivers.simulated.devices import lay_out_functions
from innkeeper.drivers.simulated.spec import SimulatedSpec, parse_spec
from innkeeper.drivers.simulated.topology import lay_out_cells, lay_out_cpus, pages_of_host
from innkeeper.drivers.still import no_changes
from innkeeper.objects import Disk, Host


class SimulatedDriver:
    """Observes the same host each time."""

    def __init__(self, spec: str) -> None:
        """Take a spec such as `cpus=1024,cells=32,pfs=64,vfs=64`, or the path of a TOML file.

        Raises:
            BadRequest: the spec is wrong; the message says which key and what is allowed.
        """
        self._host = build_host(parse_spec(spec))

    def observe(self) -> Host:  # noqa: D102
        return self._host

    def changes(self, clock: Clock) -> AsyncGenerator[Change, None]:  # noqa: D102
        return no_changes()


def simulated(spec: str) -> Host:
    """A host of the size that the spec asks for; the same words give an equal host.

    `simulated("cpus=1024,cells=32,pfs=64,vfs=64")` has 64 PFs with 64 VFs each. Other keys are
    `sockets`, `threads` (per core), `memory` and `disk` (`4TiB`), `pages_2m` and `pages_1g` (of the whole
    host), `name` and `seed`; instead of words, the path of a TOML file with these keys will do.

    Raises:
        BadRequest: the spec is wrong; the message says which key and what is allowed.
    """
    return build_host(parse_spec(spec))


def build_host(spec: SimulatedSpec) -> Host:
    """The host of a spec that was checked."""
    cpus = lay_out_cpus(spec)
    return Host(
        hostname=spec.name,
        boot_id=str(UUID(bytes=_digest(spec, "boot"))),
        machine_id=_digest(spec, "machine").hex(),
        cpus=cpus,
        cells=lay_out_cells(spec, cpus),
        memory_kib=spec.memory_mib * 1024,
        pages=pages_of_host(spec),
        functions=lay_out_functions(spec),
        disk=Disk(path="/", total_mib=spec.disk_mib, free_mib=spec.disk_mib),
    )


def _digest(spec: SimulatedSpec, what: str) -> bytes:
    return hashlib.sha256(f"{what} {spec.name} {spec.seed}".encode()).digest()[:16]
