"""The async owner of one host's ledger.

It composes the lives that are told elsewhere: `placing`, `claims` and `updates` (a claim), `waiting`
(the line for room), `audits`; `writing` makes steps durable, `register` and `showing` tell what is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Self

import anyio
import anyio.to_thread
import structlog

from innkeeper.clock import Clock, SystemClock
from innkeeper.config import Config
from innkeeper.drivers.base import Driver, Hypervisor
from innkeeper.errors import InnkeeperError
from innkeeper.objects import Holder
from innkeeper.requests.aliases import Aliases
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.remarks import Remark
from innkeeper.store.base import Opened, Store
from innkeeper.tracker.acting import Acting
from innkeeper.tracker.audit.audits import Audits
from innkeeper.tracker.audit.booking_repair import BookingRepair
from innkeeper.tracker.audit.bookings_source import BookingsSource
from innkeeper.tracker.audit.boots import BootRepair, BootSource
from innkeeper.tracker.audit.findings import Findings
from innkeeper.tracker.audit.host_source import HostSource
from innkeeper.tracker.audit.records_source import RecordsSource
from innkeeper.tracker.audit.repairs import Repairs
from innkeeper.tracker.audit.reports_source import ReportsSource
from innkeeper.tracker.audit.row_adoption import RowAdoptRepair
from innkeeper.tracker.audit.row_repair import RowRepair
from innkeeper.tracker.audit.rows_source import NovaRowsSource
from innkeeper.tracker.audit.running_repairs import AdoptRepair, GoneRepair
from innkeeper.tracker.audit.running_source import RunningSource
from innkeeper.tracker.audit.set_aside_repair import SetAsideRepair
from innkeeper.tracker.auditing import Auditing
from innkeeper.tracker.changes import Changes
from innkeeper.tracker.claims import Claims
from innkeeper.tracker.cordons import Cordons
from innkeeper.tracker.devices.cleaning import Cleaning
from innkeeper.tracker.ends import Ends
from innkeeper.tracker.history.streams import Streams
from innkeeper.tracker.moves.moves import Moves
from innkeeper.tracker.nova.heartbeat import Heartbeat
from innkeeper.tracker.nova.service_record import Services, ServiceState
from innkeeper.tracker.opening import open_parts
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.placing import Placing
from innkeeper.tracker.processes import ProcessWatch
from innkeeper.tracker.sync import require_new_cpus
from innkeeper.tracker.telling import Telling
from innkeeper.tracker.updates import Updates
from innkeeper.tracker.watching import Watching

log = structlog.get_logger(__name__)

PRUNE_SECONDS = 3600.0


class Tracker(Acting, Auditing, Telling):
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
        hypervisor: Hypervisor | None = None,
    ) -> None:
        """Of `node`; with a `hypervisor` what runs is compared with what is booked."""
        self._node = node
        self._hypervisor = hypervisor
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
            hypervisor=self._hypervisor,
        )
        self.opened: Opened = opening.opened
        self._parts: Parts = opening.parts
        self._processes = self._parts.processes
        self._changes = changes = Changes(self._parts)
        self._claims = Claims(self._parts, changes)
        self._placing = Placing(self._parts, changes)
        self._moves = Moves(self._parts, self._claims, changes)
        self._updates = Updates(self._parts, self._claims)
        self._cordons = Cordons(self._parts)
        self._cleaning = Cleaning(self._parts, self._cordons)
        self._cordons.kept_off = self._cleaning.kept_off
        self._findings = Findings(self._parts)
        self._heartbeat = Heartbeat(self._parts)
        self._repairs = self._make_repairs()
        self._audits = self._make_audits()
        self._watching = Watching(self._parts, self._driver, self._audits)
        self._ends = Ends(self._parts, self._claims)
        self._streams = Streams(self._parts, self.opened.ledger)
        self._services = Services(self._parts)
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
            self._repairs,
            HostSource(parts, self._cleaning.remarks),
            (
                BookingsSource(parts),
                RecordsSource(parts),
                RunningSource(parts),
                BootSource(parts),
                NovaRowsSource(parts),
                ReportsSource(parts, self._heartbeat),
            ),
        )

    def _make_repairs(self) -> Repairs:
        parts = self._parts
        return Repairs(
            parts,
            self._findings,
            (
                BookingRepair(parts),
                SetAsideRepair(parts),
                GoneRepair(parts, self._changes),
                AdoptRepair(parts),
                BootRepair(parts),
                RowRepair(parts),
                RowAdoptRepair(parts),
            ),
        )

    async def run(self) -> None:
        """Lapse claims, watch processes and host, clean, settle doubts, audit, beat; until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._parts.alarms.run)
            group.start_soon(self._parts.processes.run)
            group.start_soon(self._parts.writer.run)
            group.start_soon(self._ends.run)
            group.start_soon(self._audits.run)
            group.start_soon(self._watching.run)
            group.start_soon(self._cleaning.run)
            group.start_soon(self._prune)
            group.start_soon(self._heartbeat.run)

    async def _prune(self) -> None:
        while True:
            await self._clock.sleep(PRUNE_SECONDS)
            await self._forget()

    async def _forget(self) -> None:
        """Also at the start, so that a daemon that never runs for long keeps no more than others."""
        config, now = self._parts.config, self._clock.now()
        claims_keep = timedelta(seconds=config.claims.tombstone_keep)
        events_keep = timedelta(seconds=config.events.keep)
        try:
            # What is in doubt is looked up by what prune deletes.
            if not self._parts.writer.in_doubt:
                await self._store.prune(before=now - claims_keep)
                await self._store.forget_events(before=now - events_keep)
        except InnkeeperError as error:
            log.warning("prune failed", code=error.code, error=error.message)

    async def drain(self) -> None:
        """Take no new claims, send those who wait away, finish what is being written."""
        self.ready = False
        self._parts.draining = True
        self._parts.line.refuse_all()
        self._parts.writer.news.ring()
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
        self._parts.line.reword(self._parts.resolve)
        try:
            await self._audits.adopt()
        finally:
            self._parts.line.serve()
            self._parts.look_due.ring()
            warn_of_retired(self._parts.offer.remarks)

    # -- the service's record ------------------------------------------------------------------

    async def show_service(self) -> ServiceState:
        """See `Services.show`."""
        return await self._services.show()

    async def force_service_down(self, *, forced: bool, by: Holder) -> ServiceState:
        """See `Services.force_down`."""
        return await self._services.force_down(forced=forced, by=by)


def warn_of_retired(remarks: Sequence[Remark]) -> None:
    """Devices that are held and that the operator's words admit no more: kept, and named."""
    retired = [remark.subject for remark in remarks if remark.kind == "device_retired"]
    if retired:
        log.warning("held devices are no longer admitted", devices=retired)
