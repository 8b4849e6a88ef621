"""What the README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from innkeeper.cli.exits import Exit
from innkeeper.config import Config

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), flags=re.DOTALL)


def test_the_python_quick_start_runs_as_it_stands() -> None:
    code, _ = blocks("python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 6
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "0-15 12\n"
    assert ran.stderr == ""


def test_a_tracker_runs_without_a_daemon_as_it_stands(tmp_path: Path) -> None:
    _, code = blocks("python")
    for free in ("12 12", "12 8"):
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        in_memory, durable = free.split()
        assert ran.stdout.split() == [
            *("pending", in_memory, "confirmed", "pending", durable, "confirmed")
        ]


def test_the_configuration_that_it_shows_is_good() -> None:
    for text in blocks("toml"):
        assert Config.model_validate(tomllib.loads(text)).devices


@pytest.mark.parametrize("line", [line for one in blocks("sh") for line in one.splitlines()])
def test_each_command_line_that_it_shows_exists(line: str) -> None:
    words = line.partition("#")[0].split()
    if words[:1] != ["innkeeper"]:
        pytest.skip("no command of innkeeper's")
    command = [sys.executable, "-m", "innkeeper", *words[1:2], "--help"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_every_document_that_it_links_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (README.parent / target).exists(), target


def test_it_says_every_exit_code() -> None:
    (said,) = re.findall(
        r"^Exit codes: (.*?)\.", README.read_text(), flags=re.DOTALL | re.MULTILINE
    )
    assert [int(part.split()[0]) for part in said.split(",")] == list(Exit)
