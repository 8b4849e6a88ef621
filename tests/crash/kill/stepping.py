"""A daemon that counts the steps of its event loop, and dies before one of them.

A step is one callback of the loop: what a task does between two awaits, or an answer of a thread on its
way to who waits for it. Nothing of the daemon is patched: its loop is asyncio's own, whose queue of
callbacks counts what is taken from it. Processes are forked from one that imported everything.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import httpx

from innkeeper.service.daemon import serve
from innkeeper.service.premises import ServeOptions
from innkeeper.service.ready import Listening
from innkeeper.telemetry import configure_logs

PATIENCE = 30.0


def forking() -> ForkServerContext:
    """What daemons are forked from; it has imported this module."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__])
    return context


@dataclass(frozen=True, slots=True)
class Counter:
    """Shared with the daemon: the steps since it was armed, and the one before which it dies."""

    armed: Any
    steps: Any
    fatal: Any

    @classmethod
    def shared(cls, context: ForkServerContext) -> Counter:
        armed, steps, fatal = (context.Value("q", 0, lock=False) for _ in range(3))
        return cls(armed, steps, fatal)

    def arm(self, fatal: int) -> None:
        """Count from now on; 0 is fatal never."""
        self.fatal.value = fatal
        self.armed.value = 1

    def take(self) -> None:
        if not self.armed.value:
            return
        self.steps.value += 1
        if self.steps.value == self.fatal.value:
            os.kill(os.getpid(), signal.SIGKILL)


class Steps(deque[asyncio.Handle]):
    """The callbacks that are ready, each counted before it runs."""

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self._counter = counter

    def popleft(self) -> asyncio.Handle:
        self._counter.take()
        return super().popleft()


class SteppingLoop(asyncio.SelectorEventLoop):
    """asyncio's loop with a queue that counts."""

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self._ready = Steps(counter)


def _serve(options: ServeOptions, log: Path, counter: Counter, ready: Connection) -> None:
    """The daemon, in its own process."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.umask(0o077)
    configure_logs("info")

    def announce(_: Listening) -> None:
        ready.send(True)

    with asyncio.Runner(loop_factory=partial(SteppingLoop, counter)) as runner:
        runner.run(serve(options, announce))


@dataclass
class SteppedDaemon:
    """One such process, and a client of it."""

    client: httpx.Client
    counter: Counter
    process: Any

    def end(self) -> int:
        """Its exit code once it is gone."""
        self.process.join(PATIENCE)
        code = self.process.exitcode
        assert code is not None, "the daemon does not end"
        return int(code)


@contextmanager
def stepped(options: ServeOptions, folder: Path) -> Iterator[SteppedDaemon]:
    """A daemon that is ready; stopped in the end if it still runs."""
    context = forking()
    counter = Counter.shared(context)
    told, ready = context.Pipe(duplex=False)
    log = folder / "log"
    process = context.Process(target=_serve, args=(options, log, counter, ready))
    process.start()
    ready.close()
    transport = httpx.HTTPTransport(uds=str(options.socket_path))
    with told, httpx.Client(transport=transport, base_url="http://innkeeper", timeout=20) as client:
        try:
            assert told.poll(PATIENCE), f"not ready:\n{log.read_text()}"
            told.recv()
            yield SteppedDaemon(client, counter, process)
        finally:
            process.terminate()
            process.join(PATIENCE)
            process.close()
