"""Replay of PCI claims and sequences: what Nova's tracker answered, and why innkeeper answers otherwise.

A row is `same` only if the question, the scheduler's question, the claim, the devices of each request,
and the free devices before and after are. Otherwise innkeeper must answer exactly as the slow model
with all corrections does, and the fewest corrections that make this of Nova's answer name the
difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import combinations
from typing import Any, Final

from tests.vectors.pci import comparing
from tests.vectors.pci.comparing import Answer, pools_in_one_form
from tests.vectors.pci.corrections import ALL, CORRECTIONS
from tests.vectors.pci.innkeeper_host import RecordedHost
from tests.vectors.pci.nova_pools import matches_any
from tests.vectors.pci.nova_replay import specs_of
from tests.vectors.pci.nova_specs import first_match
from tests.vectors.rows import Row
from tests.vectors.verdicts import DIFFERENT, SAME, UNREPLAYED, Verdict

from innkeeper.errors import BadConfig
from innkeeper.objects import PlacedDevice, Placement

_MOST_REASONS = 4

NONE: Final[frozenset[str]] = frozenset()

#: Q12: a tag that a pool has of itself is refused where it is written.
_POOL_PROPERTIES = ("numa_node", "dev_type", "count", "devices")


def judge_claim(row: Row) -> Verdict:
    """One claim on a fresh host."""
    answer = partial(comparing.corrected_claim, row)
    right, ours = answer(ALL), comparing.our_claim(row)
    if ours != right:
        return DIFFERENT, _first_difference(ours, right)
    recorded = comparing.recorded_claim(row)
    if recorded == right:
        return SAME, ""
    if recorded != answer(NONE):
        return (
            DIFFERENT,
            f"the model of Nova knows no such answer: {_first_difference(recorded, answer(NONE))}",
        )
    sure = _sure_reasons(row)
    others = [name for name in CORRECTIONS if name not in sure]
    for count in range(_MOST_REASONS):
        for names in combinations(others, count):
            if (sure or names) and answer(sure.union(names)) == right:
                return "+".join(sorted(sure.union(names))), ""
    return DIFFERENT, f"no few corrections explain it: {_first_difference(recorded, right)}"


def _sure_reasons(row: Row) -> frozenset[str]:
    """What Nova's own answer says of itself: a crash, or another number of devices than asked for."""
    claim = row.get("claim", {})
    if claim.get("crash"):
        return frozenset({"pf-vf-alternatives"})
    by_provider = any("rp_uuids" in spec for one in row["requests"] for spec in one["spec"])
    asked = sum(one["count"] for one in row["requests"])
    if by_provider and len(claim.get("chosen", range(asked))) != asked:
        return frozenset({"exact-providers"})
    return frozenset()


def judge_steps(row: Row) -> Verdict:
    """A sequence of steps of one tracker."""
    refused = _refused_tags(row)
    if refused is not None:
        return refused
    right, ours = list(comparing.corrected_steps(row, ALL)), comparing.our_steps(row)
    if ours != right:
        return DIFFERENT, _first_step(ours, right)
    recorded, known = comparing.recorded_steps(row), list(comparing.corrected_steps(row, NONE))
    if recorded == right:
        return SAME, ""
    if recorded != known:
        return DIFFERENT, f"the model of Nova knows no such answer: {_first_step(recorded, known)}"
    names = _reasons(partial(comparing.corrected_steps, row), right)
    if names is None:
        return (
            DIFFERENT,
            f"no corrections explain it: {_first_step(recorded, right)}",
        )
    return "+".join(sorted(names)), ""


def _refused_tags(row: Row) -> Verdict | None:
    """Whether the device specs have a tag that cannot be, and innkeeper says so."""
    wrong = [key for spec in row["device_spec"] for key in spec if key in _POOL_PROPERTIES]
    if not wrong:
        return None
    try:
        comparing.OurHistory(row)
    except BadConfig as error:
        if all(key in str(error) for key in wrong):
            return "tags-refused", ""
    return DIFFERENT, f"tags {', '.join(wrong)} were not refused"


def _reasons(
    answer: Callable[[frozenset[str]], Iterable[Answer]], right: Sequence[Answer]
) -> frozenset[str] | None:
    """Corrections that together explain a whole sequence, none of them idle.

    What explains the first difference is added until nothing differs; then each that is not needed
    is left out.
    """
    known = cache(lambda names: _agree(answer(names), right))
    names: frozenset[str] = frozenset()
    while known(names) < len(right):
        more = _next_reason(known, names)
        if more is None:
            return None
        names |= more
    for name in sorted(names):
        if known(names - {name}) == len(right):
            names -= {name}
    return names


