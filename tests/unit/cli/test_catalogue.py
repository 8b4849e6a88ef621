"""The list of commands says what the commands say."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest
import typer
from tests.unit.cli.program import CommandLine

from innkeeper.cli.catalogue import CATALOGUE

PROMISED = (
    "serve show devices pools claims claim confirm renew release fit explain run audit findings "
    "history capture config"
)

run = CommandLine({})


def test_every_command_that_others_script_against_is_there() -> None:
    assert set(PROMISED.split()) <= set(CATALOGUE)
    listed = run("--help").expect(0).out
    for name, place in CATALOGUE.items():
        assert f"{name} " in listed
        assert " ".join(place.purpose.split()) in " ".join(listed.split())


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_command_s_help(name: str) -> None:
    place = CATALOGUE[name]
    shown = run(name, "--help").expect(0).out
    assert shown == run(name, "-h").expect(0).out
    assert shown.startswith(f"Usage: innkeeper {name} ")
    found = getattr(import_module(f"innkeeper.cli.commands.{place.module}"), place.attribute)
    if not isinstance(found, typer.Typer):
        text = inspect.getdoc(found)
        assert text
        assert " ".join(text.split()) in " ".join(shown.split())


def test_fit_and_explain_take_the_flags_of_claim() -> None:
    flags = {word for word in run("claim", "--help").out.split() if word.startswith("--")}
    own = {"--dry-run"}
    for name in ("fit", "explain", "run"):
        taken = {word for word in run(name, "--help").out.split() if word.startswith("--")}
        missing = flags - own - taken
        assert missing <= ({"--output"} if name == "run" else set())


def test_the_version_is_the_core_s() -> None:
    from innkeeper import __version__

    assert run("--version").expect(0).out == f"innkeeper {__version__}\n"


def test_no_words_at_all_show_the_help() -> None:
    outcome = run()
    assert outcome.code == 2
    assert "Usage: innkeeper" in outcome.err + outcome.out
