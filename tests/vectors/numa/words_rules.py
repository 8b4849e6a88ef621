"""What innkeeper answers otherwise than Nova to the words of flavors and images, rule by rule.

A rule says of a recorded answer what innkeeper's must be, by what stands in the row and nothing else.
Its name is the one in docs/differences-from-nova.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.vectors.rows import Row

#: Nova's errors by the step at which they are raised; an error of an earlier step wins.
STEPS: Final = (
    ("ValueError of the image", "Invalid of the image"),
    ("ImageCPUPinningForbidden", "InvalidCPUAllocationPolicy"),
    ("ImageCPUThreadPolicyForbidden", "InvalidCPUThreadAllocationPolicy"),
    ("RealtimeMaskNotFoundOrInvalid",),
    ("InvalidMixedInstanceDedicatedMask",),
    ("InvalidEmulatorThreadsPolicy",),
    ("InvalidRequest",),
    ("HyperthreadingTrait",),
    (
        "CPUThreadPolicyConfigurationInvalid",
        "BadRequirementEmulatorThreadsPolicy",
        "RequiredMixedInstancePolicy",
        "RealtimeConfigurationInvalid",
        "RequiredMixedOrRealtimeCPUMask",
    ),
    ("InvalidNUMANodesNumber",),
    ("MemoryPageSizeForbidden", "MemoryPageSizeInvalid"),
    ("LockMemoryForbidden", "FlavorImageLockedMemoryConflict"),
)
_STEP_OF: Final = {cause: step for step, causes in enumerate(STEPS) for cause in causes}
_LAST: Final = len(STEPS)


@dataclass(frozen=True)
class Answer:
    """What a flavor and an image come to: an error, or a topology and a query; and each part."""

    cause: str | None
    topology: Any = None
    query: Any = None
    parts: Mapping[str, Any] = field(default_factory=dict)

    def refused(self, cause: str, at: str) -> Answer:
        """The same, but refused for another cause, unless an earlier step refused it already."""
        if self.cause is not None and _STEP_OF.get(self.cause, _LAST) < _STEP_OF[at]:
            return self
        return Answer(cause, parts=self.parts)

    def with_part(self, name: str, cause: str) -> Answer:
        return replace(self, parts={**self.parts, name: {"error": cause}})


Rule = Callable[[Row, Answer], Answer]


def clean_refusals(row: Row, answer: Answer) -> Answer:
    """A Python error of Nova's is a refusal that names the key."""
    if answer.cause != "ValueError":
        return answer
    of_image = row.get("image_error") == "ValueError"
    return replace(answer, cause="InvalidImageProperty" if of_image else "InvalidNUMAMemory")


def strict_numbers(row: Row, answer: Answer) -> Answer:
    """Signs, blanks and leading zeros of an image's numbers, and memory below 0."""
    nodes = row["image_props"].get("hw_numa_nodes", "0")
    if not row.get("image_error") and not re.fullmatch(r"-?(0|[1-9][0-9]*)", nodes):
        return answer.refused("InvalidImageProperty", "ValueError of the image")
    sizes = [text for _, key, text in _sayings(row) if re.match(r"hw[:_]numa_mem\.", key)]
    if answer.topology and any(text.startswith("-") for text in sizes):
        return Answer("InvalidNUMAMemory", parts=answer.parts)
    return answer


def strict_page_sizes(row: Row, answer: Answer) -> Answer:
    """Bits, fractions of a KiB, and digits beyond ASCII, where Nova reads them."""
    flavor, image = (
        row[place].get(key)
        for place, key in (("extra_specs", "hw:mem_page_size"), ("image_props", "hw_mem_page_size"))
    )
    read = image if image and flavor in ("any", "large") else flavor
    odd = re.fullmatch(r"[0-9.]+([KMGT]i?)?(b|bit)|0\.5KB|[^\x00-\x7f]+", read or "")
    if not odd or row.get("image_error"):
        return answer
    changed = answer.refused("MemoryPageSizeInvalid", "MemoryPageSizeInvalid")
    return changed.with_part("pagesize", "MemoryPageSizeInvalid")


