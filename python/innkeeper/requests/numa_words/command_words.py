"""The same words as people write them on a command line: `--threads`, `--hugepages`, `--property`."""

from __future__ import annotations

from typing import Final

from innkeeper.config.nearest import hint
from innkeeper.config.sizes import refusal
from innkeeper.objects.topology import PageWant, ThreadPolicy
from innkeeper.requests.numa_words.memory import read_page_size

_WANTS: Final = ("small", "large", "any")
_LONGEST_KEY: Final = 255


def parse_threads(text: str, *, what: str = "threads") -> ThreadPolicy:
    """A thread policy; `full-cores` as well as `full_cores`.

    Raises:
        BadRequest: it is none.
    """
    word = text.strip().replace("-", "_")
    if word not in tuple(ThreadPolicy):
        raise refusal(what, text, f"is no thread policy; {hint(word, ThreadPolicy)}")
    return ThreadPolicy(word)


def parse_hugepages(text: str, *, what: str = "hugepages") -> PageWant:
    """`small`, `large`, `any`, or KiB of `2MiB`, `1GiB` or of a bare number of KiB.

    Raises:
        BadRequest: it has another form, or is 0.
    """
    match text.strip():
        case "small" | "large" | "any" as want:
            return want
        case size:
            return _page_size(size, text, what)


def _page_size(size: str, text: str, what: str) -> int:
    try:
        kib = read_page_size(size)
    except ValueError as error:
        problem = f"{error}; or one of {', '.join(_WANTS)}"
        raise refusal(what, text, problem) from None
    if not kib:
        raise refusal(what, text, "should be above 0")
    return kib


def parse_property(text: str, *, what: str = "property") -> tuple[str, str]:
    """Key and text of `KEY=VALUE`, such as `hw:cpu_policy=dedicated`; the text may have a `=` too.

    Raises:
        BadRequest: it has no `=`, or no key.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key or len(key) > _LONGEST_KEY or not key.isprintable():
        raise refusal(what, text, "has no KEY=VALUE, such as hw:cpu_policy=dedicated")
    return key, value.strip()
