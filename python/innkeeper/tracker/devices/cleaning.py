"""Devices cleaned between two holders: the operator's command is run until it succeeds.

A device stays dirty, durably and not to be had, until then; a daemon that starts goes on with what is
dirty. What is given out once only, or has no command any more, waits for an operator.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import anyio
import anyio.to_thread
import structlog

from innkeeper.errors import Conflict, InnkeeperError
from innkeeper.objects.cordon import Cordon, CordonCause
from innkeeper.objects.host import PciFunction
from innkeeper.requests.device_specs import DeviceRule
from innkeeper.requests.remarks import Remark
from innkeeper.tracker.cordon_table import Key, key_of
from innkeeper.tracker.cordons import Cordons
from innkeeper.tracker.devices.command import Outcome, run_command
from innkeeper.tracker.devices.leftovers import stop_leftovers
from innkeeper.tracker.parts import Parts

log = structlog.get_logger(__name__)

AT_ONCE: Final = 4
"""Commands that run at the same time."""

FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 900.0
"""Seconds before a command that failed is run again; each pause is twice the last."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A dirty device that can be cleaned now."""

    cordon: Cordon
    function: PciFunction
    rule: DeviceRule

    def variables(self) -> dict[str, str]:
        """What the command is told."""
        claim = self.cordon.claim_id
        return {
            "INNKEEPER_DEVICE": self.function.address,
            "INNKEEPER_VENDOR": self.function.vendor_id,
            "INNKEEPER_PRODUCT": self.function.product_id,
            **({"INNKEEPER_CLAIM": str(claim)} if claim else {}),
        }


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A command that runs."""

    job: _Job
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    ended: anyio.Event = field(default_factory=anyio.Event)

    def is_on(self, cordon: Cordon) -> bool:
        """Whether it cleans the device of this mark, which may have been renamed since."""
        return self.job.cordon.model_copy(update={"subject": cordon.subject}) == cordon


@dataclass(frozen=True, slots=True)
class _Failure:
    """What became of the last attempt."""

    job: _Job
    problem: str
    last_line: str
    attempts: int
    due: float
    """Monotonic time of the next one."""


class Cleaning:
    """Runs the commands of what is dirty."""

    def __init__(self, parts: Parts, cordons: Cordons) -> None:
        self._parts = parts
        self._cordons = cordons
        self._running: dict[Key, _Attempt] = {}
        self._kept_off: set[Key] = set()
        """Devices whose dirt is being lifted by hand: no command is started on them."""
        self._failures: dict[Key, _Failure] = {}
        self._left_before: dict[str, Cordon] = {}

    def remarks(self) -> tuple[Remark, ...]:
        """Devices whose command fails, for as long as they are dirty; and those that have none."""
        self._forget_the_clean()
        failed = map(_remark, self._failures.values())
        left = (_left_remark(address, cordon) for address, cordon in self._left().items())
        return (*failed, *left)

    async def run(self) -> None:
        """Clean until cancelled; a command that runs then is stopped, and run anew at the next start."""
        async with anyio.create_task_group() as group:
            while True:
                for job in self._due():
                    attempt = self._running[key_of(job.cordon)] = _Attempt(job)
                    group.start_soon(self._clean, attempt)
                self._look_at_what_is_left()
                await self._parts.dirt_due.wait()

    def _look_at_what_is_left(self) -> None:
        """Another device that nothing cleans is reported now, and one that is lifted no longer."""
        before, self._left_before = self._left_before, self._left()
        if self._left_before != before:
            self._parts.look_due.ring()

    def _left(self) -> dict[str, Cordon]:
        """Dirty devices on the host, by address, that no command and no `one_time_use` is for."""
        places = ((self._parts.offer.admission.place_of(one), one) for one in self._dirt())
        return {
            address: cordon
            for address, cordon in places
            if address is not None and self._is_left(address)
        }

    def _is_left(self, address: str) -> bool:
        admission = self._parts.offer.admission
        rule = admission.rule(address)
        said = rule is not None and (rule.clean or rule.one_time_use)
        return admission.function(address) is not None and not said

    def _dirt(self) -> Iterator[Cordon]:
        durable = self._parts.cordons.durable
        return (cordon for cordon in durable if cordon.cause is CordonCause.DIRTY)

    @asynccontextmanager
    async def kept_off(self, cordon: Cordon) -> AsyncIterator[None]:
        """Nothing runs on a device while somebody lifts its dirt: the next holder may have it after.

        Raises:
            Conflict: its command runs and cannot be killed.
        """
        key = key_of(cordon)
        self._kept_off.add(key)
        try:
            for attempt in [one for one in self._running.values() if one.is_on(cordon)]:
                await self._stop(attempt)
            yield
        finally:
            self._kept_off.discard(key)
            self._parts.dirt_due.ring()

    async def _stop(self, attempt: _Attempt) -> None:
        attempt.scope.cancel()
        await attempt.ended.wait()
        job = attempt.job
        if await anyio.to_thread.run_sync(stop_leftovers, job.variables()):
            raise Conflict(
                f"`{job.rule.clean[0]}` still runs on device {job.function.address} and cannot be "
                "killed: the device stays dirty",
                address=job.function.address,
            )

    def _due(self) -> list[_Job]:
        """As many as may be started."""
        self._forget_the_clean()
        jobs = (self._job(cordon) for cordon in self._dirt() if self._is_due(key_of(cordon)))
        return [job for job in jobs if job is not None][: AT_ONCE - len(self._running)]

    def _is_due(self, key: Key) -> bool:
        failure = self._failures.get(key)
        late = failure is None or failure.due <= self._parts.clock.monotonic()
        return late and key not in self._running and key not in self._kept_off

    def _job(self, cordon: Cordon) -> _Job | None:
        """Null while there is nothing to run, or nothing to run it on."""
        offer = self._parts.offer
        address = offer.admission.place_of(cordon)
        function = None if address is None else offer.admission.function(address)
        rule = None if function is None else offer.admission.rule(function.address)
        if function is None or rule is None or not rule.clean or rule.one_time_use:
            return None
        return _Job(cordon, function, rule)

    def _forget_the_clean(self) -> None:
        dirty = {key_of(cordon) for cordon in self._parts.cordons.durable}
        self._failures = {k: failure for k, failure in self._failures.items() if k in dirty}

    async def _clean(self, attempt: _Attempt) -> None:
        job = attempt.job
        try:
            with attempt.scope:
                await self._clean_once(job)
        finally:
            del self._running[key_of(job.cordon)]
            attempt.ended.set()
            self._parts.dirt_due.ring()

    async def _clean_once(self, job: _Job) -> None:
        outcome = await self._attempt(job)
        if outcome.problem is not None:
            self._put_off(job, outcome)
            return
        try:
            await self._cordons.lift_dirt(job.cordon)
        except InnkeeperError as error:
            # It is clean, and that is not durable: it is cleaned once more.
            self._put_off(job, Outcome(f"done, and not noted: {error.message}"))

    async def _attempt(self, job: _Job) -> Outcome:
        variables = job.variables()
        if await anyio.to_thread.run_sync(stop_leftovers, variables):
            return Outcome("its command of an earlier attempt still runs and cannot be killed")
        outcome = await run_command(
            job.rule.clean,
            variables=variables,
            seconds=job.rule.clean_timeout,
            clock=self._parts.clock,
        )
        log.info(
            "device cleaned" if outcome.problem is None else "device not cleaned",
            device=job.function.address,
            command=job.rule.clean[0],
            problem=outcome.problem,
            output=outcome.output,
        )
        return outcome

    def _put_off(self, job: _Job, outcome: Outcome) -> None:
        key = key_of(job.cordon)
        earlier = self._failures.get(key)
        attempts = 1 + (earlier.attempts if earlier else 0)
        pause = min(FIRST_PAUSE * 2 ** min(attempts - 1, 16), LONGEST_PAUSE)
        due = self._parts.clock.monotonic() + pause
        problem = outcome.problem or ""
        self._failures[key] = _Failure(job, problem, outcome.last_line, attempts, due)
        self._parts.alarms.after(pause, self._parts.dirt_due.ring)
        self._parts.look_due.ring()


def _remark(failure: _Failure) -> Remark:
    job, address = failure.job, failure.job.function.address
    said = f", its last line: {failure.last_line[:200]}" if failure.last_line else ""
    return Remark(
        "clean_failed",
        address,
        f"device {address} is dirty and `{job.rule.clean[0]}` of {job.rule.words} does not clean it: "
        f"{failure.problem}{said}",
        observed=failure.problem,
        claim_id=job.cordon.claim_id,
    )


def _left_remark(address: str, cordon: Cordon) -> Remark:
    return Remark(
        "clean_missing",
        address,
        f"device {address} is dirty and stays so: no entry that admits it has a `clean` command",
        observed="no `clean` command",
        claim_id=cordon.claim_id,
    )
