"""Quirks of Nova's PCI tracker on the smallest hosts that have them: what innkeeper does there.

The numbers are those of docs/differences-from-nova.md. What is recorded about them is replayed, too: the
rows of `corner` name their quirk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from tests.vectors.pci.innkeeper_host import Chosen, RecordedHost, provider_named
from tests.vectors.pci_replay import judge_steps
from tests.vectors.rows import read_rows
from tests.vectors.test_pci import recorded

from innkeeper.objects import Device
from innkeeper.tracker.nova.pools import NovaPools

Report = dict[str, Any]

ROOT_ADDRESS = "0000:81:00.0"
CELLS = [{"id": 0, "socket": 0}, {"id": 1, "socket": 1}]
ALL_OF_INTEL = [{"vendor_id": "8086"}]
NO_PF = [{"vendor_id": "8086", "product_id": "154c"}]
NO_VF = [{"vendor_id": "8086", "product_id": "1572"}]
PF, VF, PCI = ({"dev_type": f"type-{kind}"} for kind in ("PF", "VF", "PCI"))


def plain(address: str, cell: int | None = None, **more: Any) -> Report:
    return {
        "address": address,
        "vendor_id": "8086",
        "product_id": "0443",
        "dev_type": "type-PCI",
        "numa_node": cell,
        **more,
    }


def family(*vfs: int, root: str = ROOT_ADDRESS, cell: int | None = None) -> list[Report]:
    """A PF and its VFs by their numbers."""
    pf = plain(root, cell, product_id="1572", dev_type="type-PF")
    return [pf, *(vf(number, root, cell) for number in vfs)]


def vf(number: int, root: str = ROOT_ADDRESS, cell: int | None = None, **more: Any) -> Report:
    address = f"{root[:8]}02.{number}"
    words = {"product_id": "154c", "dev_type": "type-VF", "parent_addr": root}
    return plain(address, cell, **words, **more)


def host_of(
    reports: Sequence[Report],
    words: Sequence[dict[str, Any]] = ALL_OF_INTEL,
    cells: Sequence[dict[str, Any]] | None = None,
    providers: dict[str, str] | None = None,
) -> RecordedHost:
    host = RecordedHost(words, cells, providers or {})
    host.sync(reports)
    return host


def asked(*alternatives: dict[str, Any], count: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": "r", "count": count, "spec": list(alternatives), "alias_name": "a", **more}


def numbered(*requests: dict[str, Any]) -> list[dict[str, Any]]:
    return [request | {"id": str(number)} for number, request in enumerate(requests)]


def given(chosen: Chosen | None) -> list[str] | None:
    """The addresses, without what they are for; null when refused."""
    return chosen if chosen is None else sorted(it for some in chosen.values() for it in some)


def ask(
    host: RecordedHost, *requests: dict[str, Any], cells: Sequence[int] | None = None
) -> list[str] | None:
    return given(host.fits(numbered(*requests), cells))


def claim(host: RecordedHost, name: str, *requests: dict[str, Any]) -> list[str] | None:
    return given(host.claim(name, numbered(*requests), None))


def free(host: RecordedHost) -> int:
    return sum(pool["count"] for pool in host.pools())


def test_q1_what_the_host_ceases_to_report_is_not_kept() -> None:
    host = host_of([*family()[:1], vf(0, parent_ifname="ens1")])
    assert ask(host, asked({"parent_ifname": "ens1"})) == ["0000:81:02.0"]
    host.sync(family(0))
    assert ask(host, asked({"parent_ifname": "ens1"})) is None


def test_q3_what_was_never_saved_is_given_back_like_anything_else() -> None:
    host = host_of(family(0, 1))
    assert claim(host, "a", asked(VF)) == ["0000:81:02.1"]
    host.release(["a"])
    assert free(host) == 3


def test_q4_a_pf_that_is_admitted_while_its_vf_is_held_is_barred() -> None:
    host = host_of(family(0, 1), NO_PF)
    claim(host, "a", asked(VF))
    host.start(ALL_OF_INTEL)
    assert ask(host, asked(PF)) is None
    host.release(["a"])
    assert ask(host, asked(PF)) == [ROOT_ADDRESS]
    assert free(host) == 3


def test_q5_what_was_never_saved_may_vanish() -> None:
    host = host_of(family(0, 1))
    host.sync([plain("0000:01:00.0")])
    assert free(host) == 1


def test_q16_and_q17_the_order_is_that_of_the_addresses_whatever_happened() -> None:
    host = host_of([*family(0, 1, 2), *family(0, root="0000:05:00.0")])
    assert claim(host, "a", asked(VF, count=2)) == ["0000:05:02.0", "0000:81:02.2"]
    assert claim(host, "b", asked(VF)) == ["0000:81:02.1"]
    host.release(["b", "a"])
    # Nova would give what came back last, and a pool that was empty after the others.
    assert claim(host, "c", asked(VF, count=2)) == ["0000:05:02.0", "0000:81:02.2"]


def test_q18_and_q29_a_pf_or_its_vfs() -> None:
    """The PF would be first in order, and then there is no second device."""
    assert ask(host_of(family(0, 1)), asked(PF, VF, count=2)) == ["0000:81:02.0", "0000:81:02.1"]
    assert ask(host_of(family(0)), asked(PF, VF, count=2)) is None


def test_q19_a_pool_of_none_is_not_told() -> None:
    devices = [
        Device(address=address, vendor_id="8086", product_id="0443")
        for address in ("0000:01:00.0", "0000:02:00.0")
    ]
    pools = NovaPools()
    for device in devices:
        pools.add(device)
        pools.count(device.address, 1)
    pools.count("0000:01:00.0", -1)
    (left,) = pools.as_object().objects
    assert (left.count, left.tags["address"]) == (1, "0000:02:00.0")


@pytest.mark.parametrize("policy", ["preferred", "legacy"])
def test_q21_what_may_not_be_given_hides_nothing(policy: str) -> None:
    """A PF on the guest's cell is not given unless it is named; a card of unknown cell is."""
    away = plain("0000:05:00.0")
    host = host_of([*family(cell=0), away], cells=CELLS)
    request = asked({"vendor_id": "8086"}, numa_policy=policy)
    assert ask(host, request, cells=[0]) == [away["address"]]


