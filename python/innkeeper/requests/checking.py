"""The operator's words for devices, looked at as a whole: what is wrong, and what is only suspicious."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from innkeeper.config import Config
from innkeeper.errors import BadConfig
from innkeeper.requests.aliases import Aliases
from innkeeper.requests.device_specs import DeviceRules

_Words = TypeVar("_Words", DeviceRules, Aliases)

#: More than these help nobody at once.
_MOST_SHOWN = 50


def check_device_words(config: Config) -> tuple[str, ...]:
    """Read device specs and aliases as a start would; one line for each thing that is suspicious.

    Raises:
        BadConfig: with everything that is wrong in either, by entry and key.
    """
    errors: list[dict[str, str]] = []
    rules, aliases = _read(DeviceRules.of, config, errors), _read(Aliases.of, config, errors)
    if rules is None or aliases is None:
        raise BadConfig("\n".join(error["message"] for error in errors), errors=errors)
    warnings = [*rules.warnings, *_unserved(rules, aliases)]
    more = len(warnings) - _MOST_SHOWN
    return (*warnings[:_MOST_SHOWN], *([f"and {more} more such warnings"] if more > 0 else []))


def _read(
    read: Callable[[Config], _Words], config: Config, errors: list[dict[str, str]]
) -> _Words | None:
    try:
        return read(config)
    except BadConfig as error:
        errors.extend(error.details["errors"])
        return None


def _unserved(rules: DeviceRules, aliases: Aliases) -> Iterator[str]:
    for alias in aliases:
        missing = [pattern for pattern in alias.patterns if not rules.could_admit(pattern)]
        for pattern in missing:
            asked = ", ".join(f"{key} {value}" for key, value in pattern.items())
            yield f"alias {alias.name} of `{alias.words}`: no device spec admits {asked}"
