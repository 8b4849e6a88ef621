"""Functions as devices when nobody holds them: what neighbours have in common is found once.

Thousands are made at once, of values that the observation has checked: they are not checked again, and
read past the class.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Final

from innkeeper.objects import Device, PciFunction
from innkeeper.objects.host import device_of_checked
from innkeeper.requests.identity import identity_of_vf

Values = dict[str, Any]
"""The fields of a function."""

_OF_DEVICES: Final = ("parent", "vendor_id", "product_id", "kind", "cell", "switch")
"""What neighbours have in common, as functions and as devices."""

_values: Final = attrgetter("__dict__")
_common: Final = itemgetter(*_OF_DEVICES, "class_id", "used_by_host")

_UNSAID: Final[Values] = {name: field.default for name, field in Device.model_fields.items()}


def groups_alike(
    functions: Iterable[PciFunction],
) -> Iterator[tuple[tuple[Any, ...], list[Values]]]:
    """Neighbours that have one parent, if any, and are alike, after what they have in common."""
    return ((common, list(alike)) for common, alike in groupby(map(_values, functions), _common))


class Likeness:
    """What functions that are alike have in common as devices."""

    def __init__(
        self, one: PciFunction, parent: PciFunction | None, serials: Mapping[str, str]
    ) -> None:
        netdev = parent.netdevs[0] if parent is not None and parent.netdevs else None
        common = {name: getattr(one, name) for name in _OF_DEVICES}
        self._fields = _UNSAID | common | {"parent_netdev": netdev}
        self._serials = serials
        self._is_vf = one.parent is not None
        self._identity = serials.get(one.parent) if one.parent is not None else None

    def device(self, values: Values, tags: Mapping[str, str | None]) -> Device:
        """One of them, with these tags."""
        fields = self._fields.copy()
        fields["address"] = address = values["address"]
        fields["tags"] = tags
        fields["iommu_group"] = values["iommu_group"]
        if self._is_vf:
            fields["identity"] = identity_of_vf(self._identity, values["vf_number"])
        else:
            fields["identity"] = self._serials.get(address)
        return device_of_checked(fields)
