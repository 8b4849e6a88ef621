"""What kind of guest a hypervisor runs."""

from __future__ import annotations

from typing import Any

from innkeeper.objects.fields import Architecture, HVType, VMMode
from innkeeper.objects.history import Changed, NewValues, VersionNumber
from innkeeper.objects.nova import NovaObject
from innkeeper.objects.reader import Reader
from innkeeper.objects.wire import UNSET


class HVSpec(NovaObject):
    """One combination of architecture, hypervisor and mode; words are canonicalized when read."""

    VERSION = "1.2"
    HISTORY = {
        "1.0": "three free texts",
        "1.1": Changed("hv_type", "may be vz; the three became enumerations"),
        "1.2": NewValues("hv_type", "lxd"),
    }

    arch: Architecture = UNSET
    hv_type: HVType = UNSET
    vm_mode: VMMode = UNSET

    def substitute(self, data: dict[str, Any], target: VersionNumber, reader: Reader) -> None:
        """Before 1.1 Virtuozzo was called parallels."""
        if target < (1, 1) and data.get("hv_type") == "vz":
            data["hv_type"] = "parallels"
