"""The async owner of one host's ledger.

It composes the lives that are told elsewhere: `placing`, `claims` and `updates` (a claim), `waiting`
(the line for room), `audits`; `writing` makes steps durable, `register` and `showing` tell what is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

import anyio
import anyio.to_thread
import structlog

from innkeeper.clock import Clock, SystemClock
from innkeeper.config import Config
from innkeeper.drivers.base import Driver
from innkeeper.errors import InnkeeperError
from innkeeper.objects import (
    AuditReport,
    Claim,
    ClaimSpec,
    ClaimState,
    ClaimUpdate,
    Event,
    Finding,
    Holder,
    Request,
)
from innkeeper.objects.cordon import Cordon, CordonCause, CordonKind
from innkeeper.requests.aliases import Aliases
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.remarks import Remark
from innkeeper.store.base import Opened, Store
from innkeeper.tracker.audits import Audits
from innkeeper.tracker.bookings_source import LIVE, BookingsSource
from innkeeper.tracker.claims import Claims
from innkeeper.tracker.cleaning import Cleaning
from innkeeper.tracker.cordons import Cordons
from innkeeper.tracker.ends import Ends
from innkeeper.tracker.findings import Findings
from innkeeper.tracker.host_source import HostSource
from innkeeper.tracker.opening import open_parts
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.placing import Placed, Placing
from innkeeper.tracker.processes import ProcessWatch, tie
from innkeeper.tracker.records_source import RecordsSource
from innkeeper.tracker.showing import Showing
from innkeeper.tracker.sync import require_new_cpus
from innkeeper.tracker.updates import Updates
from innkeeper.tracker.watching import Watching

log = structlog.get_logger(__name__)

PRUNE_SECONDS = 3600.0


class Tracker(Showing):
    """Books, writes and watches the claims of one host.

    As a library: `async with Tracker(...) as tracker`. A service calls `start`, `run` and `close`.
    """

    def __init__(
        self,
        *,
        node: str,
        store: Store,
        driver: Driver,
        config: Config | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._node = node
        self._store = store
        self._driver = driver
        self._config = config or Config()
        self._clock = clock or SystemClock()
        self._processes: ProcessWatch | None = None
        self.ready = False

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.close)
            await self.start()
            group = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(group.cancel_scope.cancel)
            group.start_soon(self.run)
            stack.push_async_callback(self.drain)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        # Not handed on: the body's own exception passes as it is, not in a group.
        await self._stack.aclose()

    # -- the process's life ------------------------------------------------------------------

    async def start(self) -> None:
        """Observe the host, open the store, rebuild the ledger; claims may be asked for after.

        Raises:
            HostUnreadable, BadConfig, StoreError
        """
        self.started_at: datetime = self._clock.now()
        opening = await open_parts(
            node=self._node,
            store=self._store,
            driver=self._driver,
            config=self._config,
            clock=self._clock,
        )
        self.opened: Opened = opening.opened
        self._parts: Parts = opening.parts
        self._processes = self._parts.processes
        self._claims = Claims(self._parts)
        self._placing = Placing(self._parts, self._claims)
        self._updates = Updates(self._parts, self._claims)
        self._cordons = Cordons(self._parts)
        self._cleaning = Cleaning(self._parts, self._cordons)
        self._cordons.kept_off = self._cleaning.kept_off
        self._findings = Findings(self._parts)
        self._audits = self._make_audits()
        self._watching = Watching(self._parts, self._driver, self._audits)
        self._ends = Ends(self._parts, self._claims)
        await self._findings.load()
        warn_of_retired(self._parts.offer.remarks)
        await self._forget()
        self.ready = True

    def _make_audits(self) -> Audits:
        parts = self._parts
        return Audits(
            parts,
            self._driver,
            self._cordons,
            self._findings,
            HostSource(parts, self._cleaning.remarks),
            (BookingsSource(parts), RecordsSource(parts)),
        )

    async def run(self) -> None:
        """Lapse claims, watch processes and host, clean, settle doubts, audit; until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._parts.alarms.run)
            group.start_soon(self._parts.processes.run)
            group.start_soon(self._parts.writer.run)
            group.start_soon(self._ends.run)
            group.start_soon(self._audits.run)
            group.start_soon(self._watching.run)
            group.start_soon(self._cleaning.run)
            group.start_soon(self._prune)

    async def _prune(self) -> None:
        while True:
            await self._clock.sleep(PRUNE_SECONDS)
            await self._forget()

    async def _forget(self) -> None:
        """Also at the start, so that a daemon that never runs for long keeps no more than others."""
        keep = timedelta(seconds=self._parts.config.claims.tombstone_keep)
        try:
            # What is in doubt is looked up by what prune deletes.
            if not self._parts.writer.in_doubt:
                await self._store.prune(before=self._clock.now() - keep)
        except InnkeeperError as error:
            log.warning("prune failed", code=error.code, error=error.message)

    async def drain(self) -> None:
        """Take no new claims, send those who wait away, finish what is being written."""
        self.ready = False
        self._parts.draining = True
        self._parts.line.refuse_all()
        with anyio.CancelScope(shield=True):
            await self._parts.writer.wait_quiet()

    async def close(self) -> None:
        """After `run` ended: let go of the store and of every process; safe to call twice."""
        self.ready = False
        if self._processes is not None:
            self._processes.close()
        with anyio.CancelScope(shield=True):
            await self._store.close()

    async def reconfigure(self, config: Config) -> None:
        """Apply new words of the operator; claims stay, whatever they say.

        Raises:
            BadConfig: nothing was applied.
            StoreError: all is applied; the device table is written at the next audit.
        """
        rules, aliases = DeviceRules.of(config), Aliases.of(config)
        require_new_cpus(self._parts, config)
        self._parts.config, self._parts.rules, self._parts.aliases = config, rules, aliases
        self._parts.line.reword(aliases)
        try:
            await self._audits.adopt()
        finally:
            self._parts.line.serve()
            self._parts.look_due.ring()
            warn_of_retired(self._parts.offer.remarks)

    # -- claims ------------------------------------------------------------------------------

    async def place(
        self, spec: ClaimSpec, *, wait_seconds: float | None = None, pid: int | None = None
    ) -> Placed:
        """Book and write one claim; see `Placing.place` for what it raises.

        With `pid` the claim is confirmed at once and ends when that process does.
        """
        if pid is None:
            return await self._placing.place(spec, wait_seconds=wait_seconds, tied=None)
        tied = await anyio.to_thread.run_sync(tie, pid)
        try:
            return await self._placing.place(spec, wait_seconds=wait_seconds, tied=tied)
        finally:
            tied.close()

    async def place_all(self, specs: Sequence[ClaimSpec]) -> tuple[Placed, ...]:
        """All of these in one change set, or none of them."""
        return await self._placing.place_all(specs)

    async def place_each(self, specs: Sequence[ClaimSpec]) -> tuple[Placed | InnkeeperError, ...]:
        """Each of these by itself, in order; they share what writes they can."""
        answers: list[Placed | InnkeeperError | None] = [None] * len(specs)

        async def place_one(index: int) -> None:
            try:
                answers[index] = await self.place(specs[index])
            except InnkeeperError as refusal:
                answers[index] = refusal

        async with anyio.create_task_group() as group:
            for index in range(len(specs)):
                group.start_soon(place_one, index)
        return tuple(answer for answer in answers if answer is not None)

    @asynccontextmanager
    async def claim(
        self,
        instance_uuid: UUID | None,
        request: Request,
        *,
        holder: Holder | None = None,
        wait_seconds: float | None = None,
    ) -> AsyncIterator[Claim]:
        """Hold room while an instance is built: confirmed on leaving, aborted on an exception."""
        holder = holder or Holder()
        spec = ClaimSpec(instance_uuid=instance_uuid, request=request, holder=holder)
        claim = (await self.place(spec, wait_seconds=wait_seconds)).claim
        try:
            yield claim
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._abort_if_pending(claim.id, holder)
            raise
        await self.confirm(claim.id, by=holder)

    async def _abort_if_pending(self, claim_id: UUID, by: Holder) -> None:
        claim = self._parts.register.find(claim_id)
        if claim is not None and claim.state is ClaimState.PENDING:
            await self.abort(claim_id, by=by)

    async def find(self, ref: UUID) -> Claim:
        """A claim by its id or its instance; tombstones by id. Raises UnknownClaim."""
        return await self._claims.find(ref)

    async def confirm(self, ref: UUID, *, by: Holder) -> Claim:
        """See `Claims.confirm`."""
        return await self._claims.confirm(ref, by=by)

    async def renew(self, ref: UUID, *, by: Holder, lease_seconds: float | None = None) -> Claim:
        """See `Claims.renew`."""
        return await self._claims.renew(ref, by=by, lease_seconds=lease_seconds)

    async def update(self, ref: UUID, change: ClaimUpdate, *, by: Holder) -> Claim:
        """See `Updates.update`."""
        return await self._updates.update(ref, change, by=by)

    async def abort(self, ref: UUID, *, by: Holder) -> Claim:
        """See `Claims.abort`."""
        return await self._claims.abort(ref, by=by)

    async def release(self, ref: UUID, *, by: Holder) -> Claim:
        """See `Claims.release`."""
        return await self._claims.release(ref, by=by)

    async def list_claims(
        self,
        *,
        states: frozenset[ClaimState] = LIVE,
        instance_uuid: UUID | None = None,
        limit: int = 100,
        marker: UUID | None = None,
    ) -> tuple[Claim, ...]:
        """Claims by ascending id, after `marker`; live ones come from memory."""
        source = self._parts.register.list_claims
        if states <= LIVE:
            return source(states=states, instance_uuid=instance_uuid, limit=limit, marker=marker)
        return await self._store.list_claims(
            states=states, instance_uuid=instance_uuid, limit=limit, marker=marker
        )

    # -- what takes no new claims --------------------------------------------------------------

    def cordons(self) -> tuple[Cordon, ...]:
        """Those that are not lifted, dirty devices included, by kind, subject and cause."""
        return self._cordons.list_cordons()

    async def cordon(self, kind: CordonKind, subject: str, *, reason: str, by: Holder) -> Cordon:
        """See `Cordons.cordon`."""
        return await self._cordons.cordon(kind, subject, reason=reason, by=by)

    async def uncordon(
        self,
        kind: CordonKind,
        subject: str,
        *,
        by: Holder,
        reason: str | None = None,
        cause: CordonCause | None = None,
    ) -> Cordon | None:
        """See `Cordons.uncordon`; null when nothing kept new claims off it."""
        return await self._cordons.uncordon(kind, subject, by=by, reason=reason, cause=cause)

    # -- history and audits --------------------------------------------------------------------

    async def list_events(
        self,
        *,
        after: int = 0,
        claim_id: UUID | None = None,
        instance_uuid: UUID | None = None,
        limit: int = 100,
    ) -> tuple[Event, ...]:
        """What happened, in the order in which it became durable."""
        return await self._store.list_events(
            after=after, claim_id=claim_id, instance_uuid=instance_uuid, limit=limit
        )

    async def list_findings(
        self, *, include_cleared: bool = False, limit: int = 100, marker: str | None = None
    ) -> tuple[Finding, ...]:
        """What audits found, by id."""
        if not include_cleared:
            return self._findings.list_open(limit=limit, marker=marker)
        return await self._store.list_findings(include_cleared=True, limit=limit, marker=marker)

    async def audit(self, *, full: bool = True) -> AuditReport:
        """Compare ledger, store and host now: everything, or what changed. Raises StoreError."""
        return await self._audits.audit(full=full)


def warn_of_retired(remarks: Sequence[Remark]) -> None:
    """Devices that are held and that the operator's words admit no more: kept, and named."""
    retired = [remark.subject for remark in remarks if remark.kind == "device_retired"]
    if retired:
        log.warning("held devices are no longer admitted", devices=retired)
