"""PCI devices alike, counted: what a scheduler sees of a host's devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from innkeeper.objects.fields import DictOfNullableStrings, Integer, String
from innkeeper.objects.history import Added, Children
from innkeeper.objects.nova import NovaObject
from innkeeper.objects.records import NovaList
from innkeeper.objects.wire import UNSET


class PciDevicePool(NovaObject):
    """Free devices of one product, cell and set of tags."""

    VERSION = "1.1"
    HISTORY = {
        "1.0": "first",
        "1.1": Added("numa_node"),
    }

    product_id: String = UNSET
    vendor_id: String = UNSET
    numa_node: Integer | None = UNSET
    tags: DictOfNullableStrings = UNSET
    count: Integer = UNSET

    @classmethod
    def from_flat(cls, flat: Mapping[str, Any]) -> Self:
        """Of the dict that releases before Kilo stored: every key that is no field is a tag.

        The values are checked as those of the wire are.

        Raises:
            BadPrimitive: product, vendor or count is missing, or a value is no text or number.
        """
        rest = dict(flat)
        data: dict[str, Any] = {
            name: rest.pop(name) for name in ("product_id", "vendor_id", "count") if name in rest
        }
        data["numa_node"] = rest.pop("numa_node", None)
        return cls.of_data(data | {"tags": rest}, needed=("product_id", "vendor_id", "count"))

    def to_flat(self) -> dict[str, Any]:
        """The dict that releases before Kilo stored, tags beside the fields."""
        fields = {name: value for name, value in self.__dict__.items() if name != "tags"}
        return {**self.tags, **fields}


class PciDevicePoolList(NovaList):
    """All pools of a host."""

    VERSION = "1.1"
    HISTORY = {
        "1.0": Children(objects="1.0"),
        "1.1": Children(objects="1.1"),
    }

    objects: tuple[PciDevicePool, ...] = UNSET
