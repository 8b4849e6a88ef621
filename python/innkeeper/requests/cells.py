"""The host cells that a request names."""

from __future__ import annotations

from innkeeper.errors import BadRequest
from innkeeper.objects import Inventory, Request
from innkeeper.objects.cpu_spec import format_cpu_spec


def require_cells(request: Request, inventory: Inventory) -> None:
    """A request's instance can only be on cells that there are.

    Raises:
        BadRequest: a cell that the host does not have; the message says which there are.
    """
    known = {cell.id for cell in inventory.cells}
    unknown = sorted(set(request.cells or ()) - known)
    if not unknown:
        return
    there = f"there is {format_cpu_spec(known)}" if known else "it has none"
    which = f"cell {unknown[0]}" if len(unknown) == 1 else f"cells {format_cpu_spec(unknown)}"
    said = f"`cells`: this host has no {which}: {there}"
    raise BadRequest(said, errors=[{"path": "cells", "message": said}])
