"""Two hundred clients on one socket: nothing is given twice, nothing is lost, and no answer is an error.

Ten thousand claims and releases of all shapes against a host that is too small for all of them, with
audits all along. An observer adds up the answers: a claim counts from its answer until its release is
asked for, which it must hold at least.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import anyio
from tests.daemon import running

CLIENTS = 200
OPERATIONS = 50
"""Of each client."""
GIVING_BACK = 0.7
"""How likely a client that holds something gives some of it back next."""
MISFITS = {"no_fit", "undecided"}
HOST = "cpus=512,cells=4,threads=2,memory=256GiB,pfs=8,vfs=16,gpus=2"
CONFIG = """
[cpus]
shared = "0-191"
dedicated = "192-511"

[log]
level = "warning"

[[devices]]
"""

Body = dict[str, Any]


@dataclass
class Connection:
    """One keep-alive connection, and how long each answer took."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    seconds: list[float] = field(default_factory=list)

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Body]:
        said = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: innkeeper\r\ncontent-type: application/json\r\n"
        started = perf_counter()
        self.writer.write(f"{head}content-length: {len(said)}\r\n\r\n".encode() + said)
        status, answer = await self._answer()
        self.seconds.append(perf_counter() - started)
        return status, answer

    async def _answer(self) -> tuple[int, Body]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        lines = head.splitlines()
        sizes = [line.partition(":")[2] for line in lines if line.startswith("content-length:")]
        body: Body = json.loads(await self.reader.readexactly(int(sizes[0])))
        return int(lines[0].split()[1]), body


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Connection]:
    connection = Connection(*await asyncio.open_unix_connection(path))
    try:
        yield connection
    finally:
        connection.writer.close()


class Observer:
    """Who holds what, by the answers alone."""

    def __init__(self, usage: Body) -> None:
        self.capacity = {
            name: usage[name]["capacity"] for name in ("vcpus", "memory_mib", "disk_mib")
        }
        self.used: Counter[str] = Counter()
        self.holders: dict[str, str] = {}
        """Claim by CPU that is one's alone, device, or PF whose VF is held."""
        self.most = 0
        """Most claims that stood at one moment."""
        self.standing: dict[str, Body] = {}

    def add(self, claim: Body) -> None:
        """Fails when the host has given more than it has, or something twice."""
        placement = claim["placement"]
        self.standing[claim["id"]] = placement
        self.most = max(self.most, len(self.standing))
        for name, capacity in self.capacity.items():
            self.used[name] += placement[name]
            assert self.used[name] <= capacity, (name, self.used[name], capacity)
        for thing in exclusive(placement):
            assert thing not in self.holders, (thing, claim["id"], self.holders[thing])
            self.holders[thing] = claim["id"]
        for device in placement["devices"]:
            assert device["parent"] not in self.holders, "a VF of a PF that is held"

    def remove(self, claim_id: str) -> None:
        placement = self.standing.pop(claim_id)
        self.used.subtract({name: placement[name] for name in self.capacity})
        for thing in exclusive(placement):
            del self.holders[thing]


def exclusive(placement: Body) -> list[str]:
    """What is one claim's alone."""
    pins = [f"cpu {cpu}" for cell in placement["cells"] for cpu in cell["pins"].values()]
    return pins + [device["address"] for device in placement["devices"]]


def some_request(chance: Random, kinds: list[Body]) -> Body:
    """Plain, on dedicated CPUs of one or two cells, or with devices."""
    shape = chance.choice(["plain", "pinned", "two cells", "devices", "pinned with a device"])
    request: Body = {"vcpus": chance.randint(1, 4), "memory_mib": 64 * chance.randint(1, 16)}
    if shape == "plain":
        request["disk_mib"] = 1024 * chance.randint(1, 32)
    if shape.startswith("pinned"):
        request |= cells_of(request["vcpus"], 1)
    if shape == "two cells":
        request |= cells_of(2 * request["vcpus"], 2)
    if "device" in shape:
        request["devices"] = [{**chance.choice(kinds), "count": chance.randint(1, 2)}]
    return request


def cells_of(vcpus: int, count: int) -> Body:
    """Guest cells alike, every vCPU with a CPU of its own."""
    each = vcpus // count
    spans = (f"{number * each}-{(number + 1) * each - 1}" for number in range(count))
    cells = [{"dedicated": span, "memory_mib": 256} for span in spans]
    return {"vcpus": vcpus, "memory_mib": 256 * count, "topology": {"cells": cells}}


