"""Settings from the environment: `INNKEEPER_RESERVED__MEMORY_MIB=1024` is `reserved.memory_mib`.

A value is text where the key takes text, else a TOML value such as `1.5` or `["root", "ops"]`.
A name with `__` is always a setting, so an unknown one is refused. A name without it may be somebody
else's (`INNKEEPER_SOCKET`, or what a service platform injects): it is refused only when it looks like a
misspelt key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from innkeeper.config.nearest import hint, nearest_name, quoted
from innkeeper.config.sections import Config
from innkeeper.errors import BadConfig

PREFIX = "INNKEEPER_"

#: Variables of ours that are no settings: where to look, what `run` and `-o env` tell of a claim, and
#: what a `clean` command is told of its device.
_NO_SETTINGS = re.compile(
    r"config|socket|claim|vcpus|cpus|memory_mib|disk_mib|pci|counter_.*|device|vendor|product"
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One key that a variable sets."""

    variable: str
    path: tuple[str, ...]
    value: Any


def read_settings(environ: Mapping[str, str], prefix: str) -> tuple[Setting, ...]:
    """Every setting of the environment, by name of its variable.

    Raises:
        BadConfig: a variable names no key, or its value is no value of that key's kind.
    """
    ours = sorted(name for name in environ if name.startswith(prefix) and name != prefix)
    settings = (_read_setting(name, environ[name], prefix) for name in ours)
    return tuple(setting for setting in settings if setting is not None)


def _read_setting(variable: str, text: str, prefix: str) -> Setting | None:
    path = tuple(variable.removeprefix(prefix).lower().split("__"))
    if len(path) == 1 and not _looks_like_a_key(path[0]):
        return None
    return Setting(variable, path, _value(variable, text, _annotation(variable, path, prefix)))


def _looks_like_a_key(name: str) -> bool:
    if _NO_SETTINGS.fullmatch(name):
        return False
    return nearest_name(name, Config.model_fields, cutoff=0.8) is not None


def _annotation(variable: str, path: tuple[str, ...], prefix: str) -> Any:
    """The type of the key that the path leads to."""
    section: type[BaseModel] | None = Config
    kind: Any = Config
    for depth, name in enumerate(path):
        if section is None:
            raise _refusal(variable, f"`{'.'.join(path[:depth])}` has no keys below it")
        field = section.model_fields.get(name)
        if field is None:
            nearest = _hint(path[:depth], name, section, prefix)
            raise _refusal(variable, f"there is no such key; {nearest}")
        kind = field.annotation
        section = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    if section is not None:
        keys = ", ".join(_variable((*path, key), prefix) for key in section.model_fields)
        raise _refusal(variable, f"`{'.'.join(path)}` is a section; set its keys: {keys}")
    return kind


def _hint(above: tuple[str, ...], name: str, section: type[BaseModel], prefix: str) -> str:
    near = nearest_name(name, section.model_fields)
    if near:
        return f"did you mean {_variable((*above, near), prefix)}?"
    return hint(name, section.model_fields)


def _variable(path: tuple[str, ...], prefix: str) -> str:
    return prefix + "__".join(path).upper()


def _value(variable: str, text: str, annotation: Any) -> Any:
    if _takes_text(annotation):
        return text
    try:
        table = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problem = f'{quoted(text)} is no TOML value, such as 1024, 1.5 or ["root"]'
        raise _refusal(variable, problem) from error
    if table.keys() != {"value"}:
        raise _refusal(variable, f"{quoted(text)} is more than one value")
    return table["value"]


def _takes_text(annotation: Any) -> bool:
    """Whether a key is text, perhaps null or one of a few words; a list of text is not."""
    if annotation in (str, SecretStr) or isinstance(annotation, str):
        return True
    if isinstance(annotation, type):
        return False
    return getattr(annotation, "__origin__", None) is not tuple and any(
        _takes_text(argument) for argument in get_args(annotation)
    )


def _refusal(variable: str, problem: str) -> BadConfig:
    error = {"path": variable, "message": problem}
    return BadConfig(f"{variable}: {problem}", variable=variable, errors=[error])
