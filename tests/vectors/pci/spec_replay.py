"""Replay of device specs: one spec against devices, and whole lists of which the first match wins."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from tests.vectors.pci.needed import needed
from tests.vectors.pci.spec_model import (
    CORRECTIONS,
    NETDEVS,
    PFS,
    Broken,
    Refused,
    SpecModel,
    first_match,
)
from tests.vectors.rows import Row
from tests.vectors.verdicts import DIFFERENT, SAME, Verdict

from innkeeper.config import Config, Nova
from innkeeper.errors import BadConfig
from innkeeper.requests.device_specs import DeviceRules

Answer = Any
"""`refused`, or what each device gets: null, or position and tags."""

_KINDS = {"type-PCI": "pci", "type-PF": "pf", "type-VF": "vf", "vdpa": "vdpa"}


def judge_specs(row: Row) -> Verdict:
    """One row of either file."""
    ours, recorded = _innkeeper(row), _recorded(row)
    crashed = bool(row["parse"].get("crash"))
    if recorded != _model(row, frozenset()):
        return DIFFERENT, f"the model of Nova answers otherwise than Nova: {recorded}"
    if ours == recorded:
        return ("clean-refusals" if crashed else SAME), ""
    if ours != _model(row, frozenset(CORRECTIONS)):
        return DIFFERENT, f"{ours}, not {_model(row, frozenset(CORRECTIONS))} nor {recorded}"
    return "+".join(needed(CORRECTIONS, lambda names: _model(row, names), ours)), ""


def _texts(row: Row) -> Sequence[str]:
    return row["config_entries"] if "config_entries" in row else [json.dumps(row["spec"])]


# -- Nova ------------------------------------------------------------------------------------


def _recorded(row: Row) -> Answer:
    if "error" in row["parse"]:
        return "refused"
    if "winner" in row:
        return [_recorded_winner(one) for one in row["winner"]]
    tags = row["parse"]["tags"]
    return [
        _recorded_winner(one) if isinstance(one, dict) else (0, tags) if one else None
        for one in row["match"]
    ]


def _recorded_winner(one: Mapping[str, Any] | None) -> Answer:
    if one is None:
        return None
    if "error" in one:
        # The sync swallows this one, and skips the device; not the others.
        return None if one["error"] == "PciConfigInvalidSpec" else "broken"
    return one["index"], one["tags"]


def _model(row: Row, corrections: frozenset[str]) -> Answer:
    in_placement = row.get("report_in_placement", False)
    try:
        specs = [
            SpecModel(one, in_placement=in_placement, corrections=corrections)
            for text in _texts(row)
            for one in _objects(text)
        ]
    except Refused:
        return "refused"
    return [_model_winner(specs, device) for device in row["devices"]]


def _model_winner(specs: Sequence[SpecModel], device: Mapping[str, Any]) -> Answer:
    try:
        return first_match(specs, device)
    except Broken:
        return "broken"


def _objects(text: str) -> list[dict[str, Any]]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        raise Refused from None
    entries = value if isinstance(value, list) else [value]
    if not all(isinstance(one, dict) for one in entries):
        raise Refused
    return entries


# -- innkeeper -------------------------------------------------------------------------------


def _innkeeper(row: Row) -> Answer:
    try:
        rules = DeviceRules.of(Config(nova=Nova(device_spec=tuple(_texts(row)))))
    except BadConfig as error:
        named = all(one["path"].startswith("nova.device_spec[") for one in error.details["errors"])
        return "refused" if named else error.message
    functions = [*_host(), *(_function(device) for device in row["devices"])]
    found = rules.find_all(functions)[-len(row["devices"]) :]
    return [None if rule is None else (rule.position, rule.tags) for rule in found]


def _host() -> list[Any]:
    """The functions of the recorded host that are looked up, not matched."""
    pfs = [
        SimpleNamespace(
            address=address,
            vendor_id=ids[0],
            product_id=ids[1],
            kind="pf",
            parent=None,
            total_vfs=8,
            netdevs=(),
            serial=None,
        )
        for address, ids in PFS.items()
    ]
    named = [
        SimpleNamespace(
            address=address,
            vendor_id="ffff",
            product_id="ffff",
            kind="pci",
            parent=None,
            total_vfs=0,
            netdevs=(netdev,),
            serial=None,
        )
        for netdev, address in NETDEVS.items()
    ]
    return [*pfs, *named]


def _function(device: Mapping[str, Any]) -> Any:
    """As a driver would report it, but for names that no function can have."""
    vital = (device.get("capabilities") or {}).get("vpd", {})
    return SimpleNamespace(
        address=device["address"],
        vendor_id=device["vendor_id"],
        product_id=device["product_id"],
        kind=_KINDS[device["dev_type"]],
        parent=device.get("parent_addr"),
        total_vfs=0,
        netdevs=(),
        serial=vital.get("card_serial_number"),
    )
