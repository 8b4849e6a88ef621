"""A daemon over a host that changes while it runs, and is told so; it audits once an hour."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.daemon import PATIENCE, client_of, running
from tests.unit.drivers.kernel_events import poke, why_not_here

HOST = 'cpus = 16\ncells = 2\nmemory = "16GiB"\npfs = 2\nvfs = 4\ngpus = 1\n'
RULES = '[audit]\ninterval = 3600\n\n[[devices]]\nproduct_id = "1889"\n'
VF = {"vendor_id": "8086", "product_id": "1889"}


@pytest.fixture
def file(short_dir: Path) -> Path:
    file = short_dir / "host.toml"
    file.write_text(HOST)
    return file


@pytest.fixture
def client(file: Path, short_dir: Path) -> Iterator[httpx.Client]:
    config, socket = short_dir / "config.toml", short_dir / "api.sock"
    config.write_text(RULES)
    options: dict[str, Any] = {
        "config_path": config,
        "state_dir": short_dir / "state",
        "socket_path": socket,
        "simulate": file,
    }
    with running(options), client_of(socket) as client:
        yield client


def claimable(client: httpx.Client) -> int:
    views = client.get("/v1/devices").json()["devices"]
    return sum(view["claimable"] for view in views)


def wait_until(seen: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_more_vfs_can_be_claimed_as_soon_as_they_are_there(
    client: httpx.Client, file: Path
) -> None:
    request = {"request": {"vcpus": 1, "devices": [{**VF, "count": 9}]}}
    refused = client.post("/v1/claims", json=request)
    assert refused.json()["code"] == "no_fit"
    file.write_text(HOST + "[pf1]\nvfs = 5\n")
    wait_until(lambda: claimable(client) == 9)
    claim = client.post("/v1/claims", json=request).json()
    assert len(claim["placement"]["devices"]) == 9


def test_a_file_that_is_broken_for_a_while_changes_nothing(
    client: httpx.Client, file: Path
) -> None:
    def is_reported() -> bool:
        return "host_unreadable" in client.get("/v1/findings").text

    file.write_text("pfs = \n")
    wait_until(is_reported)
    assert claimable(client) == 8
    file.write_text(HOST + "[pf0]\nvfs = 1\n")
    wait_until(lambda: claimable(client) == 5)
    wait_until(lambda: not is_reported())


def test_the_kernel_of_this_machine_is_heard(short_dir: Path) -> None:
    if reason := why_not_here():
        pytest.skip(reason)
    config = short_dir / "config.toml"
    config.write_text(RULES)
    options = {
        "config_path": config,
        "state_dir": short_dir / "state",
        "socket_path": short_dir / "api.sock",
    }
    with running(options) as daemon:
        poke()
        assert daemon.wait_logged("host changed")["reason"]
