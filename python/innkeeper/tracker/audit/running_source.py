"""What runs compared with what is booked: instances without claims, and claims without instances."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Final
from uuid import UUID

from anyio.lowlevel import checkpoint

from innkeeper.objects import Claim, ClaimState, PowerState, RunningInstance, Severity
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec
from innkeeper.requests.remarks import Remark
from innkeeper.requests.strangers import Use, cpus_of
from innkeeper.tracker.audit.comparing import Comparison
from innkeeper.tracker.instances import Booked
from innkeeper.tracker.parts import Parts

YOUNG: Final = timedelta(minutes=2)
"""A claim that was written last so lately may still wait for its instance to be defined."""


IN_A_TURN: Final = 128
"""Instances that are compared before other tasks get their turn."""


class RunningSource:
    """Believes the hypervisor only where it answered; that an instance is gone it has to say twice."""

    kinds = frozenset(
        {
            *("instance_unbooked", "instance_differs"),
            *("claim_without_instance", "hypervisor_unreachable"),
        }
    )

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._missed: dict[UUID, int] = {}
        """Claims whose instance it does not have, with the answer that said so first."""

    async def compare(self, *, full: bool) -> Comparison:  # noqa: D102 - it was asked before
        instances = self._parts.instances
        if instances.problem is not None:
            message = f"the hypervisor does not answer: {instances.problem}; what runs is not known"
            remark = Remark("hypervisor_unreachable", self._parts.node, message)
            return Comparison((remark,), settled=frozenset({self._parts.node}))
        if not instances.is_asked:
            return Comparison()
        gone = [claim for claim in self._parts.register if is_gone(self._parts, claim)]
        self._missed = {one.id: self._missed.get(one.id, instances.answers) for one in gone}
        remarks = [one async for one in self._of_instances()]
        remarks += map(self._of_gone, filter(self._is_sure, gone))
        doubtful = frozenset(str(one.id) for one in gone if not self._is_sure(one))
        return Comparison(remarks, examined=len(instances.found), left_out=doubtful)

    # -- claims without instances ------------------------------------------------------------

    def _is_sure(self, claim: Claim) -> bool:
        return self._missed[claim.id] < self._parts.instances.answers

    def _of_gone(self, claim: Claim) -> Remark:
        return Remark(
            "claim_without_instance",
            str(claim.id),
            f"claim {claim.id} is held for instance {claim.instance_uuid}, which the hypervisor does not have",
            booked=str(claim.instance_uuid),
            claim_id=claim.id,
        )

    # -- instances without claims ------------------------------------------------------------

    async def _of_instances(self) -> AsyncIterator[Remark]:
        booked, uses = Booked(self._parts.register), self._parts.instances.uses
        for number, instance in enumerate(self._parts.instances.found.values()):
            if number % IN_A_TURN == 0:
                await checkpoint()
            claims = booked.of(instance)
            use = uses.get(instance.uuid)
            if claims:
                for remark in self._difference(instance, claims, use):
                    yield remark
            elif use is not None:
                yield self._of_unbooked(instance, use)

    def _of_unbooked(self, instance: RunningInstance, use: Use) -> Remark:
        taken = self._taken(use)
        severity = Severity.ERROR if use.devices or use.cpus else None
        return Remark(
            "instance_unbooked",
            str(instance.uuid),
            f"instance {instance.name} ({instance.uuid}) runs without a claim: {_words(use)}; "
            f"none of it is handed out{taken}",
            observed=_words(use),
            severity=severity,
        )

    def _difference(
        self, instance: RunningInstance, claims: list[Claim], use: Use | None
    ) -> Iterator[Remark]:
        """A device that its claim has and that it does not is no hostdev, and may be anything else."""
        if instance.state is PowerState.OFF:
            return
        words = [*_pins_that_differ(instance, claims)]
        if use is not None:
            use = use.beside(claim.placement for claim in claims)
        if use is not None and use.devices:
            words.append(f"uses devices {', '.join(sorted(use.devices))} beside")
        if words:
            taken = "" if use is None else self._taken(use)
            yield Remark(
                "instance_differs",
                str(instance.uuid),
                f"instance {instance.name} is not as claim {claims[0].id} has it: {'; '.join(words)}{taken}",
                observed="; ".join(words),
                claim_id=claims[0].id,
            )

    def _taken(self, use: Use) -> str:
        """Who else was given what it uses."""
        holders = self._parts.register.device_holders()
        words = [
            f"; device {address} is held by claim {holders[address]}"
            for address in sorted(use.devices)
            if address in holders
        ]
        for claim in self._parts.register if use.cpus else ():
            both = use.cpus & cpus_of(claim.placement)
            words += (
                [f"; CPUs {format_cpu_spec(both)} are held by claim {claim.id}"] if both else []
            )
        return "".join(words)


def is_gone(parts: Parts, claim: Claim) -> bool:
    """Whether the hypervisor does not have its instance, and nothing else says where that is."""
    if claim.instance_uuid is None or claim.instance_uuid in parts.instances.found:
        return False
    is_young = parts.clock.now() - claim.updated_at < YOUNG
    is_kept = claim.is_moving or is_young or claim.process is not None
    return claim.state is ClaimState.CONFIRMED and not is_kept


def _words(use: Use) -> str:
    parts = [
        f"{use.vcpus} vCPUs" if use.vcpus else "",
        f"{use.memory_mib} MiB" if use.memory_mib else "",
        f"dedicated CPUs {format_cpu_spec(use.cpus)}" if use.cpus else "",
        f"devices {', '.join(sorted(use.devices))}" if use.devices else "",
    ]
    return ", ".join(filter(None, parts))


def _pins_that_differ(instance: RunningInstance, claims: list[Claim]) -> Iterator[str]:
    """Of an instance on its way either end will do."""
    wanted = [pins for claim in claims if (pins := _pins(claim))]
    if not wanted:
        return
    there = {vcpu: frozenset(parse_cpu_spec(text)) for vcpu, text in instance.pins.items()}
    wrong = [
        [vcpu for vcpu, cpu in sorted(pins.items()) if there.get(vcpu) != frozenset({cpu})]
        for pins in wanted
    ]
    if all(wrong):
        vcpu = wrong[0][0]
        now = instance.pins.get(vcpu, "no CPU of its own")
        yield f"vCPU {vcpu} is on {now} instead of {wanted[0][vcpu]}"


def _pins(claim: Claim) -> dict[int, int]:
    return {vcpu: cpu for cell in claim.placement.cells for vcpu, cpu in cell.pins.items()}
