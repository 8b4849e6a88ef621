"""What an instance has on both sides of a move, as Nova's `MigrationContext`."""

from __future__ import annotations

from collections.abc import Iterator

from innkeeper.objects import MigrationContext, PlacedDevice
from innkeeper.objects.pci_device import PciDevice, PciDeviceList
from innkeeper.requests.admission import Admission
from innkeeper.requests.offer import as_device
from innkeeper.tracker.nova.booked import Booked, Resolve
from innkeeper.tracker.nova.device_book import DeviceBook
from innkeeper.tracker.nova.device_rows import device_row, device_uuid, request_id
from innkeeper.tracker.nova.pools import DEV_TYPES


class Contexts:
    """Makes the contexts of a host's instances."""

    def __init__(self, node: str, book: DeviceBook, resolve: Resolve, admission: Admission) -> None:
        self._node = node
        self._book = book
        self._resolve = resolve
        self._admission = admission

    def between(self, old: Booked | None, new: Booked, source: str) -> MigrationContext:
        """Of a move hither; `migration_id` is left to the store, which alone knows it.

        What the instance has on the source may not be known, as after a crash: then nothing is said of it.
        """
        context = MigrationContext(
            instance_uuid=str(new.instance_uuid),
            new_numa_topology=new.topology,
            new_pci_requests=new.pci_requests(self._resolve),
            new_pci_devices=self._devices(new, self._node),
            new_resources=None,
            old_numa_topology=None,
            old_resources=None,
        )
        if old is not None:
            context.old_numa_topology = old.topology
            context.old_pci_requests = old.pci_requests(self._resolve)
            context.old_pci_devices = self._devices(old, source)
        return context

    def _devices(self, booked: Booked, node: str) -> PciDeviceList:
        return PciDeviceList(objects=tuple(self._rows(booked, node)))

    def _rows(self, booked: Booked, node: str) -> Iterator[PciDevice]:
        for placed in booked.placement.devices:
            address = self._book.place_of(placed)
            if booked.is_here and self._book.find(address) is not None:
                yield device_row(node, address, self._book, self._admission)
            else:
                yield _row_elsewhere(node, booked, placed)


def _row_elsewhere(node: str, booked: Booked, placed: PlacedDevice) -> PciDevice:
    """As much of a row as the claim knows, for the host that has it to find its own by uuid or address."""
    device = as_device(placed)
    asked = None if placed.request is None else request_id(booked.named_by, placed.request)
    return PciDevice(
        uuid=device_uuid(node, placed.identity or placed.address),
        address=placed.address,
        vendor_id=placed.vendor_id,
        product_id=placed.product_id,
        dev_type=DEV_TYPES[device.kind],
        status="allocated",
        instance_uuid=str(booked.instance_uuid),
        request_id=asked,
        numa_node=placed.cell,
        parent_addr=placed.parent,
    )
