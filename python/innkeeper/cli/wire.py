"""HTTP over a unix socket, and refusals as the errors that they were."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from innkeeper.api.views import Problem
from innkeeper.cli.heard import Heard, messages
from innkeeper.errors import InnkeeperError, NoFit, Unreachable, error_classes
from innkeeper.objects import Misfit, Request

Answer = TypeVar("Answer", bound=BaseModel)
Query = Mapping[str, str | int | Sequence[str] | None]

PATIENCE = 30.0
"""Seconds that an answer may take, beside the time that a claim waits for room."""

SILENCE = 60.0
"""Seconds without any sign of life after which a stream is given up; one comes every 15 s."""


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("innkeeper", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


def problem_of(place: Path) -> str | None:
    """Why nobody can be asked there; null when somebody listens."""
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(PATIENCE)
        number = probe.connect_ex(os.fspath(place))
    return os.strerror(number).lower() if number else None


class Wire:
    """One daemon, as it is spoken with."""

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self._path = path
        self._patience = patience

    def _ask(
        self,
        kind: type[Answer],
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: BaseModel | None = None,
        longer: float = 0.0,
    ) -> Answer:
        text = self._send(method, _target(path, query or {}), body, self._patience + longer)
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
        with closing(_UnixConnection(self._path, patience)) as connection, self._in_words():
            # Who refuses early closes before all is said, and has answered all the same.
            with suppress(BrokenPipeError):
                connection.request(method, target, body=data, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
        if answer.status >= 400:
            raise _refusal(answer.status, text)
        return text

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Raises Unreachable when the daemon cannot be spoken with."""
        try:
            yield
        except (OSError, HTTPException) as error:
            raise Unreachable(
                f"the daemon at {self._path} broke off or did not answer: "
                f"{str(error) or type(error).__name__}",
                tried=[str(self._path)],
            ) from error

    def _stream(self, path: str, query: Query) -> Iterator[Heard]:
        """What a stream says until the daemon ends it; a problem in it is raised as what it was."""
        with closing(_UnixConnection(self._path, SILENCE)) as connection, self._in_words():
            connection.request("GET", _target(path, query))
            answer = connection.getresponse()
            if answer.status >= 400:
                raise _refusal(answer.status, answer.read())
            for heard in messages(answer):
                if heard.kind == "problem":
                    raise _refusal(answer.status, heard.data)
                yield heard


def _target(path: str, query: Query) -> str:
    given = {key: value for key, value in query.items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def _refusal(status: int, text: bytes) -> InnkeeperError:
    """The error that a problem document speaks of."""
    try:
        problem = Problem.model_validate_json(text)
    except ValidationError:
        return InnkeeperError(f"the daemon refused with status {status} and did not say why")
    kind = next((one for one in error_classes() if one.code == problem.code), InnkeeperError)
    refusal = kind(problem.detail)
    refusal.details = _details(problem)
    return refusal


def _details(problem: Problem) -> dict[str, Any]:
    """The numbers of a refusal; why something does not fit as the objects that it was."""
    details = dict(problem.model_extra or {})
    if problem.code == NoFit.code:
        reasons, nearest = details.pop("reasons", None), details.pop("nearest", None)
        # Of another release they may be of another shape; the message says it all, too.
        with suppress(ValidationError, TypeError):
            details["reasons"] = tuple(map(Misfit.model_validate, reasons or ()))
            if nearest:
                details["nearest"] = Request.model_validate(nearest)
    return details
