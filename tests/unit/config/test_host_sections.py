"""Which CPUs, pages and memory of the host are for instances, in the operator's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from innkeeper.config import Config, Cpus, load_config
from innkeeper.errors import BadConfig

PREFIX = "TEST_INNKEEPER_"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "innkeeper.toml"


def refusal_of(file: Path, text: str, **environ: str) -> str:
    file.write_text(text)
    named = {f"{PREFIX}{name}": value for name, value in environ.items()}
    with pytest.raises(BadConfig) as caught:
        load_config(file, named, prefix=PREFIX)
    return caught.value.message


def test_cpus_are_lists_with_ranges_and_exceptions(file: Path) -> None:
    file.write_text('[cpus]\nshared = "0-3, 8, ^2"\ndedicated = "4-7"\n')
    cpus = load_config(file, {}).cpus
    assert cpus.shared_cpus == {0, 1, 3, 8}
    assert cpus.dedicated_cpus == {4, 5, 6, 7}
    assert cpus.are_named


def test_without_words_no_cpu_is_named() -> None:
    assert not Config().cpus.are_named
    assert Cpus(dedicated="3").shared_cpus == frozenset()


def test_cpus_may_be_named_by_variables() -> None:
    environ = {f"{PREFIX}CPUS__SHARED": "0-1", f"{PREFIX}CPUS": "what a claim's command is told"}
    assert load_config(None, environ, prefix=PREFIX).cpus == Cpus(shared="0-1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ('shared = ""', "`cpus.shared`: '' names no CPU"),
        ('shared = "^0"', "`cpus.shared`: '^0' names no CPU"),
        ('dedicated = "2-4,^2-4"', "`cpus.dedicated`: '2-4,^2-4'"),
        ('shared = "3-1"', "`cpus.shared`: the range '3-1' descends"),
        ('shared = "0-x"', "`cpus.shared`: '0-x' is not a CPU"),
        ('shared = "70000"', "up to 65535"),
        ("shared = 4", "`cpus.shared` = 4: should be a valid string"),
        ('share = "4"', "unknown key `cpus.share`; did you mean `shared`?"),
    ],
)
def test_a_list_that_names_no_cpus_is_refused(file: Path, words: str, said: str) -> None:
    refusal = refusal_of(file, f"[cpus]\n{words}\n")
    assert said in refusal


def test_a_cpu_is_shared_or_dedicated_and_never_both(file: Path) -> None:
    refusal = refusal_of(file, '[cpus]\nshared = "0-5"\ndedicated = "4-9"\n')
    assert "`cpus`: shared and dedicated both name 4-5" in refusal


def test_named_cpus_and_a_number_of_reserved_ones_are_two_ways_to_say_one_thing(file: Path) -> None:
    for words in ('shared = "0"', 'dedicated = "0"'):
        refusal = refusal_of(file, f"[reserved]\nvcpus = 2\n[cpus]\n{words}\n")
        assert "`cpus`: " in refusal
        assert "reserved.vcpus = 2" in refusal
    file.write_text('[reserved]\nvcpus = 0\n[cpus]\nshared = "0"\n')
    assert load_config(file, {}).cpus.shared == "0"


def test_a_wrong_reservation_is_told_beside_named_cpus(file: Path) -> None:
    refusal = refusal_of(file, '[reserved]\nvcpus = -1\n[cpus]\nshared = "0"\n')
    assert "reserved.vcpus" in refusal


def test_pages_and_memory_of_single_cells_are_reserved(file: Path) -> None:
    file.write_text(
        "[[reserved.pages]]\ncell = 1\nsize_kib = 2048\ncount = 3\n"
        "[[reserved.pages]]\ncell = 1\nsize_kib = 1048576\ncount = 1\n"
        "[[reserved.cells]]\ncell = 0\nmemory_mib = 64\n"
    )
    reserved = load_config(file, {}).reserved
    assert [(one.cell, one.size_kib, one.count) for one in reserved.pages] == [
        (1, 2048, 3),
        (1, 1_048_576, 1),
    ]
    assert [(one.cell, one.memory_mib) for one in reserved.cells] == [(0, 64)]


PAGES = "[[reserved.pages]]\ncell = 1\nsize_kib = 2048\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (f"{PAGES}count = 1\n" * 2, "`reserved.pages`: pages of 2048 KiB of cell 1 stand there"),
        (f"{PAGES}count = -1\n", "`reserved.pages[1].count` = -1"),
        (PAGES, "`reserved.pages[1].count` is missing"),
        (PAGES.replace("2048", "0"), "`reserved.pages[1].size_kib` = 0"),
        (PAGES.replace("2048", '"2MiB"'), "`reserved.pages[1].size_kib` = '2MiB'"),
        ("[[reserved.cells]]\ncell = 0\nmemory_mib = 1\n" * 2, "`reserved.cells`: cell 0 stands"),
        ("[[reserved.cells]]\ncell = 0\n", "`reserved.cells[1].memory_mib` is missing"),
        ('[placement]\ncells = "fill"\n', "`placement.cells` = 'fill'"),
    ],
)
def test_a_reservation_that_makes_no_sense_is_refused(file: Path, words: str, said: str) -> None:
    assert said in refusal_of(file, words)
