"""Replay of texts in columns: what they are read as, and what is written for a release."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.vectors.canonical import CHANGES, DATA, everywhere
from tests.vectors.objects_replay import compared
from tests.vectors.rows import Row
from tests.vectors.verdicts import DIFFERENT, SAME, UNREPLAYED, Verdict

from innkeeper.errors import InnkeeperError
from innkeeper.objects import InstancePCIRequests, MigrationContext, NovaObject, PciDevicePoolList
from innkeeper.objects import stored_guest as guest
from innkeeper.objects import stored_host as host
from innkeeper.objects.cpu_spec import format_cpu_list, format_cpu_spec, parse_cpu_spec
from innkeeper.objects.instance import flavor_metadata
from innkeeper.objects.releases import pin

UUID = "11111111-2222-4333-8444-555555555555"
_ROWS = "whole rows are the store's; its tests read databases of that release"

Reader = Callable[[str | None], Any]

READERS: dict[str, Reader] = {
    "compute_nodes.pci_stats": host.read_pools,
    "compute_nodes.numa_topology": host.read_topology,
    "compute_nodes.supported_instances": host.read_hv_specs,
    "compute_nodes.stats": host.read_stats,
    "pci_devices.extra_info": host.read_extra_info,
    "instance_extra.numa_topology": lambda text: guest.read_instance_topology(text, UUID),
    "instance_extra.pci_requests": lambda text: guest.read_pci_requests(text, UUID),
    "instance_system_metadata.pci_requests": lambda text: _legacy_requests(text or ""),
    "instance_extra.flavor": lambda text: guest.read_flavors(text or ""),
    "cpu spec": lambda text: parse_cpu_spec(text or ""),
}


def _legacy_requests(text: str) -> InstancePCIRequests:
    requests = [
        *guest.read_pci_requests_metadata(text, new=False),
        *guest.read_pci_requests_metadata(text, new=True),
    ]
    result = InstancePCIRequests(instance_uuid=UUID, requests=tuple(requests))
    result.reset_changes(recursive=True)
    return result


def judge_text(row: Row) -> Verdict:
    """A row of the recordings of today's Nova or of an old release."""
    column = row["column"]
    if "input" in row:
        return _judge_format(row)
    if column in ("compute_nodes", "instance_extra"):
        return _judge_columns(row)
    if column in ("compute_nodes.metrics", "migrations row"):
        return UNREPLAYED, "innkeeper keeps the text of metrics; migrations have `kind_of_move`"
    if column == "compute_nodes row":
        return _judge_node_row(row)
    if column == "instance_system_metadata (flavor)":
        return _judge_metadata(row)
    if "read" not in row and ("written" in row["desc"] or "legacy dict" in row["desc"]):
        return _judge_written(row)
    return _judge_reading(row) if "text" in row or "read" in row else (UNREPLAYED, "has no text")


def _judge_format(row: Row) -> Verdict:
    cpus = row["input"]["set"]
    same = (format_cpu_list(cpus), format_cpu_spec(cpus)) == (row["no_ranges"], row["ranges"])
    return (SAME, "") if same else (DIFFERENT, format_cpu_spec(cpus))


def _judge_reading(row: Row) -> Verdict:
    try:
        ours = _plain(READERS[row["column"]](row["text"]), row.get("release", "2026.2"))
    except InnkeeperError as error:
        return (SAME, "") if "error" in row else (DIFFERENT, f"{error.code}: {error.message}")
    if "error" in row:
        if row["text"] is None:
            return "null-extra-info", ""
        return DIFFERENT, f"read as {ours!r}; Nova says {row['error']}"
    return _judge_value(ours, _recorded(row), row)


def _recorded(row: Row) -> Any:
    value = row.get("read", row.get("result"))
    while isinstance(value, dict) and "object" in value:
        value = value["object"]
    if isinstance(value, list):
        return [one.get("object", one) if isinstance(one, dict) else one for one in value]
    return value


def _judge_value(ours: Any, theirs: Any, row: Row) -> Verdict:
    if isinstance(theirs, dict) and "flavor" in theirs:
        ours, theirs = ours["flavor"], theirs["flavor"]["object"]
    verdict = compared(ours, theirs)
    if verdict[0] != DIFFERENT:
        return verdict
    for name, lens in _LENSES.items():
        if compared(lens(ours), lens(theirs))[0] == SAME:
            return name, ""
    if row["desc"].startswith("to_dict"):
        flat = [pool.to_flat() for pool in host.read_pools(row["text"]).objects]
        return (SAME, "") if flat == theirs else (DIFFERENT, str(flat))
    return verdict


def _without_changes(value: Any) -> Any:
    return everywhere(value, lambda one: {k: v for k, v in one.items() if k != CHANGES})


def _without_nulls(value: Any) -> Any:
    def change(one: dict[str, Any]) -> dict[str, Any]:
        data = {k: v for k, v in one[DATA].items() if v is not None and k != "id"}
        return one | {DATA: data}

    return everywhere(_without_changes(value), change)


def _without_is_new(value: Any) -> Any:
    def change(one: dict[str, Any]) -> dict[str, Any]:
        return one | {DATA: {k: v for k, v in one[DATA].items() if k not in _FORGOTTEN}}

    return everywhere(value, change)


_FORGOTTEN = ("is_new",)
_LENSES: dict[str, Callable[[Any], Any]] = {
    "changes-of-stored": _without_changes,
    "no-defaults-on-read": _without_nulls,
    "is-new-is-kept": _without_is_new,
}


