"""A placement as what its user needs: lines for a shell, elements for libvirt."""

from __future__ import annotations

import shlex
from uuid import UUID
from xml.sax.saxutils import quoteattr

from innkeeper.objects import PlacedDevice, Placement


def environment(placement: Placement, claim_id: UUID | None) -> dict[str, str]:
    """`INNKEEPER_*` variables: CPUs in the kernel's list format, memory in MiB, addresses."""
    words = {
        "INNKEEPER_CLAIM": str(claim_id) if claim_id else "",
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
    lines = [f"<!-- innkeeper claim {claim_id} -->"] if claim_id else []
    if placement.vcpus:
        cpuset = f" cpuset={quoteattr(placement.cpus)}" if placement.cpus else ""
        lines.append(f"<vcpu placement='static'{cpuset}>{placement.vcpus}</vcpu>")
    if placement.memory_mib:
        lines.append(f"<memory unit='MiB'>{placement.memory_mib}</memory>")
    for device in placement.devices:
        lines += _hostdev(device)
    return "\n".join(lines)


def _hostdev(device: PlacedDevice) -> list[str]:
    domain, bus, rest = device.address.split(":")
    slot, function = rest.split(".")
    address = f"domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{function}'"
    return [
        "<hostdev mode='subsystem' type='pci' managed='yes'>",
        "  <source>",
        f"    <address {address}/>",
        "  </source>",
        "</hostdev>",
    ]
