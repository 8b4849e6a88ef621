"""`[cpus]` against a host: what may be handed out, and what the words ask in vain."""

from __future__ import annotations

import pytest

from innkeeper.config import Config
from innkeeper.errors import BadConfig
from innkeeper.objects import Cpu, Host
from innkeeper.requests.cordoned import Cordoned
from innkeeper.requests.cpu_sets import CpuSets, lost_cpus, require_cpus
from innkeeper.requests.inventory import put_together, take_inventory

#: CPUs 0-7 of which 3 is offline and 6-7 are isolated.
HOST = Host(
    hostname="h",
    cpus=tuple(Cpu(id=number, online=number != 3, isolated=number >= 6) for number in range(8)),
)

ISOLATED = "isolated from the kernel's scheduler; they may be dedicated, but not shared"


def words(**cpus: str) -> Config:
    return Config.model_validate({"cpus": cpus})


def sets(**cpus: str) -> tuple[set[int], set[int]]:
    found = CpuSets.of(HOST, words(**cpus))
    return set(found.shared), set(found.dedicated)


def test_without_words_all_are_shared_that_are_online_and_not_isolated() -> None:
    assert sets() == ({0, 1, 2, 4, 5}, set())


def test_with_either_key_what_neither_names_is_the_hosts_own() -> None:
    assert sets(shared="0-1") == ({0, 1}, set())
    assert sets(dedicated="4-5") == (set(), {4, 5})
    assert sets(shared="0-1", dedicated="6-7") == ({0, 1}, {6, 7})


def test_what_is_gone_is_done_without() -> None:
    assert sets(shared="2-4,6", dedicated="5,8-9") == ({2, 4}, {5})
    inventory = put_together(HOST, words(shared="2-4,99"), Cordoned(), ())
    assert (inventory.shared_cpus, inventory.vcpus.total) == ("2,4", 2)


@pytest.mark.parametrize(
    ("cpus", "said"),
    [
        (
            {"shared": "0-9"},
            [
                "`cpus.shared` = '0-9': CPUs 8-9 are not on this host, which has CPUs 0-7",
                "`cpus.shared` = '0-9': CPU 3 is offline; online are CPUs 0-2,4-7",
                f"`cpus.shared` = '0-9': CPUs 6-7 are {ISOLATED}",
            ],
        ),
        (
            {"shared": "0", "dedicated": "3-4"},
            ["`cpus.dedicated` = '3-4': CPU 3 is offline; online are CPUs 0-2,4-7"],
        ),
        ({"shared": "0-2", "dedicated": "6-7"}, []),
    ],
)
def test_cpus_that_the_host_cannot_give_are_told_by_key(
    cpus: dict[str, str], said: list[str]
) -> None:
    assert [lost.message for lost in lost_cpus(HOST, words(**cpus))] == said


def test_words_that_the_host_cannot_follow_are_refused_with_all_that_is_wrong() -> None:
    config = words(shared="99", dedicated="3")
    with pytest.raises(BadConfig) as refused:
        require_cpus(HOST, config)
    assert [one["path"] for one in refused.value.details["errors"]] == [
        "cpus.shared",
        "cpus.dedicated",
    ]
    with pytest.raises(BadConfig):
        take_inventory(HOST, config)


def test_a_long_list_is_shortened() -> None:
    odd = ",".join(str(number) for number in range(101, 999, 2))
    (lost,) = lost_cpus(HOST, words(dedicated=odd))
    assert len(lost.message) < 400
    assert ",... are not on this host" in lost.message
