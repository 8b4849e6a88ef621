"""The operator's words for devices as a whole, as a start and `config check` read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from innkeeper.config import CONFIG_EXAMPLE, Config
from innkeeper.errors import BadConfig
from innkeeper.requests.checking import check_device_words, check_programs, load_checked


def file_of(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "innkeeper.toml"
    file.write_text(text)
    return file


def test_the_example_is_good(tmp_path: Path) -> None:
    config = load_checked(file_of(tmp_path, CONFIG_EXAMPLE), {})
    assert check_device_words(config) == ()


def test_what_is_wrong_in_specs_and_aliases_is_told_with_the_file(tmp_path: Path) -> None:
    text = """
        [[devices]]
        vendor_id = "zz"
        [[aliases]]
        name = "a"
        tags = {count = "1"}
        [nova]
        device_spec = ["{"]
    """
    file = file_of(tmp_path, text)
    with pytest.raises(BadConfig) as caught:
        load_checked(file, {})
    lines = caught.value.message.splitlines()
    assert [line.split(" is ")[0].split(": `tags")[0] for line in lines[1:]] == [
        f"{file}: `devices[1].vendor_id`",
        f"{file}: `aliases[1]`",
    ]
    assert lines[0].startswith(f"{file}: `nova.device_spec[1]` cannot be read")
    assert len(caught.value.details["errors"]) == 3


def test_a_variable_that_is_wrong_is_named() -> None:
    environ = {"INNKEEPER_NOVA__ALIAS": '["{}"]', "INNKEEPER_DEVICES": '[{vendor_id = "-1"}]'}
    with pytest.raises(BadConfig) as caught:
        load_checked(None, environ)
    first, second = caught.value.message.splitlines()
    assert first.startswith("INNKEEPER_DEVICES: `devices[1].vendor_id` is ")
    assert second.startswith("INNKEEPER_NOVA__ALIAS: `nova.alias[1]`: ")


def test_an_alias_that_nothing_serves_is_suspicious() -> None:
    config = Config.model_validate(
        {
            "devices": [{"vendor_id": "10de", "tags": {"tier": "gold"}}],
            "aliases": [
                {"name": "good", "vendor_id": "10DE", "product_id": "2236"},
                {"name": "gold", "tags": {"tier": "Gold"}},
                {"name": "bad", "vendor_id": "8086", "product_id": "1889"},
                {"name": "set", "unit": "slot", "members": [{"tags": {"tier": "lead"}}]},
            ],
        }
    )
    assert check_device_words(config) == (
        "alias bad of `aliases[3]`: no device spec admits vendor_id 8086, product_id 1889",
        "alias set of `aliases[4]`: no device spec admits tier lead",
    )


def test_a_hundred_warnings_are_told_in_fifty_lines() -> None:
    config = Config.model_validate({"devices": [{}] * 101})
    warnings = check_device_words(config)
    assert len(warnings) == 51
    assert warnings[-1] == "and 50 more such warnings"


def test_a_command_that_cannot_be_run_or_never_is_is_suspicious(tmp_path: Path) -> None:
    no_program = file_of(tmp_path, "")
    entries: list[dict[str, object]] = [
        {"vendor_id": "8086", "clean": ["/no/such/wipe", "-f"]},
        {"vendor_id": "10de", "clean": [str(no_program)]},
        {"vendor_id": "15b3", "clean": ["no-such-wipe"]},
        {"vendor_id": "1002", "clean": ["true"], "one_time_use": True},
        {"vendor_id": "1af4", "clean": ["true"]},
        {"vendor_id": "1b36", "clean": ["bin/sh", "-c", "exit 0"], "clean_timeout": 5.0},
    ]
    config = Config.model_validate({"devices": entries})
    missing = check_programs(config)
    programs = ("/no/such/wipe", str(no_program), "no-such-wipe")
    for number, (warning, program) in enumerate(zip(missing, programs, strict=True), 1):
        assert warning.startswith(
            f"[[devices]] entry {number}: `clean` starts '{program}', and no "
        )
    (idle,) = check_device_words(config)
    assert idle.startswith("[[devices]] entry 4: `clean` is never run beside `one_time_use`")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ('address = ""', "`devices[1].address` is empty: leave it out"),
        ('address = " "', "`devices[1].address` is empty: leave it out"),
        ("address = {}", "`devices[1].address` is empty: leave it out"),
        ("clean_timeout = 5.0", "`devices[1]`: has clean_timeout but no clean"),
        ("clean_timeout = 60.0\nclean = []", "`devices[1]`: has clean_timeout but no clean"),
    ],
)
def test_words_that_say_nothing_are_refused(tmp_path: Path, words: str, said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        load_checked(file_of(tmp_path, f"[[devices]]\n{words}\n"), {})
    assert said in caught.value.message
