"""Amounts as people write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.errors import BadRequest
from innkeeper.objects import DeviceRequest
from innkeeper.requests.sizes import (
    parse_cells,
    parse_count,
    parse_counter,
    parse_device,
    parse_disk,
    parse_duration,
    parse_memory,
)


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("512MiB", 512),
        ("8GiB", 8192),
        ("8 gib", 8192),
        ("1.5GiB", 1536),
        ("2048KiB", 2),
        ("1TiB", 2**20),
        ("1PiB", 2**30),
        ("1048576TiB", 2**40),
        (" 7MiB ", 7),
    ],
)
def test_sizes_have_binary_units(text: str, mib: int) -> None:
    assert parse_memory(text) == mib
    assert parse_disk(text) == mib


def test_a_bare_number_is_mib_of_memory_and_no_size_of_a_disk() -> None:
    assert parse_memory("512") == 512
    with pytest.raises(BadRequest, match=r"disk '512' has no unit; did you mean 512GiB or 512MiB"):
        parse_disk("512")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("8GB", "is decimal.*did you mean 8GiB"),
        ("8gb", "is decimal.*did you mean 8GiB"),
        ("8G", "did you mean 8GiB"),
        ("1.5M", "did you mean 1.5MiB"),
        ("8XiB", "unknown unit.*512MiB"),
        ("8GiBs", "unknown unit"),
        ("1KiB", "no whole number of MiB"),
        ("0.1MiB", "no whole number of MiB"),
        ("0", "from 1 MiB"),
        ("0GiB", "from 1 MiB"),
        ("-8GiB", "is no size"),
        ("1e3", "is no size"),
        ("0x10", "unknown unit|is no size"),
        ("", "is no size"),
        ("GiB", "is no size"),
        ("inf", "is no size"),
        ("nan", "is no size"),
        ("1048577TiB", "to 1099511627776 MiB"),
        ("9" * 500, "is no size"),
        ("\u0668GiB", "is no size"),
        ("8GiB\n9", "is no size"),
    ],
)
def test_a_size_that_is_none_is_refused_with_what_would_do(text: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words) as caught:
        parse_memory(text)
    assert caught.value.message.startswith("memory ")
    assert caught.value.details["errors"][0]["path"] == "memory"
    assert len(caught.value.message) < 300


@given(mib=st.integers(1, 2**40))
def test_every_number_of_mib_is_read_exactly(mib: int) -> None:
    assert parse_memory(f"{mib}MiB") == parse_memory(str(mib)) == mib


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("10m", 600),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1d2h3m4s", 93_784),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("90m", 5400),
        ("366d", 366 * 86_400),
    ],
)
def test_durations_have_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("30", "did you mean 30s"),
        ("", "is no duration"),
        ("0s", "above 0"),
        ("367d", "at most 366d"),
        ("30m1h", "is no duration"),
        ("1h1h", "is no duration"),
        ("-5s", "is no duration"),
        ("5 minutes", "30s, 10m or 1h30m"),
        ("1e3s", "is no duration"),
        ("9" * 400 + "s", "is no duration"),
    ],
)
def test_a_duration_that_is_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        parse_duration(text, what="--lease")


@pytest.mark.parametrize(
    ("text", "vendor", "product", "count"),
    [
        ("8086:1889=2", "8086", "1889", 2),
        ("8086:10CA=1", "8086", "10ca", 1),
        ("10de:2235", "10de", "2235", 1),
        (" 8086:1889 = 3 ", "8086", "1889", 3),
    ],
)
def test_devices_are_asked_for_by_ids(text: str, vendor: str, product: str, count: int) -> None:
    assert parse_device(text) == DeviceRequest(vendor_id=vendor, product_id=product, count=count)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a10", {"alias": "a10"}),
        ("a10=2", {"alias": "a10", "count": 2}),
        ("QuickAssist 2 = 3 ", {"alias": "QuickAssist 2", "count": 3}),
        ("8086", {"alias": "8086"}),
        ("a10=2,numa_policy=required", {"alias": "a10", "count": 2, "numa_policy": "required"}),
        (
            "8086:1889, numa_policy = socket",
            {"vendor_id": "8086", "product_id": "1889", "numa_policy": "socket"},
        ),
    ],
)
def test_devices_are_asked_for_by_alias_and_near(text: str, words: dict[str, object]) -> None:
    asked = parse_device(text)
    assert asked.model_dump(mode="json", exclude_unset=True) == words


@pytest.mark.parametrize(
    ("text", "cells"),
    [("0", (0,)), ("2,0", (0, 2)), ("0-2,1", (0, 1, 2)), (" 5 - 5 ", None), ("0-1023", 1024)],
)
def test_cells_are_named_by_id(text: str, cells: tuple[int, ...] | int | None) -> None:
    if cells is None:
        with pytest.raises(BadRequest, match="such as 0 or 0,2-3"):
            parse_cells(text)
    elif isinstance(cells, int):
        assert len(parse_cells(text)) == cells
    else:
        assert parse_cells(text) == cells


@pytest.mark.parametrize("text", ["", "a", "-1", "3-1", "0-1024", "0-99999999", "0-1000,2000-2100"])
def test_cells_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_cells(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "ALIAS=COUNT or VENDOR:PRODUCT=COUNT"),
        ("=2", "ALIAS=COUNT"),
        ("a" * 256, "ALIAS=COUNT"),
        ("a\x1bb", "ALIAS=COUNT"),
        ("a10=", "device a10 '' should be a whole number"),
        ("a10=2,near", "'near' after the comma"),
        ("a10=2,", "'' after the comma"),
        ("a10=2,numa_policy=nearby", "preferred"),
        ("8086:1889,numa_policy=", "unknown NUMA policy"),
        ("a10=2,numa_policy=required,numa_policy=legacy", "says its NUMA policy twice"),
        ("a10=2,numa_policy=socket,numa_policy=socket", "says its NUMA policy twice"),
        ("0x8086:1889=1", "no vendor id: four hex digits without 0x"),
        ("8086:18g9=1", "no product id"),
        ("8086:1889:1=1", "no product id"),
        ("8086:=1", "no product id"),
        ("8086:1889=", "whole number from 1 to 65536"),
        ("8086:1889=0", "whole number from 1"),
        ("8086:1889=-1", "whole number from 1"),
        ("8086:1889=65537", "to 65536"),
        ("8086:1889=1.0", "whole number"),
    ],
)
def test_a_device_that_is_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        parse_device(text)


def test_counters_are_asked_for_by_name() -> None:
    assert parse_counter("sev_asids=3") == ("sev_asids", 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("slots", "NAME=COUNT, such as slots=1"),
        ("Slots=1", "lower-case letter"),
        ("=1", "lower-case letter"),
        ("slots=x", "counter slots 'x' should be a whole number"),
    ],
)
def test_a_counter_that_is_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        parse_counter(text)


@pytest.mark.parametrize(
    "parse",
    [parse_memory, parse_disk, parse_duration, parse_device, parse_counter, parse_cells],
)
@given(text=st.text(max_size=20))
def test_any_text_is_read_or_refused(parse: Callable[[str], object], text: str) -> None:
    refusal = None
    try:
        parse(text)
    except BadRequest as error:
        refusal = error.message
    assert refusal is None or refusal.isprintable()


def test_a_count_has_no_sign() -> None:
    with pytest.raises(BadRequest, match="vcpus"):
        parse_count("+1", what="vcpus")
