"""`[[aliases]]` and `[nova] alias`, and requests by name."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from innkeeper.config import AliasSpec, Config, Nova
from innkeeper.errors import BadConfig, BadRequest
from innkeeper.objects import DeviceRequest, Request
from innkeeper.objects.request import DeviceUnit, NumaPolicy, UnitMember, UnitPlace
from innkeeper.requests.aliases import Aliases

A10 = {"vendor_id": "10DE", "product_id": "2236"}
L4 = {"vendor_id": "10de", "product_id": "27B8"}
NOVA = {"name": "a10", "vendor_id": "10de", "product_id": "2236"}


def aliases(*entries: dict[str, Any], nova: tuple[Any, ...] = ()) -> Aliases:
    ours = tuple(AliasSpec.model_validate(keys) for keys in entries)
    texts = tuple(one if isinstance(one, str) else json.dumps(one) for one in nova)
    return Aliases.of(Config(aliases=ours, nova=Nova(alias=texts)))


def refused(*entries: dict[str, Any], nova: tuple[Any, ...] = ()) -> BadConfig:
    with pytest.raises(BadConfig) as caught:
        aliases(*entries, nova=nova)
    return caught.value


def resolved(names: Aliases, **words: Any) -> DeviceRequest:
    return names.resolve(Request(devices=(DeviceRequest(**words),))).devices[0]


def not_resolved(names: Aliases, **words: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        resolved(names, **words)
    return caught.value


def test_a_name_stands_for_ids_type_and_tags() -> None:
    entry = {"name": "a10", **A10, "device_type": "vf", "live_migratable": True, "tags": {"t": "x"}}
    devices = resolved(aliases(entry), alias="a10", count=2)
    assert devices.alternatives == (
        {
            "vendor_id": "10de",
            "product_id": "2236",
            "dev_type": "type-VF",
            "live_migratable": "true",
            "t": "x",
        },
    )
    assert (devices.alias, devices.count, devices.unit) == ("a10", 2, None)
    assert devices.numa_policy is NumaPolicy.LEGACY


@pytest.mark.parametrize(
    ("ours", "novas"),
    [
        ("pci", "type-PCI"),
        ("pf", "type-PF"),
        ("vf", "type-VF"),
        ("type-PCI", "type-PCI"),
        ("type-PF", "type-PF"),
    ],
)
def test_types_have_our_name_or_novas(ours: str, novas: str) -> None:
    found = resolved(aliases({"name": "a", **A10, "device_type": ours}), alias="a")
    assert found.alternatives[0]["dev_type"] == novas


def test_a_policy_of_the_caller_goes_first() -> None:
    names = aliases({"name": "a", **A10, "numa_policy": "required"})
    assert resolved(names, alias="a").numa_policy is NumaPolicy.REQUIRED
    asked = resolved(names, alias="a", numa_policy=NumaPolicy.SOCKET)
    assert asked.numa_policy is NumaPolicy.SOCKET


def test_what_names_no_alias_is_not_touched() -> None:
    request = Request(
        devices=(
            DeviceRequest(vendor_id="8086", product_id="1889"),
            DeviceRequest(alternatives=({"tier": "gold"},)),
        )
    )
    assert aliases().resolve(request) is request
    mixed = Request(devices=(*request.devices, DeviceRequest(alias="a")))
    found = aliases({"name": "a", **A10}).resolve(mixed)
    assert found.devices[:2] == request.devices
    assert mixed.devices[2].alternatives == ()


def test_the_same_name_again_is_an_alternative_also_across_both_lists() -> None:
    names = aliases({"name": "gpu", **A10}, {"name": "gpu", **L4}, nova=({**NOVA, "name": "gpu"},))
    ids = [one["product_id"] for one in resolved(names, alias="gpu").alternatives]
    assert ids == ["2236", "27b8", "2236"]
    assert names.names == ("gpu",)


def test_q14_namesakes_need_no_device_type() -> None:
    names = aliases(nova=(NOVA, {**NOVA, "product_id": "27b8"}))
    assert len(resolved(names, alias="a10").alternatives) == 2


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"device_type": "vf"}, {}, "device_type not set here and type-VF in `aliases[1]`"),
        ({"device_type": "vf"}, {"device_type": "pf"}, "device_type type-PF here and type-VF"),
        ({}, {"numa_policy": "required"}, "numa_policy required here and legacy in `aliases[1]`"),
        ({"unit": "slot"}, {}, "of a unit stands there more than once"),
    ],
)
def test_namesakes_agree_in_type_and_policy(
    first: dict[str, str], second: dict[str, str], words: str
) -> None:
    error = refused({"name": "a", **A10, **first}, {"name": "a", **L4, **second})
    assert "`aliases[2]`: alias 'a'" in error.message
    assert words in error.message
    assert error.details["errors"][0]["path"] == "aliases[2]"


def test_there_are_64_alternatives_at_most() -> None:
    assert len(resolved(aliases(*[{"name": "a", **A10}] * 64), alias="a").alternatives) == 64
    assert "more than 64" in refused(*[{"name": "a", **A10}] * 65).message


def test_q13_capability_type_is_dropped() -> None:
    names = aliases(nova=({**NOVA, "capability_type": "pci"},))
    assert "capability_type" not in resolved(names, alias="a10").alternatives[0]


def test_novas_words_keep_what_placement_knows() -> None:
    words = {"resource_class": "CUSTOM_GPU", "traits": "A,B", "live_migratable": " Off "}
    found = resolved(aliases(nova=({**NOVA, "name": " a ", **words},)), alias="a")
    ids = {"vendor_id": "10de", "product_id": "2236"}
    assert found.alternatives == ({**ids, **words, "live_migratable": "false"},)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": " "}, "`name` = '': should be one line"),
        ({"name": 3}, "`name` = 3"),
        ({"name": "x" * 256}, "`name`"),
        ({"name": "a,b"}, "without , : and ="),
        ({"vendor_id": None}, "`vendor_id` is null: leave the key out"),
        ({"vendor_id": 8086}, "`vendor_id` = 8086: should be four hex digits"),
        ({"vendor_id": "8086\n"}, "`vendor_id`"),
        ({"product_id": "0x22"}, "`product_id` = '0x22': should be four hex digits"),
        ({"device_type": "vdpa"}, "`device_type` = 'vdpa'"),
        ({"numa_policy": "strict"}, "`numa_policy` = 'strict'"),
        ({"live_migratable": "maybe"}, "`live_migratable`: 'maybe' is neither true nor false"),
        ({"live_migratable": True}, "`live_migratable` = True"),
        ({"capability_type": "usb"}, "`capability_type`"),
        ({"traits": ["a"]}, "`traits`"),
        ({"device_id": "2236"}, "unknown key `device_id`; did you mean `device_type`?"),
    ],
)
def test_a_wrong_key_of_novas_is_named(change: dict[str, Any], words: str) -> None:
    error = refused(nova=(NOVA, {**NOVA, **change}))
    assert error.message.startswith("`nova.alias[2]`: ")
    assert words in error.message


@pytest.mark.parametrize("text", ["nope", "3", "[]", '[{"name": "a"}]', "{}", '{"name": "a"}'])
def test_novas_words_of_another_form_are_refused(text: str) -> None:
    assert "`nova.alias[1]`: " in refused(nova=(text,)).message


def test_ids_are_needed_of_novas_aliases() -> None:
    """A resource class alone would stand for every device: innkeeper does not ask Placement."""
    error = refused(nova=({"name": "a", "resource_class": "CUSTOM_GPU"},))
    assert "`vendor_id` is missing; `product_id` is missing" in error.message


@pytest.mark.parametrize("tag", ["numa_node", "count", "resource_class", "vendor_id", "dev_type"])
def test_tags_that_no_device_is_asked_by_are_refused(tag: str) -> None:
    assert f"`aliases[1]`: `tags.{tag}`" in refused({"name": "a", "tags": {tag: "1"}}).message


def test_a_unit_says_what_it_is_made_of() -> None:
    members = [{**A10, "device_type": "pci"}, {"tags": {"part": "audio"}, "count": 2}]
    names = aliases({"name": "set", "unit": "slot", "members": members})
    found = resolved(names, alias="set", count=3)
    gpu = {"vendor_id": "10de", "product_id": "2236", "dev_type": "type-PCI"}
    assert found.unit == DeviceUnit(
        place=UnitPlace.SLOT,
        members=(
            UnitMember(alternatives=(gpu,)),
            UnitMember(alternatives=({"part": "audio"},), count=2),
        ),
    )
    assert (found.count, found.alternatives) == (3, ())
    alias = names.find("set")
    assert alias is not None
    assert list(alias.patterns) == [gpu, {"part": "audio"}]


def test_a_unit_without_members_is_all_of_its_place() -> None:
    found = resolved(aliases({"name": "card", "unit": "switch", **A10}), alias="card")
    assert found.unit == DeviceUnit(place=UnitPlace.SWITCH)
    assert found.alternatives == ({"vendor_id": "10de", "product_id": "2236"},)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    names = aliases({"name": "a10", **A10}, {"name": "l4", **L4})
    near = not_resolved(names, alias="a11")
    assert "no alias is named 'a11'; did you mean `a10`?" in near.message
    assert near.details["errors"][0]["path"] == "devices[0].alias"
    assert "allowed are a10, l4" in not_resolved(names, alias="quantum").message
    assert "this host has no aliases" in not_resolved(aliases(), alias="a10").message


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({}, "says no kind"),
        ({"vendor_id": "8086"}, "one of vendor_id and product_id: give both"),
        ({"alias": "a", "alternatives": ({"a": "b"},)}, "by alias and by alternatives"),
        ({"alias": "a", "vendor_id": "8086", "product_id": "1889"}, "product_id and by alias"),
        ({"alias": "a", "vendor_id": "8086"}, "vendor_id and product_id and by alias"),
        ({"alias": "a", "count": 2, "providers": (UUID(int=1),)}, "1 providers are named for 2"),
    ],
)
def test_a_request_says_its_kind_in_one_way(words: dict[str, Any], told: str) -> None:
    assert told in not_resolved(aliases({"name": "a", **A10}), **words).message


def test_everything_that_is_wrong_is_told_at_once() -> None:
    request = Request(
        devices=(DeviceRequest(), DeviceRequest(alias="b", providers=(UUID(int=1),) * 2))
    )
    with pytest.raises(BadRequest) as caught:
        aliases().resolve(request)
    paths = [one["path"] for one in caught.value.details["errors"]]
    assert paths == ["devices[0].alias", "devices[1].alias", "devices[1].providers"]
