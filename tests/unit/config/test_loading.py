"""Files and variables to a configuration, and every way they can be wrong."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import pytest

from innkeeper.cli.placements import environment
from innkeeper.config import Config, Counter, DeviceSpec, load_config
from innkeeper.config.toml_file import SIZE_LIMIT
from innkeeper.errors import BadConfig
from innkeeper.objects import Placement

PREFIX = "TEST_INNKEEPER_"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "innkeeper.toml"


def load(path: Path | None = None, **environ: str) -> Config:
    named = {f"{PREFIX}{name}": value for name, value in environ.items()}
    return load_config(path, named, prefix=PREFIX)


def refused(path: Path | None = None, **environ: str) -> BadConfig:
    with pytest.raises(BadConfig) as caught:
        load(path, **environ)
    return caught.value


def test_nothing_at_all_gives_the_defaults() -> None:
    assert load() == Config()


def test_a_file_is_read(file: Path) -> None:
    file.write_text(
        'node = "n1"\n[reserved]\nmemory_mib = 7\n[[devices]]\nvendor_id = "8086"\n'
        '[[counters]]\nname = "slots"\ntotal = 3\n'
    )
    config = load(file)
    assert (config.node, config.reserved.memory_mib) == ("n1", 7)
    assert config.devices == (DeviceSpec(vendor_id="8086"),)
    assert config.counters == (Counter(name="slots", total=3),)


def test_a_variable_overrides_one_key_and_leaves_its_neighbours(file: Path) -> None:
    file.write_text("[reserved]\nmemory_mib = 7\nvcpus = 2\n")
    config = load(file, RESERVED__MEMORY_MIB="1024")
    assert (config.reserved.memory_mib, config.reserved.vcpus) == (1024, 2)


def test_a_key_that_is_text_takes_the_value_as_it_stands() -> None:
    config = load(NODE="true", LOG__LEVEL="debug", DISK__PATH="/var/lib/[x]")
    assert (config.node, config.log.level, config.disk.path) == ("true", "debug", "/var/lib/[x]")


def test_lists_are_toml_values_and_replace_those_of_the_file(file: Path) -> None:
    file.write_text('[access]\nadmins = ["a", "b"]\n')
    config = load(file, ACCESS__ADMINS='["c"]', DEVICES='[{vendor_id = "8086"}]')
    assert config.access.admins == ("c",)
    assert config.devices == (DeviceSpec(vendor_id="8086"),)


def test_variables_that_are_no_settings_are_left_alone() -> None:
    environ = {
        f"{PREFIX}CONFIG": "x",
        f"{PREFIX}SOCKET": "y",
        f"{PREFIX}SERVICE_PORT": "80",
        "INNKEEPER_RESERVED__VCPUS": "9",
    }
    assert load_config(None, environ, prefix=PREFIX) == Config()


def test_a_command_that_innkeeper_runs_may_run_innkeeper() -> None:
    placement = Placement(vcpus=1, cpus="0", counters={"ids": 1, "s": 1, "slots": 2})
    environ = environment(placement, UUID(int=1))
    assert len(environ) > 6
    assert load_config(None, environ) == Config()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[reserved]\nmemory_mb = 3", ["`reserved.memory_mb`", "did you mean `memory_mib`"]),
        ("[claimz]\n", ["`claimz`", "did you mean `claims`"]),
        ("[[devices]]\nvendor = '8086'", ["`devices[1].vendor`", "`vendor_id`"]),
        ("[reserved]\nmemory_mib = 'lots'", ["`reserved.memory_mib` = 'lots'", "whole number"]),
        ("[reserved]\nmemory_mib = 1.5", ["`reserved.memory_mib` = 1.5", "whole number"]),
        ("[reserved]\nmemory_mib = -1", ["-1", "greater than or equal to 0"]),
        ("[reserved]\nvcpus = true", ["True", "whole number"]),
        ("reserved = 3", ["`reserved` = 3", "a table with keys of vcpus"]),
        ("counters = 3", ["`counters` = 3", "a list"]),
        ("node = 5", ["`node` = 5", "string"]),
        ("node = ''", ["`node` = ''", "at least 1"]),
        ("node = 'a\\nb'".replace("'", '"'), ["`node` = 'a\\nb'", "one line"]),
        ("[ratios]\nvcpus = inf", ["`ratios.vcpus` = inf", "finite"]),
        ("[ratios]\nvcpus = true", ["`ratios.vcpus` = True", "number"]),
        ("[audit]\ninterval = 0", ["`audit.interval` = 0", "0.01"]),
        ("[audit]\npolicy.a = 'all'", ["`audit.policy.a` = 'all'", "'report', 'repair'"]),
        (
            "[audit]\npolicy.device_mising = 'ignore'",
            ["`audit.policy`", "did you mean `device_missing`?"],
        ),
        ("[audit]\npolicy.device_missing = 'repair'", ["`audit.policy`", "release the claim"]),
        ("[audit]\npolicy.database_set_aside = 'repair'", ["not repaired unasked"]),
        ("[log]\nlevel = 'loud'", ["'loud'", "'debug', 'info', 'warning' or 'error'"]),
        ("[[devices]]\nvendor_id = 8086", ["`devices[1].vendor_id` = 8086", "string"]),
        ("[[devices]]\naddress = 41", ["`devices[1].address`: 41 should be text", "`*:41:*.*`"]),
        ("[[devices]]\naddress = {func = '1'}", ["unknown key `func`", "`function`"]),
        ("[[devices]]\naddress = {bus = 1}", ["`devices[1].address`: `bus` = 1", "as text"]),
        ("[[devices]]\ntrusted = 'yes'", ["`devices[1].trusted` = 'yes'", "boolean"]),
        ("[[devices]]\ntags = 3", ["`devices[1].tags`: 3 should be a table"]),
        ("[[devices]]\ntags = {a = []}", ["`devices[1].tags`: `a` = []", "one line"]),
        ("[[devices]]\ntags = {'' = 'x'}", ["`devices[1].tags`: '' is no name of a tag"]),
        ("[[devices]]\nclean = 'wipe'", ["`devices[1].clean` = 'wipe'", "a list"]),
        ("[[aliases]]\nvendor_id = '8086'\nproduct_id = '1889'", ["`aliases[1].name` is missing"]),
        ("[[aliases]]\nname = 'a:b'", ["`aliases[1].name` = 'a:b'", "without , : ="]),
        ("[[aliases]]\nname = ' a'", ["`aliases[1].name` = ' a'", "without blanks"]),
        ("[[aliases]]\nname = 'a'", ["`aliases[1]`", "vendor_id and product_id, or tags"]),
        ("[[aliases]]\nname = 'a'\nvendor_id = '8086'", ["needs vendor_id and product_id"]),
        ("[[aliases]]\nname = 'a'\nvendor_id = '0x86'", ["`aliases[1].vendor_id`", "four hex"]),
        ("[[aliases]]\nname = 'a'\ndevice_type = 'nic'", ["'nic'", "'pci', 'pf', 'vf'"]),
        ("[[aliases]]\nname = 'a'\nnuma_policy = 'near'", ["'near'", "'required', 'legacy'"]),
        (
            "[[aliases]]\nname = 'a'\n[[aliases.members]]\ntags = {a = 'b'}",
            ["`aliases[1]`", "members but no unit"],
        ),
        (
            "[[aliases]]\nname='a'\nunit='slot'\ntags={a='b'}\n[[aliases.members]]\ntags={a='b'}",
            ["`aliases[1]`: has members: say tags of each"],
        ),
        (
            "[[aliases]]\nname='a'\nunit='slot'\n[[aliases.members]]\ncount=1",
            ["`aliases[1].members[1]`", "or tags"],
        ),
        ("[[counters]]\ntotal = 1", ["`counters[1].name` is missing"]),
        ("[[counters]]\nname = 'Slots'\ntotal = 1", ["'Slots'", "lower-case letter"]),
        (
            "[[counters]]\nname='a'\ntotal=1\n[[counters]]\nname='a'\ntotal=2",
            ["counter a", "more than once"],
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_file_key_and_value(
    file: Path, text: str, words: list[str]
) -> None:
    file.write_text(text)
    error = refused(file)
    for word in [str(file), *words]:
        assert word in error.message
    assert error.details["errors"]


def test_everything_that_is_wrong_is_told_at_once(file: Path) -> None:
    file.write_text("nodes = 1\n[reserved]\nvcpus = -1\n[log]\nlevel = 'x'\n")
    error = refused(file)
    paths = {one["path"] for one in error.details["errors"]}
    assert paths == {"nodes", "reserved.vcpus", "log.level"}
    assert len(error.message.splitlines()) == 3


def test_a_hundred_mistakes_are_told_in_a_few_lines(file: Path) -> None:
    file.write_text("".join(f"key{i} = 1\n" for i in range(100)))
    error = refused(file)
    assert "and 80 more" in error.message.splitlines()[-1]
    assert len(error.details["errors"]) == 100


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("RESERVED__MEMORY_MB", "1", [f"{PREFIX}RESERVED__MEMORY_MIB?"]),
        ("NODEE", "x", [f"{PREFIX}NODE?"]),
        ("RESERVED", "1", ["section", f"{PREFIX}RESERVED__VCPUS"]),
        ("RESERVED__VCPUS__MORE", "1", ["`reserved.vcpus` has no keys below it"]),
        ("RESERVED__VCPUS", "many", ["'many' is no TOML value"]),
        ("RESERVED__VCPUS", '"many"', ["`reserved.vcpus` = 'many'", "whole number"]),
        ("RESERVED__VCPUS", "1\nx = 2", ["more than one value"]),
        ("RESERVED__VCPUS", "", ["no TOML value"]),
        ("ACCESS__ADMINS", "root", ['["root"]']),
        ("ACCESS__ADMINS", '"root"', ["a list"]),
        ("ACCESS__ADMINS", "[" * 5000, ["no TOML value"]),
        ("LOG__LEVEL", "loud", ["'loud'", "'info'"]),
        ("NODE", "", ["`node`", "at least 1"]),
        ("__", "1", ["no such key"]),
    ],
)
def test_what_is_wrong_in_a_variable_is_named_with_the_variable(
    name: str, value: str, words: list[str]
) -> None:
    environ = {f"{PREFIX}{name}": value}
    with pytest.raises(BadConfig) as caught:
        load_config(None, environ, prefix=PREFIX)
    error = caught.value
    for word in [f"{PREFIX}{name}: ", *words]:
        assert word in error.message


def test_a_wrong_table_of_the_file_is_not_covered_up_by_a_variable(file: Path) -> None:
    file.write_text("reserved = 3\n")
    assert "`reserved` = 3" in refused(file, RESERVED__VCPUS="1").message


def test_a_missing_file_is_named(file: Path) -> None:
    error = refused(file)
    assert error.message == f"{file} cannot be read: No such file or directory"
    assert error.details["file"] == str(file)


def test_broken_toml_is_told_with_its_line(file: Path) -> None:
    file.write_text("[reserved]\nvcpus = \n")
    assert "line 2" in refused(file).message


def test_a_file_that_is_not_utf8_is_told_with_its_line(file: Path) -> None:
    file.write_bytes(b'# one\nnode = "\xff"\n')
    assert "not UTF-8 text: byte 14, line 2" in refused(file).message


def test_a_file_that_is_too_large_is_not_read(file: Path) -> None:
    file.write_bytes(b"#" * (SIZE_LIMIT + 1))
    assert f"larger than {SIZE_LIMIT} bytes" in refused(file).message


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "no regular file" in refused(tmp_path).message


def test_a_fifo_does_not_block(file: Path) -> None:
    os.mkfifo(file)
    assert "no regular file" in refused(file).message


def test_nesting_without_end_is_refused(file: Path) -> None:
    file.write_text("node = " + "[" * 100_000)
    assert str(file) in refused(file).message


@pytest.mark.parametrize("path", ["\0", "x" * 5000])
def test_a_name_that_no_file_can_have_is_refused(path: str) -> None:
    assert "cannot be read" in refused(Path(path)).message
