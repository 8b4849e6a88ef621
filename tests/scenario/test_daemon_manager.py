"""The daemon under a service manager: news, watchdog, reload, sockets handed over."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import CLOCK_MONOTONIC, clock_gettime_ns
from typing import Any

import pytest
from tests.daemon import client_of, running, started
from tests.serving import problem_of


@pytest.fixture
def options(short_dir: Path) -> dict[str, Any]:
    return {
        "state_dir": short_dir / "state",
        "socket_path": short_dir / "api.sock",
        "config_path": short_dir / "innkeeper.toml",
        "simulate": "cpus=8,cells=1,memory=16GiB,pfs=1,vfs=4",
    }


@pytest.fixture
def config(short_dir: Path) -> Path:
    path = short_dir / "innkeeper.toml"
    path.write_text("")
    return path


class Manager:
    """Hears what the daemon tells."""

    def __init__(self, ear: socket.socket) -> None:
        self._ear = ear

    def hear(self) -> dict[str, str]:
        lines = self._ear.recv(4096).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def hear_of(self, news: str) -> dict[str, str]:
        """The next message of that kind."""
        while news not in (heard := self.hear()):
            pass
        return heard


@contextmanager
def manager_at(address: str) -> Iterator[Manager]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as ear:
        ear.settimeout(30)
        ear.bind(address)
        yield Manager(ear)


def admit_devices(config: Path) -> None:
    config.write_text("[[devices]]\n[reserved]\nvcpus = 2\n")


def claimable(options: dict[str, Any]) -> int:
    with client_of(options["socket_path"]) as client:
        devices = client.get("/v1/devices").json()["devices"]
    return sum(one["claimable"] for one in devices)


@pytest.mark.usefixtures("config")
def test_ready_comes_when_it_answers(options: dict[str, Any], short_dir: Path) -> None:
    with manager_at(str(short_dir / "notify")) as manager:
        environ = {"NOTIFY_SOCKET": str(short_dir / "notify")}
        with started(options, environ) as daemon:
            heard = manager.hear()
            assert heard["READY"] == "1"
            assert str(options["socket_path"]) in heard["STATUS"]
            with client_of(options["socket_path"]) as client:
                assert client.get("/readyz").status_code == 200
            daemon.wait_ready()
            daemon.signal(signal.SIGTERM)
            assert manager.hear()["STOPPING"] == "1"
            assert daemon.wait_end() == 0


@pytest.mark.usefixtures("config")
def test_the_watchdog_is_fed(options: dict[str, Any]) -> None:
    name = f"innkeeper-test-{os.getpid()}"
    environ = {"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "200000"}
    with manager_at(f"\0{name}") as manager, started(options, environ) as daemon:
        daemon.wait_ready()
        for _ in range(3):
            manager.hear_of("WATCHDOG")
        assert daemon.stop() == 0


@pytest.mark.usefixtures("config")
def test_a_watchdog_of_another_process_is_not_ours(options: dict[str, Any]) -> None:
    name = f"innkeeper-test-{os.getpid()}"
    environ = {"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
    with manager_at(f"\0{name}") as manager, started(options, environ) as daemon:
        daemon.wait_ready()
        assert manager.hear()["READY"] == "1"
        assert daemon.stop() == 0
        assert "STOPPING" in manager.hear()


def test_the_configuration_is_read_again(
    options: dict[str, Any], config: Path, short_dir: Path
) -> None:
    environ = {"NOTIFY_SOCKET": str(short_dir / "notify")}
    with manager_at(environ["NOTIFY_SOCKET"]) as manager, running(options, environ) as daemon:
        assert manager.hear()["READY"] == "1"
        assert claimable(options) == 0
        admit_devices(config)
        before = clock_gettime_ns(CLOCK_MONOTONIC) // 1000
        daemon.signal(signal.SIGHUP)
        told = int(manager.hear_of("RELOADING")["MONOTONIC_USEC"])
        assert before <= told <= clock_gettime_ns(CLOCK_MONOTONIC) // 1000
        manager.hear_of("READY")
        assert claimable(options) > 0
        with client_of(options["socket_path"]) as client:
            assert client.get("/v1/host").json()["usage"]["vcpus"]["free"] == 6
        assert daemon.stop() == 0


def test_a_wrong_configuration_changes_nothing(options: dict[str, Any], config: Path) -> None:
    admit_devices(config)
    with running(options) as daemon:
        had = claimable(options)
        config.write_text("[reserved]\nvcpu = 2\n")
        daemon.signal(signal.SIGHUP)
        refused = daemon.wait_logged("configuration refused")
        assert "did you mean `vcpus`?" in refused["error"]
        assert claimable(options) == had > 0
        config.write_text('[[devices]]\nvendor_id = "+8086"\n')
        daemon.signal(signal.SIGHUP)
        refused = daemon.wait_logged("configuration refused")
        assert f"{config}: `devices[1].vendor_id` is " in refused["error"]
        assert claimable(options) == had
        config.unlink()
        daemon.signal(signal.SIGHUP)
        assert str(config) in daemon.wait_logged("configuration refused")["error"]
        admit_devices(config)
        config.write_text('node = "other"\n' + config.read_text())
        daemon.signal(signal.SIGHUP)
        assert daemon.wait_logged("key takes effect at the next start")["key"] == "node"
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log


def test_a_wrong_configuration_is_refused_at_the_start(
    options: dict[str, Any], config: Path
) -> None:
    config.write_text("[reserved]\nvcpus = -2\n")
    with started(options) as daemon:
        assert "refused invalid_config" in (refusal := daemon.refusal())
        assert str(config) in refusal


def test_more_reserved_than_there_is_is_said(options: dict[str, Any], config: Path) -> None:
    config.write_text("[reserved]\nvcpus = 100\n")
    with running(options) as daemon:
        assert "reserved.vcpus is 100" in daemon.wait_logged("nothing to hand out")["reason"]
        with client_of(options["socket_path"]) as client:
            problem_of(client.post("/v1/fit", json={"vcpus": 1}), 409, "no_fit")


#: The manager's part: put the socket at descriptor 3 and name the process.
_HAND_OVER = """
import os, sys
os.dup2(int(os.environ["GIVEN"]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[1], sys.argv[1:])
"""
HAND_OVER = [sys.executable, "-c", _HAND_OVER]


def given(descriptor: socket.socket) -> dict[str, str]:
    return {"GIVEN": str(descriptor.fileno())}


@pytest.mark.usefixtures("config")
def test_a_socket_that_was_handed_over_is_used_and_left(
    options: dict[str, Any], short_dir: Path
) -> None:
    path = short_dir / "handed.sock"
    with closing(socket.socket(socket.AF_UNIX)) as handed, client_of(path) as client:
        handed.bind(str(path))
        handed.listen()
        fds = [handed.fileno()]
        with started(options, given(handed), HAND_OVER, fds) as daemon:
            # Asked before the daemon is there: the manager's socket holds the question.
            assert client.get("/readyz").status_code == 200
            assert daemon.wait_ready()["socket"] == str(path)
            assert daemon.stop() == 0
    assert path.is_socket()
    assert not options["socket_path"].exists()


@pytest.mark.usefixtures("config")
def test_what_is_no_listening_unix_socket_is_refused(options: dict[str, Any]) -> None:
    with (
        closing(socket.socket(socket.AF_INET)) as handed,
        started(options, given(handed), HAND_OVER, [handed.fileno()]) as daemon,
    ):
        assert "refused invalid_config: the service manager handed" in daemon.refusal()
