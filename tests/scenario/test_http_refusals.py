"""What a caller may get wrong, over the socket: always a problem, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest
from tests.scenario.conftest import MakeTracker
from tests.serving import Served, problem_of, serving

from innkeeper.config import Config

SMALL = {"request": {"vcpus": 1}}


def body_of(**changes: object) -> bytes:
    return json.dumps({**SMALL, **changes}).encode()


WRONG_ORDERS = [
    (b"", "", "empty"),
    (b"   ", "", "empty"),
    (b"{", "", "no JSON"),
    (b"[]", "", "object"),
    (b"null", "", "object"),
    (b'"x"', "", "object"),
    (b"\xff\xfe", "", "no JSON"),
    (b"{}", "request", "missing"),
    (b"{\"request\": " + b"[" * 100_000, "", "no JSON"),
    (b'{"request":{"counters":{"a":' + b'{"b":' * 900 + b"1" + b"}" * 900 + b"}}}", "", "recursion"),
    (body_of(request={"vcpus": 0}), "request.vcpus", "greater than or equal to 1"),
    (body_of(request={"vcpus": -1}), "request.vcpus", "greater than or equal to 1"),
    (body_of(request={"vcpus": 10**30}), "request.vcpus", "65536"),
    (body_of(request={"vcpus": 1.5}), "request.vcpus", "integer"),
    (body_of(request={"vcpus": "1"}), "request.vcpus", "integer"),
    (body_of(request={"vcpus": True}), "request.vcpus", "integer"),
    (body_of(request={"memory_mib": 2**60}), "request.memory_mib", "less than"),
    (body_of(request={"vcpu": 1}), "request.vcpu", "did you mean `vcpus`?"),
    (body_of(request={"counters": {"NO": 1}}), "request.counters.NO.[key]", "match"),
    (body_of(request={"devices": [{"vendor_id": "8086", "product_id": "15"}]}),
     "request.devices[0].product_id", "match"),
    (body_of(request={"devices": [{"vendor_id": "8086", "product_id": "1520"}] * 65}),
     "request.devices", "at most 64"),
    (body_of(claim_id="not-a-uuid"), "claim_id", "UUID"),
    (body_of(lease_seconds=0), "lease_seconds", "greater than 0"),
    (body_of(wait_seconds=-1), "wait_seconds", "greater than 0"),
    (b'{"request":{"vcpus":1},"wait_seconds":NaN}', "wait_seconds", "finite"),
    (b'{"request":{"vcpus":1},"wait_seconds":1e999}', "wait_seconds", "finite"),
    (body_of(pid=0), "pid", "greater than or equal to 1"),
    (body_of(name="two\nlines"), "name", "match"),
    (body_of(holder={"user": ""}), "holder.user", "at least 1"),
]  # fmt: skip


async def serve_and_post(served: Served, path: str, body: bytes, path_in: str, said: str) -> None:
    problem = problem_of(await served.client.post(path, content=body), 400, "invalid_request")
    assert path_in in [error["path"] for error in problem["errors"]], problem
    assert said in problem["detail"], problem
    assert len(problem["detail"]) < 2000


async def test_wrong_orders_name_the_field(
    make_tracker: MakeTracker, short_dir: Path, config: Config
) -> None:
    async with make_tracker() as tracker, serving(tracker, short_dir, config=config) as served:
        for body, path_in, said in WRONG_ORDERS:
            await serve_and_post(served, "/v1/claims", body, path_in, said)
        assert tracker.usage().claims == 0


async def test_wrong_batches_name_the_order(
    make_tracker: MakeTracker, short_dir: Path, config: Config
) -> None:
    twice = {"claim_id": str(uuid4()), **SMALL}
    async with make_tracker() as tracker, serving(tracker, short_dir, config=config) as served:
        for orders, path_in, said in [
            ([], "orders", "at least 1"),
            ([SMALL] * 1001, "orders", "at most 1000"),
            ([SMALL, {**SMALL, "wait_seconds": 3}], "orders[1].wait_seconds", "unknown field"),
            ([SMALL, {**SMALL, "pid": 1}], "orders[1].pid", "unknown field"),
        ]:
            body = json.dumps({"orders": orders}).encode()
            await serve_and_post(served, "/v1/claims/batch", body, path_in, said)
        same = await served.client.post("/v1/claims/batch", json={"orders": [twice, twice]})
        assert "twice" in problem_of(same, 400, "invalid_request")["detail"]
        assert tracker.usage().claims == 0


WRONG_QUERIES = [
    ("/v1/claims?limit=0", "limit"),
    ("/v1/claims?limit=1001", "limit"),
    ("/v1/claims?limit=ten", "limit"),
    ("/v1/claims?state=gone", "state[0]"),
    ("/v1/claims?marker=x", "marker"),
    ("/v1/claims?instance_uuid=1", "instance_uuid"),
    ("/v1/claims?stat=pending", "stat"),
    ("/v1/events?after=-1", "after"),
    ("/v1/events?after=99999999999999999999999", "after"),
    ("/v1/events?claim_id=%00", "claim_id"),
    ("/v1/findings?cleared=perhaps", "cleared"),
    ("/v1/findings?limit=0", "limit"),
    (f"/v1/findings?marker={'x' * 65}", "marker"),
    (f"/v1/findings/{'x' * 65}", "finding_id"),
    ("/v1/claims/not-a-uuid", "ref"),
    ("/v1/claims/..%00", "ref"),
]


async def test_wrong_queries_name_the_parameter(
    make_tracker: MakeTracker, short_dir: Path, config: Config
) -> None:
    async with make_tracker() as tracker, serving(tracker, short_dir, config=config) as served:
        for target, path_in in WRONG_QUERIES:
            problem = problem_of(await served.client.get(target), 400, "invalid_request")
            assert [error["path"] for error in problem["errors"]] == [path_in], problem


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/v1/",
        "/v1/host/",
        "//v1/host",
        "/v1//host",
        "/v1/../v1/host",
        "/v1/host%00",
        "/v1/claims/x/y",
        "/v1/%2e%2e/livez",
        "/docs",
        "/redoc",
        "/V1/host",
        "/v1/h\u00f6st",
        "/" + "a" * 8000,
    ],
)
async def test_other_paths_lead_nowhere(
    target: str, make_tracker: MakeTracker, short_dir: Path, config: Config
) -> None:
    raw = target.encode() if target.isascii() else target.encode("latin-1")
    async with make_tracker() as tracker, serving(tracker, short_dir, config=config) as served:
        answer = await served.say(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % raw)
    status = int(answer.split(b" ", 2)[1])
    code = json.loads(answer.partition(b"\r\n\r\n")[2])["code"]
    assert (status, code) in [(404, "not_found"), (400, "invalid_request")]


async def test_unknown_claims_are_not_found(
    make_tracker: MakeTracker, short_dir: Path, config: Config
) -> None:
    async with make_tracker() as tracker, serving(tracker, short_dir, config=config) as served:
        here = f"/v1/claims/{uuid4()}"
        problem_of(await served.client.get(here), 404, "unknown_claim")
        problem_of(await served.client.delete(here), 404, "unknown_claim")
        for act in ("confirm", "abort", "renew"):
            problem_of(await served.client.post(f"{here}/{act}"), 404, "unknown_claim")


async def test_methods_and_heads(
    make_tracker: MakeTracker, short_dir: Path, config: Config
) -> None:
    async with make_tracker() as tracker, serving(tracker, short_dir, config=config) as served:
        wrong = await served.client.put("/v1/claims", json=SMALL)
        assert "allow" in wrong.headers
        problem_of(wrong, 405, "wrong_method")
        problem_of(await served.client.request("BREW", "/v1/host"), 400, "invalid_request")
        whole = await served.client.get("/v1/host")
        head = await served.client.head("/v1/host")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.content))


async def test_large_bodies_are_refused(
    make_tracker: MakeTracker, short_dir: Path, config: Config
) -> None:
    large = body_of(name="x" * 1024 * 1024)

    async def chunks() -> object:
        for start in range(0, len(large), 100_000):
            yield large[start : start + 100_000]

    async with make_tracker() as tracker, serving(tracker, short_dir, config=config) as served:
        said = await served.client.post("/v1/claims", content=large)
        assert problem_of(said, 413, "too_large")["limit"] == 1024 * 1024
        chunked = await served.client.post("/v1/claims", content=chunks())  # type: ignore[arg-type]
        problem_of(chunked, 413, "too_large")
        fine = b'{"request":{"vcpus":1}' + b" " * 1_000_000 + b"}"
        assert (await served.client.post("/v1/claims", content=fine)).status_code == 201


async def test_waiting_longer_than_allowed_is_refused(
    make_tracker: MakeTracker, short_dir: Path, config: Config
) -> None:
    async with make_tracker() as tracker, serving(tracker, short_dir, config=config) as served:
        order = {**SMALL, "wait_seconds": 4000}
        refused = await served.client.post("/v1/claims", json=order)
        assert "claims.max_wait" in problem_of(refused, 400, "invalid_request")["detail"]
