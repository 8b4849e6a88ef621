"""What a daemon is asked for when it is killed: each kind of step, and what comes before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request that must be answered with success."""

    method: str
    path: str
    body: Body | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """A step, and the requests that lead to it."""

    name: str
    before: tuple[Ask, ...]
    step: Ask


HERE, THERE = "host-b", "host-a"
BYSTANDER, CLAIM, OTHER, INSTANCE, MOVE = (
    str(UUID(int=number << 96 | 1)) for number in (0xB, 0xC, 0xD, 0xE, 0xF)
)
NIC: Body = {"alternatives": [{"dev_type": "type-VF"}], "count": 2}
SMALL: Body = {"vcpus": 2, "memory_mib": 512, "disk_mib": 2048}
DEVICES: Body = {**SMALL, "devices": [NIC]}
CELLS: Body = {
    "vcpus": 4,
    "memory_mib": 1024,
    "topology": {
        "cells": [
            {"shared": "0", "dedicated": "1", "memory_mib": 512},
            {"shared": "2", "dedicated": "3", "memory_mib": 512},
        ]
    },
}
ALL: Body = {**CELLS, "devices": [NIC]}


def claim(
    request: Body, claim_id: str = CLAIM, instance: str | None = INSTANCE, **words: Any
) -> Ask:
    said = {"claim_id": claim_id, "instance_uuid": instance, "request": request, **words}
    return Ask("POST", "/v1/claims", said)


def moving(request: Body, kind: str, source: str | None) -> Ask:
    """The claim of an instance that moves here, or that is resized here."""
    move = {"id": MOVE, "kind": kind, "source": source}
    return claim(request, OTHER, move=move)


def act(verb: str, claim_id: str = CLAIM) -> Ask:
    return Ask("POST", f"/v1/claims/{claim_id}/{verb}")


def settle(verb: str) -> Ask:
    return Ask("POST", f"/v1/moves/{MOVE}/{verb}")


def depart(kind: str) -> Ask:
    return Ask(
        "POST", f"/v1/claims/{CLAIM}/depart", {"id": MOVE, "kind": kind, "destination": THERE}
    )


#: Somebody who has nothing to do with it, and must be as before.
OTHERS = (claim(SMALL, BYSTANDER, None), act("confirm", BYSTANDER))
BUILT = (*OTHERS, claim(ALL), act("confirm"))
RESIZING = (*BUILT, moving(ALL, "resize", None))
RESIZED = (*RESIZING, act("confirm", OTHER))


def stories() -> Iterator[Story]:
    """Every kind of step."""
    yield from _of_claims()
    yield from _of_moves_within_the_host()
    yield from _of_moves_between_hosts()


def _of_claims() -> Iterator[Story]:
    yield Story("claim plain", OTHERS, claim(SMALL))
    yield Story("claim without an instance", OTHERS, claim(SMALL, instance=None))
    yield Story("claim devices", OTHERS, claim(DEVICES))
    yield Story("claim cells", OTHERS, claim(CELLS))
    batch = {"orders": [claim(DEVICES).body, claim(CELLS, OTHER, None).body], "mode": "all"}
    yield Story("claim two or none", OTHERS, Ask("POST", "/v1/claims/batch", batch))
    yield Story("confirm", (*OTHERS, claim(ALL)), act("confirm"))
    yield Story("renew", (*OTHERS, claim(ALL)), Ask("POST", f"/v1/claims/{CLAIM}/renew", {}))
    yield Story("abort", (*OTHERS, claim(ALL)), act("abort"))
    yield Story("release", BUILT, Ask("DELETE", f"/v1/claims/{CLAIM}"))
    yield Story("update to more", BUILT, Ask("PATCH", f"/v1/claims/{CLAIM}", {"vcpus": 6}))
    yield Story("update to less", BUILT, Ask("PATCH", f"/v1/claims/{CLAIM}", {"vcpus": 2}))


def _of_moves_within_the_host() -> Iterator[Story]:
    yield Story("resize here claim", BUILT, moving(ALL, "resize", None))
    yield Story("resize here arrives", RESIZING, act("confirm", OTHER))
    yield Story("resize here confirmed", RESIZED, settle("confirm"))
    yield Story("resize here reverted", RESIZED, settle("revert"))
    yield Story("resize here failed", RESIZING, settle("fail"))
    both = Ask("DELETE", f"/v1/claims/{INSTANCE}")
    yield Story("released while it is resized", RESIZED, both)


def _of_moves_between_hosts() -> Iterator[Story]:
    for kind in ("resize", "migration", "live-migration", "evacuation"):
        claimed = (*OTHERS, moving(ALL, kind, THERE))
        yield Story(f"{kind} claim", OTHERS, moving(ALL, kind, THERE))
        yield Story(f"{kind} arrives", claimed, act("confirm", OTHER))
        yield Story(f"{kind} fails", claimed, settle("fail"))
    arrived = (*OTHERS, moving(ALL, "migration", THERE), act("confirm", OTHER))
    yield Story("migration confirmed here", arrived, settle("confirm"))
    yield Story("migration reverted here", arrived, settle("revert"))
    for kind in ("migration", "live-migration"):
        left = (*BUILT, depart(kind))
        yield Story(f"{kind} departs", BUILT, depart(kind))
        yield Story(f"{kind} confirmed there", left, settle("confirm"))
        yield Story(f"{kind} reverted there", left, settle("revert"))
