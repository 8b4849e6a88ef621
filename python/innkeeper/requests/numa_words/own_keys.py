"""What a flavor says in innkeeper's own words, `innkeeper:KEY`: Nova has none for it."""

from __future__ import annotations

from typing import Final

from innkeeper.config.nearest import hint
from innkeeper.objects.topology import CellPreference, L3Policy
from innkeeper.requests.numa_words.masks import read_flag
from innkeeper.requests.numa_words.words import GuestWords, Saying, read_word, refused

_PREFIX: Final = "innkeeper:"
L3_KEY: Final = "innkeeper:cpu_l3_policy"
FULL_CORES_KEY: Final = "innkeeper:cpu_full_cores"
PREFERENCE_KEY: Final = "innkeeper:cell_preference"
_KEYS: Final = (L3_KEY, FULL_CORES_KEY, PREFERENCE_KEY)


def require_known_keys(words: GuestWords) -> None:
    """A key of ours that does not exist is a typing error.

    Raises:
        BadRequest: there is one; the message has the nearest that exists.
    """
    for key in sorted(words.extra_specs):
        if key.startswith(_PREFIX) and key not in _KEYS:
            near = f"there is no {key[:80]}; {hint(key, _KEYS)}"
            raise refused("UnknownInnkeeperKey", key, near)


def read_l3(words: GuestWords) -> L3Policy | None:
    """`innkeeper:cpu_l3_policy`: prefer or require.

    Raises:
        BadRequest: the word is none.
    """
    return read_word(L3Policy, _said(words, L3_KEY), "InvalidL3Policy")


def read_full_cores(words: GuestWords) -> Saying | None:
    """`innkeeper:cpu_full_cores`, where it is true.

    Raises:
        BadRequest: it is neither true nor false.
    """
    said = _said(words, FULL_CORES_KEY)
    return said if said and read_flag(said, "InvalidFullCores") else None


def read_preference(words: GuestWords) -> CellPreference | None:
    """`innkeeper:cell_preference`: closest, spread_sockets, pack or spread.

    Raises:
        BadRequest: the word is none.
    """
    return read_word(CellPreference, _said(words, PREFERENCE_KEY), "InvalidCellPreference")


def _said(words: GuestWords, key: str) -> Saying | None:
    text = words.extra_specs.get(key)
    return None if text is None else Saying(key, text)
