"""What mends that instances and claims do not go together: a claim is released, or one is made."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid4

from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimState,
    DeviceRequest,
    EventKind,
    Finding,
    Holder,
    PlacedDevice,
    Placement,
    Request,
)
from innkeeper.requests.strangers import Use
from innkeeper.tracker.audit.adopting import adopted_claim, plan_adoption
from innkeeper.tracker.audit.free_devices import free_device
from innkeeper.tracker.audit.repairing import Plan, cannot
from innkeeper.tracker.audit.running_source import is_gone
from innkeeper.tracker.changes import Change, Changes
from innkeeper.tracker.convert import usage_object
from innkeeper.tracker.parts import Parts

ADOPTED: Final = Holder(reason="adopted: it ran without a claim")


class GoneRepair:
    """Releases a claim whose instance the hypervisor does not have, in the words of its last answer."""

    kinds = frozenset({"claim_without_instance"})

    def __init__(self, parts: Parts, changes: Changes) -> None:
        self._parts = parts
        self._changes = changes

    async def plan(self, finding: Finding) -> Plan | None:  # noqa: D102
        claim = self._parts.register.find(UUID(finding.subject))
        # It may have been touched, or have begun to move, since it was found.
        if claim is None or not is_gone(self._parts, claim):
            return None
        instances = self._parts.instances
        if not instances.is_asked:
            raise cannot(finding, "no hypervisor is asked: whether it is gone is not known")
        if instances.problem is not None:
            raise cannot(finding, "the hypervisor does not answer: whether it is gone is not known")
        released = claim.model_copy(update={"state": ClaimState.RELEASED, "expires_at": None})
        why = {"repair": "claim_without_instance"}
        end = self._changes.ending(Change(released, EventKind.RELEASED, why), by=None)
        return Plan(
            f"claim {claim.id} is released",
            claims=end.claims,
            events=end.events,
            cordons=end.cordons,
            begin=end.begin,
            landed=end.landed,
            lost=end.lost,
        )


class AdoptRepair:
    """Makes a confirmed claim of what an instance uses that has none."""

    kinds = frozenset({"instance_unbooked"})

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def plan(self, finding: Finding) -> Plan | None:  # noqa: D102
        instances, uuid = self._parts.instances, UUID(finding.subject)
        if uuid not in instances.uses or self._parts.register.of_instance(uuid):
            return None
        use = instances.uses[uuid]
        claim = self._claim(finding, use)
        words = f"claim {claim.id} is made for instance {use.instance.name}"
        return plan_adoption(self._parts, finding, claim, use, words)

    def _claim(self, finding: Finding, use: Use) -> Claim:
        devices = tuple(
            free_device(self._parts, finding, address) for address in sorted(use.devices)
        )
        self._require_free(finding, use)
        request = Request(
            vcpus=use.vcpus or None,
            memory_mib=use.instance.memory_mib or None,
            devices=tuple(map(_asked, devices)),
        )
        placement = Placement(
            vcpus=use.vcpus,
            memory_mib=use.memory_mib,
            cpus=self._parts.inventory.shared_cpus if use.vcpus else "",
            devices=devices,
        )
        spec = ClaimSpec(
            claim_id=uuid4(),
            instance_uuid=use.instance.uuid,
            name=use.instance.name,
            request=request,
            holder=ADOPTED,
        )
        return adopted_claim(self._parts, spec, placement)

    def _require_free(self, finding: Finding, use: Use) -> None:
        """Beside what other instances use without a claim.

        What this one uses is reserved until it is adopted, so only what is booked can be in its way.
        """
        if use.cpus:
            raise cannot(
                finding,
                "its vCPUs are on dedicated CPUs, and which cells of its own it has is not known: claim it by "
                f"hand, `innkeeper claim {use.instance.uuid} --dedicated`, and define it again by that claim",
            )
        if finding.claim_id is not None:
            raise cannot(finding, f"it has claim {finding.claim_id}")
        usage = usage_object(self._parts.ledger.usage())
        for what, amounts in (("vCPUs", usage.vcpus), ("MiB of memory", usage.memory_mib)):
            if amounts.used > amounts.capacity:
                short = amounts.used - amounts.capacity
                raise cannot(
                    finding, f"{short} {what} more are booked than it leaves: release claims first"
                )


def _asked(placed: PlacedDevice) -> DeviceRequest:
    return DeviceRequest(vendor_id=placed.vendor_id, product_id=placed.product_id)
