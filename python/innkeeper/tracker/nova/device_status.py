"""The status of a PCI device in Nova's words, from what is held.

Nova stores the status of each device and changes it together with those of its PF and VFs, so that
they can contradict each other. Here only bookings are kept; a status is what follows from them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from innkeeper.objects import Claim, ClaimState


class Hold(IntEnum):
    """How firmly a device is held, the least first: of several the firmest one bars a relative."""

    FREE = 0
    CLAIMED = 1
    """For an instance that is being built."""
    ALLOCATED = 2
    """By an instance, or for one that moves here."""
    WITHHELD = 3
    """By nobody, and not handed out."""


_HOLDS: Final = {ClaimState.PENDING: Hold.CLAIMED, ClaimState.CONFIRMED: Hold.ALLOCATED}


def hold_of(claim: Claim) -> Hold:
    """What a claim in this state means for its devices.

    Those of an instance that moves here are its own at once, as in Nova, which claims them only until
    the move is counted.
    """
    if claim.is_arriving and claim.state.live:
        return Hold.ALLOCATED
    return _HOLDS.get(claim.state, Hold.FREE)


class Facts(NamedTuple):
    """All that the status of a device depends on."""

    own: Hold = Hold.FREE
    relatives: Hold = Hold.FREE
    """The firmest hold on its PF, or on a VF of it; the other VFs of its PF do not count."""
    offered: bool = True
    """Whether the host has it and the operator admits it."""


def status_of(facts: Facts) -> str:
    """One of Nova's words; `deleted` is no status here but the end of a row.

    What somebody holds keeps its holder's status even when it left the host, as in Nova. What is
    withheld has none of Nova's words; `unavailable` keeps a Nova that reads the row from giving it out.
    """
    if facts.own in _HELD:
        return _HELD[facts.own]
    if not facts.offered:
        return "removed"
    if facts.own is Hold.WITHHELD:
        return "unavailable"
    return _BARRED[facts.relatives]


_HELD: Final = {Hold.CLAIMED: "claimed", Hold.ALLOCATED: "allocated"}
_BARRED: Final = {
    Hold.FREE: "available",
    Hold.CLAIMED: "unclaimable",
    Hold.ALLOCATED: "unavailable",
    Hold.WITHHELD: "unavailable",
}
