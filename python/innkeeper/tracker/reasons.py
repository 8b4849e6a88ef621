"""What the history says of a claim beside who did it: why, and how much of what."""

from __future__ import annotations

from typing import Any, Final

from innkeeper.objects import Claim, ClaimState, EventKind, Holder, Placement

MOST_NAMED: Final = 16
"""Devices that are told by address; the count is of all."""


def reasons(kind: EventKind, claim: Claim, by: Holder | None) -> dict[str, Any]:
    """Why it happened where nobody said so, and until when the claim is held now."""
    match kind:
        case EventKind.CONFIRMED | EventKind.RENEWED if claim.expires_at is not None:
            return {"expires_at": claim.expires_at.isoformat()}
        case EventKind.LAPSED if claim.state is ClaimState.ABORTED:
            return {"reason": "not confirmed in time"}
        case EventKind.LAPSED:
            return {"reason": "lease not renewed in time"}
        case EventKind.PROCESS_ENDED if claim.process is not None:
            return {"reason": f"process {claim.process.pid} ended"}
        case EventKind.ABORTED if by is None:
            return {"reason": "its caller went away while it was written"}
    return {}


def in_short(placement: Placement) -> dict[str, Any]:
    """What is held, without what is nothing."""
    cells, devices = placement.cells, placement.devices
    said: dict[str, Any] = {
        "vcpus": placement.all_vcpus,
        "memory_mib": placement.all_memory_mib,
        "disk_mib": placement.disk_mib,
        "cells": [cell.cell for cell in cells],
        "counters": dict(placement.counters),
        "devices": [device.address for device in devices[:MOST_NAMED]],
        "device_count": len(devices),
    }
    return {name: value for name, value in said.items() if value}
