"""Watchers of a real daemon that is killed and started anew: no event is lost or told twice."""

from __future__ import annotations

import json
import random
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from tests.daemon import PATIENCE, client_of, running
from tests.watching import STREAM, Said, messages

SMALL = {"request": {"vcpus": 1, "memory_mib": 64}}
RESTARTS = 3
PAUSE = 0.1
"""Seconds until somebody who was cut off comes again."""


@pytest.fixture
def options(short_dir: Path) -> dict[str, Any]:
    return {
        "state_dir": short_dir / "state",
        "socket_path": short_dir / "api.sock",
        "simulate": "cpus=512,cells=2,memory=256GiB",
    }


def history(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with client_of(path) as client:
        while True:
            after = found[-1]["sequence"] if found else 0
            query = {"after": after, "limit": 1000}
            page = client.get("/v1/events", params=query).json()["events"]
            if not page:
                return found
            found += page


def claim(path: Path) -> str:
    with client_of(path) as client:
        made: str = client.post("/v1/claims", json=SMALL).json()["id"]
    return made


@contextmanager
def asking(path: Path) -> Iterator[HTTPConnection]:
    with closing(HTTPConnection("innkeeper")) as made:
        made.sock = socket.socket(socket.AF_UNIX)
        made.sock.settimeout(PATIENCE)
        made.sock.connect(str(path))
        made.auto_open = 0
        yield made


def ask(client: HTTPConnection, method: str, path: str, body: object = None) -> dict[str, Any]:
    client.request(method, path, None if body is None else json.dumps(body))
    answer: dict[str, Any] = json.load(client.getresponse())
    return answer


class Churn:
    """Claims that come and go at random, whatever becomes of the daemon."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._random = random.Random(seed)
        self.stopped = threading.Event()
        self.made = 0

    def run(self) -> None:
        held: list[str] = []
        while not self.stopped.is_set():
            with suppress(OSError, HTTPException, ValueError), asking(self._path) as client:
                while not self.stopped.is_set():
                    self._act(client, held)
            self.stopped.wait(PAUSE)

    def _act(self, client: HTTPConnection, held: list[str]) -> None:
        if held and self._random.random() < 0.5:
            one = held.pop(self._random.randrange(len(held)))
            if self._random.random() < 0.5:
                ask(client, "POST", f"/v1/claims/{one}/confirm")
            ask(client, "DELETE", f"/v1/claims/{one}")
            return
        made = ask(client, "POST", "/v1/claims", SMALL)
        if "id" in made:
            held.append(made["id"])
            self.made += 1


class Watcher:
    """Follows history, hangs up at random, and goes on by its token."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._random = random.Random(seed)
        self.token = "0"
        self.told: list[dict[str, Any]] = []
        self.connected = 0
        self.until: int | None = None
        self.stopped = threading.Event()

    @property
    def done(self) -> bool:
        enough = self.until is not None and len(self.told) >= self.until
        return enough or self.stopped.is_set()

    def run(self) -> None:
        while not self.done:
            with suppress(OSError, HTTPException), asking(self._path) as client:
                self._watch(client)
            self.stopped.wait(PAUSE)

    def _watch(self, client: HTTPConnection) -> None:
        client.request("GET", "/v1/events", headers=STREAM | {"Last-Event-ID": self.token})
        with client.getresponse() as answer:
            if answer.status != 200:
                return
            self.connected += 1
            patience = self._random.randrange(1, 200)
            for said in messages(line.decode().rstrip("\n") for line in answer):
                self._hear(said)
                patience -= 1
                if patience == 0 or self.done:
                    return

    def _hear(self, said: Said) -> None:
        if said.data is not None:
            self.told.append(said.data["event"])
        self.token = said.id or self.token


@pytest.mark.parametrize("seed", [1])
def test_no_event_is_lost_or_told_twice_whatever_breaks(options: dict[str, Any], seed: int) -> None:
    path = options["socket_path"]
    churns = [Churn(path, seed * 100 + number) for number in range(3)]
    watchers = [Watcher(path, seed * 1000 + number) for number in range(5)]
    chance = random.Random(seed)
    with ThreadPoolExecutor(8) as threads:
        try:
            working = [threads.submit(one.run) for one in churns]
            listening = [threads.submit(one.run) for one in watchers]
            for _ in range(RESTARTS):
                with running(options) as daemon:
                    _let_them(churns, chance.randrange(5, 40))
                    daemon.signal(signal.SIGKILL)
            with running(options):
                _let_them(churns, 20)
                for churn in churns:
                    churn.stopped.set()
                for task in working:
                    task.result(PATIENCE)
                for watcher in watchers:
                    watcher.until = len(history(path))
                # Who has it all and waits is told of one event more, and looks up.
                claim(path)
                for task in listening:
                    task.result(PATIENCE)
                whole = history(path)
        finally:
            for stopped in [one.stopped for one in churns] + [one.stopped for one in watchers]:
                stopped.set()
    for watcher in watchers:
        assert watcher.told == whole[: len(watcher.told)]
        assert len(watcher.told) >= len(whole) - 1
        assert watcher.connected >= RESTARTS
    assert [one["sequence"] for one in whole] == list(range(1, len(whole) + 1))


def _let_them(churns: list[Churn], count: int) -> None:
    """Until so many claims more were made."""
    wanted = sum(one.made for one in churns) + count
    deadline = monotonic() + PATIENCE
    while sum(one.made for one in churns) < wanted:
        assert monotonic() < deadline
        threading.Event().wait(0.005)
