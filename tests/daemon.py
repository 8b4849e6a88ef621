"""A real daemon in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx

PATIENCE = 30.0

#: What the command line does with the daemon, without the command line.
MAIN = """
import json, sys
from pathlib import Path
from innkeeper.errors import InnkeeperError
from innkeeper.service import ServeOptions, run_daemon

def path(value):
    return Path(value) if value else None

def announce(listening):
    print(json.dumps({"socket": str(listening.socket), "node": listening.view.node}), flush=True)

said = json.loads(sys.argv[1])
options = ServeOptions(path(said.get("config_path")), path(said.get("state_dir")),
    path(said.get("socket_path")), said.get("root"), said.get("simulate"), "adopt_state" in said)
try:
    run_daemon(options, announce)
except InnkeeperError as refusal:
    sys.exit(f"refused {refusal.code}: {refusal.message}")
"""


class Daemon:
    """One process; `log` has what it wrote on stderr once it ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log = ""

    @classmethod
    def start(
        cls,
        options: Mapping[str, object],
        environ: Mapping[str, str],
        prefix: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
        main: str = MAIN,
    ) -> Self:
        said = json.dumps({key: str(value) for key, value in options.items()})
        return cls(
            subprocess.Popen(
                [*prefix, sys.executable, "-c", main, said],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={"PATH": os.environ["PATH"], **_python_path(), **environ},
                pass_fds=pass_fds,
                text=True,
            )
        )

    def wait_ready(self) -> dict[str, Any]:
        """What it announces; fails when it ends instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the daemon did not start: {self.wait_end()}\n{self.log}")
        announced: dict[str, Any] = json.loads(line)
        return announced

    def wait_logged(self, event: str) -> dict[str, Any]:
        """The next log entry of that name."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log += line
            if line.startswith("{") and (entry := json.loads(line))["event"] == event:
                found: dict[str, Any] = entry
                return found
        raise AssertionError(f"never logged: {event}\n{self.log}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_end(self) -> int:
        """Its exit code; all that it printed beside the announcement must be nothing."""
        printed, logged = self.process.communicate(timeout=PATIENCE)
        self.log += logged
        assert printed == ""
        return self.process.returncode

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait_end()

    def refusal(self) -> str:
        """Why it did not start: one line, and no traceback."""
        assert self.wait_end() == 1
        assert "Traceback" not in self.log
        return self.log.strip().splitlines()[-1]


def _python_path() -> dict[str, str]:
    given = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": given} if given else {}


@contextmanager
def running(
    options: Mapping[str, object], environ: Mapping[str, str] | None = None
) -> Iterator[Daemon]:
    """A daemon that is ready; killed in the end if it still runs."""
    with started(options, environ) as daemon:
        daemon.wait_ready()
        yield daemon


@contextmanager
def started(
    options: Mapping[str, object],
    environ: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    pass_fds: Sequence[int] = (),
    main: str = MAIN,
) -> Iterator[Daemon]:
    """A daemon that was just started."""
    daemon = Daemon.start(options, environ or {}, prefix, pass_fds, main)
    with daemon.process:
        try:
            yield daemon
        finally:
            daemon.process.kill()


def client_of(socket_path: Path) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=str(socket_path))
    return httpx.Client(transport=transport, base_url="http://innkeeper", timeout=PATIENCE)
