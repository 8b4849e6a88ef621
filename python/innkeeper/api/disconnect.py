"""A caller who hangs up waits for nothing any more."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio
from fastapi import Request
from starlette.requests import ClientDisconnect

from innkeeper.errors import InnkeeperError

T = TypeVar("T")


async def unless_gone(request: Request, waiting: Coroutine[Any, Any, T]) -> T:
    """The result; cancelled when the caller closes the connection before there is one.

    Raises:
        ClientDisconnect: the caller is gone, and what was done for it was undone.
        InnkeeperError: whatever is raised there.
    """
    outcome: list[T] = []
    refusal: InnkeeperError | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_cancel_when_gone, request, group.cancel_scope)
        try:
            outcome.append(await waiting)
        except InnkeeperError as error:
            # Kept, since a task group would wrap it.
            refusal = error
        group.cancel_scope.cancel()
    if refusal is not None:
        raise refusal
    if not outcome:
        raise ClientDisconnect
    return outcome[0]


async def _cancel_when_gone(request: Request, scope: anyio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
