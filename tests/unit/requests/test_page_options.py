"""Pages that a host keeps back, and pages and threads on a command line."""

from __future__ import annotations

import pytest

from innkeeper.errors import BadConfig, BadRequest
from innkeeper.objects.topology import ThreadPolicy
from innkeeper.requests.numa_words.command_words import (
    parse_hugepages,
    parse_property,
    parse_threads,
)
from innkeeper.requests.numa_words.reserved_pages import ReservedPages, read_reserved_pages


def test_reserved_pages() -> None:
    texts = ["node:0,size:2048,count:64", " node : 1 , count:2, size:1GB ", "node:0,size:4,count:0"]
    expected = (ReservedPages(0, 2048, 64), ReservedPages(1, 1_048_576, 2), ReservedPages(0, 4, 0))
    assert read_reserved_pages(texts) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has not node, size and count"),
        ("node:0,size:4", "has not node, size and count"),
        ("node:0,size:4,count:1,count:2", "has not node, size and count"),
        ("node:0,size:4,count:1,more:1", "has not node, size and count"),
        ("node:x,size:4,count:1", "has node 'x'"),
        ("node:0,size:4,count:-1", "has count '-1'"),
        ("node:0,size:2M,count:1", "has size '2M', which is no page size"),
        ("node:0,size:2Mb,count:1", "has size '2Mb', which is in bits"),
        ("node:0,size:0,count:1", "has size 0"),
        ("node:0,size:2MB,count:5", "of 2048 KiB of node 0 again"),
    ],
)
def test_entries_that_are_wrong_are_all_named(text: str, problem: str) -> None:
    with pytest.raises(BadConfig) as caught:
        read_reserved_pages(["node:0,size:2048,count:64", text, "what"])
    errors = caught.value.details["errors"]
    assert [one["path"] for one in errors] == ["reserved_huge_pages[1]", "reserved_huge_pages[2]"]
    assert problem in errors[0]["message"]
    assert {one["cause"] for one in errors} == {"InvalidReservedMemoryPagesOption"}


@pytest.mark.parametrize(
    ("text", "pages"),
    [("1GiB", 1_048_576), ("2MiB", 2048), ("2048", 2048), ("any", "any"), (" large ", "large")],
)
def test_hugepages(text: str, pages: int | str) -> None:
    assert parse_hugepages(text) == pages


@pytest.mark.parametrize("text", ["", "0", "1G", "2Mib", "big"])
def test_hugepages_that_are_none(text: str) -> None:
    with pytest.raises(BadRequest, match="hugepages"):
        parse_hugepages(text)


def test_threads() -> None:
    assert parse_threads("isolate") is ThreadPolicy.ISOLATE
    assert parse_threads("full-cores") is ThreadPolicy.FULL_CORES
    with pytest.raises(BadRequest, match="did you mean `isolate`"):
        parse_threads("isolated")


def test_properties() -> None:
    assert parse_property("hw:cpu_policy=dedicated") == ("hw:cpu_policy", "dedicated")
    assert parse_property(" a = b=c ") == ("a", "b=c")
    for text in ("", "hw:cpu_policy", "=x", "\x00=1", "k" * 256 + "=1"):
        with pytest.raises(BadRequest, match="has no KEY=VALUE"):
            parse_property(text)