def strict_resources(row: Row, answer: Answer) -> Answer:
    """CPU resources of no such class or group, and amounts that are no numbers."""
    for key, amount in row["extra_specs"].items():
        plain = re.fullmatch(r"resources([1-9][0-9]*)?:[VP]CPU", key)
        if re.match(r"resources[^:]*:[VP]CPU", key) and not (plain and amount.isdigit()):
            return answer.refused("InvalidRequest", "InvalidRequest")
    return answer


def strict_traits(row: Row, answer: Answer) -> Answer:
    """Words of the trait that Nova passes over."""
    flavor, image = (row[it].get("trait:HW_CPU_HYPERTHREADING") for it in _PLACES)
    odd = flavor not in (None, "required", "forbidden")
    if odd or (flavor is None and image not in (None, "required")):
        return answer.refused("InvalidRequest", "HyperthreadingTrait")
    return answer


def strict_booleans(row: Row, answer: Answer) -> Answer:
    """Text that is neither true nor false, which Nova takes for false."""
    if row["extra_specs"].get("hw:cpu_realtime") == "maybe":
        answer = answer.refused("InvalidRealtime", "RealtimeMaskNotFoundOrInvalid")
        return answer.with_part("realtime_cpus", "InvalidRealtime")
    if row["extra_specs"].get("hw:locked_memory") == "junk":
        answer = answer.refused("InvalidLockedMemory", "LockMemoryForbidden")
        return answer.with_part("locked_memory", "InvalidLockedMemory")
    return answer


def unused_cells(row: Row, answer: Answer) -> Answer:
    """Cells are described that the guest does not have: none at all, or one past a gap."""
    found = (re.fullmatch(r"hw[:_]numa_(?:cpus|mem)\.([0-9]+)", key) for _, key, _ in _sayings(row))
    have = len(answer.topology["cells"]) if answer.topology else 0
    if answer.cause is None and any(it and int(it[1]) >= have for it in found):
        return Answer("ImageNUMATopologyIncomplete", parts=answer.parts)
    return answer


def shared_is_null(_: Row, answer: Answer) -> Answer:
    """Both mean the same to Nova, and only null means it to all of its releases."""
    return _with_policy(answer, "shared", None)


def policy_by_vcpus(_: Row, answer: Answer) -> Answer:
    """Mixed, and all vCPUs are realtime: nothing is left to share."""
    cells = (answer.topology or {}).get("cells", ())
    if any(cell["cpuset"] for cell in cells):
        return answer
    return _with_policy(answer, "mixed", "dedicated")


def groups_together(row: Row, answer: Answer) -> Answer:
    """Nova asks by group, and only the group without a number is recorded."""
    extra = row["extra_specs"].items()
    grouped = [(key, text) for key, text in extra if re.match(r"resources[1-9][0-9]*:", key)]
    if answer.query is None or not any(int(text) for _, text in grouped):
        return answer
    resources = dict(answer.query["resources"])
    for key, text in grouped:
        name = key.partition(":")[2]
        resources[name] = resources.get(name, 0) + int(text)
    return replace(answer, query=answer.query | {"resources": resources})


def _with_policy(answer: Answer, old: str, new: str | None) -> Answer:
    if not answer.topology or answer.topology["cells"][0]["cpu_policy"] != old:
        return answer
    cells = [cell | {"cpu_policy": new} for cell in answer.topology["cells"]]
    return replace(answer, topology=answer.topology | {"cells": cells})


_PLACES: Final = ("extra_specs", "image_props")


def _sayings(row: Row) -> Iterator[tuple[str, str, str]]:
    for place in _PLACES:
        for key, text in row[place].items():
            yield place, key, text


#: What refuses from the last step to the first, so that the first has the last word; then the form
#: of what is left.
RULES: Final[dict[str, Rule]] = {
    "unused-cells": unused_cells,
    "strict-booleans": strict_booleans,
    "strict-page-sizes": strict_page_sizes,
    "strict-traits": strict_traits,
    "strict-resources": strict_resources,
    "strict-numbers": strict_numbers,
    "clean-refusals": clean_refusals,
    "shared-is-null": shared_is_null,
    "policy-by-vcpus": policy_by_vcpus,
    "groups-together": groups_together,
}
