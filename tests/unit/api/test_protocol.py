"""One connection: slow, oversized, malformed or one too many."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from tests.serving import Served, problem_of
from tests.unit.api.conftest import Serve

from innkeeper.api.connections import Limits

QUICK = Limits(head_seconds=0.1, body_seconds=0.1, idle_seconds=1, linger_seconds=0.1)
LONG_ENOUGH = 10.0

HEAD = b"POST /v1/claims HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSING = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def refusal(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Status and problem of what came back, which must be one answer and no more."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/problem+json"
    assert int(headers["content-length"]) == len(body)
    return int(lines[0].split()[1]), json.loads(body)


async def say(served: Served, *said: bytes) -> bytes:
    with anyio.fail_after(LONG_ENOUGH):
        return await served.say(*said)


@pytest.mark.parametrize(
    ("said", "part"),
    [
        (b"", "head"),
        (b"G", "head"),
        (HEAD, "head"),
        (HEAD + b"X-Long: aaaaaaaaaaaaa", "head"),
        (HEAD + b"Content-Length: 100\r\n\r\n", "body"),
        (HEAD + b"Content-Length: 100\r\n\r\n{", "body"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{\r\n", "body"),
    ],
)
async def test_slow_requests_are_closed(serve: Serve, said: bytes, part: str) -> None:
    async with serve(QUICK) as served:
        status, problem = refusal(await say(served, said))
        assert (status, problem["code"]) == (408, "too_slow")
        assert f"the {part} of the request" in problem["detail"]
        await served.until(lambda: served.server.connections == 0)


async def test_a_request_in_pieces_is_served_when_it_is_in_time(serve: Serve) -> None:
    body = b'{"request":{"vcpus":1}}'
    whole = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with serve() as served:
        answer = await say(served, *(whole[i : i + 1] for i in range(len(whole))))
        assert answer.startswith(b"HTTP/1.1 201 ")


async def test_a_slow_second_request_is_closed_after_the_first_answer(serve: Serve) -> None:
    async with serve(QUICK) as served:
        answer = await say(served, GET + b"GET /li")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"HTTP/1.1 408 " in answer


async def test_a_body_that_nobody_waits_for_is_not_answered_twice(serve: Serve) -> None:
    refused = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    async with serve(QUICK) as served:
        answer = await say(served, refused)
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert answer.count(b"HTTP/1.1 ") == 1


async def test_an_idle_connection_is_closed_after_a_while(serve: Serve) -> None:
    async with serve(QUICK) as served:
        answer = await say(served, GET)
        assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "said",
    [
        GET[:-2] + b"X-Long: " + b"a" * 40_000 + b"\r\n\r\n",
        GET[:-2] + b"".join(b"X-%d: a\r\n" % i for i in range(5000)) + b"\r\n",
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        GET[:-2] + b"X-Endless: " + b"a" * 400_000,
    ],
)
async def test_large_heads_are_refused(serve: Serve, said: bytes) -> None:
    async with serve() as served:
        status, problem = refusal(await say(served, said))
        assert (status, problem["code"], problem["limit"]) == (431, "head_too_large", 32 * 1024)


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"hello\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        HEAD + b"X-Bad: a\x00b\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused(serve: Serve, said: bytes) -> None:
    async with serve() as served:
        status, problem = refusal(await say(served, said))
        assert (status, problem["code"]) == (400, "invalid_request")
        assert (await served.client.get("/livez")).status_code == 200


async def test_an_upgrade_is_passed_over(serve: Serve) -> None:
    upgrade = CLOSING.replace(b"Connection: close", b"Connection: upgrade, close\r\nUpgrade: h2c")
    async with serve() as served:
        assert (await say(served, upgrade)).startswith(b"HTTP/1.1 200 ")


async def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    async with serve() as served:
        answer = await say(served, GET + GET.replace(b"/livez", b"/v1") + CLOSING)
        statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
        assert statuses == [b"200"] * 3
        assert answer.index(b'"node"') > answer.index(b'"ok"')


async def test_expect_continue_is_obeyed(serve: Serve) -> None:
    body = b'{"vcpus":1}'
    head = b"POST /v1/fit HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
    async with serve() as served:
        reader, writer = await served.connect()
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body))
        assert (await reader.readline()) == b"HTTP/1.1 100 Continue\r\n"
        writer.write(body)
        assert b"HTTP/1.1 200 " in await reader.read()
        writer.close()


async def test_one_connection_too_many_is_refused_politely(serve: Serve) -> None:
    async with serve(Limits(connections=3)) as served, AsyncExitStack() as stack:
        for _ in range(3):
            _, writer = await served.connect()
            stack.callback(writer.close)
        await served.until(lambda: served.server.connections == 3)
        status, problem = refusal(await say(served, GET))
        assert (status, problem["code"], problem["limit"]) == (503, "too_many_connections", 3)
    async with serve(Limits(connections=3)) as served:
        problem_of(await served.client.get("/nowhere"), 404, "not_found")


async def test_answers_carry_the_date_and_no_name_of_the_server(serve: Serve) -> None:
    async with serve() as served:
        headers = (await served.client.get("/livez")).headers
        assert headers["date"].endswith(" GMT")
        assert "server" not in headers


async def test_the_socket_is_for_user_and_group(serve: Serve) -> None:
    async with serve() as served:
        assert served.path.stat().st_mode & 0o777 == 0o660
