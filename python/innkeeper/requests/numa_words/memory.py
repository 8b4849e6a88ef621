"""The pages of a guest's memory: their size, and whether they are locked."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from innkeeper.config.nearest import quoted
from innkeeper.objects.topology import PageWant
from innkeeper.requests.numa_words.masks import read_flag
from innkeeper.requests.numa_words.words import GuestWords, Saying, refused

#: KiB, as the limit of `GuestTopology.pages`.
_LARGEST_PAGE: Final = 2**40

_SIZE = re.compile(r"([0-9]{1,18}|[0-9]{0,18}\.[0-9]{1,9})((?:([KMGT])i?)?(b|bit|B)|)")
_KIBIBYTES: Final = {
    None: Decimal(1) / 1024,
    "K": Decimal(1),
    "M": Decimal(2**10),
    "G": Decimal(2**20),
    "T": Decimal(2**30),
}


def read_page_size(text: str) -> int:
    """KiB of `2048`, `2MB` or `1GiB`; Nova's units are powers of 1024 with or without the `i`.

    Raises:
        ValueError: it is no size, no whole number of KiB, counted in bits, or too large; in words
            for the operator.
    """
    found = _SIZE.fullmatch(text)
    if found is None or (not found[2] and "." in text):
        raise ValueError("is no page size; write KiB, or a size such as 2MiB or 1GiB")
    if found[4] in ("b", "bit"):
        raise ValueError(f"is in bits; did you mean {text.removesuffix(found[4])}B?")
    kib = Decimal(found[1]) * (_KIBIBYTES[found[3]] if found[2] else 1)
    if kib != int(kib):
        raise ValueError("is no whole number of KiB")
    if kib > _LARGEST_PAGE:
        raise ValueError(f"should be at most {_LARGEST_PAGE} KiB")
    return int(kib)


def read_pages(words: GuestWords) -> PageWant | None:
    """`hw:mem_page_size` and `hw_mem_page_size`: small, large, any, or a size; 0 is as unset.

    An image may only choose where the flavor leaves it a choice, which is any or large.

    Raises:
        BadRequest: a word is none, or the image has no choice.
    """
    flavor, image = words.of_flavor("mem_page_size"), words.of_image("mem_page_size")
    given = flavor and _read_want(flavor)
    if image is None:
        return given or None
    if given in ("any", "large"):
        return _read_want(image) or None
    against = str(flavor) if flavor else "hw:mem_page_size is not set"
    message = f"{image}, but {against}: an image may choose where the flavor says any or large"
    raise refused("MemoryPageSizeForbidden", image.key, message)


def _read_want(said: Saying) -> PageWant | int:
    match said.text:
        case "small" | "large" | "any":
            return said.text
    try:
        return read_page_size(said.text)
    except ValueError as error:
        message = f"{said.key} {quoted(said.text)} {error}"
        raise refused("MemoryPageSizeInvalid", said.key, message) from None


def read_locked(words: GuestWords) -> bool | None:
    """`hw:locked_memory` and `hw_locked_memory`.

    Raises:
        BadRequest: a word is none, flavor and image disagree, or neither asks for a page size.
    """
    flavor, image = words.of_flavor("locked_memory"), words.of_image("locked_memory")
    given = read_flag(flavor, "InvalidLockedMemory") if flavor else None
    asked = read_flag(image, "InvalidLockedMemory") if image else None
    if given is not None and asked is not None and given != asked:
        message = f"{image}, but {flavor}: flavor and image disagree"
        raise refused("FlavorImageLockedMemoryConflict", "hw_locked_memory", message)
    locked = asked if given is None else given
    sized = words.of_flavor("mem_page_size") or words.of_image("mem_page_size")
    if locked and not sized:
        said = flavor or image
        message = f"{said}, which needs a page size: set hw:mem_page_size"
        raise refused("LockMemoryForbidden", said.key if said else "", message)
    return locked
