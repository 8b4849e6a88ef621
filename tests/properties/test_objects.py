"""Every object goes down to every version it has had, and back, without loss of what that can hold."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.properties.object_strategies import nova_objects, our_objects

from innkeeper.errors import InnkeeperError, NoBackport
from innkeeper.objects import NovaObject, VersionedObject
from innkeeper.objects.describe import known_classes
from innkeeper.objects.history import parse_version
from innkeeper.objects.lanes import GIVES_UP
from innkeeper.objects.releases import RELEASES, pin

NOVA = [kind for kind in known_classes() if issubclass(kind, NovaObject)]
OURS = [kind for kind in known_classes() if not issubclass(kind, NovaObject)]
SUBSTITUTED = {
    ("ComputeNode", "service_id"),
    ("HVSpec", "hv_type"),
    ("Instance", "system_metadata"),
    ("InstanceNUMACell", "cpuset"),
    ("PciDevice", "extra_info"),
}
THOROUGH = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def drawn(kind: Any, data: st.DataObject) -> Any:
    return data.draw(nova_objects(kind) if issubclass(kind, NovaObject) else our_objects(kind))


@pytest.mark.parametrize("kind", NOVA, ids=lambda kind: kind.__name__)
@given(data=st.data())
@THOROUGH
def test_there_and_back_at_every_version(kind: type[NovaObject], data: st.DataObject) -> None:
    source = drawn(kind, data)
    for version in kind.SHAPES.versions:
        check(source, version)


def check(source: NovaObject, version: str) -> None:
    primitive = written(source, version=version)
    if primitive is None:
        return
    low = NovaObject.from_primitive(primitive)
    again = low.to_primitive()
    assert with_text_metadata(again) == with_text_metadata(primitive)
    assert json.loads(low.to_json()) == again
    assert type(low).from_json(low.to_json()) == low
    assert_kept(source, low, version)


def with_text_metadata(value: Any) -> Any:
    """A flavor in system metadata is sent with its numbers, as Nova does, and read as texts."""
    if isinstance(value, list):
        return [with_text_metadata(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: {name: None if one is None else str(one) for name, one in inner.items()}
        if key == "system_metadata"
        else with_text_metadata(inner)
        for key, inner in value.items()
    }


def written(source: NovaObject, **asked: Any) -> Any:
    """Null when it holds a value that the reader would refuse."""
    try:
        return source.to_primitive(**asked)
    except NoBackport as error:
        refused = error.details["value"]
    assert holds(source, refused)
    return None


def holds(source: NovaObject, value: Any) -> bool:
    held = source.__dict__.values()
    return value in [one for one in held if isinstance(one, str)] or any(
        holds(inner, value) for one in held for inner in objects_in(one)
    )


def objects_in(value: Any) -> list[NovaObject]:
    values = value if isinstance(value, tuple) else (value,)
    return [one for one in values if isinstance(one, NovaObject)]


def in_ascii(value: Any) -> Any:
    """Before 1.7 the texts of instances were ASCII."""
    return value.encode("ascii", "replace").decode() if isinstance(value, str) else value


def assert_kept(source: NovaObject, low: NovaObject, version: str) -> None:
    name = type(source).__name__
    known = source.SHAPES.at(parse_version(version)).fields
    assert low.object_version == version
    for field, value in source.__dict__.items():
        if field not in known:
            assert not low.is_set(field)
        elif objects_in(value):
            pairs = zip(objects_in(value), objects_in(getattr(low, field)), strict=True)
            for inner, other in pairs:
                assert_kept(inner, other, other.object_version)
        elif (name, field) not in SUBSTITUTED or version == source.object_version:
            ascii_only = name == "Instance" and parse_version(version) < (1, 7)
            assert getattr(low, field) in (value, in_ascii(value) if ascii_only else value)
    added = {field for field in low.__dict__ if not source.is_set(field)}
    assert added <= {field for owner, field in SUBSTITUTED if owner == name}
    assert {one for one in low.mark[1] if source.is_set(one)} <= source.changed_fields()


@pytest.mark.parametrize("kind", NOVA, ids=lambda kind: kind.__name__)
@given(data=st.data(), release=st.sampled_from(RELEASES))
@settings(THOROUGH, max_examples=10)
def test_what_is_written_for_a_release_has_its_versions(
    kind: type[NovaObject], data: st.DataObject, release: str
) -> None:
    manifest = pin(release)
    source = drawn(kind, data)
    assert_versions(written(source, manifest=manifest), manifest)


def assert_versions(value: Any, manifest: Any) -> None:
    if isinstance(value, list):
        for one in value:
            assert_versions(one, manifest)
    elif isinstance(value, dict):
        name = value.get("nova_object.name")
        if name in manifest:
            assert value["nova_object.version"] == manifest[name]
        for one in value.values():
            assert_versions(one, manifest)


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
@given(data=st.data())
@THOROUGH
def test_objects_of_ours_come_back(kind: type[VersionedObject], data: st.DataObject) -> None:
    source = drawn(kind, data)
    assert VersionedObject.from_primitive(source.to_primitive()) == source
    assert kind.from_json(source.to_json()) == source
    for version in kind.SHAPES.versions:
        try:
            primitive = source.to_primitive(version)
        except NoBackport:
            continue
        again = VersionedObject.from_primitive(primitive)
        assert again.object_version == version
        assert again.to_primitive() == primitive
    assert kind.model_validate_json(source.model_dump_json()) == source


_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=3),
    st.floats(),
    st.just([]),
    st.just({}),
)


@pytest.mark.parametrize("kind", NOVA, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(THOROUGH, max_examples=40)
def test_the_fast_way_in_reads_as_the_full_one(kind: type[NovaObject], data: st.DataObject) -> None:
    primitive = drawn(kind, data).to_primitive()
    spoil(primitive, data)
    try:
        expected: Any = kind._read_fully(copy.deepcopy(primitive))
    except InnkeeperError as error:
        expected = error.code, error.details.get("path")
    for lane in (kind.LAYOUT.lane, kind.LAYOUT.text_lane):
        try:
            quick = lane.read(copy.deepcopy(primitive))
        except GIVES_UP:
            continue
        assert quick == expected
        assert quick.mark[:2] == expected.mark[:2]


def spoil(primitive: Any, data: st.DataObject) -> None:
    """Put something odd anywhere."""
    place: Any = primitive
    while data.draw(st.booleans()) and isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        inner = place[key := data.draw(st.sampled_from(keys))]
        if not isinstance(inner, dict | list) or data.draw(st.booleans()):
            place[key] = data.draw(_ODD)
            return
        place = inner
