"""Which devices a claim leaves dirty.

What the operator's words say at its end counts, and where they say nothing any more, what they said when the
claim was made: it was asked for then, and the claim keeps it over restarts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from innkeeper.objects import AfterUse, Claim, PlacedDevice, Placement
from innkeeper.objects.cordon import Cordon, CordonCause, CordonKind
from innkeeper.requests.device_specs import DeviceRule
from innkeeper.tracker.parts import Parts

_REASONS: Final = {
    AfterUse.ONE_TIME_USE: "given out once only",
    AfterUse.CLEAN: "to be cleaned after its last holder",
}
_WITHOUT_COMMAND: Final = (
    "to be cleaned after its last holder, at whose end no `clean` command was configured for it"
)


def after_use(parts: Parts, placement: Placement) -> dict[str, AfterUse]:
    """What a new claim keeps of what the entries of its devices say, by address."""
    offer = parts.offer
    said = (
        (one.address, _said(offer.admission.rule(one.address) or offer.rule_of_held(one)))
        for one in placement.devices
    )
    return {address: after for address, after in said if after is not None}


def _said(rule: DeviceRule | None) -> AfterUse | None:
    if rule is None:
        return None
    if rule.one_time_use:
        return AfterUse.ONE_TIME_USE
    return AfterUse.CLEAN if rule.clean else None


def dirt_of(parts: Parts, claims: Iterable[Claim]) -> tuple[Cordon, ...]:
    """The marks that are written with the end of these claims.

    A pending claim counts like any other: its caller knew the device, and may have used it.
    """
    return tuple(
        mark
        for claim in claims
        for device in claim.placement.devices
        if (reason := _reason(parts, claim, device)) is not None
        for mark in _marks(parts, claim, device, reason)
    )


def _reason(parts: Parts, claim: Claim, device: PlacedDevice) -> str | None:
    now, then = _said(parts.offer.rule_of_held(device)), claim.after_use.get(device.address)
    if now is None and then is AfterUse.CLEAN:
        return _WITHOUT_COMMAND
    after = now or then
    return None if after is None else _REASONS[after]


def _marks(parts: Parts, claim: Claim, device: PlacedDevice, reason: str) -> Iterator[Cordon]:
    mark = Cordon(
        kind=CordonKind.DEVICE,
        subject=device.address,
        cause=CordonCause.DIRTY,
        reason=reason,
        at=claim.updated_at,
        identity=device.identity or parts.offer.admission.identity(device.address),
        claim_id=claim.id,
    )
    standing = parts.cordons.find(mark.kind, mark.subject, mark.cause)
    if standing is not None and standing.identity not in (None, mark.identity):
        # Of a dirty card that was pulled: what took its place must not wash it.
        yield standing.model_copy(update={"subject": standing.identity})
    yield mark