def test_q22_an_alternative_that_names_pfs_opens_them_to_all() -> None:
    host = host_of(family())
    assert ask(host, asked({"vendor_id": "8086"})) is None
    other = {"product_id": "ffff", "dev_type": "type-PF"}
    assert ask(host, asked({"vendor_id": "8086"}, other)) == [ROOT_ADDRESS]


def test_q23_null_is_absent_or_null() -> None:
    words: list[dict[str, Any]] = [
        {"product_id": "154c", "physical_network": None},
        {"product_id": "0443"},
        {"product_id": "1572", "physical_network": "a"},
    ]
    host = host_of([plain("0000:01:00.0"), *family(0)], words)
    nowhere = asked({"physical_network": None}, count=2)
    assert ask(host, nowhere) == ["0000:01:00.0", "0000:81:02.0"]
    assert ask(host, asked({"physical_network": None}, PF, count=3)) is None


def test_q24_a_boolean_tag_matches_its_word() -> None:
    host = host_of([plain("0000:01:00.0")], [{"vendor_id": "8086", "trusted": True}])
    for word in ("true", "True"):
        assert ask(host, asked({"trusted": word})) == ["0000:01:00.0"]


def test_q25_near_devices_do_not_go_before_those_of_unknown_cell() -> None:
    """Where the near ones alone do not suffice, Nova's order counts; where they do, it does not."""
    near = plain("0000:03:00.0", 0)
    host = host_of([plain("0000:01:00.0"), plain("0000:02:00.0"), near], cells=CELLS)
    assert ask(host, asked(PCI, numa_policy="legacy"), cells=[0]) == [near["address"]]
    two = asked(PCI, count=2, numa_policy="legacy")
    assert ask(host, two, cells=[0]) == ["0000:01:00.0", "0000:02:00.0"]


def test_q26_the_question_knows_that_a_pf_and_its_vfs_exclude_each_other() -> None:
    assert ask(host_of(family(0, 1)), asked(PF), asked(VF)) is None
    two = host_of([*family(0), *family(0, root="0000:05:00.0")])
    assert ask(two, asked(PF), asked(VF)) == ["0000:05:00.0", "0000:81:02.0"]


@pytest.mark.parametrize(("good", "bad"), [(VF, VF), (PF, VF)])
def test_q27_and_q28_a_refused_claim_changes_nothing(good: Report, bad: Report) -> None:
    host = host_of(family(0, 1, 2))
    assert claim(host, "a", asked(good), asked(bad, count=9)) is None
    assert free(host) == 4
    assert claim(host, "b", asked(PF)) == [ROOT_ADDRESS]


