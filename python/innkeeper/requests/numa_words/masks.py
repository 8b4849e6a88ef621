"""The masks of a flavor and an image: which vCPUs are realtime, which are dedicated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from innkeeper.config.nearest import quoted
from innkeeper.errors import BadRequest
from innkeeper.objects.cpu_spec import parse_cpu_spec
from innkeeper.requests.numa_words.cpu_policies import read_emulator_threads
from innkeeper.requests.numa_words.words import MOST_VCPUS, GuestWords, Saying, refused
from innkeeper.requests.strict_words import read_boolean

#: Characters; bounds the time that a hostile list can take.
_LONGEST_LIST: Final = 4096


def read_realtime(words: GuestWords) -> frozenset[int] | None:
    """The realtime vCPUs, if `hw:cpu_realtime` is on; an image's mask goes before the flavor's.

    Without a mask that is all of them, which only an emulator policy allows: otherwise nothing
    would be left for the emulator.

    Raises:
        BadRequest: the mask is none, empty, takes all, or names vCPUs that the flavor does not have.
    """
    said = words.of_flavor("cpu_realtime")
    if said is None or not read_flag(said, "InvalidRealtime"):
        return None
    mask = words.of_image("cpu_realtime_mask") or words.of_flavor("cpu_realtime_mask")
    every = frozenset(range(words.vcpus))
    realtime = read_mask(mask, words.vcpus) if mask else every
    key = mask.key if mask else "hw:cpu_realtime_mask"
    problem = _problem_of_realtime(realtime, every)
    if problem is None and realtime == every and not read_emulator_threads(words):
        problem = "leaves no vCPU to the emulator: leave one out, or set hw:emulator_threads_policy"
    if problem:
        about = f"{key} {quoted(mask.text)}" if mask else f"{said}, and without {key} it"
        raise refused("RealtimeMaskNotFoundOrInvalid", key, f"{about} {problem}")
    return realtime


def _problem_of_realtime(realtime: frozenset[int], every: frozenset[int]) -> str | None:
    if not realtime:
        return "names no vCPU"
    return _beyond(realtime, every)


def _beyond(named: frozenset[int], every: frozenset[int]) -> str | None:
    rest = named - every
    return f"names vCPU {min(rest)}, but the flavor has {len(every)}" if rest else None


def read_dedicated(words: GuestWords) -> frozenset[int] | None:
    """The vCPUs of `hw:cpu_dedicated_mask`, whatever the CPU policy is.

    Raises:
        BadRequest: the mask is none, names none or all of the vCPUs, or others.
    """
    mask = words.of_flavor("cpu_dedicated_mask")
    if mask is None:
        return None
    every = frozenset(range(words.vcpus))
    dedicated = read_mask(mask, words.vcpus)
    problem = _beyond(dedicated, every)
    if not dedicated or dedicated >= every:
        problem = f"should name some of the {len(every)} vCPUs, and neither none nor all"
    if problem:
        message = f"{mask.key} {quoted(mask.text)} {problem}"
        raise refused("InvalidMixedInstanceDedicatedMask", mask.key, message)
    return dedicated


def read_mask(said: Saying, vcpus: int) -> frozenset[int]:
    """The vCPUs of `0-3,^2`; a mask that begins with `^` is all but those.

    Raises:
        BadRequest: it is no list.
    """
    text = said.text
    if text.strip().startswith("^"):
        text = f"0-{vcpus - 1},{text}"
    return read_cpus(Saying(said.key, text))


def read_cpus(said: Saying) -> frozenset[int]:
    """As `parse_cpu_spec`, the key being named.

    Raises:
        BadRequest: it is no list.
    """
    if len(said.text) > _LONGEST_LIST:
        message = f"{said.key} has {len(said.text)} characters; {_LONGEST_LIST} are the most"
        raise refused("Invalid", said.key, message)
    try:
        return parse_cpu_spec(said.text)
    except BadRequest as error:
        message = f"{said.key}: {error.message}"
        raise refused("Invalid", said.key, message) from None


def read_cpu_lists(said: Iterable[Saying]) -> list[tuple[Saying, frozenset[int]]]:
    """Each list with its CPUs. Together they name no more than a guest can have, each time counted.

    Raises:
        BadRequest: one is no list, or they name more.
    """
    lists: list[tuple[Saying, frozenset[int]]] = []
    rest = MOST_VCPUS
    for one in said:
        cpus = read_cpus(one)
        rest -= len(cpus)
        if rest < 0:
            message = f"{one.key} and those before it name more than {MOST_VCPUS} vCPUs"
            raise refused("Invalid", one.key, message)
        lists.append((one, cpus))
    return lists


def read_flag(said: Saying, cause: str) -> bool:
    """A boolean; text that is neither true nor false is no silent false.

    Raises:
        BadRequest: it is neither.
    """
    flag = read_boolean(said.text)
    if flag is None:
        raise refused(cause, said.key, f"{said}, should be true or false")
    return flag == "true"