def _next_reason(
    known: Callable[[frozenset[str]], int], names: frozenset[str]
) -> frozenset[str] | None:
    now = known(names)
    others = [name for name in CORRECTIONS if name not in names]
    best = max(others, key=lambda name: known(names | {name}))
    if known(names | {best}) > now:
        return frozenset({best})
    several = (frozenset(some) for count in (2, 3) for some in combinations(others, count))
    return next((some for some in several if known(names | some) > now), None)


def _agree(some: Iterable[Answer], others: Sequence[Answer]) -> int:
    """How many steps agree before the first that does not."""
    pairs = enumerate(zip(some, others, strict=True))
    return next((number for number, (one, other) in pairs if one != other), len(others))


def _first_step(ours: Sequence[Answer], right: Sequence[Answer]) -> str:
    number = _agree(ours, right)
    return f"step {number}: {_first_difference(ours[number], right[number])}"


def _first_difference(ours: Answer, right: Answer) -> str:
    key = next(key for key in {**ours, **right} if ours.get(key) != right.get(key))
    return f"{key} is {ours.get(key)}, should be {right.get(key)}"


# Single rules


def judge_match(row: Row) -> Verdict:
    """Whether a pool has what a request names. Every key is a tag like any other here."""
    values = [*row["pool"].values(), *(it for spec in row["specs"] for it in spec.values())]
    if any(isinstance(it, list) for it in values):
        return UNREPLAYED, "lists are refused as tags (Q12), and requests hold texts"
    if not row["specs"]:
        return UNREPLAYED, "a request that names nothing is refused before it is matched"
    tags = {_tag(key): it for key, it in row["pool"].items()}
    specs = [{_tag(key): _asked(it) for key, it in spec.items()} for spec in row["specs"]]
    told = {key: _told(it) for key, it in tags.items()}
    host = RecordedHost([tags], None)
    host.sync([_PLAIN])
    ours = host.fits([{"id": "r", "count": 1, "spec": specs, "alias_name": "a"}], None) is not None
    if ours != matches_any({**told, "dev_type": "type-PCI"}, specs):
        return DIFFERENT, f"innkeeper says {ours}"
    return (SAME if ours is row["matched"] else "tags-are-texts"), ""


_PLAIN = {
    "address": "0000:01:00.0",
    "vendor_id": "8086",
    "product_id": "0443",
    "dev_type": "type-PCI",
    "numa_node": None,
}


def _tag(key: str) -> str:
    """Properties of a pool's own are no tags: another name for them."""
    return f"of_{key}" if key in ("vendor_id", "numa_node") else key


def _told(value: Any) -> str | None:
    """A tag as a text."""
    if value is None or isinstance(value, str):
        return value
    return str(value).lower()


def _asked(value: Any) -> str | None:
    """What Nova makes of a value in a request."""
    return value if value is None else str(value)


def judge_view(row: Row) -> Verdict:
    """The pools beside the providers that Placement knows, given what instances hold.

    Which providers there are, their inventories and traits, and the healing of allocations are told
    to Placement and by nobody else: innkeeper takes `Device.provider` as it is given.
    """
    if "pools" not in row["result"]:
        return UNREPLAYED, "refused for what would be reported to Placement"
    host = RecordedHost(row["device_spec"], None, dict(_providers(row)))
    host.reports = row["devices"]
    host.held = {owner: _held(row, held) for owner, held in row["allocated"].items()}
    host.start(row["device_spec"])
    ours = pools_in_one_form(host.pools())
    recorded = pools_in_one_form(row["result"]["pools"])
    if ours == recorded:
        return SAME, ""
    return DIFFERENT, f"pools are {ours - recorded}, should be {recorded - ours}"


def _providers(row: Row) -> Iterator[tuple[str, str]]:
    """By device. What Neutron schedules, which is known by its network, is not in Placement."""
    names = {name.partition("_")[2].lower(): name for name in row["result"]["providers"]}
    specs = specs_of(row, row["device_spec"])
    for report in row["devices"]:
        name = names.get(report.get("parent_addr") or report["address"])
        spec = first_match(specs, report)
        if name and spec and not spec.tags.get("physical_network"):
            yield report["address"], name


def _held(row: Row, addresses: Sequence[str]) -> Placement:
    known = {it["address"]: it for it in row["devices"]}
    return Placement(
        devices=tuple(
            PlacedDevice(
                address=it["address"],
                vendor_id=it["vendor_id"],
                product_id=it["product_id"],
                cell=it["numa_node"],
                parent=it.get("parent_addr"),
            )
            for it in (known[address] for address in addresses)
        )
    )