def test_q30_each_provider_gives_its_share_or_none_does() -> None:
    reports = [*family(0, 1, cell=0), *family(0, 1, root="0000:05:00.0", cell=1)]
    names = {it["address"]: it.get("parent_addr", "pf") for it in reports}
    host = host_of(reports, NO_PF, CELLS, names)
    both = asked({**VF, "rp_uuids": f"{ROOT_ADDRESS},0000:05:00.0"}, count=2)
    assert ask(host, both) == ["0000:05:02.1", "0000:81:02.1"]
    assert ask(host, both | {"numa_policy": "required"}, cells=[0]) is None
    claim(host, "port", asked({"address": ROOT_ADDRESS}, count=2, alias_name=None))
    assert ask(host, both) is None


def test_q31_a_provider_for_each_device_no_more() -> None:
    names = {"0000:01:00.0": "one", "0000:02:00.0": "two"}
    host = host_of([plain(address) for address in names], providers=names)
    assert ask(host, asked({**PCI, "rp_uuids": "one,two"})) is None
    assert ask(host, asked({**PCI, "rp_uuids": "two"})) == ["0000:02:00.0"]
    assert {pool["rp_uuid"] for pool in host.pools()} == {
        str(provider_named(name)) for name in names.values()
    }


def test_q32_a_vf_belongs_to_its_pf_wherever_it_sorts() -> None:
    pf, low = family(0, root="0000:81:00.5")
    host = host_of([low | {"address": "0000:81:00.1"}, pf])
    assert claim(host, "a", asked(VF)) == ["0000:81:00.1"]
    assert ask(host, asked(PF)) is None


@pytest.mark.parametrize("change", [{"numa_node": 1}, {"product_id": "0444"}])
def test_q33_a_free_device_that_changes_is_in_its_new_pool_at_once(change: Report) -> None:
    host = host_of([plain("0000:01:00.0", 0)], cells=CELLS)
    host.sync([plain("0000:01:00.0", 0) | change])
    (pool,) = host.pools()
    assert {key: pool[key] for key in change} == change
    host.sync([])
    assert host.pools() == []


def test_q35_a_second_claim_of_an_instance_keeps_the_first() -> None:
    host = host_of(family(0, 1))
    claim(host, "flavor", asked(VF))
    claim(host, "port", asked(VF))
    assert free(host) == 0
    host.release(["port"])
    host.release(["flavor"])
    assert free(host) == 3


@pytest.mark.parametrize(
    ("kind", "words", "left"), [(VF, NO_VF, [ROOT_ADDRESS]), (PF, NO_PF, ["0000:81:02.0"])]
)
def test_q36_what_is_retired_leaves_its_relatives_free(
    kind: Report, words: list[dict[str, Any]], left: list[str]
) -> None:
    host = host_of(family(0))
    claim(host, "a", asked(kind))
    host.start(words)
    assert free(host) == 0
    host.release(["a"])
    assert ask(host, asked(PF, VF)) == left


#: Of each quirk of `corner` what the replay says of its rows; 0 is none.
CORNERS: dict[int, set[str]] = {
    3: {"durable-at-once"},
    4: {"pf-of-held-vf"},
    5: {"same"},
    10: {"wide-domains", "unreadable-skipped"},
    12: {"tags-refused"},
    17: {"same"},
    19: {"zero-count"},
    21: {"same", "numa-last"},
    23: {"same"},
    25: {"same"},
    26: {"atomic+relatives-in-question"},
    28: {"atomic"},
    29: {"pf-vf-alternatives"},
    32: {"parent-by-address"},
    33: {"follows-changes"},
    35: {"second-claim-adds"},
    36: {"relatives-come-back", "durable-at-once+relatives-come-back"},
}


def verdicts_by_quirk() -> Iterable[tuple[int, str]]:
    for row in read_rows(recorded("corner")):
        if row["quirk"]:
            yield row["quirk"], judge_steps(row)[0]


def test_recorded_corners_differ_where_a_quirk_is_mended_and_nowhere_else() -> None:
    found: dict[int, set[str]] = {}
    for quirk, verdict in verdicts_by_quirk():
        found.setdefault(quirk, set()).add(verdict)
    assert found == CORNERS
