"""What docs/reference/devices.md says of specs and aliases is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from innkeeper.config import Config, DeviceSpec
from innkeeper.config.device_sections import AliasSpec
from innkeeper.objects import DeviceRequest, PciFunction, Request
from innkeeper.requests.aliases import Aliases
from innkeeper.requests.checking import check_device_words
from innkeeper.requests.device_specs import DeviceRules

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "devices.md").read_text()
EXAMPLES = [tomllib.loads(one) for one in re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL)]
(HOST_LINE,) = re.findall(r"On a host with the functions (.*?):\n", TEXT, flags=re.DOTALL)
HOST = [
    PciFunction(address=address, vendor_id="8086", product_id="1889", class_id="020000")
    for address in re.findall(r"`([^`]+)`", HOST_LINE)
]
ROWS = re.findall(
    r"^\| `(\{.*?\}|[^`]*\.?[^`]*)` \| (`[0-9a-f:.]+`.*) \|$", TEXT, flags=re.MULTILINE
)


def test_the_host_and_the_tables_are_read() -> None:
    assert len(HOST) == 4
    assert len(ROWS) == 11
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize(("address", "admits"), ROWS)
def test_each_address_admits_what_it_says(address: str, admits: str) -> None:
    words = tomllib.loads(f"a = {address}")["a"] if address.startswith("{") else address
    rules = DeviceRules.of(Config(devices=(DeviceSpec(address=words),)))
    pairs = zip(HOST, rules.find_all(HOST), strict=True)
    found = [function.address for function, rule in pairs if rule is not None]
    assert found == re.findall(r"`([^`]+)`", admits)


def test_nothing_in_the_examples_is_suspicious() -> None:
    devices, aliases, nova = EXAMPLES
    assert check_device_words(Config.model_validate(devices)) == ()
    assert check_device_words(Config.model_validate({"devices": [{}], **aliases})) == (
        "alias gold of `aliases[4]`: no device spec admits tier gold",
    )
    assert check_device_words(Config.model_validate(nova)) == ()


def test_the_examples_are_good_together() -> None:
    merged: dict[str, object] = {}
    for example in EXAMPLES:
        merged |= example
    config = Config.model_validate(merged)
    assert len(DeviceRules.of(config)) == 6
    aliases = Aliases.of(config)
    for name in aliases.names:
        aliases.resolve(Request(devices=(DeviceRequest(alias=name),)))
    assert aliases.names == ("a10", "desktop", "gold", "gpu", "pair", "vf")


def test_every_key_is_named() -> None:
    for section in (DeviceSpec, AliasSpec):
        for key in section.model_fields:
            assert re.search(rf"^\| .*`{key}`", TEXT, flags=re.MULTILINE), key
