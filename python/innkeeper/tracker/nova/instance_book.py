"""What each instance holds here, by the forms of claims that are written or on their way to the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Set
from uuid import UUID

from innkeeper.objects import Claim


class InstanceBook:
    """The live claims of each instance of a host."""

    def __init__(self, claims: Iterable[Claim]) -> None:
        self._claims: dict[UUID, Claim] = {}
        self._of: defaultdict[UUID, dict[UUID, Claim]] = defaultdict(dict)
        self._touched: set[UUID] = set()
        for claim in claims:
            self.follow(claim)
        self.touch(self._of)

    @property
    def touched(self) -> Set[UUID]:
        """Instances whose rows may be others than when they were made last."""
        return self._touched

    def touch(self, instance_uuids: Iterable[UUID]) -> None:
        """Their rows are to be written again."""
        self._touched.update(instance_uuids)

    def touch_holders(self, claims: Iterable[Claim]) -> None:
        """The same for the instances of claims."""
        self.touch(one.instance_uuid for one in claims if one.instance_uuid is not None)

    def forget_touched(self) -> None:
        """All of them are on their way to the store."""
        self._touched.clear()

    def find(self, claim_id: UUID) -> Claim | None:
        """A live claim, as it was told last."""
        return self._claims.get(claim_id)

    def of_instance(self, instance_uuid: UUID) -> tuple[Claim, ...]:
        """Its live claims: the one that was here first, then the one that it moves to."""
        claims = self._of.get(instance_uuid, {}).values()
        return tuple(sorted(claims, key=lambda claim: (claim.is_arriving, claim.id)))

    def follow(self, claim: Claim) -> None:
        """This is the next form of a claim."""
        self.forget(claim)
        if not claim.state.live:
            return
        self._claims[claim.id] = claim
        if claim.instance_uuid is not None:
            self._of[claim.instance_uuid][claim.id] = claim

    def forget(self, claim: Claim) -> None:
        """There is no such claim any more, or after all."""
        self._claims.pop(claim.id, None)
        if claim.instance_uuid is None:
            return
        ends = self._of[claim.instance_uuid]
        ends.pop(claim.id, None)
        if not ends:
            del self._of[claim.instance_uuid]
