"""Cordons as what they mean for an inventory: which CPUs, which cells, which devices, the host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from innkeeper.objects.cordon import Cordon, CordonCause, CordonKind
from innkeeper.objects.host import Withheld


@dataclass(slots=True)
class Cordoned:
    """Everything that is cordoned, sorted by kind."""

    host: str | None = None
    """The sentence that a refusal repeats."""
    cells: dict[int, str] = field(default_factory=dict)
    """By id, the sentence; of CPUs likewise."""
    cpus: dict[int, str] = field(default_factory=dict)
    devices: list[Cordon] = field(default_factory=list)

    @classmethod
    def of(cls, cordons: Iterable[Cordon]) -> Cordoned:
        """Those that are not lifted."""
        found = cls()
        for cordon in cordons:
            match cordon.kind:
                case CordonKind.HOST:
                    found.host = sentence(cordon)
                case CordonKind.CELL:
                    found.cells[int(cordon.subject)] = f"cell {cordon.subject} {sentence(cordon)}"
                case CordonKind.CPU:
                    found.cpus[int(cordon.subject)] = f"CPU {cordon.subject} {sentence(cordon)}"
                case CordonKind.DEVICE:
                    found.devices.append(cordon)
        return found


def sentence(cordon: Cordon) -> str:
    """Who, when and why, in words for people."""
    by = f" by {cordon.by.user}" if cordon.by else ""
    return f"cordoned{by} at {cordon.at:%Y-%m-%d %H:%M:%S} UTC: {cordon.reason}"


def present_address(
    cordon: Cordon, identity: str | None, addresses: Mapping[str, str]
) -> str | None:
    """Where the hardware of a device's cordon is now; null when it is not on the host.

    `identity` is of what is now at the cordon's address, `addresses` are by identity. A cordon that
    knows its hardware follows it, and spares other hardware at the address where it was; one that
    does not is about the address.
    """
    if cordon.identity is None:
        return cordon.subject
    found = addresses.get(cordon.identity)
    if found is not None:
        return found
    # What does not say who it is may well be it.
    return cordon.subject if identity is None else None


def mark_of(cordon: Cordon) -> Withheld:
    """What a device is marked with."""
    return Withheld.DIRTY if cordon.cause is CordonCause.DIRTY else Withheld.CORDONED
