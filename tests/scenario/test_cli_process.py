"""The command line as a process: start, streams that close, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.cli.program import (
    PATIENCE,
    PROGRAM,
    Serving,
    environment,
    program,
    run_program,
    serve,
)


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with tempfile.TemporaryDirectory(prefix="ik-") as directory, serve(Path(directory)) as ready:
        yield ready


def run_in_shell(serving: Serving, script: str) -> subprocess.CompletedProcess[str]:
    """A script for sh in which `$innkeeper` is the command line."""
    environ = environment(INNKEEPER_SOCKET=str(serving.socket), innkeeper=" ".join(PROGRAM))
    return subprocess.run(
        ["bash", "-c", script],
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("words", ["show", "devices -o json", "claims", "config example"])
def test_a_reader_that_went_away_ends_it_quietly(serving: Serving, words: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [*PROGRAM, *words.split()],
            stdout=pipe,
            stderr=subprocess.PIPE,
            env=environment(INNKEEPER_SOCKET=str(serving.socket)),
            timeout=PATIENCE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_a_closed_stream_takes_everything(serving: Serving) -> None:
    done = run_in_shell(
        serving, "$innkeeper claims >&- 2>&-; echo $?; $innkeeper bogus 2>&-; echo $?"
    )
    assert done.stdout == "0\n2\n"


def test_a_full_disk_is_an_error(serving: Serving) -> None:
    done = run_in_shell(serving, "$innkeeper show >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "innkeeper: cannot write the answer: No space left on device [error]\n"


def test_a_terminal_that_knows_few_characters_gets_what_it_knows(serving: Serving) -> None:
    script = (
        "id=$($innkeeper claim --vcpus 1 --name 't\u00fcr-\u4e16' -o name 2>/dev/null);"
        "PYTHONIOENCODING=ascii $innkeeper claims; $innkeeper release $id -o name >/dev/null"
    )
    done = run_in_shell(serving, script)
    assert "t\\xfcr-\\u4e16" in done.stdout
    assert done.stderr == ""


def test_an_interrupt_ends_it_and_what_it_waits_for(serving: Serving) -> None:
    socket = str(serving.socket)
    held = run_program("--socket", socket, "claim", "--vcpus", "32", "-o", "name").expect(0)
    with program("--socket", socket, "claim", "--vcpus", "1", "--wait", "1m") as waiting:
        wait_until_connected(waiting.pid)
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=PATIENCE)
        assert waiting.returncode == 130
        assert (out, err) == ("", "")
    run_program("--socket", socket, "release", held.out.strip()).expect(0)
    listed = run_program("--socket", socket, "claims", "-o", "name").expect(0)
    assert listed.out == ""


def wait_until_connected(pid: int) -> None:
    """Until the process has a socket open and sleeps in it."""
    while not (_has_socket(pid) and _state(pid) == "S"):
        os.sched_yield()


def _has_socket(pid: int) -> bool:
    try:
        return any(path.readlink().match("socket:*") for path in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:  # closed while we looked
        return False


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("show", "32 CPUs"),
        ("devices --tree", "8 VFs: 0 held, 8 free"),
        ("pools", "8086:1889"),
        ("aliases", "STANDS FOR"),
        ("cordons", "REASON"),
        ("fit --device 8086:1889=2", "it fits"),
    ],
)
def test_what_asks_a_daemon_loads_no_database_and_no_server(
    serving: Serving, words: str, shown: str
) -> None:
    code = (
        "import sys\n"
        "from innkeeper.cli.main import app\n"
        "app(['--socket', *sys.argv[1:]], standalone_mode=False)\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [PROGRAM[0], "-c", code, str(serving.socket), *words.split()],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    loaded = set(done.stderr.split())
    assert shown in done.stdout
    assert not loaded & {"sqlalchemy", "fastapi", "starlette", "uvicorn", "anyio", "structlog"}
    assert not loaded & {"rich", "yaml", "httpx", "uvloop", "prometheus_client"}


@pytest.mark.parametrize("words", ["--help", "--version", "claim --help"])
def test_help_is_quick_to_load(words: str) -> None:
    code = (
        "import sys\nfrom innkeeper.cli.main import app\n"
        "app(sys.argv[1:], standalone_mode=False)\nprint(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [PROGRAM[0], "-c", code, *words.split()],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    loaded = set(done.stderr.split())
    assert not loaded & {"sqlalchemy", "fastapi", "anyio"}
    if words == "--help":
        assert "pydantic" not in loaded
        assert "innkeeper.objects" not in loaded
