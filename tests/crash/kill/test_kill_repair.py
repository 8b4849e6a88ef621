"""The daemon is killed while it repairs: the claim, the end of its finding and the history are all there, or none."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from tests.crash.kill.test_kill import A, daemon, killing

NORMAL_KILLS = 5
ORDER = {"claim_id": A, "request": {"vcpus": 2, "memory_mib": 64}}


def find_what_vanished(client: httpx.Client, folder: Path) -> str:
    """A confirmed claim whose record somebody deleted; the id of the finding."""
    assert client.post("/v1/claims", json=ORDER).is_success
    assert client.post(f"/v1/claims/{A}/confirm").is_success
    with closing(sqlite3.connect(folder / "state" / "innkeeper.sqlite3")) as connection:
        connection.execute("DELETE FROM innkeeper_claims")
        connection.commit()
    (finding,) = client.post("/v1/audits", json={"full": True}).json()["findings"]
    assert finding["kind"] == "booked_not_stored"
    return str(finding["id"])


def repair(client: httpx.Client, finding_id: str) -> bool:
    """Whether it was answered."""
    try:
        return client.post(f"/v1/findings/{finding_id}/repair").is_success
    except httpx.TransportError:
        return False


def count_points(folder: Path, shim: Path) -> int:
    folder.mkdir()
    count = folder / "count"
    with daemon(folder, **killing(shim, folder), KILL_COUNT=str(count)) as running:
        finding_id = find_what_vanished(running.client, folder)
        (folder / "armed").touch()
        assert repair(running.client, finding_id)
    return int(count.read_text())


def kill_and_compare(folder: Path, shim: Path, point: int) -> bool:
    """Whether the repair was durable when the daemon died."""
    folder.mkdir()
    with daemon(folder, **killing(shim, folder), KILL_AT=str(point)) as running:
        finding_id = find_what_vanished(running.client, folder)
        (folder / "armed").touch()
        answered = repair(running.client, finding_id)
        assert running.process.wait(10) == -signal.SIGKILL
    with daemon(folder) as running:
        is_there = running.client.get(f"/v1/claims/{A}").is_success
        events = running.client.get("/v1/events", params={"claim_id": A}).json()["events"]
        finding = running.client.get(f"/v1/findings/{finding_id}").json()
        assert running.client.post("/v1/audits", json={"full": True}).json()["findings"] == []
    assert ("repaired" in [event["kind"] for event in events]) is is_there
    assert (finding["taken_repair"] is not None) is is_there
    assert is_there or not answered
    return is_there


# httpcore leaves the socket of a refused connection to the garbage collector.
@pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")
def test_a_repair_is_there_whole_or_not_at_all(tmp_path: Path, shim: Path) -> None:
    points = count_points(tmp_path / "count", shim)
    kills = points if os.environ.get("TEST_INNKEEPER_DEEP") else NORMAL_KILLS
    chosen = sorted({1 + index * (points - 1) // (kills - 1) for index in range(kills)})
    done = [kill_and_compare(tmp_path / str(point), shim, point) for point in chosen]
    assert done[0] is False
    assert done[-1] is True
    sys.stdout.write(f"{sum(done)} of {len(done)} kills came after the repair was durable\n")
