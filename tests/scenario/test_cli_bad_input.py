"""Bad words of every kind: a usage error that says what was wrong, and nothing is done."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.cli.program import CommandLine, serve


@pytest.fixture(scope="module")
def run() -> Iterator[CommandLine]:
    with tempfile.TemporaryDirectory(prefix="ik-") as directory, serve(Path(directory)) as ready:
        yield ready.command_line


WRONG_WORDS = {
    "claim": "nothing is asked for",
    "claim --vcpus 0": "--vcpus '0' should be a whole number from 1",
    "claim --vcpus -1": "--vcpus '-1' should be a whole number from 1",
    "claim --vcpus 1.5": "--vcpus '1.5'",
    "claim --vcpus 99999999999999999999": "--vcpus",
    "claim --vcpus=": "--vcpus ''",
    "claim --memory 0": "--memory '0' should be from 1 MiB",
    "claim --memory 8GB": "did you mean 8GiB?",
    "claim --memory=": "--memory ''",
    "claim --memory 1e9": "--memory '1e9' is no size",
    "claim --disk 40": "did you mean 40GiB or 40MiB?",
    "claim --disk -5GiB": "--disk '-5GiB' is no size",
    "claim --device =2": "write ALIAS=COUNT or VENDOR:PRODUCT=COUNT",
    "claim --device nobodys=2": "no alias is named 'nobodys'",
    "claim --device 8086:1889,numa_policy=nearby": "required, legacy, preferred, socket",
    "claim --device 8086:1889 --on-cells 1-": "should be cell ids",
    "claim --vcpus 1 --on-cells 0,9": "`cells`: this host has no cell 9: there is 0-1",
    "fit --vcpus 1 --on-cells 8-9": "`cells`: this host has no cells 8-9: there is 0-1",
    "fit --simulate cells=4 --vcpus 1 --on-cells 9": "this host has no cell 9: there is 0-3",
    "fit --device 8086:1889=1,numa_policy=legacy,numa_policy=required": "policy twice",
    "cordon": "WHAT",
    "cordon rack --reason x": "'host', 'cell', 'cpu', 'device'",
    "cordon host": "--reason",
    "cordon host n --reason x": "a host needs no name here",
    "cordon cell --reason x": "which cell? write `cell 1`",
    "cordon cell 1 --reason=": "`reason` = ''",
    "devices cordon ens1f0 --reason x": "is no PCI address, such as 0000:3b:00.1",
    "devices uncordon": "ADDRESS",
    "devices --free --held-by 6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11": "either free or held",
    "devices --held-by web-1": "is no claim or instance id",
    "devices --local --held-by 6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11": "asks a daemon",
    "claim --device 0x8086:1889=1": "has no vendor id",
    "claim --device 8086:1889=0": "should be a whole number from 1",
    "moves depart 6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11 --kind migration --id 6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11 --to=": (
        "`destination` = ''"
    ),
    "claim --counter slots": "write NAME=COUNT",
    "claim --counter SLOTS=1": "has no name of a counter",
    "claim --counter slots=1 --counter slots=2": "slots is given twice",
    "claim --vcpus 1 --lease 10": "did you mean 10s?",
    "claim --vcpus 1 --lease 0s": "--lease '0s' should be above 0",
    "claim --vcpus 1 --wait soon": "--wait 'soon' is no duration",
    "claim --vcpus 1 --wait 2h": "at most 3600 s",
    "claim --vcpus 1 --claim-id 7": "--claim-id '7' is no UUID",
    "claim --vcpus 1 --instance web-1": "--instance 'web-1' is no UUID",
    "claim --vcpus 1 --name=": "`name` = ''",
    "claim --vcpus 1 --colour red": "--colour",
    "claim --vcpus 1 extra": "extra",
    "claim --spec /nonexistent/spec.json": "No such file",
    "claim --spec /": "Is a directory",
    "confirm": "ID",
    "confirm web-1": "'web-1' is no claim or instance id",
    "renew 6f1c1e5e": "is no claim or instance id",
    "release x y": "y",
    "claims show": "ID",
    "claims shw 1": "shw",
    "claims update": "ID",
    "claims update web-1 --vcpus 2": "'web-1' is no claim or instance id",
    f"claims update {UUID(int=7)}": "name at least one of --vcpus, --memory, --disk",
    f"claims update {UUID(int=7)} --vcpus 0": "--vcpus '0'",
    f"claims update {UUID(int=7)} --memory lots": "--memory 'lots'",
    f"claims update {UUID(int=7)} --disk 40": "--disk '40'",
    "history ?": "is no claim or instance id",
    "relase": "Did you mean 'release'",
    "audit": "run",
    "run": "CMD",
    "run --vcpus 1": "CMD",
    "run --vcpus 0 -- true": "--vcpus '0'",
    "show --simulate cpus=0": "cpus",
    "show --simulate nonsense": "is no spec",
    "show --root / --simulate cpus=1": "not both",
    "capture": "FILE",
    "config": "example",
}


@pytest.mark.parametrize("words", WRONG_WORDS)
def test_wrong_words_are_usage_errors(run: CommandLine, words: str) -> None:
    refused = run(*words.split()).expect(2)
    assert WRONG_WORDS[words] in refused.err + refused.out
    assert run("claims", "-o", "name").expect(0).out == ""


WRONG_SPECS = {
    b"": "nothing is asked for",
    b"just words": "should hold one claim",
    b"[1, 2]": "should hold one claim",
    b"{": "cannot be read",
    b"\xff\xfe": "is not UTF-8 text",
    b'{"request": 1}': "`request` in the spec should be a table, not 1",
    b'{"request": {}}': "nothing is asked for",
    b'{"request": {"vcpus": "2"}}': "`request.vcpus` = '2'",
    b'{"request": {"vcpu": 2}}': "did you mean `vcpus`?",
    b'{"request": {"vcpus": 2}, "nme": "x"}': "did you mean `name`?",
    b'{"request": {"vcpus": 2}, "holder": []}': "`holder` in the spec should be a table",
    b'{"request": {"vcpus": NaN}}': "request.vcpus",
    b"request:\n  vcpus: 2\nname: 2026-01-01\ninstance_uuid: 1": "instance_uuid",
    b"name = 2026-01-01\n[request]\nvcpus = 1.5": "request.vcpus",
    b"a: &a [1]\nrequest: {devices: *a}": "aliases are not taken",
    b"a: [*x]": "cannot be read",
    b"{" * 100_000: "cannot be read",
    b"[" * 100_000: "cannot be read",
    b"request: {vcpus: 2, vcpus: [}": "cannot be read",
    b"? [a, b]\n: 1": "cannot be read",
    b"x" * (2**20 + 1): "more than 1048576 bytes",
}


@pytest.mark.parametrize("spec", WRONG_SPECS, ids=range(len(WRONG_SPECS)))
def test_wrong_specs_are_usage_errors(run: CommandLine, spec: bytes) -> None:
    refused = run("claim", "--spec", "-", stdin=spec).expect(2)
    assert WRONG_SPECS[spec] in refused.err
    assert len(refused.err) < 2000
    assert run("claims", "-o", "name").expect(0).out == ""


WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    flag=st.sampled_from(
        [
            "--vcpus",
            "--memory",
            "--disk",
            "--device",
            "--counter",
            "--lease",
            "--wait",
            "--claim-id",
            "--instance",
            "--name",
            "--spec",
            "-o",
        ]
    ),
    word=WORD,
)
def test_no_word_makes_a_traceback(run: CommandLine, flag: str, word: str) -> None:
    outcome = run("claim", "--dry-run", "--counter", "slots=1", f"{flag}={word}")
    assert outcome.code in (0, 1, 2, 3)
    outcome.expect(outcome.code)


@pytest.mark.parametrize("word", ["a\udcffb", "\ud800", "\x1b[2J", "\x9b2J", "a\nb"])
def test_names_that_are_no_text_are_refused(run: CommandLine, word: str) -> None:
    outcome = run("claim", "--vcpus", "1", "--name", word)
    if word == "\x9b2J":  # A control character of Latin-1: taken, and harmless when shown.
        assert "\x9b" not in run("claims").expect(0).out + run("show").expect(0).out
        run("release", run("claims", "-o", "name").out.strip()).expect(0)
    else:
        assert "\x1b" not in outcome.expect(2).err
