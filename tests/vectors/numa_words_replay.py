"""Replay of words: flavors and images to guest topologies, CPU lists, reserved pages.

A row of constraints is the same if the error, or else the topology and what is asked of the inventory
service, and every part by itself are. Of a flavor that is refused nothing is asked, so that what Nova
would have asked for it is not compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.vectors.numa.words_rules import RULES, Answer
from tests.vectors.rows import Row
from tests.vectors.verdicts import DIFFERENT, SAME, Verdict

from innkeeper.errors import BadConfig, BadRequest
from innkeeper.objects import GuestTopology
from innkeeper.objects.cpu_spec import format_cpu_list, format_cpu_spec, parse_cpu_spec
from innkeeper.objects.topology import PageWant
from innkeeper.requests.numa_words.candidate_query import CandidateQuery
from innkeeper.requests.numa_words.constraints import constraints_of_flavor
from innkeeper.requests.numa_words.cpu_policies import (
    read_cpu_policy,
    read_emulator_threads,
    read_sibling_policy,
)
from innkeeper.requests.numa_words.device_policy import read_device_policy
from innkeeper.requests.numa_words.masks import read_dedicated, read_realtime
from innkeeper.requests.numa_words.memory import read_locked, read_pages
from innkeeper.requests.numa_words.nova_topology import guest_of_nova, nova_of_guest
from innkeeper.requests.numa_words.reserved_pages import reserved_pages_of
from innkeeper.requests.numa_words.words import GuestWords

PAGES = {"small": -1, "large": -2, "any": -3}

PARTS: dict[str, Callable[[GuestWords], Any]] = {
    "cpu_policy": read_cpu_policy,
    "cpu_thread_policy": read_sibling_policy,
    "realtime_cpus": read_realtime,
    "dedicated_cpus": read_dedicated,
    "emulator_threads_policy": read_emulator_threads,
    "pagesize": lambda words: _nova_pages(read_pages(words)),
    "locked_memory": read_locked,
    "pci_numa_policy": lambda words: read_device_policy(words.extra_specs, words.image_properties),
}


def judge_constraints(row: Row) -> Verdict:
    """One flavor with one image."""
    ours, answer = _innkeeper(row), _recorded(row)
    names = []
    for name, rule in RULES.items():
        changed = rule(row, answer)
        names += [name] if changed != answer else []
        answer = changed
    if ours != answer:
        return DIFFERENT, f"{ours}, should be {answer}"
    return "+".join(names) or SAME, ""


def _recorded(row: Row) -> Answer:
    placement = row.get("placement", {})
    cause = row["error"] or placement.get("error")
    parts = {name: _recorded_part(name, part) for name, part in row.get("parts", {}).items()}
    if cause:
        return Answer(cause, parts=parts)
    return Answer(None, row["result"], placement["value"], parts)


def _recorded_part(name: str, part: Row) -> Row:
    """A page size of 0 is as unset."""
    return {"value": None} if name == "pagesize" and part == {"value": 0} else part


def _innkeeper(row: Row) -> Answer:
    given = (row["vcpus"], row["memory_mb"], row["extra_specs"], row["image_props"])
    parts = {name: _part(read, GuestWords(*given)) for name, read in PARTS.items()}
    parts = parts if "parts" in row else {}
    try:
        found = constraints_of_flavor(*given)
    except BadRequest as error:
        return Answer(_cause(error), parts=parts)
    return Answer(None, _topology(found.topology), _query(found.query), parts)


def _part(read: Callable[[GuestWords], Any], words: GuestWords) -> Row:
    try:
        value = read(words)
    except BadRequest as error:
        return {"error": _cause(error)}
    return {"value": sorted(value) if isinstance(value, frozenset) else value}


def _cause(error: BadRequest) -> str:
    (only,) = error.details["errors"]
    return str(only["cause"])


def _nova_pages(pages: PageWant | None) -> int | None:
    return PAGES[pages] if isinstance(pages, str) else pages


def _query(query: CandidateQuery) -> Row:
    amounts = {"MEMORY_MB": query.memory_mib, "VCPU": query.vcpus, "PCPU": query.pcpus}
    return {
        "resources": {name: amount for name, amount in amounts.items() if amount},
        "required": sorted(query.required),
        "forbidden": sorted(query.forbidden),
    }


def _topology(topology: GuestTopology | None) -> Row | None:
    """As Nova keeps it; and the way back is the same topology again."""
    if topology is None:
        return None
    nova = nova_of_guest(topology)
    assert guest_of_nova(nova) == topology
    cells = [
        {
            "id": cell.id,
            "cpuset": sorted(cell.cpuset),
            "pcpuset": sorted(cell.pcpuset),
            "memory": cell.memory,
            "pagesize": cell.pagesize,
            "cpu_policy": cell.cpu_policy,
            "cpu_thread_policy": cell.cpu_thread_policy,
            "cpu_pinning": cell.cpu_pinning_raw,
            "cpuset_reserved": cell.cpuset_reserved,
        }
        for cell in nova.cells
    ]
    return {"cells": cells, "emulator_threads_policy": nova.emulator_threads_policy}


def judge_cpu_list(row: Row) -> Verdict:
    """One CPU list: the set and both forms of writing it."""
    recorded = row["error"] or (row["cpus"], row["format"], row["format_flat"])
    ours = _cpu_list(row["spec"])
    if re.search(r"[+_]|[^\x00-\x7f]", row["spec"]):
        return ("strict-numbers", "") if ours == "Invalid" else (DIFFERENT, f"{ours}")
    return (SAME, "") if ours == recorded else (DIFFERENT, f"{ours}, not {recorded}")


def _cpu_list(text: str) -> Any:
    try:
        cpus = parse_cpu_spec(text)
    except BadRequest:
        return "Invalid"
    return sorted(cpus), format_cpu_spec(cpus), format_cpu_list(cpus)


def judge_reserved(row: Row) -> Verdict:
    """One `reserved_huge_pages` option."""
    ours, recorded = _reserved(row["config"]), row["error"] or row["result"]
    counts = [entry.get("count", "") for entry in row["config"]]
    if not row["error"] and any(count.startswith("-") for count in counts):
        name = "strict-numbers"
    elif not row["error"] and len(row["config"]) > sum(map(len, row["result"].values())):
        name = "reserved-once"
    else:
        return (SAME, "") if ours == recorded else (DIFFERENT, f"{ours}, not {recorded}")
    return (name, "") if ours == "InvalidReservedMemoryPagesOption" else (DIFFERENT, f"{ours}")


def _reserved(config: list[Row]) -> Any:
    try:
        found = reserved_pages_of(config)
    except BadConfig as error:
        (cause,) = {one["cause"] for one in error.details["errors"]}
        return cause
    result: dict[str, dict[str, int]] = {}
    for pages in found:
        result.setdefault(str(pages.cell), {})[str(pages.size_kib)] = pages.count
    return result
