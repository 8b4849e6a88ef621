"""The name that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest_name(given: str, allowed: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The allowed name most like the given one; None when none is like it."""
    found = get_close_matches(given[:64].lower(), list(allowed), n=1, cutoff=cutoff)
    return found[0] if found else None


def hint(given: str, allowed: Iterable[str]) -> str:
    """`did you mean X?`, or the list of what is allowed when nothing comes near."""
    names = sorted(allowed)
    near = nearest_name(given, names)
    return f"did you mean `{near}`?" if near else f"allowed are {', '.join(names)}"


def quoted(value: object) -> str:
    """A value as a refusal repeats it: on one line, printable and short."""
    text = ascii(value) if not repr(value).isprintable() else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
