"""A configuration as the TOML that would give it."""

from __future__ import annotations

import json
from typing import Any

from pydantic import SecretStr

from innkeeper.config.section import Section
from innkeeper.config.sections import Config
from innkeeper.config.store_url import without_secrets


def effective_toml(config: Config) -> str:
    """Every key with its value in force; a key that is not set is a comment, and one with a secret.

    Loading the text gives an equal configuration but for secrets.
    """
    head = "".join(_key(name, value) for name, value in config if not _is_of_tables(value))
    tables = [f"[{name}]\n{_keys(value)}" for name, value in config if isinstance(value, Section)]
    entries = [
        f"[[{name}]]\n{_keys(entry)}"
        for name, value in config
        if _is_list_of_sections(value)
        for entry in value
    ]
    return "\n".join([head, *tables, *entries])


def _keys(section: Section) -> str:
    return "".join(_key(name, value) for name, value in section)


def _key(name: str, value: Any) -> str:
    if value is None:
        return f"# {name} is not set\n"
    if isinstance(value, SecretStr):
        return f"# {name} = {_text(without_secrets(value.get_secret_value()))}\n"
    return f"{name} = {_value(value)}\n"


def _is_of_tables(value: Any) -> bool:
    return isinstance(value, Section) or _is_list_of_sections(value)


def _is_list_of_sections(value: Any) -> bool:
    return (
        isinstance(value, tuple) and all(isinstance(one, Section) for one in value) and value != ()
    )


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_value(one) for one in value)}]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Section | dict):
        return _inline_table(value)
    return repr(value)


def _inline_table(table: Section | dict[str, Any]) -> str:
    """A table within an entry of a list; what is not set has no place in it."""
    pairs = table.items() if isinstance(table, dict) else iter(table)
    shown = (f"{_text(name)} = {_value(value)}" for name, value in pairs if value is not None)
    return f"{{ {', '.join(shown)} }}"


def _text(value: str) -> str:
    """JSON's escapes are TOML's too, except that TOML wants DEL escaped as well."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
