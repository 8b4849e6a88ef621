"""The model, features and topology of a guest's virtual CPUs."""

from __future__ import annotations

from innkeeper.objects.fields import (
    Architecture,
    CPUFeaturePolicy,
    CPUMatch,
    CPUMode,
    Integer,
    String,
)
from innkeeper.objects.history import Children
from innkeeper.objects.nova import NovaObject
from innkeeper.objects.wire import UNSET, unset


class VirtCPUTopology(NovaObject):
    """How many sockets, cores and threads a guest sees."""

    VERSION = "1.0"
    HISTORY = {"1.0": "first"}

    sockets: Integer | None = unset(default=1)
    cores: Integer | None = unset(default=1)
    threads: Integer | None = unset(default=1)


class VirtCPUFeature(NovaObject):
    """One CPU feature by the hypervisor's name, and what to do about it."""

    VERSION = "1.0"
    HISTORY = {"1.0": "first"}

    policy: CPUFeaturePolicy | None = UNSET
    name: String = UNSET


class VirtCPUModel(NovaObject):
    """The CPU that a guest sees."""

    VERSION = "1.0"
    HISTORY = {"1.0": Children(features="1.0", topology="1.0")}

    arch: Architecture | None = UNSET
    vendor: String | None = UNSET
    topology: VirtCPUTopology | None = UNSET
    features: tuple[VirtCPUFeature, ...] = unset(default=())
    mode: CPUMode | None = UNSET
    model: String | None = UNSET
    match: CPUMatch | None = UNSET
