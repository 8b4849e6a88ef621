"""Single values of a simulated host's spec, each parsed from the text after its key."""

from __future__ import annotations

import re
from collections.abc import Callable

from innkeeper.config.sizes import refusal
from innkeeper.drivers.sysfs.parse import parse_ids

Parse = Callable[[str, str], object]

CELL = re.compile(r"cell(0|[1-9][0-9]{0,3})\.")


def what(key: str) -> str:
    """A key as a refusal names it."""
    return f"simulated host: {key}"


def number(low: int, high: int) -> Callable[[str, str], int]:
    """A whole number in decimal."""

    def parse(key: str, text: str) -> int:
        value = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else -1
        if not low <= value <= high:
            raise refusal(what(key), text, f"should be a whole number from {low} to {high}")
        return value

    return parse


def matching(form: str, words: str) -> Callable[[str, str], str]:
    """A text of a form, which `words` describe."""

    def parse(key: str, text: str) -> str:
        if not re.fullmatch(form, text):
            raise refusal(what(key), text, f"should be {words}")
        return text

    return parse


def yes_or_no(key: str, text: str) -> bool:
    """TOML has words of its own for it."""
    answers = {"yes": True, "true": True, "no": False, "false": False}
    if text not in answers:
        raise refusal(what(key), text, "should be yes or no")
    return answers[text]


def ids(key: str, text: str) -> frozenset[int]:
    """Ids in the kernel's list format."""
    try:
        return parse_ids(text)
    except ValueError as error:
        raise refusal(what(key), text, f"should be a list such as 2-3,7: {error}") from error
