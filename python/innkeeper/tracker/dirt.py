"""Which devices a claim leaves dirty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from innkeeper.objects import Claim, PlacedDevice
from innkeeper.objects.cordon import Cordon, CordonCause, CordonKind
from innkeeper.requests.device_specs import DeviceRule
from innkeeper.tracker.parts import Parts


def dirt_of(parts: Parts, claims: Iterable[Claim]) -> tuple[Cordon, ...]:
    """The marks that are written with the end of these claims.

    A pending claim counts like any other: its caller knew the device, and may have used it.
    """
    return tuple(
        mark
        for claim in claims
        for device in claim.placement.devices
        if (rule := parts.offer.rule_of_held(device)) is not None
        and (rule.clean or rule.one_time_use)
        for mark in _marks(parts, claim, device, rule)
    )


def _marks(parts: Parts, claim: Claim, device: PlacedDevice, rule: DeviceRule) -> Iterator[Cordon]:
    mark = Cordon(
        kind=CordonKind.DEVICE,
        subject=device.address,
        cause=CordonCause.DIRTY,
        reason="given out once only"
        if rule.one_time_use
        else "to be cleaned after its last holder",
        at=claim.updated_at,
        identity=device.identity or parts.offer.admission.identity(device.address),
        claim_id=claim.id,
    )
    standing = parts.cordons.find(mark.kind, mark.subject, mark.cause)
    if standing is not None and standing.identity not in (None, mark.identity):
        # Of a dirty card that was pulled: what took its place must not wash it.
        yield standing.model_copy(update={"subject": standing.identity})
    yield mark
