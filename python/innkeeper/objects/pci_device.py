"""A PCI device of a host, and who has it."""

from __future__ import annotations

from functools import cache
from typing import Any

from innkeeper.objects.fields import (
    DictOfStrings,
    Integer,
    PciDeviceStatus,
    PciDeviceType,
    String,
    Uuid,
)
from innkeeper.objects.history import Added, Children, NewValues, VersionNumber
from innkeeper.objects.marks import Mark, made, mark
from innkeeper.objects.reader import Reader
from innkeeper.objects.records import NovaList, Persistent
from innkeeper.objects.values import FrozenDict
from innkeeper.objects.wire import UNSET, unset


class PciDevice(Persistent):
    """One assignable PCI function and its state in the books.

    `unavailable` says that the function's PF, or a VF of it, is in use; `unclaimable` that it
    waits for that.
    """

    VERSION = "1.7"
    HISTORY = {
        "1.0": "first",
        "1.1": "texts may be unicode",
        "1.2": Added("request_id"),
        "1.3": Added("numa_node"),
        "1.4": Added("parent_addr"),
        "1.5": NewValues("status", "unclaimable", "unavailable"),
        "1.6": Added("uuid"),
        "1.7": NewValues("dev_type", "vdpa"),
    }

    id: Integer = UNSET
    uuid: Uuid = UNSET
    compute_node_id: Integer | None = UNSET
    address: String = UNSET
    vendor_id: String = UNSET
    product_id: String = UNSET
    dev_type: PciDeviceType = UNSET
    status: PciDeviceStatus = UNSET
    dev_id: String | None = UNSET
    label: String | None = UNSET
    instance_uuid: String | None = UNSET
    request_id: String | None = UNSET
    extra_info: DictOfStrings = unset(default={})
    numa_node: Integer | None = UNSET
    parent_addr: String | None = UNSET

    def substitute(self, data: dict[str, Any], target: VersionNumber, reader: Reader) -> None:
        """Before 1.4 the parent of a VF was one of the free texts."""
        parent = self.__dict__.get("parent_addr")
        if target < (1, 4) and parent is not None and "extra_info" in data:
            data["extra_info"]["phys_function"] = parent


def pci_device_of_checked(values: dict[str, Any], extra_info: dict[str, str] | None) -> PciDevice:
    """A device of values that were checked already, which all count as changed.

    Null is for `extra_info` that is not known; the dicts are the object's from then on.
    """
    if extra_info is not None:
        values["extra_info"] = FrozenDict(extra_info)
    device: PciDevice = made(PciDevice, values, _all_changed(tuple(values)))
    return device


@cache
def _all_changed(names: tuple[str, ...]) -> Mark:
    return mark(PciDevice.VERSION, set(names))


class PciDeviceList(NovaList):
    """Devices of a host or of an instance."""

    VERSION = "1.3"
    HISTORY = {
        "1.0": Children(objects="1.1"),
        "1.1": Children(objects="1.2"),
        "1.2": Children(objects="1.3"),
        "1.3": (Children(objects="1.5"), "get_by_parent_address()"),
    }

    objects: tuple[PciDevice, ...] = UNSET
