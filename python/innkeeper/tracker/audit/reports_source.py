"""Whether others can see that this service is alive, and whether clocks agree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from innkeeper.objects import ComputeNode, Service
from innkeeper.requests.remarks import Remark
from innkeeper.tracker.audit.comparing import Comparison
from innkeeper.tracker.nova.heartbeat import Heartbeat
from innkeeper.tracker.nova.projecting import Projecting
from innkeeper.tracker.nova.service import BINARY, DOWN_SECONDS
from innkeeper.tracker.parts import Parts

MISSED: Final = 2
"""Reports in a row that may be missing where their interval is long."""


class ReportsSource:
    """Reads the rows as others do; silent where Nova's tables are not kept."""

    kinds = frozenset({"report_stale", "report_in_future"})

    def __init__(self, parts: Parts, heartbeat: Heartbeat) -> None:
        self._parts = parts
        self._heartbeat = heartbeat
        self._old: tuple[datetime | None, int] | None = None
        """The last report when it was first found old, and how many were tried until then."""

    async def compare(self, *, full: bool) -> Comparison:  # noqa: D102 - two rows, however full
        rows = self._parts.writer.rows
        if not isinstance(rows, Projecting):
            return Comparison()
        services = await self._parts.store.list_services(rows.service.host)
        nodes = await self._parts.store.list_compute_nodes(rows.service.host)
        own = [one for one in services if one.binary == BINARY]
        here = [one for one in nodes if one.hypervisor_hostname == self._parts.node]
        now = self._parts.clock.now()
        remarks = [*self._stale(own, now)]
        remarks += (one for service in own for one in _ahead_of(service, now))
        remarks += (one for node in here for one in _node_ahead_of(node, now))
        return Comparison(remarks, len(own) + len(here))

    def _stale(self, services: list[Service], now: datetime) -> Iterator[Remark]:
        for service in services:
            seen = service.last_seen_up if service.is_set("last_seen_up") else None
            age = None if seen is None else (now - seen).total_seconds()
            if age is not None and age <= self._allowed():
                self._old = None
            elif self._stays_old(seen):
                told = "never reported" if seen is None else f"last reported at {_told(seen)}"
                message = (
                    f"service {BINARY} on {service.host} {told}, which is more than {self._allowed():.0f} s "
                    f"ago, and it runs and reports every {self._interval:g} s: no report arrives"
                )
                yield Remark("report_stale", str(service.host), message)

    def _stays_old(self, seen: datetime | None) -> bool:
        """Whether reports were tried since it was first found old: after a sleep of the host one is due."""
        beats = self._heartbeat.beats
        if self._old is None or self._old[0] != seen:
            self._old = seen, beats
        return beats - self._old[1] >= MISSED

    @property
    def _interval(self) -> float:
        return self._parts.config.service.report_interval

    def _allowed(self) -> float:
        return max(DOWN_SECONDS, MISSED * self._interval)


def _ahead_of(service: Service, now: datetime) -> Iterator[Remark]:
    for column in ("last_seen_up", "updated_at"):
        moment = getattr(service, column) if service.is_set(column) else None
        yield from _ahead("services", service.host, column, moment, now)


def _node_ahead_of(node: ComputeNode, now: datetime) -> Iterator[Remark]:
    moment = node.updated_at if node.is_set("updated_at") else None
    yield from _ahead("compute_nodes", node.hypervisor_hostname, "updated_at", moment, now)


def _ahead(
    table: str, name: str | None, column: str, moment: datetime | None, now: datetime
) -> Iterator[Remark]:
    """A row may be ahead by what Nova allows, since no two clocks are the same."""
    if moment is not None and (moment - now).total_seconds() > DOWN_SECONDS:
        # Not by how much: that is another sentence at every audit.
        message = (
            f"{column} of {name} in `{table}` is {_told(moment)}, more than {DOWN_SECONDS:.0f} s ahead of "
            "the clock of this host"
        )
        yield Remark("report_in_future", f"{table} {name} {column}", message)


def _told(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
