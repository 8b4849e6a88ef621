"""What a step changes of Nova's tables, as rows that are objects.

They are the projection of the claims, made for the same change set, so that no transaction shows one
without the other. Totals are those of the ledger less what is being released in the same step; a row
that a lost write left behind is put right by the next step, audit or heartbeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from innkeeper.objects import ChangeSet, Claim
from innkeeper.objects.base import VersionedObject
from innkeeper.objects.cordon import Cordon


class Rows(Protocol):
    """The rows that a step changes; none where Nova's tables are not kept."""

    def of_claims(self, claims: Sequence[Claim]) -> tuple[VersionedObject, ...]:
        """What these next forms of claims mean for the tables."""
        ...

    def of_host(self) -> tuple[VersionedObject, ...]:
        """Service, the node when it changed, and what changed of devices; all when it is asked first."""
        ...

    def of_cordons(self, cordons: Sequence[Cordon]) -> tuple[VersionedObject, ...]:
        """What cordons that are placed or lifted mean for the service."""
        ...

    def of_beat(self) -> tuple[VersionedObject, ...]:
        """The service's sign of life, and whatever was not written when it was to be."""
        ...

    def of_return(self) -> tuple[VersionedObject, ...]:
        """Likewise, where the service's row is gone: all of the service."""
        ...

    def sent(self, change_set: ChangeSet) -> None:
        """It is on its way; one of the two below follows."""
        ...

    def landed(self, change_set: ChangeSet) -> None:
        """It is durable; the claims in it are published."""
        ...

    def lost(self, change_set: ChangeSet) -> None:
        """It was not written: what is published counts again."""
        ...


class NoRows:
    """Nova's tables are not kept."""

    def of_claims(self, claims: Sequence[Claim]) -> tuple[VersionedObject, ...]:  # noqa: D102
        return ()

    def of_host(self) -> tuple[VersionedObject, ...]:  # noqa: D102
        return ()

    def of_cordons(self, cordons: Sequence[Cordon]) -> tuple[VersionedObject, ...]:  # noqa: D102
        return ()

    def of_beat(self) -> tuple[VersionedObject, ...]:  # noqa: D102
        return ()

    def of_return(self) -> tuple[VersionedObject, ...]:  # noqa: D102
        return ()

    def sent(self, change_set: ChangeSet) -> None:
        """Nothing follows."""

    def landed(self, change_set: ChangeSet) -> None:
        """Nothing follows."""

    def lost(self, change_set: ChangeSet) -> None:
        """Nothing follows."""
