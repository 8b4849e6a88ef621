"""What objects with a row in the database, and lists of objects, have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from innkeeper.objects.fields import Boolean, DateTime
from innkeeper.objects.nova import NovaObject
from innkeeper.objects.wire import UNSET, unset


class Persistent(NovaObject):
    """Fields of objects that have a row in the database."""

    created_at: DateTime | None = UNSET
    updated_at: DateTime | None = UNSET
    deleted_at: DateTime | None = UNSET
    deleted: Boolean = unset(default=False)


class NovaList(NovaObject):
    """A list as an object of its own; without elements it is empty, not unset."""

    IS_LIST = True

    if TYPE_CHECKING:
        objects: Any

    def __init__(self, /, **fields: Any) -> None:
        super().__init__(**fields)
        self.__dict__.setdefault("objects", ())

    def __len__(self) -> int:
        return len(self.objects)
