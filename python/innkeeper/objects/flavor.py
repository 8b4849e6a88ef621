"""The kinds of instances that an operator offers."""

from __future__ import annotations

from innkeeper.objects.fields import (
    Boolean,
    DictOfStrings,
    Float,
    Integer,
    ListOfStrings,
    String,
)
from innkeeper.objects.history import Added, Children
from innkeeper.objects.records import NovaList, Persistent
from innkeeper.objects.wire import UNSET, unset


class Flavor(Persistent):
    """Sizes and extra specs of an instance; memory and swap in MiB, disks in GiB."""

    VERSION = "1.2"
    HISTORY = {
        "1.0": "first",
        "1.1": "save_projects(), save_extra_specs()",
        "1.2": Added("description"),
    }

    id: Integer = UNSET
    name: String | None = UNSET
    memory_mb: Integer = UNSET
    vcpus: Integer = UNSET
    root_gb: Integer = UNSET
    ephemeral_gb: Integer = UNSET
    flavorid: String = UNSET
    swap: Integer = UNSET
    rxtx_factor: Float | None = unset(default=1.0)
    vcpu_weight: Integer | None = UNSET
    disabled: Boolean = UNSET
    is_public: Boolean = UNSET
    extra_specs: DictOfStrings = UNSET
    projects: ListOfStrings = UNSET
    description: String | None = UNSET


class FlavorList(NovaList):
    """Several flavors."""

    VERSION = "1.1"
    HISTORY = {
        "1.0": Children(objects="1.0"),
        "1.1": Children(objects="1.1"),
    }

    objects: tuple[Flavor, ...] = UNSET
