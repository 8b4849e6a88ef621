"""The types of fields in objects of namespace `nova`, by Nova's names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated

from innkeeper.objects.kinds import (
    BOOLEAN,
    DATE_TIME,
    FLEXIBLE_BOOLEAN,
    FLOAT,
    INTEGER,
    NULLABLE_STRINGS,
    SET_OF_INTEGERS,
    STRING,
    address,
    canonical,
    exactly,
    list_of,
    mapping_of,
    set_of,
    text,
)

_ARCHITECTURES = (
    "alpha armv6 armv7l armv7b aarch64 cris i686 ia64 lm32 m68k microblaze microblazeel mips "
    "mipsel mips64 mips64el openrisc parisc parisc64 ppc ppcle ppc64 ppc64le ppcemb s390 "
    "s390x sh4 sh4eb sparc sparc64 unicore32 x86_64 xtensa xtensaeb"
)
_HYPERVISORS = (
    "baremetal bhyve docker fake hyperv ironic kqemu kvm lxc lxd openvz parallels phyp qemu test "
    "uml vbox vz vmware xen zvm prsm"
)
_I686 = dict.fromkeys(("i386", "i486", "i586", "x86_32", "x86_32p"), "i686")

Integer = Annotated[int, INTEGER]
Float = Annotated[float, FLOAT]
Boolean = Annotated[bool, BOOLEAN]
String = Annotated[str, STRING]
Uuid = Annotated[str, text("UUID")]
"""Text that is meant to be a UUID; Nova does not check it, and old rows hold other things."""
DateTime = Annotated[datetime, DATE_TIME]
"""A moment, always in UTC; fractions of a second are not written."""
IPAddress = Annotated[str, address("IPAddress", (IPv4Address, IPv6Address))]
"""The canonical text of an address, without prefix length or zone."""
IPv4 = Annotated[str, address("IPV4Address", IPv4Address)]
IPv6 = Annotated[str, address("IPV6Address", IPv6Address)]
DictOfStrings = Annotated[Mapping[str, str], mapping_of("DictOfStrings", STRING)]
DictOfNullableStrings = Annotated[Mapping[str, str | None], NULLABLE_STRINGS]
DictOfIntegers = Annotated[Mapping[str, int], mapping_of("DictOfIntegers", INTEGER)]
FlexibleBoolean = Annotated[bool, FLEXIBLE_BOOLEAN]
"""Read from the words that people write for yes; everything else is no."""
ListOfIntegers = Annotated[tuple[int, ...], list_of("ListOfIntegers", INTEGER)]
ListOfStrings = Annotated[tuple[str, ...], list_of("ListOfStrings", STRING)]
ListOfDictOfNullableStrings = Annotated[
    tuple[Mapping[str, str | None], ...], list_of("ListOfDictOfNullableStrings", NULLABLE_STRINGS)
]
SetOfIntegers = Annotated[frozenset[int], SET_OF_INTEGERS]
SetOfStrings = Annotated[frozenset[str], set_of("SetOfStrings", STRING)]
ListOfSetsOfIntegers = Annotated[
    tuple[frozenset[int], ...], list_of("ListOfSetsOfIntegers", SET_OF_INTEGERS)
]

Architecture = Annotated[
    str, canonical("Architecture", _ARCHITECTURES.split(), _I686 | {"amd64": "x86_64"})
]
HVType = Annotated[str, canonical("HVType", _HYPERVISORS.split(), {"xapi": "xen"})]
VMMode = Annotated[
    str,
    canonical(
        "VMMode", ("hvm", "xen", "uml", "exe"), {"pv": "xen", "hv": "hvm", "baremetal": "hvm"}
    ),
]
PciDeviceStatus = Annotated[
    str,
    exactly(
        "PciDeviceStatus",
        *("available", "claimed", "allocated", "removed", "deleted", "unavailable", "unclaimable"),
    ),
]
PciDeviceType = Annotated[str, exactly("PciDeviceType", "type-PCI", "type-PF", "type-VF", "vdpa")]
MigrationType = Annotated[
    str, exactly("MigrationType", "migration", "resize", "live-migration", "evacuation")
]
PCINUMAAffinityPolicy = Annotated[
    str, exactly("PCINUMAAffinityPolicy", "required", "legacy", "preferred", "socket")
]
CPUAllocationPolicy = Annotated[str, exactly("CPUAllocationPolicy", "dedicated", "shared", "mixed")]
CPUThreadAllocationPolicy = Annotated[
    str, exactly("CPUThreadAllocationPolicy", "prefer", "isolate", "require")
]
CPUEmulatorThreadsPolicy = Annotated[str, exactly("CPUEmulatorThreadsPolicy", "share", "isolate")]
CPUMatch = Annotated[str, exactly("CPUMatch", "minimum", "exact", "strict")]
CPUMode = Annotated[str, exactly("CPUMode", "custom", "host-model", "host-passthrough")]
CPUFeaturePolicy = Annotated[
    str, exactly("CPUFeaturePolicy", "force", "require", "optional", "disable", "forbid")
]
MemEncryptionModel = Annotated[
    str, exactly("MemEncryptionModel", "amd-sev", "amd-sev-es", "amd-sev-snp", "intel-tdx")
]
