"""What goes wrong inside stays inside: the caller gets a problem, the log the traceback."""

from __future__ import annotations

import anyio
import pytest
from structlog.testing import capture_logs
from tests.serving import problem_of
from tests.unit.api.conftest import Serve

from innkeeper.api.process_owner import _owner
from innkeeper.errors import StoreFull
from innkeeper.objects import Usage
from innkeeper.tracker import Tracker


async def test_a_bug_is_logged_and_not_told(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Tracker) -> Usage:
        raise ZeroDivisionError("secret number 42")

    async with serve() as served:
        monkeypatch.setattr(Tracker, "usage", broken)
        with capture_logs() as logs:
            answer = await served.client.get("/v1/host", headers={"X-Request-Id": "r-7"})
        problem = problem_of(answer, 500, "internal")
        assert problem["request_id"] == answer.headers["x-request-id"] == "r-7"
        assert "42" not in answer.text
        failed = next(entry for entry in logs if entry["event"] == "request failed")
        assert failed["exc_info"]
        assert (await served.client.get("/livez")).status_code == 200


async def test_refusals_of_the_store_keep_their_code(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> None:
        raise StoreFull("the disk is full", path="/x")

    async with serve() as served:
        monkeypatch.setattr(Tracker, "place", full)
        answer = await served.client.post("/v1/claims", json={"request": {"vcpus": 1}})
        assert problem_of(answer, 503, "store_full")["path"] == "/x"
        assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 65, b"n\xe9e", b'"><script>'])
async def test_a_request_id_that_a_log_would_choke_on_is_replaced(
    serve: Serve, given: bytes
) -> None:
    async with serve() as served:
        answer = await served.client.get("/livez", headers=[(b"X-Request-Id", given)])
        assert len(answer.headers["x-request-id"]) == 32


async def test_requests_cut_short_are_told_why(serve: Serve) -> None:
    answers: list[bytes] = []
    body = b'{"request":{"vcpus":4},"wait_seconds":60}'
    order = b"POST /v1/claims HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async with serve() as served:
        await served.client.post("/v1/claims", json={"request": {"vcpus": 1}})

        async def wait() -> None:
            answers.append(await served.say(order))

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await served.until(lambda: served.tracker.statistics().waiting == 1)
            await served.server.cut_short()
        assert served.tracker.statistics().waiting == 0
        assert served.server.connections == 0
    assert answers[0].startswith(b"HTTP/1.1 503 ")
    assert b'"code":"draining"' in answers[0]


async def test_the_guard_sees_code_that_blocks() -> None:
    with pytest.raises(Exception, match=r"os\.stat"):
        _owner(1)
