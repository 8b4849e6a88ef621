"""Classes that only the recorded observations speak of."""

from __future__ import annotations

from innkeeper.objects import HVSpec, NovaObject, PciDevicePool
from innkeeper.objects.fields import Integer, SetOfIntegers, String
from innkeeper.objects.history import Added
from innkeeper.objects.wire import UNSET


class FactProbe(NovaObject):
    """The class with which the calls of a conductor were recorded."""

    VERSION = "1.2"
    HISTORY = {
        "1.0": "first",
        "1.1": "no field",
        "1.2": Added("later"),
    }

    id: Integer = UNSET
    name: String = UNSET
    cpus: SetOfIntegers | None = UNSET
    pool: PciDevicePool | None = UNSET
    pools: tuple[PciDevicePool, ...] = UNSET
    later: String = UNSET


class FieldProbe(NovaObject):
    """Fields that hold objects, as the recorded observations of fields had them."""

    VERSION = "1.0"
    HISTORY = {"1.0": "first"}

    one: HVSpec | None = UNSET
    many: tuple[HVSpec, ...] | None = UNSET
