"""A flavor and an image side by side, and how their words are read and refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from innkeeper.config.nearest import quoted
from innkeeper.errors import BadRequest

_Word = TypeVar("_Word", bound=StrEnum)

#: As the limits of `Request.vcpus` and `Request.memory_mib`.
MOST_VCPUS: Final = 65_536
_MOST_MEBIBYTES: Final = 2**40

#: In plain digits, and below 0 too.
INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,12})")
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,12}")


@dataclass(frozen=True, slots=True)
class Saying:
    """One key with what it says."""

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key} is {quoted(self.text)}"


@dataclass(frozen=True, slots=True)
class GuestWords:
    """The size of a flavor, its extra specs, and the properties of an image.

    What is under `hw:NAME` in the one is under `hw_NAME` in the other. An empty text says nothing.
    """

    vcpus: int
    memory_mib: int
    extra_specs: Mapping[str, str]
    image_properties: Mapping[str, str]

    def __post_init__(self) -> None:
        self._require_size("vcpus", self.vcpus, MOST_VCPUS)
        self._require_size("memory_mib", self.memory_mib, _MOST_MEBIBYTES)
        for words in (self.extra_specs, self.image_properties):
            for key, text in words.items():
                if not isinstance(key, str) or not isinstance(text, str):
                    said = f"{quoted(key)} and what it says should both be texts"
                    raise refused("InvalidWords", str(key)[:256], said)

    def _require_size(self, name: str, size: int, most: int) -> None:
        if type(size) is not int or not 1 <= size <= most:
            said = f"a flavor has {name} from 1 to {most}, not {quoted(size)}"
            raise refused("InvalidFlavor", name, said)

    def of_flavor(self, name: str) -> Saying | None:
        """What the flavor says under `hw:NAME`."""
        return _saying(self.extra_specs, f"hw:{name}")

    def of_image(self, name: str) -> Saying | None:
        """What the image says under `hw_NAME`."""
        return _saying(self.image_properties, f"hw_{name}")


def _saying(words: Mapping[str, str], key: str) -> Saying | None:
    text = words.get(key)
    return Saying(key, text) if text else None


def refused(cause: str, key: str, message: str) -> BadRequest:
    """The refusal of one word.

    `cause` is a stable word for machines: the name of Nova's error where it has one for this.
    """
    error = {"path": key, "message": message, "cause": cause}
    return BadRequest(message, errors=[error])


def read_word(kind: type[_Word], said: Saying | None, cause: str) -> _Word | None:
    """One of the words of an enumeration; null where nothing is said.

    Raises:
        BadRequest: it is none of them.
    """
    if said is None:
        return None
    try:
        return kind(said.text)
    except ValueError:
        message = f"{said.key} {quoted(said.text)} is none of {', '.join(kind)}"
        raise refused(cause, said.key, message) from None


def read_number(said: Saying, cause: str, *, what: str) -> int:
    """A whole number in plain digits: no sign, no blanks, no leading zero, nothing beyond ASCII.

    Raises:
        BadRequest: it has another form.
    """
    if not _WHOLE_NUMBER.fullmatch(said.text):
        message = f"{said.key} {quoted(said.text)} should be {what}: a whole number in plain digits"
        raise refused(cause, said.key, message)
    return int(said.text)
