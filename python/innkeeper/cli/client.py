"""A client of `/v1` over the unix socket, and of nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

from pydantic import BaseModel

from innkeeper.api.move_views import MoveList, MoveView
from innkeeper.api.orders import AuditOrder, ClaimOrder, CordonOrder, ServiceOrder
from innkeeper.api.views import (
    AliasList,
    ClaimList,
    CordonList,
    DeviceList,
    EventList,
    FindingList,
    FitAnswer,
    HostView,
    PoolList,
    RepairView,
    ServiceRecordView,
    ServiceView,
    SnapshotView,
)
from innkeeper.cli.heard import Heard
from innkeeper.cli.wire import Query, Wire, problem_of
from innkeeper.config.places import client_sockets
from innkeeper.errors import Unreachable
from innkeeper.objects import (
    AuditReport,
    Claim,
    ClaimState,
    ClaimUpdate,
    Cordon,
    CordonCause,
    CordonKind,
    Event,
    Finding,
    Request,
)

PAGE = 1000


class Client(Wire):
    """Asks one daemon; refusals come back as the errors that they were."""

    @classmethod
    def find(cls, given: Path | None) -> Client:
        """The first daemon that listens where daemons do.

        Raises:
            Unreachable: none does; the message lists the sockets that were tried.
        """
        places = client_sockets(os.environ, given)
        problems = []
        for place in places:
            problem = problem_of(place)
            if problem is None:
                return cls(place)
            problems.append(f"{place} ({problem})")
        raise Unreachable(
            f"no daemon answers at {', '.join(problems)}; "
            "start one with `innkeeper serve`, or name its socket with --socket",
            tried=[str(place) for place in places],
        )

    # -- what there is -----------------------------------------------------------------------

    def host(self) -> HostView:
        """The host, its inventory and usage."""
        return self._ask(HostView, "GET", "/v1/host")

    def about(self) -> ServiceView:
        """The daemon itself."""
        return self._ask(ServiceView, "GET", "/v1")

    def devices(self, *, free: bool | None = None, held_by: UUID | None = None) -> DeviceList:
        """Every PCI function, or those that are free, or those of one claim."""
        query: Query = {
            "free": None if free is None else str(free).lower(),
            "held_by": None if held_by is None else str(held_by),
        }
        return self._ask(DeviceList, "GET", "/v1/devices", query=query)

    def aliases(self) -> AliasList:
        """The operator's names for devices."""
        return self._ask(AliasList, "GET", "/v1/aliases")

    def cordons(self) -> CordonList:
        """All that takes no new claims."""
        return self._ask(CordonList, "GET", "/v1/cordons")

    def pools(self) -> PoolList:
        """Claimable devices alike."""
        return self._ask(PoolList, "GET", "/v1/pools")

    def claims(self, states: Sequence[ClaimState]) -> Iterator[Claim]:
        """All claims in these states."""
        for page in self.claim_pages(states):
            yield from page.claims

    def claim_pages(self, states: Sequence[ClaimState]) -> Iterator[ClaimList]:
        """The same page by page, at least one."""
        marker: str | None = None
        while True:
            query: Query = {"state": [str(s) for s in states], "limit": PAGE, "marker": marker}
            page = self._ask(ClaimList, "GET", "/v1/claims", query=query)
            yield page
            if page.next_marker is None:
                return
            marker = str(page.next_marker)

    def claim(self, ref: UUID) -> Claim:
        """One claim by its id or instance."""
        return self._ask(Claim, "GET", f"/v1/claims/{ref}")

    def moves(self) -> Iterator[MoveView]:
        """Open moves, page by page."""
        marker: str | None = None
        while True:
            query: Query = {"limit": PAGE, "marker": marker}
            page = self._ask(MoveList, "GET", "/v1/moves", query=query)
            yield from page.moves
            if page.next_marker is None:
                return
            marker = str(page.next_marker)

    def move(self, move_id: str) -> MoveView:
        """One move, also after it ended."""
        return self._ask(MoveView, "GET", f"/v1/moves/{move_id}")

    def fit(self, request: Request) -> FitAnswer:
        """The dry run."""
        return self._ask(FitAnswer, "POST", "/v1/fit", body=request)

    # -- changes -----------------------------------------------------------------------------

    def place(self, order: ClaimOrder) -> Claim:
        """Claim room; the answer comes when it is durable."""
        try:
            return self._ask(
                Claim, "POST", "/v1/claims", body=order, longer=order.wait_seconds or 0.0
            )
        except Unreachable as error:
            raise Unreachable(
                f"{error.message}; whether claim {order.claim_id} was made is not known: "
                f"`innkeeper claims show {order.claim_id}` says, once the daemon is back",
                claim_id=str(order.claim_id),
            ) from error

    def change(self, ref: UUID, act: str, body: BaseModel | None = None) -> Claim:
        """`confirm`, `abort`, `renew` or `depart` a claim."""
        return self._ask(Claim, "POST", f"/v1/claims/{ref}/{act}", body=body)

    def update(self, ref: UUID, change: ClaimUpdate) -> Claim:
        """Other amounts for a claim that runs."""
        return self._ask(Claim, "PATCH", f"/v1/claims/{ref}", body=change)

    def release(self, ref: UUID) -> Claim:
        """Give back what a claim holds."""
        return self._ask(Claim, "DELETE", f"/v1/claims/{ref}")

    def settle_move(self, move_id: str, outcome: str) -> MoveView:
        """`confirm`, `revert` or `fail` what is here of a move."""
        return self._ask(MoveView, "POST", f"/v1/moves/{move_id}/{outcome}")

    def cordon(self, order: CordonOrder) -> Cordon:
        """Keep new claims off."""
        return self._ask(Cordon, "POST", "/v1/cordons", body=order)

    def uncordon(self, kind: CordonKind, subject: str, cause: CordonCause | None) -> Cordon:
        """Let new claims come again."""
        path = f"/v1/cordons/{kind}/{quote(subject, safe='')}"
        return self._ask(Cordon, "DELETE", path, query={"cause": cause})

    # -- the service's record ------------------------------------------------------------------

    def service_record(self) -> ServiceRecordView:
        """What Nova's tables say of the service."""
        return self._ask(ServiceRecordView, "GET", "/v1/service")

    def force_down(self, *, forced: bool) -> ServiceRecordView:
        """Have others take it for down, or not."""
        order = ServiceOrder(forced_down=forced)
        return self._ask(ServiceRecordView, "PUT", "/v1/service", body=order)

    # -- audits and history --------------------------------------------------------------------

    def audit(self, order: AuditOrder) -> AuditReport:
        """Compare ledger, store and host now."""
        return self._ask(AuditReport, "POST", "/v1/audits", body=order)

    def finding(self, finding_id: str) -> Finding:
        """One finding, cleared ones included."""
        return self._ask(Finding, "GET", f"/v1/findings/{quote(finding_id, safe='')}")

    def repair(self, finding_id: str, *, dry_run: bool) -> RepairView:
        """Mend it, or say what would be done."""
        path = f"/v1/findings/{quote(finding_id, safe='')}/repair"
        return self._ask(RepairView, "POST", path, query={"dry_run": str(dry_run).lower()})

    def findings(self, *, cleared: bool) -> Iterator[Finding]:
        """What audits found, page by page."""
        marker: str | None = None
        while True:
            query: Query = {"cleared": str(cleared).lower(), "limit": PAGE, "marker": marker}
            page = self._ask(FindingList, "GET", "/v1/findings", query=query)
            yield from page.findings
            if page.next_marker is None:
                return
            marker = page.next_marker

    def events(self, **of: UUID) -> Iterator[Event]:
        """History, page by page; of one claim or instance when `claim_id` or `instance_uuid` is given."""
        after = 0
        while True:
            query = {"after": after, "limit": PAGE} | {key: str(ref) for key, ref in of.items()}
            page = self._ask(EventList, "GET", "/v1/events", query=query)
            yield from page.events
            if len(page.events) < PAGE:
                return
            after = page.next_after

    def snapshot(self) -> SnapshotView:
        """Everything that holds now, and the token that goes on from there."""
        return self._ask(SnapshotView, "GET", "/v1/snapshot")

    def watch(self, after: str | None, wanted: Query) -> Iterator[Heard]:
        """What happens after a token, or from now on, until the daemon ends the stream.

        Raises:
            EventsForgotten: not all of it is there any more.
            Unreachable: it broke off; go on with the token of the last message.
            InnkeeperError: whatever it is refused with.
        """
        return self._stream("/v1/events", {"watch": "true", "after": after, **wanted})
