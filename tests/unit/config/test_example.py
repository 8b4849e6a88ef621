"""The printed example, and a configuration as text, against the classes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from innkeeper.config import CONFIG_EXAMPLE, Config, effective_toml, load_config

UNCOMMENTED = re.sub(r"^# (\[\[|[a-z_]+ = )", r"\1", CONFIG_EXAMPLE, flags=re.MULTILINE)

#: Lists of tables, empty by default: their own keys are in no text of the defaults.
LISTS = ("devices.", "counters.", "aliases.", "reserved.pages.", "reserved.cells.")

#: Keys whose value is a table of the operator's own.
INLINE = ("tags", "policy")


def section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := section_in(one))), None)


def keys(section: type[BaseModel], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of the configuration with its default."""
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        if inner is None:
            yield f"{above}{name}", field.default
        else:
            yield from keys(inner, f"{above}{name}.")


def flat(table: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for entry in value:
                yield from flat(entry, f"{above}{name}.")
        elif isinstance(value, dict) and name not in INLINE:
            yield from flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def test_the_example_as_printed_gives_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    file.write_text(CONFIG_EXAMPLE)
    assert load_config(file, {}) == Config()


def test_the_example_uncommented_is_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    file.write_text(UNCOMMENTED)
    assert load_config(file, {}).devices[0].vendor_id == "8086"


def test_the_example_names_every_key_and_no_other() -> None:
    shown = dict(flat(tomllib.loads(UNCOMMENTED)))
    assert sorted(shown) == sorted(name for name, _ in keys(Config))


@pytest.mark.parametrize(("key", "default"), list(keys(Config)))
def test_the_example_shows_the_default(key: str, default: Any) -> None:
    shown = dict(flat(tomllib.loads(UNCOMMENTED)))[key]
    if default is not None and default is not PydanticUndefined:
        assert shown == (list(default) if isinstance(default, tuple) else default)


def test_the_example_says_what_each_section_is() -> None:
    """A comment stands above each header and each key that is not in a section."""
    lines = CONFIG_EXAMPLE.splitlines()
    heads = {line: at for at, line in reversed(list(enumerate(lines))) if re.match(_HEAD, line)}
    assert len(heads) == len(Config.model_fields)
    assert all(lines[at - 1].startswith("# ") for at in heads.values())


_HEAD = r"(# )?\[+[a-z]+\]|# node"


text = st.text(st.characters(blacklist_categories=["Cc", "Cs"]), min_size=1, max_size=30)
printable = text.filter(str.isprintable)
amount = st.integers(0, 2**53)
ratio = st.floats(0.000001, 1_000_000)
configs: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    node=st.none() | text,
    reserved=st.fixed_dictionaries(
        {
            "memory_mib": amount,
            "pages": st.lists(
                st.fixed_dictionaries({"cell": amount, "size_kib": st.just(2048), "count": amount}),
                max_size=2,
                unique_by=lambda pages: pages["cell"],
            ),
            "cells": st.lists(
                st.fixed_dictionaries({"cell": amount, "memory_mib": amount}),
                max_size=2,
                unique_by=lambda cell: cell["cell"],
            ),
        }
    ),
    cpus=st.sampled_from([{}, {"shared": "0-3,^1"}, {"shared": "0", "dedicated": " 2-3"}]),
    placement=st.fixed_dictionaries({"cells": st.sampled_from(["spread", "pack"])}),
    ratios=st.fixed_dictionaries({"vcpus": ratio, "disk": ratio}),
    counters=st.lists(
        st.fixed_dictionaries(
            {"name": st.from_regex(r"[a-z][a-z0-9_.-]{0,9}", fullmatch=True), "total": amount}
        ),
        max_size=3,
        unique_by=lambda counter: counter["name"],
    ),
    devices=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "vendor_id": st.sampled_from(["8086", "10de"]),
                "address": text | st.fixed_dictionaries({}, optional={"bus": text}),
                "trusted": st.booleans(),
                "traits": st.lists(text, max_size=2),
                "tags": st.dictionaries(printable, printable | st.booleans(), max_size=3),
                "clean": st.lists(text, max_size=2),
            },
        ),
        max_size=3,
    ),
    aliases=st.lists(
        st.fixed_dictionaries(
            {
                "name": st.sampled_from(["a", "a b", "ä"]),
                "unit": st.sampled_from(["slot", "switch"]),
                "members": st.lists(
                    st.fixed_dictionaries({"tags": st.just({"tier": "a.b"})}),
                    min_size=1,
                    max_size=2,
                ),
            }
        ),
        max_size=3,
    ),
    nova=st.fixed_dictionaries({"alias": st.lists(st.text(min_size=1, max_size=30), max_size=2)}),
    disk=st.fixed_dictionaries({"path": st.none() | text}),
    access=st.fixed_dictionaries({"admins": st.lists(text, max_size=3)}),
)


@given(document=configs)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_text_of_a_configuration_gives_it_again(
    document: dict[str, Any], tmp_path: Path
) -> None:
    config = Config.model_validate(document)
    file = tmp_path / "effective.toml"
    file.write_text(effective_toml(config))
    assert load_config(file, {}) == config


def test_the_text_of_the_defaults_names_every_key() -> None:
    lines = effective_toml(Config()).splitlines()
    for name, _ in keys(Config):
        if not name.startswith(LISTS):
            assert any(re.match(rf"(# )?{name.rpartition('.')[2]} ", line) for line in lines)
