"""The daemon is killed at every write point of a claim's life; what it answered is there after.

The life covers claim, confirm, update (more and less), lease expiry, release and abort, and the cleaning of the device that each of
them held: whatever point the daemon dies at, nobody is given a device that was not cleaned. A first run counts the write points;
then one daemon after another is killed at one of them and started again on what it left behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

HERE = Path(__file__).parent
SIMULATE = "cpus=8,cells=1,memory=16GiB,pfs=1,vfs=4"
NORMAL_KILLS = 20
A, B, C, D = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "abcd")
LIVE = {"pending", "confirmed"}
#: What a claim may have become by itself while its daemon was dead.
LAPSED = {"pending": "aborted", "confirmed": "released"}


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("shim") / "kill.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "shim.c"), "-ldl"]
    subprocess.run(command, check=True)
    return library


@dataclass
class Daemon:
    """One daemon process and a client of it."""

    process: subprocess.Popen[bytes]
    client: httpx.Client
    log_start: int

    def wait_ready(self, log: Path) -> None:
        """The log of a daemon says when it listens; asking before would only be refused."""
        deadline = monotonic() + 30
        while b'"listening"' not in log.read_bytes()[self.log_start :]:
            assert self.process.poll() is None, f"the daemon ended:\n{log.read_text()}"
            assert monotonic() < deadline, f"the daemon is not ready:\n{log.read_text()}"
            sleep(0.02)


@contextmanager
def daemon(folder: Path, **environment: str) -> Iterator[Daemon]:
    socket, log = folder / "api.sock", folder / "log"
    command = [
        *(sys.executable, "-m", "innkeeper", "serve", "--simulate", SIMULATE),
        *("--state-dir", str(folder / "state"), "--socket", str(socket)),
    ]
    log_start = log.stat().st_size if log.exists() else 0
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=out, stderr=out
        )
    transport = httpx.HTTPTransport(uds=str(socket), retries=0)
    client = httpx.Client(transport=transport, base_url="http://innkeeper", timeout=20)
    with client:
        try:
            running = Daemon(process, client, log_start)
            running.wait_ready(log)
            yield running
        finally:
            process.kill()
            process.wait()


@dataclass
class Told:
    """What the daemon answered, and what it was asked last."""

    states: dict[str, str] = field(default_factory=dict)
    asked: tuple[str, str] | None = None
    vcpus: set[int] = field(default_factory=lambda: {1})
    """What A may have now: what was answered, and what was asked last."""

    def allowed(self, claim_id: str) -> set[str | None]:
        allowed: set[str | None] = {self.states.get(claim_id)}
        if self.asked is not None and self.asked[0] == claim_id:
            allowed.add(self.asked[1])
        if claim_id == B:
            allowed |= {LAPSED[state] for state in allowed if state in LIVE}
        return allowed


def live(client: httpx.Client, told: Told) -> None:
    """The life of four claims, told step by step until the daemon dies."""

    def step(claim_id: str, state: str, method: str, path: str, body: object = None) -> None:
        told.asked = (claim_id, state)
        answer = client.request(method, path, json=body)
        assert answer.is_success, answer.text
        assert answer.json()["state"] == state
        told.states[claim_id] = state
        told.asked = None

    def update(vcpus: int) -> None:
        told.vcpus.add(vcpus)
        step(A, "confirmed", "PATCH", f"/v1/claims/{A}", {"vcpus": vcpus})
        told.vcpus = {vcpus}

    def claim(claim_id: str, **words: object) -> None:
        device = {"vendor_id": "8086", "product_id": vf_product(client), "count": 1}
        request = {"vcpus": 1, "memory_mib": 64, "devices": [device]}
        words |= {"claim_id": claim_id, "request": request}
        step(claim_id, "pending", "POST", "/v1/claims", words)

    claim(A)
    claim(B, lease_seconds=0.2)
    step(A, "confirmed", "POST", f"/v1/claims/{A}/confirm")
    update(4)
    update(2)
    claim(C)
    told.asked = (B, "aborted")
    while client.get(f"/v1/claims/{B}").json()["state"] != "aborted":
        sleep(0.02)
    told.states[B] = "aborted"
    step(A, "released", "DELETE", f"/v1/claims/{A}")
    step(C, "aborted", "POST", f"/v1/claims/{C}/abort")
    claim(D)
    wait_clean(client)


def vf_product(client: httpx.Client) -> str:
    pools = client.get("/v1/pools").json()["pools"]
    return str(next(pool["product_id"] for pool in pools if pool["kind"] == "vf"))


def check(client: httpx.Client, told: Told) -> None:
    """Every answered claim is there, no other is, and ledger, store and history agree."""
    wait_lapsed(client)
    wait_clean(client)
    every = [("state", state) for state in (*LIVE, "aborted", "released")]
    claims = {
        claim["id"]: claim
        for claim in client.get("/v1/claims", params=[*every, ("limit", "1000")]).json()["claims"]
    }
    for claim_id in (A, B, C, D):
        found = claims.pop(claim_id, {}).get("state")
        assert found in told.allowed(claim_id), (claim_id, found, told)
    assert not claims
    held = client.get("/v1/claims").json()["claims"]
    check_amounts(held, told)
    usage = client.get("/v1/host").json()["usage"]
    assert usage["vcpus"]["used"] == sum(claim["placement"]["vcpus"] for claim in held)
    assert usage["devices"]["used"] == len(held)
    assert client.post("/v1/audits", json={"full": True}).json()["findings"] == []
    check_history(client)


def check_amounts(held: list[dict[str, Any]], told: Told) -> None:
    """An update is there whole or not at all."""
    for claim in held:
        asked, placed = claim["request"]["vcpus"], claim["placement"]["vcpus"]
        assert asked == placed
        assert placed in (told.vcpus if claim["id"] == A else {1})


def wait_lapsed(client: httpx.Client) -> None:
    """The lease of B ends at its time, which may come just after the start."""
    while client.get(f"/v1/claims/{B}").json().get("state") in LIVE:
        sleep(0.02)


def check_history(client: httpx.Client) -> None:
    events = client.get("/v1/events", params={"limit": "1000"}).json()["events"]
    sequences = [event["sequence"] for event in events]
    assert sequences == sorted(set(sequences))
    for claim_id in (A, B, C, D):
        kinds = [event["kind"] for event in events if event["claim_id"] == claim_id]
        assert kinds.count("claimed") == min(len(kinds), 1)
        ends = sum(kind in ("released", "aborted", "lapsed") for kind in kinds)
        assert ends <= 1
        assert kinds.count("cordoned") == kinds.count("uncordoned") == ends
        assert kinds.count("updated") <= (2 if claim_id == A else 0)
    check_cleaned_between_holders(events)


def check_cleaned_between_holders(events: list[dict[str, Any]]) -> None:
    """Each device is cleaned once for each mark, and never marked twice."""
    marks: dict[str, list[str]] = {}
    for event in events:
        if event["kind"] in ("cordoned", "uncordoned"):
            marks.setdefault(event["details"]["subject"], []).append(event["kind"])
    for kinds in marks.values():
        assert kinds == ["cordoned", "uncordoned"] * (len(kinds) // 2)


def wait_clean(client: httpx.Client) -> None:
    """A daemon that starts goes on with what is dirty."""
    deadline = monotonic() + 30
    while client.get("/v1/cordons").json()["cordons"]:
        assert monotonic() < deadline
        sleep(0.02)


@pytest.fixture
def config(tmp_path: Path) -> dict[str, str]:
    """All simulated devices may be handed out, and are cleaned after."""
    path = tmp_path / "innkeeper.toml"
    path.write_text('[[devices]]\nvendor_id = "8086"\nclean = ["true"]\n')
    return {"INNKEEPER_CONFIG": str(path)}


def killing(shim: Path, folder: Path) -> dict[str, str]:
    return {
        "LD_PRELOAD": str(shim),
        "KILL_FILE": "innkeeper.sqlite3",
        "KILL_ARMED": str(folder / "armed"),
    }


def count_write_points(folder: Path, shim: Path, config: dict[str, str]) -> int:
    folder.mkdir()
    count = folder / "count"
    with daemon(folder, **config, **killing(shim, folder), KILL_COUNT=str(count)) as running:
        (folder / "armed").touch()
        live(running.client, Told())
    return int(count.read_text())


def kill_and_compare(folder: Path, shim: Path, config: dict[str, str], point: int) -> bool:
    """Whether the daemon died at its point; the last ones are not reached in every run."""
    folder.mkdir()
    told = Told()
    with daemon(folder, **config, **killing(shim, folder), KILL_AT=str(point)) as running:
        (folder / "armed").touch()
        try:
            live(running.client, told)
        except httpx.TransportError:
            died = True
        else:
            died = False
            running.process.kill()
        assert running.process.wait(10) == -signal.SIGKILL
    with daemon(folder, **config) as running:
        check(running.client, told)
    return died


# httpcore leaves the socket of a refused connection to the garbage collector.
@pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")
def test_a_kill_at_any_write_point_loses_no_answered_claim(
    tmp_path: Path, shim: Path, config: dict[str, str]
) -> None:
    # What is cleaned meanwhile makes their number differ from run to run: points that every run has.
    counts = [count_write_points(tmp_path / f"count{run}", shim, config) for run in range(3)]
    points = min(counts)
    kills = points if os.environ.get("TEST_INNKEEPER_DEEP") else NORMAL_KILLS
    assert points >= NORMAL_KILLS
    chosen = sorted({1 + index * (points - 1) // (kills - 1) for index in range(kills)})
    died = [kill_and_compare(tmp_path / str(point), shim, config, point) for point in chosen]
    assert sum(died) >= 0.95 * len(died)
    sys.stdout.write(f"{sum(died)} kills at {points} write points\n")
