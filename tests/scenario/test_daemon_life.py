"""A daemon from start to end, and what keeps it from starting."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.daemon import MAIN, client_of, running, started

SMALL = {"request": {"vcpus": 1, "memory_mib": 64}}


@pytest.fixture
def options(short_dir: Path) -> dict[str, Any]:
    return {
        "state_dir": short_dir / "state",
        "socket_path": short_dir / "run/api.sock",
        "simulate": "cpus=8,cells=1,memory=16GiB,pfs=1,vfs=4",
    }


def test_claims_outlive_the_daemon(options: dict[str, Any]) -> None:
    path = options["socket_path"]
    with running(options) as daemon:
        with client_of(path) as client:
            claim = client.post("/v1/claims", json=SMALL).json()
            client.post(f"/v1/claims/{claim['id']}/confirm")
        assert path.stat().st_mode & 0o777 == 0o660
        assert options["state_dir"].stat().st_mode & 0o777 == 0o700
        files = [one for one in options["state_dir"].iterdir() if one.is_file()]
        assert all(one.stat().st_mode & 0o077 == 0 for one in files)
        assert daemon.stop() == 0
    assert not path.exists()
    with running(options) as daemon, client_of(path) as client:
        held = client.get("/v1/claims").json()["claims"]
        assert [(one["id"], one["state"]) for one in held] == [(claim["id"], "confirmed")]
        assert client.get("/v1/host").json()["usage"]["vcpus"]["used"] == 1


def test_a_killed_daemon_leaves_a_socket_that_the_next_replaces(options: dict[str, Any]) -> None:
    path = options["socket_path"]
    with running(options) as daemon:
        with client_of(path) as client:
            claim = client.post("/v1/claims", json=SMALL).json()
        daemon.signal(signal.SIGKILL)
        assert daemon.wait_end() == -signal.SIGKILL
    assert path.is_socket()
    with running(options), client_of(path) as client:
        assert client.get(f"/v1/claims/{claim['id']}").json() == claim


def test_it_stays_small(options: dict[str, Any]) -> None:
    with running(options) as daemon:
        with client_of(options["socket_path"]) as client:
            client.post("/v1/claims", json=SMALL)
            client.get("/v1/openapi.json")
        status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    resident_kib = int(status.partition("VmRSS:")[2].split()[0])
    assert resident_kib <= 120 * 1024


def test_this_machine_is_the_default(short_dir: Path) -> None:
    with started({}, {"STATE_DIRECTORY": str(short_dir), "HOME": "/nowhere"}) as daemon:
        announced = daemon.wait_ready()
        assert announced == {
            "socket": str(short_dir / "api.sock"),
            "node": socket.gethostname(),
        }
        with client_of(short_dir / "api.sock") as client:
            view = client.get("/v1/host").json()
            assert client.get("/v1").json()["host_root"] == "/"
        assert (
            view["host"]["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        )
        online = os.sysconf("SC_NPROCESSORS_ONLN")
        assert sum(cpu["online"] for cpu in view["host"]["cpus"]) == online


def test_one_state_directory_has_one_daemon(options: dict[str, Any], short_dir: Path) -> None:
    with running(options) as first:
        with started({**options, "socket_path": short_dir / "other.sock"}) as second:
            refusal = second.refusal()
        assert "refused store_in_use" in refusal
        assert str(first.process.pid) in refusal
        with client_of(options["socket_path"]) as client:
            assert client.get("/readyz").status_code == 200


def test_one_socket_has_one_daemon(options: dict[str, Any], short_dir: Path) -> None:
    with running(options) as first:
        with started({**options, "state_dir": short_dir / "other"}) as second:
            assert "refused socket_in_use: another daemon listens at" in second.refusal()
        with client_of(options["socket_path"]) as client:
            assert client.get("/readyz").status_code == 200
        assert first.stop() == 0
    assert not options["socket_path"].exists()


def test_what_is_no_socket_is_left_alone(options: dict[str, Any]) -> None:
    path: Path = options["socket_path"]
    path.parent.mkdir()
    path.write_text("precious")
    with started(options) as daemon:
        assert "is no socket" in daemon.refusal()
    assert path.read_text() == "precious"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"socket_path": f"/tmp/{'x' * 120}/api.sock"}, "invalid_config: socket path"),
    ({"state_dir": "/proc/innkeeper"}, "invalid_config: the state directory /proc/innkeeper"),
    ({"state_dir": "/etc/hostname/x"}, "invalid_config: the state directory"),
    ({"socket_path": "/proc/innkeeper/api.sock"}, "invalid_config: cannot listen at"),
    ({"config_path": "/nowhere/innkeeper.toml"}, "invalid_config: /nowhere/innkeeper.toml"),
    ({"simulate": "cpus=many"}, "invalid_request"),
    ({"root": "/"}, "invalid_request: a host is either"),
    ({"simulate": "", "root": "/nowhere"}, "host_unreadable"),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_it_says_why_it_does_not_start(
    options: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    asked = {key: value for key, value in (options | changes).items() if value}
    with started(asked) as daemon:
        assert f"refused {said}" in daemon.refusal()


def test_a_signal_at_the_start_is_obeyed(options: dict[str, Any]) -> None:
    with started(options, {"INNKEEPER_LOG__FORMAT": "json"}) as daemon:
        daemon.wait_ready()
        daemon.signal(signal.SIGINT)
        daemon.signal(signal.SIGTERM)
        assert daemon.wait_end() == 0


def test_a_claim_ends_with_its_process(options: dict[str, Any]) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with sleeper, running(options), client_of(options["socket_path"]) as client:
        tied = client.post("/v1/claims", json={**SMALL, "pid": sleeper.pid}).json()
        assert tied["state"] == "confirmed"
        waiting = {"request": {"vcpus": 8}, "wait_seconds": 30}
        sleeper.kill()
        assert client.post("/v1/claims", json=waiting).status_code == 201
        assert client.get(f"/v1/claims/{tied['id']}").json()["state"] == "released"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_the_kernel_says_who_asks(options: dict[str, Any], short_dir: Path) -> None:
    ask = (
        "import os, sys, socket; os.setgroups([]); os.setgid(0); os.setuid(65534);"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(b'POST /v1/audits HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n');"
        "print(s.makefile().read())"
    )
    with running(options):
        short_dir.chmod(0o755)
        options["socket_path"].parent.chmod(0o755)
        asked = [sys.executable, "-c", ask, str(options["socket_path"])]
        answer = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30)
    assert "HTTP/1.1 403 " in answer.stdout
    assert "uid 65534" in answer.stdout


def test_the_log_is_json_without_bodies(options: dict[str, Any]) -> None:
    with running(options, {"INNKEEPER_LOG__LEVEL": "debug"}) as daemon:
        with client_of(options["socket_path"]) as client:
            named = {**SMALL, "name": "s3cret"}
            client.post("/v1/claims", json=named, headers={"X-Request-Id": "r-1"})
        entry = daemon.wait_logged("request")
        assert (entry["method"], entry["path"], entry["status"]) == ("POST", "/v1/claims", 201)
        assert entry["request_id"] == "r-1"
        assert daemon.stop() == 0
        assert "s3cret" not in daemon.log


def test_a_daemon_that_fails_says_so_and_ends(options: dict[str, Any]) -> None:
    """A bug in one of its tasks ends the whole process, with the traceback in the log alone."""
    broken = (
        "from innkeeper.tracker.alarms import Alarms\n"
        "async def fail(self): raise ZeroDivisionError('a bug')\n"
        "Alarms.run = fail\n"
    )
    with started(options, main=broken + MAIN) as daemon:
        # It may or may not have become ready before.
        _, log = daemon.process.communicate(timeout=30)
        assert daemon.process.returncode == 1
    assert "refused internal: the daemon failed; its log says why" in log
    failed = next(line for line in log.splitlines() if '"daemon failed"' in line)
    assert "ZeroDivisionError: a bug" in json.loads(failed)["exception"]