def _plain(value: Any, release: str) -> Any:
    """As a service of that release would have it."""
    if isinstance(value, NovaObject):
        return value.to_primitive(manifest=pin(release))
    if isinstance(value, guest.Flavors):
        return {"flavor": value.current.to_primitive()}
    if isinstance(value, tuple):
        return [_plain(one, release) for one in value]
    return {"set": sorted(value)} if isinstance(value, frozenset) else value


def _judge_node_row(row: Row) -> Verdict:
    """Rows of compute_nodes that were recorded for the sake of one text."""
    field = {"pci_stats": "pci_device_pools", "supported_instances": "supported_hv_specs"}
    column = row["desc"].removeprefix("read ").partition(":")[0]
    if "text" not in row or column not in field:
        return UNREPLAYED, _ROWS
    try:
        ours = READERS[f"compute_nodes.{column}"](row["text"])
    except InnkeeperError:
        return (SAME, "") if "error" in row else ("strict-tags", "")
    if "error" in row:
        return DIFFERENT, f"read as {ours!r}"
    return _judge_node_field(ours, row["result"].get(field[column]))


def _judge_node_field(ours: Any, theirs: Any) -> Verdict:
    if isinstance(ours, PciDevicePoolList):
        flat = [pool.to_flat() for pool in ours.objects]
        if flat == (theirs or []):
            return (SAME, "") if flat else ("empty-pools", "")
        same = [{k: str(v) for k, v in one.items()} for one in flat] == [
            {k: str(v) for k, v in one.items()} for one in theirs
        ]
        return ("strict-tags", "") if same else (DIFFERENT, str(flat))
    words = [[one.arch, one.hv_type, one.vm_mode] for one in ours]
    if words == theirs:
        return SAME, ""
    return ("canonical-words", "") if len(words) == len(theirs) else (DIFFERENT, str(words))


def _judge_metadata(row: Row) -> Verdict:
    prefix = "old_" if "old_" in row["desc"] else ""
    texts = {k: None if v is None else str(v) for k, v in row["result"].items()}
    flavor = guest.read_flavor_metadata(texts, prefix)
    ours = {} if flavor is None else flavor_metadata(flavor, prefix)
    return (SAME, "") if ours == row["result"] else (DIFFERENT, str(ours))


def _judge_columns(row: Row) -> Verdict:
    """What a save writes into columns."""
    columns: dict[str, Any] = row["columns"] if "columns" in row else row["result"]
    for column, text in columns.items():
        writer = _REWRITERS.get(column)
        if writer is None:
            return UNREPLAYED, _ROWS
        value = text if isinstance(text, str) or text is None else json.dumps(text)
        ours = writer(value, row.get("release", "2026.2"))
        verdict = _same_text(ours, value)
        if verdict[0] != SAME:
            return verdict
    return (SAME, "") if columns else (UNREPLAYED, _ROWS)


def _pools_again(text: str | None, release: str) -> str | None:
    return None if text is None else host.write_pools(host.read_pools(text), release)


def _flavors_again(text: str | None, release: str) -> str | None:
    return guest.write_flavors(guest.read_flavors(text or ""), release)


def _topology_again(text: str | None, release: str) -> str | None:
    return host.write_topology(host.read_topology(text), release)


def _instance_topology_again(text: str | None, release: str) -> str | None:
    return guest.write_instance_topology(guest.read_instance_topology(text, UUID), release)


def _requests_again(text: str | None, release: str) -> str | None:
    return guest.write_pci_requests(guest.read_pci_requests(text, UUID), release)


def _context_again(text: str | None, release: str) -> str | None:
    return guest.write_object(guest.read_object(MigrationContext, text), release)


_REWRITERS: dict[str, Callable[[str | None, str], str | None]] = {
    "pci_stats": _pools_again,
    "stats": lambda text, _release: host.write_stats(host.read_stats(text) or {}),
    "supported_instances": lambda text, _release: host.write_hv_specs(
        host.read_hv_specs(text) or ()
    ),
    "flavor": _flavors_again,
    "numa_topology": _topology_again,
}
_WRITTEN = {
    "compute_nodes.pci_stats": _pools_again,
    "compute_nodes.numa_topology": _topology_again,
    "instance_extra.numa_topology": _instance_topology_again,
    "instance_extra.pci_requests": _requests_again,
    "instance_extra.migration_context": _context_again,
}


def _judge_written(row: Row) -> Verdict:
    """What a release wrote, read and written again for the same release."""
    recorded = row.get("result", row.get("text"))
    if isinstance(recorded, dict) and set(recorded) <= {"pci_stats"}:
        if not recorded:
            return "empty-pools", ""
        recorded = recorded["pci_stats"]
    release = "juno" if "legacy dict" in row["desc"] else row.get("release", "2026.2")
    text = recorded if isinstance(recorded, str) else json.dumps(recorded)
    if row["column"] not in _WRITTEN:
        return UNREPLAYED, _ROWS
    if "pagesize" in text and release == "juno":
        return UNREPLAYED, "a form of Kilo's development that no release reads"
    return _same_text(_WRITTEN[row["column"]](text, release), text)


def _same_text(ours: str | None, theirs: str | None) -> Verdict:
    if ours is None or theirs is None:
        return (SAME, "") if ours == theirs else (DIFFERENT, str(ours))
    left, right = json.loads(ours), json.loads(theirs)
    verdict = compared(left, right)
    if (
        verdict[0] == DIFFERENT
        and compared(_without_changes(left), _without_changes(right))[0] == SAME
    ):
        return "changes-of-stored", ""
    return verdict
