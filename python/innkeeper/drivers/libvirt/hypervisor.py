"""The hypervisor that libvirt stands for: which instances it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import UUID

import libvirt
import structlog

from innkeeper.drivers.libvirt.calls import Domain, Handle
from innkeeper.drivers.libvirt.connection import PATIENCE, Connection, is_gone
from innkeeper.drivers.libvirt.domains import Described, read_domain
from innkeeper.drivers.libvirt.questions import online_cpus
from innkeeper.drivers.sysfs.notes import printable
from innkeeper.objects import PowerState, RunningInstance

log = structlog.get_logger(__name__)

_STATES: Final = {
    libvirt.VIR_DOMAIN_RUNNING: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: PowerState.RUNNING,
    # It is being shut down, and runs until it is.
    libvirt.VIR_DOMAIN_SHUTDOWN: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTOFF: PowerState.OFF,
    libvirt.VIR_DOMAIN_CRASHED: PowerState.CRASHED,
}


class LibvirtHypervisor:
    """Lists libvirt's domains over a read-only connection. Not for use by several threads at once."""

    def __init__(self, uri: str, patience: float = PATIENCE) -> None:
        self._connection = Connection(uri, patience)

    def instances(self) -> tuple[RunningInstance, ...]:
        """All of them by uuid, those that are off included.

        One whose description cannot be read is there without pins and devices, and the log warns of it.

        Raises:
            HostUnreadable: libvirt does not answer.
        """
        return self._connection.ask(_instances)


def _instances(handle: Handle) -> tuple[RunningInstance, ...]:
    found = _readable(handle, online_cpus(handle))
    return tuple(sorted(found, key=lambda one: str(one.uuid)))


def _readable(handle: Handle, online: frozenset[int]) -> Iterator[RunningInstance]:
    for domain in handle.listAllDomains(0):
        try:
            yield _instance(domain, online)
        except libvirt.libvirtError as error:
            # Between the list and the question it may have ended.
            if not is_gone(error):
                raise


def _instance(domain: Domain, online: frozenset[int]) -> RunningInstance:
    state, most_kib, _, vcpus, _ = domain.info()
    described = _described(domain, vcpus, online)
    return RunningInstance(
        uuid=UUID(domain.UUIDString()),
        name=printable(domain.name())[:255],
        state=_STATES.get(state) or _by_activity(domain),
        vcpus=vcpus,
        memory_mib=-(-most_kib // 1024),
        pins=described.pins,
        devices=described.devices,
    )


def _described(domain: Domain, vcpus: int, online: frozenset[int]) -> Described:
    try:
        return read_domain(domain.XMLDesc(0), vcpus, online)
    except ValueError as error:
        name, uuid = printable(domain.name()), domain.UUIDString()
        log.warning("instance unclear", name=name, uuid=uuid, reason=printable(str(error)))
        return Described({}, ())


def _by_activity(domain: Domain) -> PowerState:
    return PowerState.RUNNING if domain.isActive() else PowerState.OFF
