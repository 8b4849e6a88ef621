"""The service as Nova's tables have it: whether it is up, and the one word that an admin says of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from innkeeper.errors import NotFound
from innkeeper.objects import ChangeSet, ComputeNode, Event, EventKind, Holder, Service
from innkeeper.tracker.nova.service import BINARY, ServiceRecord, is_up
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.writing import Step


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What programs that read Nova's tables see of this service."""

    service: Service
    is_up: bool
    nodes: tuple[ComputeNode, ...]
    """Those of the service's host that are kept in this database."""


class Services:
    """Reads the service's row, and forces it down or not."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def show(self) -> ServiceState:
        """The row as it is durable.

        Raises:
            NotFound: Nova's tables are not kept, or somebody deleted the row.
            StoreError: it cannot be read.
        """
        host, store = self._host(), self._parts.store
        for service in await store.list_services(host):
            if service.binary == BINARY:
                nodes = await store.list_compute_nodes(host)
                return ServiceState(service, is_up(service, self._parts.clock.now()), nodes)
        raise NotFound(
            f"service {host} was deleted from Nova's tables; its next heartbeat brings it back",
            host=host,
        )

    async def force_down(self, *, forced: bool, by: Holder) -> ServiceState:
        """Have others take it for down, or go by its heartbeat again; nothing on the host reads it.

        The history tells who changed it.

        Raises:
            NotFound: as `show`; nothing was written.
            StoreError, OutcomeUnknown
        """
        before = await self.show()
        if before.service.forced_down != forced:
            row = ServiceRecord(self._host()).forced_down(forced=forced)
            event = self._forced(forced=forced, by=by)
            change_set = ChangeSet(
                id=uuid4(), node=self._parts.node, events=(event,), records=(row,)
            )
            await self._parts.writer.write_step(Step(change_set))
        return await self.show()

    def _forced(self, *, forced: bool, by: Holder) -> Event:
        details = {"host": self._host(), "forced_down": forced}
        return Event(at=self._parts.clock.now(), kind=EventKind.FORCED_DOWN, by=by, details=details)

    def _host(self) -> str:
        if self._parts.config.nova.tables == "none":
            raise NotFound(
                "there is no record of a service, since Nova's tables are not kept: set "
                '`[nova] tables = "embedded"`'
            )
        return self._parts.service_host
