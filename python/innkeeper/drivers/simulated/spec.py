"""The words that a simulated host is asked for with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from innkeeper.config.nearest import hint, quoted
from innkeeper.config.sizes import parse_disk, parse_memory, refusal
from innkeeper.config.toml_file import read_toml
from innkeeper.errors import BadRequest

_EXAMPLE = (
    "write one such as cpus=64,cells=2,pfs=2,vfs=8, or the path of a TOML file with these keys"
)

#: PFs and VFs of one host together; a PCI domain holds 65,536 functions.
_MOST_FUNCTIONS = 65_536

_MIB_PER_CPU = 4096
_DEFAULT_DISK_MIB = 2**20


@dataclass(frozen=True, slots=True)
class SimulatedSpec:
    """How large the host is; everything is of the whole host, except `threads` and `vfs`."""

    cpus: int
    cells: int
    sockets: int
    threads: int
    """CPUs of one core."""
    memory_mib: int
    pages_2m: int
    pages_1g: int
    pfs: int
    vfs: int
    """VFs of one PF."""
    disk_mib: int
    seed: int
    """Another one gives other ids and serials."""
    name: str
    """The host name."""


def parse_spec(text: str) -> SimulatedSpec:
    """What `cpus=64,cells=2` or a TOML file asks for; keys that are left out have defaults.

    Raises:
        BadRequest: a key is unknown or given twice, a value is out of range, or two of them
            contradict each other.
    """
    if "=" in text:
        return _spec_of(_parse_words(text))
    if text.endswith(".toml") or "/" in text:
        return _spec_of({key: _word(key, value) for key, value in read_toml(Path(text)).items()})
    raise refusal("simulated host", text, f"is no spec; {_EXAMPLE}")


def _parse_words(text: str) -> dict[str, str]:
    words: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals:
            raise refusal(
                "simulated host", text, f"has a part {quoted(part)} without `=`; {_EXAMPLE}"
            )
        if key in words:
            raise refusal("simulated host", text, f"has the key `{key}` twice")
        words[key] = value
    return words


def _word(key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise refusal(f"simulated host: {key}", str(value), "should be a number or text")
    return str(value)


def _number(low: int, high: int) -> Callable[[str, str], int]:
    def parse(key: str, text: str) -> int:
        number = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else -1
        if not low <= number <= high:
            raise refusal(_what(key), text, f"should be a whole number from {low} to {high}")
        return number

    return parse


def _name(key: str, text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", text):
        raise refusal(_what(key), text, "should be a host name: up to 63 of a-z 0-9 . -")
    return text


def _what(key: str) -> str:
    return f"simulated host: {key}"


_KEYS: dict[str, Callable[[str, str], int | str]] = {
    "cpus": _number(1, 65_536),
    "cells": _number(1, 1024),
    "sockets": _number(1, 1024),
    "threads": _number(1, 8),
    "memory": lambda key, text: parse_memory(text, what=_what(key)),
    "pages_2m": _number(0, 2**31),
    "pages_1g": _number(0, 2**22),
    "pfs": _number(0, 4096),
    "vfs": _number(0, 1024),
    "disk": lambda key, text: parse_disk(text, what=_what(key)),
    "seed": _number(0, 2**53),
    "name": _name,
}


def _spec_of(words: Mapping[str, str]) -> SimulatedSpec:
    for key in words:
        if key not in _KEYS:
            raise _unknown(key)
    values: dict[str, Any] = {key: _KEYS[key](key, text) for key, text in words.items()}
    for unit in ("memory", "disk"):
        if unit in values:
            values[f"{unit}_mib"] = values.pop(unit)
    spec = SimulatedSpec(
        **{field.name: _given(values, field.name) for field in fields(SimulatedSpec)}
    )
    _require_consistent(spec)
    return spec


def _unknown(key: str) -> BadRequest:
    problem = f"unknown key; {hint(key, _KEYS)}"
    return refusal("simulated host:", key, problem)


def _given(values: dict[str, Any], name: str) -> Any:
    """The value of a key, or its default, which may depend on the keys before it."""
    if name not in values:
        values[name] = _default(values, name)
    return values[name]


def _default(values: Mapping[str, Any], name: str) -> int | str:
    if name == "cpus":
        return 16
    if name == "cells":
        return 1
    if name == "sockets":
        return default_sockets(values["cells"])
    if name == "threads":
        return 2 if values["cpus"] % (2 * values["cells"]) == 0 else 1
    if name == "memory_mib":
        return int(values["cpus"]) * _MIB_PER_CPU
    fixed: dict[str, int | str] = {"disk_mib": _DEFAULT_DISK_MIB, "name": "simulated"}
    return fixed.get(name, 0)


def default_sockets(cells: int) -> int:
    """The fewest sockets with at most four cells each, as today's machines have; never one for many."""
    if cells == 1:
        return 1
    return next(n for n in range(2, cells + 1) if cells % n == 0 and cells // n <= 4)


def _require_consistent(spec: SimulatedSpec) -> None:
    if spec.cpus % spec.threads:
        problem = f"should divide the {spec.cpus} CPUs into whole cores"
        raise refusal(_what("threads"), str(spec.threads), problem)
    if spec.cells % spec.sockets:
        problem = f"should divide the {spec.cells} cells evenly; a cell is never in two sockets"
        raise refusal(_what("sockets"), str(spec.sockets), problem)
    if spec.vfs and not spec.pfs:
        raise refusal(
            _what("vfs"), str(spec.vfs), "are per PF, and there is none; give pfs=1 or more"
        )
    if spec.pfs * (1 + spec.vfs) > _MOST_FUNCTIONS:
        problem = f"make {spec.pfs * (1 + spec.vfs)} functions with pfs={spec.pfs}; at most {_MOST_FUNCTIONS}"
        raise refusal(_what("vfs"), str(spec.vfs), problem)
    _require_memory_for_pages(spec)


def _require_memory_for_pages(spec: SimulatedSpec) -> None:
    pages_mib = spec.pages_2m * 2 + spec.pages_1g * 1024
    if pages_mib > spec.memory_mib:
        problem = (
            f"is less than the {pages_mib} MiB of pages_2m={spec.pages_2m},pages_1g={spec.pages_1g}"
        )
        raise refusal(_what("memory"), f"{spec.memory_mib}MiB", problem)
