"""`innkeeper watch` beside a real daemon, and how a stream ends with it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.daemon import PATIENCE, client_of, running
from tests.unit.cli.program import PROGRAM, environment
from tests.watching import STREAM, messages

SMALL = {"request": {"vcpus": 1, "memory_mib": 64}}


@pytest.fixture
def options(short_dir: Path) -> dict[str, Any]:
    return {
        "state_dir": short_dir / "state",
        "socket_path": short_dir / "api.sock",
        "simulate": "cpus=512,cells=2,memory=256GiB",
    }


def claim(path: Path) -> str:
    with client_of(path) as client:
        made: str = client.post("/v1/claims", json=SMALL).json()["id"]
    return made


def test_a_stream_ends_whole_when_the_daemon_is_told_to_stop(options: dict[str, Any]) -> None:
    with running(options) as daemon, client_of(options["socket_path"]) as client:
        with client.stream("GET", "/v1/events", headers=STREAM) as answer:
            said = messages(answer.iter_lines())
            first = next(said)
            daemon.signal(signal.SIGTERM)
            assert [one.comments for one in said] == [["the daemon is stopping"]]
        assert first.id is not None
        assert daemon.wait_end() == 0
        assert "cut short" not in daemon.log
        assert "Traceback" not in daemon.log


# -- the command line -------------------------------------------------------------------------


@contextmanager
def command(path: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*PROGRAM, "--socket", str(path), "watch", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_the_command_goes_on_over_a_restart(options: dict[str, Any]) -> None:
    path = options["socket_path"]
    with running(options) as daemon, command(path, "--since", "0", "-o", "json") as watch:
        assert json.loads(line(watch))["event"]["kind"] == "started"
        first = claim(path)
        told = json.loads(line(watch))
        assert (told["type"], told["event"]["claim_id"]) == ("event", first)
        daemon.signal(signal.SIGKILL)
        daemon.process.wait(PATIENCE)
        with running(options):
            second = claim(path)
            rest = [json.loads(line(watch)) for _ in range(2)]
            assert [one["event"]["kind"] for one in rest] == ["started", "claimed"]
            assert rest[-1]["event"]["claim_id"] == second
            watch.send_signal(signal.SIGINT)
            out, err = watch.communicate(timeout=PATIENCE)
        assert (watch.returncode, out) == (128 + signal.SIGINT, "")
        assert "tried again" in err
        assert "Traceback" not in err


def test_the_command_tells_of_one_claim_in_lines(options: dict[str, Any]) -> None:
    path = options["socket_path"]
    with running(options):
        one, _ = claim(path), claim(path)
        with command(path, one, "--since", "0", "--kind", "claimed", "--kind", "aborted") as watch:
            assert ["claimed", one] == line(watch).split()[3:5]
            with client_of(path) as client:
                client.delete(f"/v1/claims/{one}")
            assert ["aborted", one] == line(watch).split()[3:5]


def test_the_command_begins_anew_where_history_is_forgotten(options: dict[str, Any]) -> None:
    path = options["socket_path"]
    with running(options):
        held = claim(path)
        with command(path, "--since", f"{'0' * 32}-7", "-o", "json") as watch:
            snapshot = json.loads(line(watch))
            assert snapshot["type"] == "snapshot"
            assert [one["id"] for one in snapshot["claims"]] == [held]
            assert claim(path) == json.loads(line(watch))["event"]["claim_id"]
            watch.send_signal(signal.SIGINT)
            _, err = watch.communicate(timeout=PATIENCE)
        assert "another ledger" in err


def test_the_command_ends_when_nobody_reads(options: dict[str, Any]) -> None:
    path = options["socket_path"]
    with running(options), command(path, "--since", "0") as watch:
        assert "started" in line(watch)
        assert watch.stdout is not None
        assert watch.stderr is not None
        watch.stdout.close()
        claim(path)
        assert watch.wait(PATIENCE) == 128 + signal.SIGPIPE
        assert watch.stderr.read() == ""


def test_a_daemon_that_was_never_there_is_unreachable(short_dir: Path) -> None:
    with command(short_dir / "none.sock") as watch:
        out, err = watch.communicate(timeout=PATIENCE)
    assert (watch.returncode, out) == (6, "")
    assert "no daemon answers" in err


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--since", "nowhere"], 2), (["--kind", "odd"], 2), (["x"], 2), (["-o", "yaml"], 2)],
)
def test_wrong_words_are_refused(options: dict[str, Any], words: list[str], code: int) -> None:
    with running(options), command(options["socket_path"], *words) as watch:
        out, err = watch.communicate(timeout=PATIENCE)
    assert (watch.returncode, out) == (code, "")
    assert err
