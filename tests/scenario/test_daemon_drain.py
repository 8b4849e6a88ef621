"""Told to stop: nothing new, what is under way is finished, and a second signal hurries."""

from __future__ import annotations

import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from tests.daemon import client_of, running

from innkeeper.service.daemon import DRAIN_SECONDS

SMALL = {"request": {"vcpus": 1, "memory_mib": 64}}


@pytest.fixture
def options(short_dir: Path) -> dict[str, Any]:
    return {
        "state_dir": short_dir / "state",
        "socket_path": short_dir / "api.sock",
        "simulate": "cpus=512,cells=2,memory=256GiB",
    }


def connect(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(30)
    made.connect(str(path))
    return made


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def claim_once(asking: HTTPConnection) -> str | None:
    """The id of a new claim; null when the daemon has hung up, or says that it stops."""
    try:
        asking.request("POST", "/v1/claims", json.dumps(SMALL))
        answer = json.load(asking.getresponse())
    except (HTTPException, OSError):
        return None
    assert "id" in answer or answer["code"] == "draining"
    made: str | None = answer.get("id")
    return made


def test_claims_in_flight_are_answered_truly(options: dict[str, Any]) -> None:
    """Whatever was answered with a claim is there after the restart, and nothing else."""
    answered: list[str] = []

    def claim_until_refused() -> None:
        asking = HTTPConnection("innkeeper")
        asking.sock = connect(options["socket_path"])
        asking.auto_open = 0
        with closing(asking):
            while (made := claim_once(asking)) is not None:
                answered.append(made)

    with running(options) as daemon, ThreadPoolExecutor(8) as threads:
        working = [threads.submit(claim_until_refused) for _ in range(8)]
        while len(answered) < 40:
            assert not any(one.done() for one in working)
        assert daemon.stop() == 0
        for one in working:
            one.result()
        assert "cut short" not in daemon.log
    with running(options), client_of(options["socket_path"]) as client:
        claims = client.get("/v1/claims", params={"limit": 1000}).json()["claims"]
    assert {UUID(one["id"]) for one in claims} == {UUID(one) for one in answered}


def test_who_waits_is_sent_away(options: dict[str, Any]) -> None:
    with running(options) as daemon, closing(connect(options["socket_path"])) as waiting:
        with client_of(options["socket_path"]) as client:
            client.post("/v1/claims", json={"request": {"vcpus": 512}})
            body = b'{"request":{"vcpus":1},"wait_seconds":600}'
            head = b"POST /v1/claims HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            waiting.sendall(head + body)
            # Both are read in the order in which they arrived.
            assert client.get("/livez").status_code == 200
        begun = monotonic()
        assert daemon.stop() == 0
        assert monotonic() - begun < DRAIN_SECONDS / 2
        answer = read_all(waiting)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b'"code":"draining"' in answer


def test_who_is_still_asking_is_sent_away(options: dict[str, Any]) -> None:
    with running(options) as daemon:
        with (
            closing(connect(options["socket_path"])) as idle,
            closing(connect(options["socket_path"])) as asking,
        ):
            idle.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):
                answer += idle.recv(65_536)
            asking.sendall(b"POST /v1/claims HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
            with client_of(options["socket_path"]) as client:
                assert client.get("/livez").status_code == 200
            daemon.signal(signal.SIGTERM)
            assert read_all(idle) == b""
            assert b'"code":"draining"' in read_all(asking)
        assert daemon.wait_end() == 0


def test_a_second_signal_hurries(options: dict[str, Any]) -> None:
    """Somebody who does not read the answer would hold the daemon for the whole time."""
    large = {**options, "simulate": "cpus=256,cells=8,memory=256GiB,pfs=16,vfs=64"}
    with running(large) as daemon, closing(connect(options["socket_path"])) as stuck:
        stuck.sendall(b"GET /v1/devices HTTP/1.1\r\nHost: x\r\n\r\n")
        stuck.recv(1)
        daemon.signal(signal.SIGTERM)
        daemon.wait_logged("told to stop")
        begun = monotonic()
        daemon.signal(signal.SIGINT)
        assert daemon.wait_end() == 0
        assert monotonic() - begun < DRAIN_SECONDS / 2
        assert "requests cut short" in daemon.log
        assert "Traceback" not in daemon.log
