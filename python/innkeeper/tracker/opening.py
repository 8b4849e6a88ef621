"""The start: host observed, store opened, ledger rebuilt from what is durable."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import anyio.to_thread

from innkeeper import _core
from innkeeper.clock import Clock
from innkeeper.config import Config
from innkeeper.drivers.base import Driver, Hypervisor
from innkeeper.objects import ChangeSet, Claim, Event, EventKind, Placement
from innkeeper.requests.aliases import Aliases
from innkeeper.requests.collection import no_collection
from innkeeper.requests.cordoned import Cordoned
from innkeeper.requests.cpu_sets import require_cpus
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.inventory import put_together
from innkeeper.requests.offer import Offer
from innkeeper.store.base import Machine, Opened, Store
from innkeeper.tracker.alarms import Alarms
from innkeeper.tracker.audit.bookings_source import LIVE, PAGE
from innkeeper.tracker.bell import Bell
from innkeeper.tracker.cordon_table import CordonTable
from innkeeper.tracker.instances import Instances
from innkeeper.tracker.lapses import Cause, DueClaims, Expiries
from innkeeper.tracker.nova.projecting import Projecting
from innkeeper.tracker.nova.service import BINARY
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.processes import ProcessWatch
from innkeeper.tracker.register import Register
from innkeeper.tracker.sync import observe_instances, pages_in_ledger, refresh, take_in
from innkeeper.tracker.waiting import WaitingLine
from innkeeper.tracker.writing import Step, Writer


@dataclass(frozen=True, slots=True)
class Opening:
    """What the start gives to the tracker."""

    parts: Parts
    opened: Opened


async def open_parts(
    *,
    node: str,
    store: Store,
    driver: Driver,
    config: Config,
    clock: Clock,
    hypervisor: Hypervisor | None = None,
) -> Opening:
    """Observe, open, restore, and say so in the history.

    Raises:
        HostUnreadable, BadConfig, StoreError
    """
    host = await anyio.to_thread.run_sync(driver.observe)
    rules = DeviceRules.of(config)
    offer, nothing = Offer(), Cordoned()
    with no_collection():
        offer.observe(host.functions, rules)
        inventory = put_together(host, config, nothing, offer.devices({}, (), nothing))
    machine = Machine(host.machine_id, host.hostname)
    opened = await store.open(boot_id=host.boot_id, machine=machine)
    ledger, register, alarms = _core.Ledger(inventory), Register(), Alarms(clock)
    writer = Writer(node, store, register, clock)
    writer.generation, writer.newest = opened.generation, opened.sequence
    due, dirt_due = DueClaims(), Bell()
    parts = Parts(
        node=node,
        store=store,
        clock=clock,
        ledger=ledger,
        register=register,
        alarms=alarms,
        line=WaitingLine(ledger, alarms, most=config.claims.max_waiting),
        writer=writer,
        due=due,
        expiries=Expiries(alarms, clock, due),
        processes=ProcessWatch(due),
        offer=offer,
        cordons=CordonTable(dirt_due),
        dirt_due=dirt_due,
        look_due=Bell(),
        host=host,
        inventory=inventory,
        config=config,
        rules=rules,
        aliases=Aliases.of(config),
        instances=Instances(hypervisor),
        booted_at=opened.booted_at,
    )
    await _restore(parts)
    await observe_instances(parts)
    _require_cpus_of_a_new_host(parts)
    take_in(parts, host, pages_in_ledger(parts))
    refresh(parts)
    await _write_start(parts, opened)
    return Opening(parts, opened)


async def _restore(parts: Parts) -> None:
    parts.cordons.keep(await parts.store.list_cordons())
    marker = None
    while page := await parts.store.list_claims(states=LIVE, limit=PAGE, marker=marker):
        parts.ledger.restore([_booking(claim) for claim in page])
        parts.register.publish(page)
        for claim in page:
            _follow(parts, claim)
        marker = page[-1].id


def _require_cpus_of_a_new_host(parts: Parts) -> None:
    """Words that the host cannot follow are a mistake where nothing is held yet.

    Where claims are held the host has lost CPUs: they must not be out of reach until somebody comes, so
    that is a finding.
    """
    if not len(parts.register):
        require_cpus(parts.host, parts.config)


def _follow(parts: Parts, claim: Claim) -> None:
    parts.follow(claim)
    if claim.process is not None:
        parts.due.add(claim.id, Cause.START)


def _booking(claim: Claim) -> tuple[str, Placement]:
    return str(claim.id), claim.placement


async def _write_start(parts: Parts, opened: Opened) -> None:
    details = {"epoch": opened.epoch, "boot_id": parts.host.boot_id}
    events = [Event(at=parts.clock.now(), kind=EventKind.STARTED, details=details)]
    if opened.set_aside is not None:
        aside = {"path": opened.set_aside}
        events.append(Event(at=parts.clock.now(), kind=EventKind.SET_ASIDE, details=aside))
    if parts.config.nova.tables == "embedded":
        parts.writer.rows = await _projecting(parts)
    change_set = ChangeSet(
        id=uuid4(),
        node=parts.node,
        events=tuple(events),
        devices=parts.inventory.devices,
        records=parts.writer.rows.of_host(),
    )
    await parts.writer.write_step(Step(change_set))


async def _projecting(parts: Parts) -> Projecting:
    """Nova's tables, whose service goes on counting its reports where it left off."""
    projecting = Projecting(parts)
    for service in await parts.store.list_services(projecting.service.host):
        if service.binary == BINARY:
            projecting.service.resume(service.report_count)
    return projecting
