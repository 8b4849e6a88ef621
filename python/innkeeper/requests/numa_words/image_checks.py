"""What an image may say at all: Nova refuses such an image before it looks at the flavor."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from innkeeper.objects.request import NumaPolicy
from innkeeper.requests.numa_words.cells import MOST_CELLS
from innkeeper.requests.numa_words.cpu_policies import CpuPolicy, SiblingPolicy
from innkeeper.requests.numa_words.masks import read_cpu_lists
from innkeeper.requests.numa_words.words import INTEGER, GuestWords, Saying, read_word, refused

_ENUMERATIONS: Final[dict[str, type[StrEnum]]] = {
    "hw_cpu_policy": CpuPolicy,
    "hw_cpu_thread_policy": SiblingPolicy,
    "hw_pci_numa_affinity_policy": NumaPolicy,
}


def require_image(words: GuestWords) -> None:
    """The image's own words are words, whatever the flavor says.

    Raises:
        BadRequest: one has another form, or is an empty text where there is nothing to leave open.
    """
    properties = words.image_properties
    for key, kind in _ENUMERATIONS.items():
        if key in properties:
            read_word(kind, Saying(key, properties[key]), "InvalidImageProperty")
    for key in ("hw_numa_nodes", *_numbered("hw_numa_mem")):
        if key in properties and not INTEGER.fullmatch(properties[key]):
            said = Saying(key, properties[key])
            raise refused("InvalidImageProperty", key, f"{said}, should be a whole number")
    lists = (key for key in _numbered("hw_numa_cpus") if key in properties)
    read_cpu_lists(Saying(key, properties[key]) for key in lists)


def _numbered(name: str) -> Iterator[str]:
    return (f"{name}.{number}" for number in range(MOST_CELLS))
