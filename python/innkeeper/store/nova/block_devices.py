"""Rows of `block_device_mapping`, only read: they say which disks an instance has on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from innkeeper.store.nova.shape import BLOCK_DEVICES, Shape
from innkeeper.store.nova.writing import sliced


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """One disk of an instance."""

    instance_uuid: str
    device_name: str | None
    source_type: str | None
    """Such as `image`, `volume`, `blank`."""
    destination_type: str | None
    """`local` takes room on the host, `volume` does not."""
    boot_index: int | None
    """0 is the root disk."""
    volume_id: str | None
    volume_gib: int | None

    @property
    def is_remote_root(self) -> bool:
        """Whether the instance boots from a volume, and so has no root disk on the host."""
        return self.boot_index == 0 and self.destination_type == "volume"


def read_block_devices(
    connection: Connection, shape: Shape, uuids: Iterable[str]
) -> tuple[BlockDevice, ...]:
    """Live disks of instances; none where the database does not have the table."""
    found = shape.get(BLOCK_DEVICES)
    if found is None:
        return ()
    table = found.table
    query = select(table).where(table.c.deleted == 0).order_by(table.c.id)
    devices: list[BlockDevice] = []
    for some in sliced(sorted(set(uuids))):
        rows = connection.execute(query.where(table.c.instance_uuid.in_(some))).mappings()
        devices += [_device(dict(row)) for row in rows]
    return tuple(devices)


def _device(row: dict[str, Any]) -> BlockDevice:
    return BlockDevice(
        instance_uuid=row["instance_uuid"],
        device_name=row.get("device_name"),
        source_type=row.get("source_type"),
        destination_type=row.get("destination_type"),
        boot_index=row.get("boot_index"),
        volume_id=row.get("volume_id"),
        volume_gib=row.get("volume_size"),
    )