@dataclass
class Crowd:
    """All clients, and what came of what they asked."""

    path: Path
    observer: Observer
    kinds: list[Body]
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    audits: int = 0

    async def run(self) -> None:
        async with anyio.create_task_group() as all_along:
            all_along.start_soon(self.audit_all_along)
            async with anyio.create_task_group() as clients:
                for number in range(CLIENTS):
                    clients.start_soon(self.live, Random(number))
            all_along.cancel_scope.cancel()

    async def live(self, chance: Random) -> None:
        """One client claims and releases by chance, and has nothing in the end."""
        held: list[str] = []
        async with connected(self.path) as connection:
            for left in reversed(range(OPERATIONS)):
                if held and (len(held) > left or chance.random() < GIVING_BACK):
                    await self.release(connection, held.pop(chance.randrange(len(held))))
                elif claim_id := await self.claim(connection, some_request(chance, self.kinds)):
                    held.append(claim_id)
            for claim_id in held:
                await self.release(connection, claim_id)
            self.seconds += connection.seconds

    async def claim(self, connection: Connection, request: Body) -> str | None:
        status, answer = await connection.ask("POST", "/v1/claims", {"request": request})
        if status == 201:
            self.observer.add(answer)
            self.outcomes["claimed"] += 1
            return str(answer["id"])
        assert answer["code"] in MISFITS, answer
        self.outcomes[answer["code"]] += 1
        return None

    async def release(self, connection: Connection, claim_id: str) -> None:
        self.observer.remove(claim_id)
        status, answer = await connection.ask("DELETE", f"/v1/claims/{claim_id}")
        assert status == 200, answer
        self.outcomes["released"] += 1

    async def audit_all_along(self) -> None:
        async with connected(self.path) as connection:
            while True:
                status, report = await connection.ask("POST", "/v1/audits")
                assert (status, report["findings"]) == (200, []), report
                self.audits += 1
                await anyio.sleep(0.2)


async def crowd_at(path: Path) -> Crowd:
    async with connected(path) as connection:
        _, view = await connection.ask("GET", "/v1/host")
        _, pools = await connection.ask("GET", "/v1/pools")
        kinds = [{key: one[key] for key in ("vendor_id", "product_id")} for one in pools["pools"]]
        crowd = Crowd(path, Observer(view["usage"]), kinds)
        await crowd.run()
        await require_empty(connection)
    return crowd


async def require_empty(connection: Connection) -> None:
    _, view = await connection.ask("GET", "/v1/host")
    usage = view["usage"]
    assert usage["claims"] == 0
    sums = [usage[name] for name in ("vcpus", "memory_mib", "disk_mib", "devices")]
    assert [one["used"] for one in sums] == [0] * 4
    assert {cell["dedicated_cpus"]["used"] for cell in usage["cells"]} == {0}
    _, report = await connection.ask("POST", "/v1/audits")
    assert report["findings"] == []


def stored_states(database: Path) -> dict[str, int]:
    connection = sqlite3.connect(database)
    query = "SELECT state, count(*) FROM innkeeper_claims GROUP BY state"
    found = dict(connection.execute(query).fetchall())
    connection.close()
    return found


def told(crowd: Crowd) -> str:
    """For those who read the output; a time is never a reason to fail."""
    times = sorted(crowd.seconds)
    p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
    counts = ", ".join(f"{count} {outcome}" for outcome, count in crowd.outcomes.most_common())
    return f"{counts}; {crowd.audits} audits; p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def test_two_hundred_clients_never_get_more_than_there_is(short_dir: Path) -> None:
    config, path = short_dir / "innkeeper.toml", short_dir / "api.sock"
    config.write_text(CONFIG)
    options = {"state_dir": short_dir / "state", "socket_path": path, "simulate": HOST}
    with running({**options, "config_path": config}) as daemon:
        crowd = anyio.run(crowd_at, path)
        assert daemon.stop() == 0
    outcomes = crowd.outcomes
    assert outcomes.total() >= CLIENTS * OPERATIONS
    assert outcomes["claimed"] == outcomes["released"] > 500
    assert outcomes["no_fit"] > 500, "the host was large enough for all"
    assert crowd.audits
    assert crowd.observer.standing == {}
    assert stored_states(short_dir / "state/innkeeper.sqlite3") == {"aborted": outcomes["claimed"]}
    sys.stdout.write(f"{told(crowd)}; at most {crowd.observer.most} claims at once\n")
