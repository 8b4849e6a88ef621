"""No words of operators or callers are too odd: they are read, or refused in words that name them."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from innkeeper.config import Config
from innkeeper.config.refusals import config_refusal
from innkeeper.errors import BadConfig, BadRequest
from innkeeper.objects import DeviceRequest, InstancePCIRequest, InstancePCIRequests, Request
from innkeeper.requests.aliases import Aliases
from innkeeper.requests.checking import check_device_words
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.extra_specs import ALIAS_KEY, devices_of_flavor, read_alias_words
from innkeeper.requests.nova_requests import devices_of_nova
from innkeeper.requests.ports import device_of_port, read_port

DEEP = "TEST_INNKEEPER_DEEP" in os.environ
MANY = settings(max_examples=4_000 if DEEP else 150, deadline=None)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
words = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2)
    ),
    max_leaves=4,
)
hexes = st.from_regex(r"(0x)?[0-9a-fA-F_+*:. -]{0,10}", fullmatch=True)
expressions = st.from_regex(r"[\[\](){}?*+|^$.\\0-9a-fi<>=!:,-]{0,12}", fullmatch=True)
addresses = hexes | st.dictionaries(
    st.sampled_from(["domain", "bus", "slot", "function", "x"]), expressions | scalars, max_size=4
)
tag_names = st.sampled_from(["tag", "numa_node", "managed", "remote_managed"]) | st.text(max_size=6)
spec_objects = st.builds(
    lambda known, tags: {**tags, **known},
    st.fixed_dictionaries(
        {},
        optional={
            "vendor_id": hexes | words,
            "product_id": hexes | words,
            "address": addresses | words,
            "devname": words,
        },
    ),
    st.dictionaries(tag_names, words, max_size=3),
)
alias_objects = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", " b ", "a:b", ""]) | words,
        "vendor_id": st.sampled_from(["8086", "10DE"]) | words,
        "product_id": st.sampled_from(["1889", "0x12"]) | words,
        "device_type": st.sampled_from(["type-PF", "vf"]) | words,
        "numa_policy": st.sampled_from(["required", ""]) | words,
        "live_migratable": st.sampled_from(["yes", "maybe"]) | words,
        "odd": words,
    },
)
spec_texts = st.text(max_size=20) | (spec_objects | words).map(json.dumps)
alias_texts = st.text(max_size=20) | (alias_objects | words).map(json.dumps)
extra_spec_texts = (
    st.text(max_size=30)
    | st.from_regex(r"[ab:, 0-9+_.-]{0,20}", fullmatch=True)
    | st.lists(st.tuples(st.sampled_from("ab"), st.integers(-2, 70_000)), max_size=70).map(
        lambda parts: ",".join(f"{name}:{count}" for name, count in parts)
    )
)


def nova(**keys: list[str]) -> Config | None:
    """Null when the text is not even a text of the configuration."""
    try:
        return Config.model_validate({"nova": keys})
    except ValidationError:
        return None


def prove_named(error: BadConfig | BadRequest, *paths: str) -> None:
    assert error.message
    assert error.details["errors"]
    for one in error.details["errors"]:
        assert one["path"].startswith(paths)
        assert len(one["message"]) < 2_000


@given(texts=st.lists(spec_texts, max_size=3))
@MANY
def test_device_specs_are_read_or_refused_by_name(texts: list[str]) -> None:
    config = nova(device_spec=texts)
    if config is None:
        return
    try:
        rules = DeviceRules.of(config)
    except BadConfig as error:
        prove_named(error, "nova.device_spec[")
        return
    assert all(isinstance(value, str | None) for rule in rules for value in rule.tags.values())
    assert all(isinstance(line, str) for line in check_device_words(config))


@given(texts=st.lists(alias_texts, max_size=3))
@MANY
def test_aliases_are_read_or_refused_by_name(texts: list[str]) -> None:
    config = nova(alias=texts)
    if config is None:
        return
    try:
        aliases = Aliases.of(config)
    except BadConfig as error:
        prove_named(error, "nova.alias[")
        return
    for name in aliases.names:
        assert (
            aliases.resolve(Request(devices=(DeviceRequest(alias=name),))).devices[0].alternatives
        )
        # A name can be asked for in the form of the extra spec.
        assert [one.alias for one in read_alias_words(f"{name}:1")] == [name]


@given(document=st.fixed_dictionaries({}, optional={"devices": words, "aliases": words}))
@MANY
def test_sections_are_read_or_refused(document: dict[str, Any]) -> None:
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        prove_named(config_refusal(error, None, {}), "devices", "aliases")
        return
    try:
        check_device_words(config)
    except BadConfig as error:
        prove_named(error, "devices[", "aliases[")


@given(text=extra_spec_texts)
@MANY
def test_extra_specs_are_read_or_refused_by_name(text: str) -> None:
    try:
        devices = devices_of_flavor({ALIAS_KEY: text})
    except BadRequest as error:
        prove_named(error, ALIAS_KEY)
        return
    assert ",".join(f"{one.alias}:{one.count}" for one in devices).replace(" ", "").strip()
    again = read_alias_words(",".join(f"{one.alias}:{one.count}" for one in devices))
    assert again == devices


@given(
    port=st.dictionaries(
        st.sampled_from(["id", "binding:vnic_type", "binding:profile", "numa_affinity_policy"]),
        words | st.sampled_from(["direct", "vdpa"]),
        max_size=4,
    ),
    provider=st.none() | st.text(max_size=12),
)
@MANY
def test_ports_are_read_or_refused(port: dict[str, Any], provider: str | None) -> None:
    try:
        device = device_of_port(read_port(port, provider, provider))
    except BadRequest as error:
        prove_named(error, "")
        return
    assert device is None or device.requester == port["id"]


@given(
    count=st.none() | st.integers(-3, 70_000),
    spec=st.lists(
        st.dictionaries(
            st.sampled_from(["vendor_id", "rp_uuids", ""]),
            st.none() | st.text(max_size=9),
            max_size=3,
        ),
        max_size=3,
    ),
    name=st.none() | st.text(max_size=5),
)
@MANY
def test_novas_requests_are_read_or_refused(
    count: int | None, spec: list[dict[str, str | None]], name: str | None
) -> None:
    given_words = {"spec": tuple(spec), "alias_name": name, "requester_id": "p1"}
    request = InstancePCIRequest(**given_words, **({} if count is None else {"count": count}))
    try:
        (device,) = devices_of_nova(InstancePCIRequests(requests=(request,)))
    except BadRequest as error:
        prove_named(error, "requests[0]")
        return
    assert device.count == count
    assert (device.requester is None) == (name is not None)
