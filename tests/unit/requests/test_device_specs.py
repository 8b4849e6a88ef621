"""`[[devices]]` and `[nova] device_spec`: what is refused, what is admitted, what is suspicious."""

from __future__ import annotations

import json
from typing import Any

import pytest

from innkeeper.config import Config, DeviceSpec, Nova
from innkeeper.errors import BadConfig
from innkeeper.objects import PciFunction, PciKind
from innkeeper.requests.device_specs import DeviceRule, DeviceRules

PF = PciFunction(
    address="0000:41:00.0",
    vendor_id="8086",
    product_id="1592",
    class_id="020000",
    kind=PciKind.PF,
    total_vfs=2,
    netdevs=("ens1f0",),
)
VFS = tuple(
    PciFunction(
        address=f"0000:41:01.{number}",
        vendor_id="8086",
        product_id="1889",
        class_id="020000",
        kind=PciKind.VF,
        parent=PF.address,
    )
    for number in range(2)
)
CARD = PciFunction(address="0000:81:00.0", vendor_id="10de", product_id="2236", class_id="030000")
HOST = (PF, *VFS, CARD)


def rules(*devices: dict[str, Any], nova: tuple[Any, ...] = ()) -> DeviceRules:
    entries = tuple(DeviceSpec.model_validate(keys) for keys in devices)
    texts = tuple(one if isinstance(one, str) else json.dumps(one) for one in nova)
    return DeviceRules.of(Config(devices=entries, nova=Nova(device_spec=texts)))


def refused(*devices: dict[str, Any], nova: tuple[Any, ...] = ()) -> BadConfig:
    with pytest.raises(BadConfig) as caught:
        rules(*devices, nova=nova)
    return caught.value


def admitted(found: DeviceRules) -> list[int | None]:
    return [None if rule is None else rule.position for rule in found.find_all(HOST)]


def test_no_entry_admits_nothing() -> None:
    assert admitted(rules()) == [None] * 4


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({}, [0, 0, 0, 0]),
        ({"vendor_id": "8086"}, [0, 0, 0, None]),
        ({"vendor_id": "0x8086", "product_id": "1889"}, [None, 0, 0, None]),
        ({"vendor_id": "10DE"}, [None, None, None, 0]),
        ({"vendor_id": "*", "product_id": " 2236 "}, [None, None, None, 0]),
        ({"address": "0000:41:00.0"}, [0, 0, 0, None]),
        ({"address": "0000:41:00.0", "product_id": "1889"}, [None, 0, 0, None]),
        ({"address": "0000:41:01.1"}, [None, None, 0, None]),
        ({"address": "41:*.*"}, [0, 0, 0, None]),
        ({"address": "*:41:*.*"}, [0, 0, 0, None]),
        ({"address": "01.1"}, [None, None, 0, None]),
        ({"address": {"bus": "[48]1", "function": "0"}}, [0, 0, None, 0]),
        ({"devname": "ens1f0"}, [0, 0, 0, None]),
        ({"devname": "ens9"}, [None] * 4),
    ],
)
def test_every_key_that_is_given_must_match(keys: dict[str, Any], found: list[int | None]) -> None:
    assert admitted(rules(keys)) == found


def test_the_first_entry_that_matches_counts_and_nothing_is_merged() -> None:
    found = rules(
        {"address": "0000:41:01.0", "tags": {"tier": "gold"}},
        {"vendor_id": "8086", "tags": {"place": "rack"}},
        nova=({"tag": "last"}, [{"vendor_id": "ffff"}, {}]),
    )
    assert admitted(found) == [1, 0, 1, 2]
    assert found.find(VFS[0]).tags == {"tier": "gold"}  # type: ignore[union-attr]


def test_a_function_alone_is_looked_up_among_the_hosts() -> None:
    found = rules({"devname": "ens1f0"})
    assert found.find(VFS[0]) is None
    assert found.find(VFS[0], HOST) is not None


