"""Pins and devices of an instance from its XML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from innkeeper.drivers.libvirt.xml import Element, address_in, read_xml
from innkeeper.drivers.sysfs.parse import HIGHEST_ID, parse_amount, parse_ids
from innkeeper.objects.cpu_spec import format_cpu_spec

#: Where PCI functions of the host stand; `<actual>` is what a network of libvirt's gave.
_SOURCES = (
    "devices/hostdev[@type='pci']/source/address",
    "devices/interface[@type='hostdev']/source/address[@type='pci']",
    "devices/disk[@type='nvme']/source/address",
)


@dataclass(frozen=True, slots=True)
class Described:
    """What the XML of an instance says of the host."""

    pins: dict[int, str]
    devices: tuple[str, ...]


def read_domain(text: str, vcpus: int, online: frozenset[int]) -> Described:
    """Pins of its vCPUs, those left out that may run on every CPU that is `online`, and its functions.

    Raises:
        ValueError: it is no domain, or malformed.
    """
    root = read_xml(text, "domain")
    pins = _pins(root, vcpus)
    return Described(
        pins={vcpu: format_cpu_spec(cpus) for vcpu, cpus in pins if not cpus >= online},
        devices=tuple(sorted(set(_devices(root)), key=lambda one: (len(one), one))),
    )


def _pins(root: Element, vcpus: int) -> Iterator[tuple[int, frozenset[int]]]:
    """A pin of its own counts before the CPUs that all vCPUs were given together."""
    together = root.find("vcpu")
    given = _cpus(together) if together is not None else frozenset()
    own = {_vcpu(pin): _cpus(pin) for pin in root.iterfind("cputune/vcpupin")}
    for vcpu in range(min(vcpus, HIGHEST_ID + 1)):
        if cpus := own.get(vcpu, given):
            yield vcpu, cpus


def _vcpu(pin: Element) -> int:
    return parse_amount(pin.get("vcpu", ""))


def _cpus(element: Element) -> frozenset[int]:
    return parse_ids(element.get("cpuset", ""))


def _devices(root: Element) -> Iterator[str]:
    for path in _SOURCES:
        for address in root.iterfind(path):
            yield address_in(address)
