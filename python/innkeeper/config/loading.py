"""The configuration: defaults, then the file, then the environment; refused as a whole when wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from innkeeper.config.environment import PREFIX, Setting, read_settings
from innkeeper.config.refusals import config_refusal
from innkeeper.config.sections import Config
from innkeeper.config.toml_file import read_toml


def load_config(path: Path | None, environ: Mapping[str, str], *, prefix: str = PREFIX) -> Config:
    """The configuration of a file, if there is one, and of the environment, which wins.

    Tables are merged key by key; a list is replaced whole.

    Raises:
        BadConfig: with one entry in `details["errors"]` for each thing that is wrong, naming the file or
            the variable, the key and the value.
    """
    document = read_toml(path) if path is not None else {}
    settings = read_settings(environ, prefix)
    for setting in settings:
        document = _with(document, setting.path, setting.value)
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        raise config_refusal(error, path, _variables(settings)) from error


def _with(table: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    name, *below = path
    if not below:
        return {**table, name: value}
    inner = table.get(name, {})
    if not isinstance(inner, dict):
        # Leave the file's wrong value where it is: it is what has to be refused.
        return table
    return {**table, name: _with(inner, tuple(below), value)}


def _variables(settings: tuple[Setting, ...]) -> dict[tuple[str, ...], str]:
    return {setting.path: setting.variable for setting in settings}