def test_a_rule_says_what_its_entry_says() -> None:
    entry = {
        "physical_network": "net0",
        "trusted": True,
        "managed": False,
        "one_time_use": True,
        "resource_class": "CUSTOM_NIC",
        "traits": ["A", "B"],
        "tags": {"tier": "gold", "fast": True, "rank": 3},
        "clean": ["/usr/sbin/wipe", "-q"],
        "clean_timeout": 5.0,
    }
    found = rules({"vendor_id": "ffff"}, entry)
    tags = {
        "physical_network": "net0",
        "trusted": "true",
        "managed": "false",
        "one_time_use": "true",
        "tier": "gold",
        "fast": "true",
        "rank": "3",
    }
    words = "[[devices]] entry 2"
    clean = ("/usr/sbin/wipe", "-q")
    assert found.find(PF) == DeviceRule(1, tags, clean, 5.0, one_time_use=True, words=words)


def test_rules_of_novas_say_where_they_stand() -> None:
    found = rules({"vendor_id": "10de"}, nova=({"product_id": "1592"}, [{"product_id": "1889"}]))
    words = [rule and rule.words for rule in found.find_all(HOST)]
    listed = "[nova] device_spec entry 2, item 1"
    assert words == ["[nova] device_spec entry 1", listed, listed, "[[devices]] entry 1"]


def test_devices_of_one_rule_share_its_tags() -> None:
    one, other, *_ = rules({"tags": {"a": "b"}}).find_all(HOST)
    assert one is other


@pytest.mark.parametrize("text", ["+86", "-1", "80_86", "0x", "", "18086", "zz", "\uff18\uff16"])
def test_q6_hex_is_plain_or_with_0x(text: str) -> None:
    for key in ("vendor_id", "product_id"):
        error = refused({}, {key: text})
        assert f"`devices[2].{key}` is " in error.message
        assert error.details["errors"][0]["path"] == f"devices[2].{key}"


@pytest.mark.parametrize("value", [None, 32902, 1.5, True, [], {}])
def test_q7_ids_that_are_no_texts_are_refused_by_name(value: Any) -> None:
    error = refused(nova=({}, {"vendor_id": value, "product_id": value}))
    assert "`nova.device_spec[2].vendor_id` is " in error.message
    assert "`nova.device_spec[2].product_id` is " in error.message


def test_q9_regular_expressions_are_matched_from_the_start_only() -> None:
    assert admitted(rules({"address": {"bus": "4"}})) == [0, 0, 0, None]
    assert admitted(rules({"address": {"bus": "1"}})) == [None] * 4
    assert admitted(rules({"address": {"bus": "4$"}})) == [None] * 4


def test_q9_what_python_takes_and_we_do_not_is_named() -> None:
    ahead = refused({"address": {"bus": "4(?!2)"}})
    assert "`devices[1].address.bus`" in ahead.message
    assert "look-around" in ahead.message
    assert "backreferences" in refused({"address": {"slot": r"(0)\1"}}).message
    assert "no regular expression" in refused({"address": {"slot": "["}}).message
    assert "too large" in refused({"address": {"slot": "(0{1000}){1000}"}}).message
    assert "longer than" in refused({"address": {"slot": "0" * 2000}}).message


@pytest.mark.parametrize("tag", ["numa_node", "dev_type", "count", "devices", "parent_ifname"])
def test_q12_tags_that_pools_have_of_themselves_are_refused(tag: str) -> None:
    assert f"`devices[1].tags.{tag}`" in refused({"tags": {tag: "1"}}).message
    assert f"`nova.device_spec[1].{tag}`" in refused(nova=({tag: "1"},)).message


@pytest.mark.parametrize("value", [["a"], {"a": "b"}, []])
def test_q12_tags_with_a_structure_are_refused(value: Any) -> None:
    assert "`nova.device_spec[1].tag` is a " in refused(nova=({"tag": value},)).message


def test_a_tag_does_not_hide_a_key_of_the_entry() -> None:
    error = refused({"tags": {"vendor_id": "8086", "trusted": "true"}})
    paths = {one["path"] for one in error.details["errors"]}
    assert paths == {"devices[1].tags.vendor_id", "devices[1].tags.trusted"}


