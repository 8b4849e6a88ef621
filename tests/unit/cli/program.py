"""The command line as a test runs it: in this process, or as one of its own."""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from innkeeper.cli.main import main

PATIENCE = 60.0
PROGRAM = (sys.executable, "-m", "innkeeper")


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What stdout holds."""
        return json.loads(self.out)

    def expect(self, code: int) -> Outcome:
        """The outcome itself; a refusal is told without a traceback, and success without a word of one."""
        assert self.code == code, f"exit code {self.code}\n{self.out}\n{self.err}"
        assert "Traceback" not in self.err + self.out
        return self


@dataclass(frozen=True)
class CommandLine:
    """Runs commands in this process, with an environment of its own."""

    environ: Mapping[str, str]

    def __call__(self, *words: str, stdin: bytes = b"", **variables: str) -> Outcome:
        out, err = _stream(), _stream()
        environ = {"PATH": os.environ["PATH"], **self.environ, **variables}
        with (
            mock.patch.dict(os.environ, environ, clear=True),
            mock.patch.object(sys, "argv", ["innkeeper", *words]),
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = _code_of_main()
        return Outcome(code, _text(out), _text(err))


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8")


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def _code_of_main() -> int:
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        gc.enable()
    return 0


def environment(**variables: str) -> dict[str, str]:
    """For a process of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, **variables}


def run_program(*words: str, stdin: bytes | None = None, **variables: str) -> Outcome:
    """Run a command as a process and wait for its end."""
    done = subprocess.run(
        [*PROGRAM, *words],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        env=environment(**variables),
        timeout=PATIENCE,
        check=False,
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


@contextmanager
def program(*words: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A command that still runs; killed in the end."""
    process = subprocess.Popen(
        [*PROGRAM, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(**variables),
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


CONFIG = """
[reserved]
memory_mib = 1024

[[devices]]
vendor_id = "8086"
product_id = "1889"

[[counters]]
name = "slots"
total = 10
"""

HOST = "cpus=32,cells=2,memory=64GiB,pfs=2,vfs=8,pages_2m=1024,disk=1TiB,name=sim-1"


@contextmanager
def serve(
    directory: Path, host: str = HOST, root: Path | None = None, config: str = CONFIG
) -> Iterator[Serving]:
    """`innkeeper serve` with a simulated host, or one under a root, ready; told to stop in the end."""
    file = directory / "innkeeper.toml"
    file.write_text(config)
    socket = directory / "api.sock"
    words = ("serve", "--config", str(file), "--state-dir", str(directory / "state"))
    where = ("--simulate", host) if root is None else ("--root", str(root))
    with program(*words, "--socket", str(socket), *where) as process:
        greeting = _greeting(process)
        yield Serving(process, socket, greeting)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


def _greeting(process: subprocess.Popen[str]) -> str:
    """What it prints until it is ready."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("listening on "):
            return "".join(lines)
    assert process.stderr is not None
    raise AssertionError(f"never ready: {process.stderr.read()}")


@dataclass(frozen=True)
class Serving:
    """A daemon that is ready."""

    process: subprocess.Popen[str]
    socket: Path
    greeting: str

    @property
    def command_line(self) -> CommandLine:
        """A client of it."""
        return CommandLine({"INNKEEPER_SOCKET": str(self.socket), "HOME": "/nonexistent"})


def empty(run: CommandLine) -> None:
    """Release every claim and lift every cordon."""
    for claim_id in run("claims", "-o", "name").expect(0).out.split():
        run("release", claim_id).expect(0)
    for name in run("cordons", "-o", "name").expect(0).out.split():
        kind, _, subject = name.partition("/")
        run("uncordon", kind, *([] if kind == "host" else [subject])).expect(0)


def claim(run: CommandLine, *words: str) -> dict[str, Any]:
    """What `innkeeper claim` answers."""
    made: dict[str, Any] = run("claim", *words, "-o", "json").expect(0).json
    return made
