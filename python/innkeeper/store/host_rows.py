"""Our rows of what the host has and what is kept out: written by their difference to what is there."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from innkeeper.store.many import Many
from innkeeper.store.rows import CordonChange, Row
from innkeeper.store.tables import cordons, devices

_KNOWN_DEVICES = select(devices.c.address, devices.c.body).where(
    devices.c.node == bindparam("key_node")
)
_DEVICE = (devices.c.node == bindparam("key_node"), devices.c.address == bindparam("key_address"))
_DELETE_DEVICE = Many(delete(devices).where(*_DEVICE))
_UPDATE_DEVICE = Many(
    update(devices)
    .where(*_DEVICE)
    .values({name: bindparam(name) for name in ("vendor_id", "product_id", "body")})
)
_INSERT_DEVICES = Many(insert(devices))

_DELETE_CORDON = Many(
    delete(cordons).where(
        cordons.c.node == bindparam("key_node"),
        cordons.c.kind == bindparam("key_kind"),
        cordons.c.subject == bindparam("key_subject"),
        cordons.c.cause == bindparam("key_cause"),
    )
)
_INSERT_CORDONS = Many(insert(cordons))


def replace_devices(connection: Connection, node: str, rows: Iterable[Row]) -> None:
    """Make the node's table these rows: one look, then only what differs."""
    given = {row["address"]: row for row in rows}
    found = connection.execute(_KNOWN_DEVICES, {"key_node": node})
    known: dict[str, str] = {row.address: row.body for row in found}
    gone = [{"key_node": node, "key_address": address} for address in known if address not in given]
    changed = [
        {**_without_node(row), "key_node": node, "key_address": address}
        for address, row in given.items()
        if address in known and known[address] != row["body"]
    ]
    _DELETE_DEVICE.run(connection, gone)
    _UPDATE_DEVICE.run(connection, changed)
    _INSERT_DEVICES.run(connection, [given[a] for a in given if a not in known])


def _without_node(row: Row) -> Row:
    return {name: row[name] for name in ("vendor_id", "product_id", "body")}


def replace_cordons(connection: Connection, node: str, changes: Iterable[CordonChange]) -> None:
    """Write the next form of cordons; of several of one name the last counts."""
    latest = {change.key: change for change in changes}
    keys = [
        {"key_node": node, "key_kind": kind, "key_subject": subject, "key_cause": cause}
        for kind, subject, cause in latest
    ]
    _DELETE_CORDON.run(connection, keys)
    _INSERT_CORDONS.run(connection, [c.row for c in latest.values() if not c.lifted])
