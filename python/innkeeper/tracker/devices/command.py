"""An operator's command run as a child process: no shell, a session and an environment of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
from anyio.abc import Process

from innkeeper.clock import Clock
from innkeeper.config.device_sections import CLEAN_PATH

GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL to a command that takes too long."""

DRAIN_SECONDS = 1.0
"""For what the command wrote last; a process that left its session and keeps the pipe is not
waited for longer."""

MOST_OUTPUT = 4096
"""Bytes that are kept, the last ones."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    problem: str | None
    """Why it does not count as done, such as `exit status 3`; null when it does."""
    output: str = ""
    """The last of what it wrote to stdout and stderr."""

    @property
    def last_line(self) -> str:
        """Of its output; empty when it wrote nothing."""
        lines = (line.strip() for line in reversed(self.output.splitlines()))
        return next((line for line in lines if line), "")


async def run_command(
    argv: Sequence[str], *, variables: Mapping[str, str], seconds: float, clock: Clock
) -> Outcome:
    """Run it to its end, which comes after so many seconds at the latest.

    Nothing of its session is left running, also when the caller is cancelled.
    """
    try:
        # Cancelled half way, asyncio would kill the process and leave what it has started by then.
        with anyio.CancelScope(shield=True):
            process = await _start(argv, variables)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return Outcome(f"cannot be started: {reason}")
    return await _Run(process, seconds, clock).outcome()


async def _start(argv: Sequence[str], variables: Mapping[str, str]) -> Process:
    return await anyio.open_process(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env={"PATH": CLEAN_PATH, "LANG": "C.UTF-8", **variables},
        start_new_session=True,
    )


@dataclass(slots=True)
class _Run:
    """One process, watched."""

    process: Process
    seconds: float
    clock: Clock
    _kept: bytearray = field(default_factory=bytearray)
    _read_all: anyio.Event = field(default_factory=anyio.Event)
    _over: anyio.Event = field(default_factory=anyio.Event)
    _problem: str | None = None

    async def outcome(self) -> Outcome:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._read)
                group.start_soon(self._stop_when_late)
                group.start_soon(self._wait)
                await self._over.wait()
                # Its children, too: the device is handed out next.
                self._signal(signal.SIGKILL)
                with anyio.move_on_after(DRAIN_SECONDS):
                    await self._read_all.wait()
                group.cancel_scope.cancel()
        finally:
            await self._let_go()
        return Outcome(self._problem, self._kept.decode(errors="replace"))

    async def _read(self) -> None:
        if self.process.stdout is not None:
            async for chunk in self.process.stdout:
                self._kept += chunk
                del self._kept[:-MOST_OUTPUT]
        self._read_all.set()

    async def _wait(self) -> None:
        status = await self.process.wait()
        if self._problem is None and status < 0:
            self._problem = f"killed by signal {-status}"
        elif self._problem is None and status:
            self._problem = f"exit status {status}"
        self._over.set()

    async def _stop_when_late(self) -> None:
        await self.clock.sleep(self.seconds)
        self._problem = f"not done within {self.seconds:g} s"
        self._signal(signal.SIGTERM)
        await self.clock.sleep(GRACE_SECONDS)
        self._signal(signal.SIGKILL)
        await self.clock.sleep(GRACE_SECONDS)
        self._problem += ", and it cannot be killed"
        self._over.set()

    async def _let_go(self) -> None:
        """What the kernel does not let die is not waited for: neither claims nor a stop depend on it."""
        self._signal(signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            if self.process.stdout is not None:
                await self.process.stdout.aclose()
            with anyio.move_on_after(GRACE_SECONDS):
                await self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        """To everything in its process group, whether its leader is there or not."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)