def test_an_address_and_a_network_device_exclude_each_other() -> None:
    assert "`devices[1].devname`" in refused({"address": "*", "devname": "ens1f0"}).message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "is no JSON"),
        ("3", "should be a JSON object"),
        ('["a"]', "should be a JSON object"),
        ('{"a": "1", "a": "2"}', "says a more than once"),
        ('{"a": NaN}', "NaN is no JSON"),
        ("[" * 30_000, "nested too deeply"),
        ('{"managed": "maybe"}', "neither true nor false"),
    ],
)
def test_novas_words_of_another_form_are_refused(text: str, words: str) -> None:
    error = refused(nova=("{}", text))
    assert "`nova.device_spec[2]" in error.message
    assert words in error.message


def test_everything_that_is_wrong_is_told_at_once() -> None:
    error = refused({"vendor_id": "zz"}, {"address": "1:2:3:4.5"}, nova=("{", {"count": 1}))
    assert [one["path"] for one in error.details["errors"]] == [
        "nova.device_spec[1]",
        "devices[1].vendor_id",
        "devices[2].address",
        "nova.device_spec[2].count",
    ]
    assert len(error.message.splitlines()) == 4


def test_q11_remote_managed_takes_the_vfs_of_a_pf_that_have_a_serial_number() -> None:
    served = VFS[0].model_copy(update={"serial": "MT1"})
    host = (PF, served, VFS[1])
    for place in ({"address": PF.address}, {"devname": "ens1f0"}):
        found = rules({**place, "remote_managed": True})
        assert [rule is not None for rule in found.find_all(host)] == [False, True, False]
        assert found.warnings_on(host) == ()
        (warning,) = found.warnings_on(HOST)
        assert warning.startswith("[[devices]] entry 1 admits nothing on this host: remote_managed")


def test_a_network_device_that_is_not_there_is_a_warning() -> None:
    (warning,) = rules({"devname": "ens9"}, {"vendor_id": "ffff"}).warnings_on(HOST)
    assert "no function has network device 'ens9'" in warning


def test_entries_that_nothing_reaches_are_a_warning() -> None:
    found = rules({"vendor_id": "8086"}, {"address": "*:41:*.*", "vendor_id": "0x8086"})
    words = "[[devices]] entry 2 is never reached: [[devices]] entry 1 admits all that it does"
    assert found.warnings == (f"{words}, and comes first",)


def test_entries_that_compete_are_a_warning_unless_they_say_the_same() -> None:
    one, other = {"vendor_id": "8086"}, {"address": "*:41:*.*"}
    assert rules(one, other).warnings == ()
    (warning,) = rules(one, {**other, "tags": {"a": "b"}}).warnings
    assert "[[devices]] entry 1 and [[devices]] entry 2 may admit the same device" in warning
    # What is special comes before what is general: as it should be.
    assert rules({**one, **other, "tags": {"a": "b"}}, one).warnings == ()


GOLD = {"vendor_id": "8086", "tags": {"tier": "gold"}}


@pytest.mark.parametrize(
    "pattern",
    [
        {"vendor_id": "8086", "product_id": "1889"},
        {"vendor_id": "8086", "product_id": "1889", "dev_type": "type-VF"},
        {"tier": "GOLD"},
        {"physical_network": None},
        {"parent_ifname": "ens1f0"},
    ],
)
def test_what_could_be_admitted_is_known_without_a_host(pattern: dict[str, str | None]) -> None:
    assert rules(GOLD).could_admit(pattern)
    assert not rules().could_admit(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        {"vendor_id": "10de", "product_id": "2236"},
        {"tier": "lead"},
        {"tier": None},
        {"live_migratable": "true"},
    ],
)
def test_what_no_entry_could_admit_is_known_too(pattern: dict[str, str | None]) -> None:
    assert not rules(GOLD).could_admit(pattern)
