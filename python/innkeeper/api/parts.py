"""What every endpoint is given, and who asks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import Request

from innkeeper.api.access import AccessRules, Caller, Role
from innkeeper.config import Config
from innkeeper.tracker import Tracker


@dataclass(slots=True)
class ApiParts:
    """The tracker that the API speaks for; the configuration changes when it is read again."""

    tracker: Tracker
    node: str
    config: Config
    access: AccessRules
    state_directory: Path
    host_root: str | None
    words_mark: str = field(init=False)
    """Changes with the operator's words, and is the same in every process that reads them."""

    def __post_init__(self) -> None:
        self.words_mark = _mark_of(self.config)

    def reconfigure(self, config: Config) -> None:
        """Take the operator's new words."""
        self.config = config
        self.words_mark = _mark_of(config)
        self.access.access = config.access


def _mark_of(config: Config) -> str:
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]


def parts_of(request: Request) -> ApiParts:
    """The parts of the application that serves this request."""
    parts: ApiParts = request.app.state.parts
    return parts


async def reader(request: Request) -> Caller:
    """The caller, when it may look. Raises Forbidden."""
    return await _require(request, Role.READER)


async def operator(request: Request) -> Caller:
    """The caller, when it may claim and audit. Raises Forbidden."""
    return await _require(request, Role.OPERATOR)


async def admin(request: Request) -> Caller:
    """The caller, when it may say what is true of the service. Raises Forbidden."""
    return await _require(request, Role.ADMIN)


async def _require(request: Request, role: Role) -> Caller:
    caller = await parts_of(request).access.identify(request.scope["peer"])
    caller.require(role)
    return caller
