"""The kernel's words to values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.drivers.sysfs.parse import (
    HIGHEST_ID,
    parse_amount,
    parse_ids,
    parse_mask,
    parse_meminfo,
    parse_number,
    parse_numbers,
)

PARSERS = (parse_ids, parse_mask, parse_number, parse_amount, parse_numbers, parse_meminfo)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", set()),
        ("0", {0}),
        ("0-3,8", {0, 1, 2, 3, 8}),
        ("0-1, 4-5", {0, 1, 4, 5}),
        ("1,1-2", {1, 2}),
        (f"{HIGHEST_ID}", {HIGHEST_ID}),
    ],
)
def test_lists(text: str, ids: set[int]) -> None:
    assert parse_ids(text) == ids


@pytest.mark.parametrize(
    "text", [",", "0-", "-1", "2-1", "a", "0 1", f"{HIGHEST_ID + 1}", "\u0660"]
)
def test_lists_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="no range"):
        parse_ids(text)


@pytest.mark.parametrize(
    ("text", "ids"),
    [("0", set()), ("f", {0, 1, 2, 3}), ("80000000,00000001", {0, 63}), ("1,00000000", {32})],
)
def test_masks(text: str, ids: set[int]) -> None:
    assert parse_mask(text) == ids


@pytest.mark.parametrize(
    "text", ["", "g", "1,,2", "123456789", "0x1", ",".join(["ffffffff"] * 4000)]
)
def test_masks_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"mask|above"):
        parse_mask(text)


@given(st.sets(st.integers(0, 2000)))
def test_a_mask_and_a_list_of_the_same_set_agree(ids: set[int]) -> None:
    bits = sum(1 << i for i in ids)
    groups = [f"{bits >> shift & 0xFFFFFFFF:08x}" for shift in range(0, 2016, 32)]
    assert parse_mask(",".join(groups[::-1])) == ids
    assert parse_ids(",".join(map(str, ids))) == ids


@pytest.mark.parametrize("text", ["", "x", "1.5", "9" * 19, "1" * 5000, "--1", "1_0"])
def test_numbers_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        parse_number(text)


def test_amounts_are_never_negative() -> None:
    assert parse_number("-1") == -1
    with pytest.raises(ValueError, match="negative"):
        parse_amount("-1")


def test_meminfo_of_the_machine_and_of_a_cell() -> None:
    machine = "MemTotal:       2048 kB\nMemFree:  1 kB\nHugePages_Total:   4\nweird line\n"
    assert parse_meminfo(machine) == {"MemTotal": 2048, "MemFree": 1, "HugePages_Total": 4}
    assert parse_meminfo("Node 12 MemTotal:  7 kB\nNode 12 Active(anon):  3 kB") == {
        "MemTotal": 7,
        "Active(anon)": 3,
    }


@pytest.mark.parametrize("text", ["", "MemFree: 1 kB", "MemTotal: 99999999999999999999 kB"])
def test_meminfo_without_a_total_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="MemTotal"):
        parse_meminfo(text)


@given(st.text())
def test_junk_gives_a_value_or_a_value_error(text: str) -> None:
    for parse in PARSERS:
        try:
            parse(text)
        except ValueError as error:
            assert str(error)  # noqa: PT017 - any text must come with a reason
