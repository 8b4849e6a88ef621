"""`[cpus]` and `[reserved]` as people meet them: `config check`, the start, SIGHUP, a CPU that goes."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from tests.daemon import PATIENCE, client_of, running, started
from tests.unit.cli.program import CommandLine

HOST = "cpus = 8\ncells = 2\nthreads = 1\nmemory = '16GiB'\n"
WORDS = '[audit]\ninterval = 3600\n[cpus]\nshared = "0-3"\ndedicated = "4-7"\n'


@pytest.fixture
def options(short_dir: Path) -> dict[str, Any]:
    (short_dir / "host.toml").write_text(HOST)
    (short_dir / "innkeeper.toml").write_text(WORDS)
    return {
        "state_dir": short_dir / "state",
        "socket_path": short_dir / "api.sock",
        "config_path": short_dir / "innkeeper.toml",
        "simulate": short_dir / "host.toml",
    }


def check(file: Path, host: str = "cpus=8,cells=2,memory=16GiB") -> tuple[str, ...]:
    """Arguments of a check on a simulated host."""
    return ("config", "check", "--config", str(file), "--simulate", host)


def test_the_check_looks_at_the_host(tmp_path: Path) -> None:
    run, file = CommandLine({"HOME": str(tmp_path)}), tmp_path / "innkeeper.toml"
    file.write_text('[cpus]\nshared = "0-9"\ndedicated = "10"\n')
    refused = run(*check(file)).expect(2).err
    assert "`cpus.shared` = '0-9': CPUs 8-9 are not on this host, which has CPUs 0-7" in refused
    assert "`cpus.dedicated` = '10': CPU 10 is not on this host" in refused
    assert "good" in run(*check(file, "cpus=11")).expect(0).err
    offline = run(*check(file, "cpus=11,offline=3")).expect(2).err
    assert "CPU 3 is offline; online are CPUs 0-2,4-10" in offline


def test_the_check_warns_of_reservations_that_the_host_has_not(tmp_path: Path) -> None:
    run, file = CommandLine({"HOME": str(tmp_path)}), tmp_path / "innkeeper.toml"
    file.write_text(
        "[reserved]\nvcpus = 9\n[[reserved.pages]]\ncell = 5\nsize_kib = 2048\ncount = 1\n"
    )
    checked = run(*check(file)).expect(0).err
    assert "warning: reserved.vcpus is 9 but there is only 8" in checked
    assert "warning: reserved.pages[1] keeps 1 pages of 2048 KiB of cell 5, and the host" in checked
    assert "good" in checked


def test_a_start_refuses_cpus_that_are_not_there(options: dict[str, Any]) -> None:
    options["config_path"].write_text('[cpus]\ndedicated = "4-8"\n')
    with started(options) as daemon:
        refusal = daemon.refusal()
    assert "`cpus.dedicated` = '4-8': CPU 8 is not on this host, which has CPUs 0-7" in refusal


def test_new_words_that_the_host_cannot_follow_change_nothing(options: dict[str, Any]) -> None:
    with running(options) as daemon, client_of(options["socket_path"]) as client:
        options["config_path"].write_text(WORDS.replace("4-7", "4-9"))
        daemon.signal(signal.SIGHUP)
        refused = daemon.wait_logged("configuration refused")
        assert "`cpus.dedicated` = '4-9': CPUs 8-9 are not on this host" in refused["error"]
        cells = client.get("/v1/host").json()["inventory"]["cells"]
        assert [cell["dedicated"] for cell in cells] == ["", "4-7"]
        assert daemon.stop() == 0


def test_a_daemon_that_loses_cpus_goes_on_with_what_is_left(options: dict[str, Any]) -> None:
    with running(options) as daemon, client_of(options["socket_path"]) as client:
        options["simulate"].write_text(HOST + "offline = '1,6'\n")
        until = time.monotonic() + PATIENCE
        while "cpus_lost" not in (findings := client.get("/v1/findings").text):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert "CPU 6 is offline; online are CPUs 0,2-5,7; the others are handed out" in findings
        inventory = client.get("/v1/host").json()["inventory"]
        assert inventory["shared_cpus"] == "0,2-3"
        assert [cell["dedicated"] for cell in inventory["cells"]] == ["", "4-5,7"]
        assert daemon.stop() == 0
