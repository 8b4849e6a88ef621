"""What the hypervisor has, as it said last, beside who holds what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

import anyio.to_thread

from innkeeper.drivers.base import Hypervisor
from innkeeper.errors import HostUnreadable
from innkeeper.objects import Claim, Placement, RunningInstance
from innkeeper.requests.strangers import NO_STRANGERS, Reckoning, Strangers, Use
from innkeeper.tracker.register import Register


class Booked:
    """Claims by the instance that they are for."""

    def __init__(self, claims: Iterable[Claim]) -> None:
        self._by_uuid: dict[UUID, list[Claim]] = {}
        self._by_name: dict[str, list[Claim]] = {}
        for claim in claims:
            self._by_uuid.setdefault(claim.instance_uuid or claim.id, []).append(claim)
            if claim.instance_uuid is None and claim.name is not None:
                self._by_name.setdefault(claim.name, []).append(claim)

    def of(self, instance: RunningInstance) -> list[Claim]:
        """By its uuid; those that name no uuid may have its name."""
        return self._by_uuid.get(instance.uuid) or self._by_name.get(instance.name) or []


class Instances:
    """Asked in a thread, with nothing held; while it does not answer, its last answer is believed."""

    def __init__(self, hypervisor: Hypervisor | None) -> None:
        self._hypervisor = hypervisor
        self.found: Mapping[UUID, RunningInstance] = {}
        self.problem: str | None = None
        """Why it did not answer when it was asked last."""
        self.answers = 0
        """How often it answered."""
        self.uses: Mapping[UUID, Use] = {}
        """By instance, what it uses beyond its claims; of those that do."""
        self.strangers: Strangers = NO_STRANGERS
        """The sum, which is not handed out."""

    @property
    def is_asked(self) -> bool:
        """Whether there is a hypervisor at all."""
        return self._hypervisor is not None

    async def observe(self, register: Register, reckoning: Reckoning) -> None:
        """Ask it; an instance that was claimed before or after it answered has a claim."""
        if self._hypervisor is None:
            return
        before = Booked(register)
        try:
            found = await anyio.to_thread.run_sync(self._hypervisor.instances)
        except HostUnreadable as error:
            self.problem = error.message
            return
        self.problem = None
        self.answers += 1
        self.found = {one.uuid: one for one in found}
        after = Booked(register)
        uses = await anyio.to_thread.run_sync(_uses, found, reckoning, after, before)
        # An instance may have been claimed meanwhile.
        now = Booked(register)
        left = (
            use.beside(_placements(now.of(use.instance))) if now.of(use.instance) else use
            for use in uses
        )
        self._keep({use.instance.uuid: use for use in left if use})

    def _keep(self, uses: Mapping[UUID, Use]) -> None:
        self.uses = uses
        strangers = Strangers.of(uses.values())
        if strangers != self.strangers:
            self.strangers = strangers

    def claimed(self, uuid: UUID) -> Use:
        """A claim holds what this one uses from now on; what it used until then."""
        use = self.uses[uuid]
        self._keep({other: one for other, one in self.uses.items() if other != uuid})
        return use

    def unclaimed(self, use: Use) -> None:
        """No claim holds it after all."""
        self._keep({**self.uses, use.instance.uuid: use})


def _uses(
    found: Iterable[RunningInstance], reckoning: Reckoning, *booked: Booked
) -> tuple[Use, ...]:
    """Of those that use anything beyond their claims; the first book that has any of an instance counts."""
    uses = []
    for one in found:
        claims: list[Claim] = next(filter(None, (book.of(one) for book in booked)), [])
        uses.append(reckoning.use(one, _placements(claims)))
    return tuple(filter(None, uses))


def no_instances() -> Instances:
    """Where nobody can be asked."""
    return Instances(None)


def _placements(claims: Iterable[Claim]) -> Iterator[Placement]:
    return (claim.placement for claim in claims)
