"""A placement as what its user needs: lines for a shell, elements for libvirt."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from uuid import UUID
from xml.sax.saxutils import quoteattr

from innkeeper.objects import PlacedDevice, Placement


def environment(placement: Placement, claim_id: UUID | None) -> dict[str, str]:
    """`INNKEEPER_*` variables: CPUs in the kernel's list format, amounts in MiB, addresses."""
    words = {"INNKEEPER_CLAIM": str(claim_id)} if claim_id else {}
    words |= {
        "INNKEEPER_VCPUS": str(placement.vcpus),
        "INNKEEPER_CPUS": placement.cpus,
        "INNKEEPER_MEMORY_MIB": str(placement.memory_mib),
        "INNKEEPER_DISK_MIB": str(placement.disk_mib),
        "INNKEEPER_PCI": ",".join(device.address for device in placement.devices),
    }
    for name, count in sorted(placement.counters.items()):
        key = "".join(c if c.isalnum() else "_" for c in name).upper()
        words[f"INNKEEPER_COUNTER_{key}"] = str(count)
    return words


def env_text(placement: Placement, claim_id: UUID | None) -> str:
    """Lines to source."""
    words = environment(placement, claim_id)
    return "\n".join(f"{key}={shlex.quote(value)}" for key, value in words.items())


def libvirt_text(placement: Placement, claim_id: UUID | None) -> str:
    """Elements of libvirt's domain XML (formatdomain: vcpu, memory, hostdev) to paste."""
    return "\n".join(_elements(placement, claim_id))


def _elements(placement: Placement, claim_id: UUID | None) -> Iterator[str]:
    if claim_id:
        yield f"<!-- innkeeper claim {claim_id} -->"
    if placement.vcpus:
        cpuset = f" cpuset={quoteattr(placement.cpus)}" if placement.cpus else ""
        yield f"<vcpu placement='static'{cpuset}>{placement.vcpus}</vcpu>"
    if placement.memory_mib:
        yield f"<memory unit='MiB'>{placement.memory_mib}</memory>"
    for device in placement.devices:
        yield from _hostdev(device)


def _hostdev(device: PlacedDevice) -> Iterator[str]:
    domain, bus, rest = device.address.split(":")
    slot, function = rest.split(".")
    address = f"domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{function}'"
    yield "<hostdev mode='subsystem' type='pci' managed='yes'>"
    yield f"  <source><address {address}/></source>"
    yield "</hostdev>"


def cpu_ids(cpus: str) -> set[int]:
    """CPUs of a list in the kernel's format, such as `0-3,8`."""
    ranges = (part.partition("-") for part in cpus.split(",") if part)
    return {cpu for low, _, high in ranges for cpu in range(int(low), int(high or low) + 1)}
