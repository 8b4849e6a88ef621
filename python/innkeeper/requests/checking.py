"""The operator's words, looked at as a whole: what is wrong, and what is only suspicious."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from innkeeper.config import Config, load_config
from innkeeper.config.environment import PREFIX
from innkeeper.errors import BadConfig
from innkeeper.objects import Host
from innkeeper.requests.aliases import Aliases
from innkeeper.requests.clean_words import idle_commands, missing_programs
from innkeeper.requests.cpu_sets import require_cpus
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.inventory import inventory_warnings

_Words = TypeVar("_Words", DeviceRules, Aliases)

#: More than these help nobody at once.
_MOST_SHOWN = 50


def load_checked(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration, device specs and aliases read too, so that a start cannot stumble over them.

    Raises:
        BadConfig: as `load_config`, and for every device spec and alias that is wrong.
    """
    config = load_config(path, environ)
    try:
        check_device_words(config)
    except BadConfig as error:
        errors = error.details["errors"]
        lines = (f"{_source(one['path'], path, environ)}: {one['message']}" for one in errors)
        file = str(path) if path else None
        raise BadConfig("\n".join(lines), file=file, errors=errors) from None
    return config


def _source(key: str, path: Path | None, environ: Mapping[str, str]) -> str:
    """The variable that gave a list, else the file."""
    variable = PREFIX + key.partition("[")[0].replace(".", "__").upper()
    return variable if variable in environ else str(path or "configuration")


def check_device_words(config: Config) -> tuple[str, ...]:
    """Read device specs and aliases as a start would; one line for each thing that is suspicious.

    Raises:
        BadConfig: with everything that is wrong in either, by entry and key.
    """
    errors: list[dict[str, str]] = []
    rules, aliases = _read(DeviceRules.of, config, errors), _read(Aliases.of, config, errors)
    if rules is None or aliases is None:
        raise BadConfig("\n".join(error["message"] for error in errors), errors=errors)
    return _shortened([*rules.warnings, *idle_commands(rules), *_unserved(rules, aliases)])


def check_programs(config: Config) -> tuple[str, ...]:
    """One line for each entry whose `clean` command cannot be started on this machine.

    Raises:
        BadConfig: a device spec is wrong.
    """
    return _shortened(list(missing_programs(DeviceRules.of(config))))


def check_on_host(config: Config, host: Host) -> tuple[str, ...]:
    """One line for each reservation that this host has not enough for.

    Raises:
        BadConfig: `[cpus]` names CPUs that the host cannot give.
    """
    require_cpus(host, config)
    return _shortened(list(inventory_warnings(host, config)))


def _shortened(warnings: list[str]) -> tuple[str, ...]:
    more = len(warnings) - _MOST_SHOWN
    tail = [f"and {more} more such warnings"] if more > 0 else []
    return (*warnings[:_MOST_SHOWN], *tail)


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
