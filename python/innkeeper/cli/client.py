"""A client of `/v1` over the unix socket, and of nothing else."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from pydantic import BaseModel, ValidationError

from innkeeper.api.views import (
    ClaimList,
    ClaimOrder,
    DeviceList,
    EventList,
    FindingList,
    FitAnswer,
    HostView,
    PoolList,
)
from innkeeper.config.places import client_sockets
from innkeeper.errors import BadRequest, InnkeeperError, Unreachable, error_classes
from innkeeper.objects import (
    AuditReport,
    Claim,
    ClaimState,
    Event,
    Finding,
    Request,
)

Answer = TypeVar("Answer", bound=BaseModel)
Query = Mapping[str, str | int | Sequence[str] | None]

PATIENCE = 30.0
"""Seconds that an answer may take, beside the time that a claim waits for room."""

PAGE = 1000


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("innkeeper", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


class Client:
    """Asks one daemon; refusals come back as the errors that they were."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def find(cls, given: Path | None) -> Client:
        """The first daemon that listens where daemons do.

        Raises:
            Unreachable: none does; the message lists the sockets that were tried.
        """
        places = client_sockets(os.environ, given)
        for place in places:
            with closing(socket.socket(socket.AF_UNIX)) as probe:
                probe.settimeout(PATIENCE)
                if probe.connect_ex(os.fspath(place)) == 0:
                    return cls(place)
        tried = ", ".join(str(place) for place in places)
        raise Unreachable(
            f"no daemon answers at {tried}; start one with `innkeeper serve`, "
            "or name its socket with --socket",
            tried=[str(place) for place in places],
        )

    # -- what there is -----------------------------------------------------------------------

    def host(self) -> HostView:
        """The host, its inventory and usage."""
        return self._ask(HostView, "GET", "/v1/host")

    def devices(self) -> DeviceList:
        """Every PCI function."""
        return self._ask(DeviceList, "GET", "/v1/devices")

    def pools(self) -> PoolList:
        """Claimable devices alike."""
        return self._ask(PoolList, "GET", "/v1/pools")

    def claims(self, states: Sequence[ClaimState]) -> Iterator[Claim]:
        """All claims in these states, page by page."""
        marker: str | None = None
        while True:
            query: Query = {"state": [str(s) for s in states], "limit": PAGE, "marker": marker}
            page = self._ask(ClaimList, "GET", "/v1/claims", query=query)
            yield from page.claims
            if page.next_marker is None:
                return
            marker = str(page.next_marker)

    def claim(self, ref: UUID) -> Claim:
        """One claim by its id or instance."""
        return self._ask(Claim, "GET", f"/v1/claims/{ref}")

    def fit(self, request: Request) -> FitAnswer:
        """The dry run."""
        return self._ask(FitAnswer, "POST", "/v1/fit", body=request)

    # -- changes -----------------------------------------------------------------------------

    def place(self, order: ClaimOrder) -> Claim:
        """Claim room; the answer comes when it is durable."""
        patience = PATIENCE + (order.wait_seconds or 0.0)
        return self._ask(Claim, "POST", "/v1/claims", body=order, patience=patience)

    def change(self, ref: UUID, act: str, body: BaseModel | None = None) -> Claim:
        """`confirm`, `abort` or `renew` a claim."""
        return self._ask(Claim, "POST", f"/v1/claims/{ref}/{act}", body=body)

    def release(self, ref: UUID) -> Claim:
        """Give back what a claim holds."""
        return self._ask(Claim, "DELETE", f"/v1/claims/{ref}")

    # -- audits and history --------------------------------------------------------------------

    def audit(self) -> AuditReport:
        """Compare ledger, store and host now."""
        return self._ask(AuditReport, "POST", "/v1/audits")

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

    def events(self, claim_id: UUID | None) -> Iterator[Event]:
        """History, page by page; of one claim when an id is given."""
        after = 0
        while True:
            named = str(claim_id) if claim_id else None
            query = {"after": after, "claim_id": named, "limit": PAGE}
            page = self._ask(EventList, "GET", "/v1/events", query=query)
            yield from page.events
            if len(page.events) < PAGE:
                return
            after = page.next_after

    # -- the wire ----------------------------------------------------------------------------

    def _ask(
        self,
        kind: type[Answer],
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: BaseModel | None = None,
        patience: float = PATIENCE,
    ) -> Answer:
        text = self._send(method, _target(path, query or {}), body, patience)
        try:
            return kind.model_validate_json(text)
        except ValidationError as error:
            raise InnkeeperError(
                f"the daemon at {self._path} answers in a form that this client does not know; "
                f"are they of different releases? ({error.error_count()} fields)"
            ) from None

    def _send(self, method: str, target: str, body: BaseModel | None, patience: float) -> bytes:
        data = None if body is None else body.model_dump_json(exclude_unset=True).encode()
        headers = {"Content-Type": "application/json"} if data is not None else {}
        with closing(_UnixConnection(self._path, patience)) as connection:
            try:
                connection.request(method, target, body=data, headers=headers)
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, HTTPException) as error:
                raise Unreachable(
                    f"the daemon at {self._path} broke off or did not answer: "
                    f"{str(error) or type(error).__name__}",
                    tried=[str(self._path)],
                ) from None
        if answer.status >= 400:
            raise _refusal(answer.status, text)
        return text


def _target(path: str, query: Query) -> str:
    given = {key: value for key, value in query.items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def _refusal(status: int, text: bytes) -> InnkeeperError:
    """The error that a problem document speaks of."""
    try:
        problem: dict[str, Any] = json.loads(text)
        code, message = problem.pop("code"), problem.pop("detail")
    except (ValueError, KeyError, TypeError, AttributeError):
        return InnkeeperError(f"the daemon refused with status {status} and no reason")
    kind = next((one for one in error_classes() if one.code == code), InnkeeperError)
    details = {k: v for k, v in problem.items() if k not in ("type", "title", "status")}
    details.pop("message", None)
    return kind(str(message), **details)


def parse_ref(text: str) -> UUID:
    """A claim or instance id.

    Raises:
        BadRequest: it is no UUID.
    """
    try:
        return UUID(text)
    except ValueError:
        raise BadRequest(
            f"{text!r} is no claim or instance id; ids are UUIDs such as "
            "6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11 (`innkeeper claims` lists them)"
        ) from None
