"""`innkeeper serve`: what it refuses, and that nobody has to read what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.unit.cli.program import PATIENCE, PROGRAM, CommandLine, environment, run_program, serve

SIMULATED = ("--simulate", "cpus=2,cells=1")


def serve_words(directory: Path, *more: str) -> tuple[str, ...]:
    state = ("--state-dir", str(directory / "state"))
    return ("serve", *state, "--socket", str(directory / "api.sock"), *more)


def test_two_daemons_do_not_share_a_state_or_a_socket(short_dir: Path) -> None:
    with serve(short_dir) as serving:
        same_state = ("serve", "--state-dir", str(short_dir / "state"))
        refused = run_program(*same_state, "--socket", str(short_dir / "b.sock"), *SIMULATED)
        assert "[store_in_use]" in refused.expect(1).err
        same_socket = ("serve", "--state-dir", str(short_dir / "b"))
        refused = run_program(*same_socket, "--socket", str(serving.socket), *SIMULATED)
        assert "[socket_in_use]" in refused.expect(1).err
        serving.command_line("claims").expect(0)


def test_wrong_words_are_refused(short_dir: Path) -> None:
    (short_dir / "wrong.toml").write_text("[audit]\nintervall = 5\n")
    for words, code, reason in (
        (("--config", str(short_dir / "wrong.toml")), 2, "did you mean `interval`?"),
        (("--config", str(short_dir / "none.toml")), 2, "none.toml"),
        (("--simulate", "cpus=no"), 2, "cpus"),
        (("--root", str(short_dir / "nowhere")), 1, "[host_unreadable]"),
        (("--root", "/", *SIMULATED), 2, "not both"),
    ):
        refused = run_program(*serve_words(short_dir, *words)).expect(code)
        assert reason in refused.err
        assert refused.out == ""


def test_places_that_cannot_be_are_refused(short_dir: Path) -> None:
    (short_dir / "file").write_text("")
    below_a_file = str(short_dir / "file" / "state")
    refused = run_program("serve", "--state-dir", below_a_file, *SIMULATED).expect(2)
    assert "cannot be used" in refused.err
    too_long = str(short_dir / ("x" * 100) / "api.sock")
    state = ("--state-dir", str(short_dir / "state"))
    refused = run_program("serve", *state, "--socket", too_long, *SIMULATED).expect(2)
    assert "at most 107" in refused.err
    assert "no place for state" in run_program("serve", *SIMULATED).expect(2).err


def test_the_socket_may_be_named_before_the_command(short_dir: Path) -> None:
    socket = str(short_dir / "early.sock")
    words = ("--socket", socket, "serve", "--state-dir", str(short_dir / "state"), *SIMULATED)
    with subprocess.Popen(
        [*PROGRAM, *words], stdout=subprocess.PIPE, env=environment(), text=True
    ) as process:
        assert process.stdout is not None
        assert any(line == f"listening on {socket}\n" for line in process.stdout)
        process.terminate()
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("closed", ["reader", "stdout"])
def test_it_serves_though_nobody_reads_what_it_prints(short_dir: Path, closed: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    script = 'exec "$@" >&-' if closed == "stdout" else 'exec "$@"'
    words = ["sh", "-c", script, "sh", *PROGRAM, *serve_words(short_dir, *SIMULATED)]
    with (
        os.fdopen(writing, "wb") as pipe,
        subprocess.Popen(
            words, stdout=pipe, stderr=subprocess.PIPE, env=environment(), text=True
        ) as process,
    ):
        assert process.stderr is not None
        assert any('"listening"' in line for line in process.stderr)
        run = CommandLine({"INNKEEPER_SOCKET": str(short_dir / "api.sock")})
        for _ in range(3):
            run("claim", "--vcpus", "1", "--dry-run").expect(0)
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in rest
