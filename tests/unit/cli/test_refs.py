"""Addresses as people give them."""

from __future__ import annotations

import pytest

from innkeeper.cli.refs import parse_address, parse_marked_device
from innkeeper.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0000:3b:00.1", "0000:3b:00.1"),
        ("3b:00.1", "0000:3b:00.1"),
        (" 3B:1F.7 ", "0000:3b:1f.7"),
        ("10000:01:00.0", "10000:01:00.0"),
        ("00000001:01:00.0", "0001:01:00.0"),
        ("1:2:3.4", "0001:02:03.4"),
    ],
)
def test_an_address_as_lspci_or_the_kernel_has_it(text: str, address: str) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "ens1f0", "3b:00", "3b:00.8", "3b:20.0", "123456789:00:00.0", "3b:00.1/x", "\u0661"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="such as 0000:3b:"):
        parse_address(text)


@pytest.mark.parametrize(
    "text", ["8086:1592:b4-96-91/0", "8086:1592:SN 7/8/1/vf/12", "10de:24b0:card:1/0"]
)
def test_a_device_that_was_pulled_goes_by_its_identity(text: str) -> None:
    assert parse_marked_device(f" {text} ") == text


@pytest.mark.parametrize("text", ["ens1f0", "8086:1592", "8086:1592:b4/", "8086:1592:/0", "/0"])
def test_what_is_neither_address_nor_identity_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="such as 0000:3b:"):
        parse_marked_device(text)
    assert parse_marked_device("3B:00.1") == "0000:3b:00.1"
