"""Daemons that misbehave: the client says so and ends."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from tests.unit.cli.program import CommandLine

from innkeeper.api.orders import ClaimOrder
from innkeeper.cli.client import Client
from innkeeper.errors import Unreachable
from innkeeper.objects import Request

Behaviour = Callable[[socket.socket], None]


@contextmanager
def behaving(path: Path, behaviour: Behaviour) -> Iterator[None]:
    """A listener that treats every connection like this."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener, behaviour))
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, behaviour: Behaviour) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            behaviour(connection)


def answering(status: int, body: bytes, head: bytes = b"") -> Behaviour:
    def answer(connection: socket.socket) -> None:
        if connection.recv(65536):
            length = b"Content-Length: %d\r\n" % len(body)
            connection.sendall(b"HTTP/1.1 %d X\r\n" % status + length + head + b"\r\n" + body)

    return answer


def refusing(code: str, status: int, **details: object) -> Behaviour:
    said = {"type": f"urn:innkeeper:error:{code}", "title": code, "status": status}
    problem = {**said, "code": code, "detail": f"because of {code}", **details}
    return answering(status, json.dumps(problem).encode())


def slam(connection: socket.socket) -> None:
    connection.recv(1)


def keep_silent(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


WORDS = ("claim", "--vcpus", "1")


@pytest.fixture
def run(short_dir: Path) -> CommandLine:
    return CommandLine({"INNKEEPER_SOCKET": str(short_dir / "s")})


@pytest.mark.parametrize(
    ("code", "status", "end"),
    [
        ("undecided", 503, 7),
        ("no_fit", 409, 3),
        ("claim_conflict", 409, 4),
        ("conflict", 409, 4),
        ("forbidden", 403, 1),
        ("draining", 503, 1),
        ("too_many_waiting", 429, 1),
        ("store_full", 503, 1),
        ("outcome_unknown", 503, 1),
        ("internal", 500, 1),
        ("invalid_request", 400, 2),
        ("not_invented_yet", 418, 1),
    ],
)
def test_each_refusal_has_its_exit_code(
    run: CommandLine, short_dir: Path, code: str, status: int, end: int
) -> None:
    with behaving(short_dir / "s", refusing(code, status, errors=[])):
        refused = run(*WORDS).expect(end)
    assert f"because of {code}" in refused.err
    assert refused.out == ""


@pytest.mark.parametrize(
    "behaviour",
    [
        slam,
        answering(200, b"{}"),
        answering(200, b"\xff\xfe"),
        answering(200, b'{"id": 1}'),
        answering(500, b"<html>"),
        answering(500, b"[]"),
        answering(409, b'{"code": 5, "detail": ["x"], "reasons": 7}'),
        refusing("no_fit", 409, reasons=[1], nearest=[2]),
        refusing("no_fit", 409, reasons=7),
        refusing("no_fit", 409, reasons=[{}], message="m", self=1),
        lambda connection: connection.sendall(b"SSH-2.0-OpenSSH\r\n"),
        lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
    ],
    ids=range(12),
)
def test_answers_that_nobody_expects(
    run: CommandLine, short_dir: Path, behaviour: Behaviour
) -> None:
    with behaving(short_dir / "s", behaviour):
        refused = run(*WORDS)
    assert refused.code in (1, 3, 6)
    refused.expect(refused.code)
    assert refused.err.startswith("innkeeper: ")


def test_a_daemon_that_does_not_answer_in_time(short_dir: Path) -> None:
    order = ClaimOrder(claim_id=uuid4(), request=Request(vcpus=1))
    client = Client(short_dir / "s", patience=0.05)
    with (
        behaving(short_dir / "s", keep_silent),
        pytest.raises(Unreachable, match="timed out") as refused,
    ):
        client.place(order)
    assert f"whether claim {order.claim_id} was made is not known" in refused.value.message


def test_a_lost_answer_to_a_claim_names_the_claim(run: CommandLine, short_dir: Path) -> None:
    named = str(uuid4())
    with behaving(short_dir / "s", slam):
        refused = run(*WORDS, "--claim-id", named).expect(6)
    assert f"innkeeper claims show {named}" in refused.err


def test_a_socket_that_may_not_be_opened_is_named_with_the_reason(
    run: CommandLine, short_dir: Path
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may open every socket")
    with behaving(short_dir / "s", slam):
        (short_dir / "s").chmod(0)
        assert "(permission denied)" in run(*WORDS).expect(6).err
