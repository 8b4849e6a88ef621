"""A claim written down: JSON, YAML or TOML."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from innkeeper.errors import BadRequest

if TYPE_CHECKING:
    import yaml

SPEC_LIMIT = 2**20
"""Bytes; as the daemon takes."""

_DEEPEST = 16


def read_spec(name: str) -> dict[str, Any]:
    """The words of a spec file; `-` is stdin.

    The form is told by the ending, else tried: what is no JSON may be TOML, else it is YAML.

    Raises:
        BadRequest: it cannot be read, or holds no table.
    """
    text = _text(name)
    try:
        words = _parse(text, Path(name).suffix)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"spec {name} cannot be read: {error}") from None
    if not isinstance(words, dict):
        raise BadRequest(
            f"spec {name} should hold one claim: a table such as request: {{vcpus: 2}}"
        )
    return words


def _text(name: str) -> str:
    try:
        data = _read(name)
    except OSError as error:
        raise BadRequest(f"spec {name} cannot be read: {error.strerror}") from None
    if len(data) > SPEC_LIMIT:
        raise BadRequest(f"spec {name} has more than {SPEC_LIMIT} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadRequest(f"spec {name} is not UTF-8 text") from None


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read(SPEC_LIMIT + 1)
    with Path(name).open("rb") as file:
        return file.read(SPEC_LIMIT + 1)


def _parse(text: str, ending: str) -> Any:
    if ending == ".toml":
        return tomllib.loads(text)
    if ending == ".json":
        return json.loads(text)
    if ending in (".yaml", ".yml"):
        return _parse_yaml(text)
    for parse in (json.loads, tomllib.loads):
        try:
            return parse(text)
        except ValueError:
            continue
    return _parse_yaml(text)


def _parse_yaml(text: str) -> Any:
    import yaml

    try:
        _require_plain(yaml.parse(text))
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _require_plain(events: Iterator[yaml.Event]) -> None:
    """Aliases make much of little, deep nesting takes the parser minutes; a claim has neither."""
    import yaml

    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        aliased = isinstance(event, yaml.AliasEvent)
        if aliased or depth > _DEEPEST:
            raise ValueError("YAML aliases are not taken" if aliased else "it is nested too deeply")
