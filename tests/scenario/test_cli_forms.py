"""Every command in every form: what it has works, what it has not is refused before anything is done."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.unit.cli.program import CommandLine, serve

FORMS = ("table", "wide", "json", "yaml", "name", "env", "libvirt")
LISTS = (
    *("show", "devices", "devices --tree", "devices --free", "pools", "aliases", "cordons"),
    *("claims", "findings", "findings repair --all", "audit run", "audit run --full", "history"),
)
ONE_CLAIM = ("claims show", "claims update --vcpus 2", "confirm", "renew --lease 1h", "release")


@pytest.fixture(scope="module")
def run() -> Iterator[CommandLine]:
    with tempfile.TemporaryDirectory(prefix="ik-") as directory, serve(Path(directory)) as ready:
        yield ready.command_line


def require_form(form: str, text: str) -> None:
    if form == "json":
        json.loads(text)
    if form == "yaml":
        yaml.safe_load(text)
    assert text == "" or text.endswith("\n")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("command", LISTS)
def test_lists(run: CommandLine, command: str, form: str) -> None:
    if form in ("env", "libvirt"):
        refused = run(*command.split(), "-o", form).expect(2)
        assert "table, wide, json, yaml, name" in refused.err
        return
    require_form(form, run(*command.split(), "-o", form).expect(0).out)


@pytest.mark.parametrize("form", FORMS)
def test_one_claim(run: CommandLine, form: str) -> None:
    words = ("--vcpus", "1", "--memory", "64", "--device", "8086:1889", "--lease", "9m")
    require_form(form, run("claim", *words, "-o", form).expect(0).out)
    named = run("claims", "-o", "name").expect(0).out.strip()
    for command in ONE_CLAIM:
        said = command.split()
        flags = next((at for at, word in enumerate(said) if word.startswith("--")), len(said))
        act = (*said[:flags], named, *said[flags:])
        require_form(form, run(*act, "-o", form).expect(0).out)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("command", ["fit", "claim --dry-run", "explain"])
def test_a_fit(run: CommandLine, command: str, form: str) -> None:
    outcome = run(*command.split(), "--vcpus", "1", "-o", form)
    if form == "name":
        assert "is not for this" in outcome.expect(2).err
    else:
        require_form(form, outcome.expect(0).out)


@pytest.mark.parametrize("form", FORMS)
def test_a_fit_of_cells_and_a_count(run: CommandLine, form: str) -> None:
    words = ("--vcpus", "2", "--memory", "64", "--cells", "2", "--hugepages", "2MiB", "-o", form)
    fit, counted = run("fit", *words), run("fit", "--count", *words)
    if form != "name":
        require_form(form, fit.expect(0).out)
    if form in ("name", "env", "libvirt"):
        assert "is not for this" in counted.expect(2).err
    else:
        require_form(form, counted.expect(0).out)


def test_an_unknown_form_is_refused_before_anything_is_done(run: CommandLine) -> None:
    refused = run("claim", "--vcpus", "1", "-o", "xml").expect(2)
    assert "it has table, wide, json, yaml, name, env, libvirt" in refused.err
    assert run("claims", "-o", "name").expect(0).out == ""
