"""A cordon in words for people."""

from __future__ import annotations

from innkeeper.objects import Cordon, CordonCause, CordonKind
from innkeeper.requests.cordoned import sentence


def cordoned_words(cordon: Cordon) -> str:
    """`cell 1 cordoned by ops at 2026-01-01 10:00:00 UTC: memory is replaced`."""
    if cordon.cause is CordonCause.DIRTY:
        return f"dirty since {cordon.at:%Y-%m-%d %H:%M:%S} UTC: {cordon.reason}"
    if cordon.kind is CordonKind.DEVICE:
        return sentence(cordon)
    return f"{place_words(cordon)} {sentence(cordon)}"


def place_words(cordon: Cordon) -> str:
    """What it is around: `host`, `cell 1`, `CPU 4`, `device 0000:3b:00.1`."""
    kind = cordon.kind
    if kind is CordonKind.HOST:
        return "host"
    return f"{'CPU' if kind is CordonKind.CPU else kind} {cordon.subject}"
