"""A claim's life, the host and its history, asked for over the socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import anyio
import httpx
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.serving import Served, problem_of, serving

from innkeeper.api.access import Caller, Role
from innkeeper.api.peers import Peer
from innkeeper.api.views import DeviceList, HostView
from innkeeper.config import Config
from innkeeper.objects import Claim

SMALL = {"request": {"vcpus": 1, "memory_mib": 256}}

Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve(make_tracker: MakeTracker, short_dir: Path, config: Config) -> Serve:
    @asynccontextmanager
    async def start(spec: str = "cpus=8,cells=1,memory=16GiB,pfs=1,vfs=4") -> AsyncIterator[Served]:
        async with (
            make_tracker(spec) as tracker,
            serving(tracker, short_dir, config=config) as served,
        ):
            yield served

    return start


async def test_claim_confirm_release(serve: Serve) -> None:
    async with serve() as served:
        made = await served.client.post("/v1/claims", json=SMALL)
        assert made.status_code == 201
        claim = Claim.model_validate_json(made.content)
        assert claim.placement.vcpus == 1
        here = f"/v1/claims/{claim.id}"
        confirmed = await served.client.post(f"{here}/confirm")
        assert confirmed.json()["state"] == "confirmed"
        assert (await served.client.get(here)).json() == confirmed.json()
        released = await served.client.delete(here)
        assert released.json()["state"] == "released"
        problem_of(await served.client.delete(here), 409, "already_released")
        assert served.tracker.usage().vcpus.used == 0


async def test_same_words_are_the_same_claim(serve: Serve) -> None:
    order = {"claim_id": str(uuid4()), **SMALL}
    async with serve() as served:
        first = await served.client.post("/v1/claims", json=order)
        again = await served.client.post("/v1/claims", json=order)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        other = await served.client.post("/v1/claims", json={**order, "name": "other"})
        problem_of(other, 409, "claim_conflict")


async def test_the_holder_is_the_peer_unless_it_says_otherwise(serve: Serve) -> None:
    async with serve() as served:
        mine = await served.client.post("/v1/claims", json=SMALL)
        holder = {"project": "shop", "user": "carol"}
        hers = await served.client.post("/v1/claims", json={**SMALL, "holder": holder})
        events = (await served.client.get("/v1/events")).json()["events"]
    user = mine.json()["holder"]["user"]
    assert user not in ("unknown", "carol")
    assert hers.json()["holder"] == {**holder, "reason": None}
    assert [event["kind"] for event in events] == ["started", "claimed", "claimed"]


async def test_every_change_names_the_peer(serve: Serve) -> None:
    async with serve() as served:
        holder = {"user": "carol"}
        made = await served.client.post("/v1/claims", json={**SMALL, "holder": holder})
        await served.client.delete(f"/v1/claims/{made.json()['id']}")
        query = {"claim_id": made.json()["id"]}
        events = (await served.client.get("/v1/events", params=query)).json()["events"]
    assert events[-1]["kind"] == "aborted"
    assert events[-1]["by"]["user"] not in ("unknown", "carol")


async def test_an_instance_is_as_good_as_its_claim(serve: Serve) -> None:
    instance = str(uuid4())
    async with serve() as served:
        order = {**SMALL, "instance_uuid": instance}
        made = await served.client.post("/v1/claims", json=order)
        found = await served.client.get(f"/v1/claims/{instance}")
        assert found.json() == made.json()
        listed = await served.client.get("/v1/claims", params={"instance_uuid": instance})
        assert listed.json() == {"claims": [made.json()], "next_marker": None, "booted_at": None}
        problem_of(await served.client.post("/v1/claims", json=order), 409, "instance_claimed")
        assert (await served.client.post(f"/v1/claims/{instance}/abort")).json()[
            "state"
        ] == "aborted"


async def test_claims_are_paged(serve: Serve) -> None:
    async with serve() as served:
        made = [(await served.client.post("/v1/claims", json=SMALL)).json() for _ in range(5)]
        seen: list[dict[str, object]] = []
        marker: str | None = None
        while True:
            query = {"limit": "2"} | ({"marker": marker} if marker else {})
            page = (await served.client.get("/v1/claims", params=query)).json()
            assert len(page["claims"]) <= 2
            seen += page["claims"]
            if (marker := page["next_marker"]) is None:
                break
    assert sorted(one["id"] for one in made) == [one["id"] for one in seen]


async def test_states_are_chosen(serve: Serve) -> None:
    async with serve() as served:
        kept = (await served.client.post("/v1/claims", json=SMALL)).json()
        gone = (await served.client.post("/v1/claims", json=SMALL)).json()
        await served.client.post(f"/v1/claims/{kept['id']}/confirm")
        await served.client.delete(f"/v1/claims/{gone['id']}")

        async def ids(*states: str) -> set[str]:
            answer = await served.client.get("/v1/claims", params={"state": list(states)})
            return {one["id"] for one in answer.json()["claims"]}

        assert await ids("confirmed") == {kept["id"]}
        assert await ids("pending") == set()
        assert await ids("aborted", "confirmed") == {kept["id"], gone["id"]}


async def test_a_lease_is_renewed(serve: Serve, clock: VirtualClock) -> None:
    async with serve() as served:
        order = {**SMALL, "lease_seconds": 60}
        made = (await served.client.post("/v1/claims", json=order)).json()
        here = f"/v1/claims/{made['id']}"
        await served.client.post(f"{here}/confirm")
        await clock.advance(30)
        renewed = (await served.client.post(f"{here}/renew")).json()
        assert renewed["expires_at"] > made["expires_at"]
        longer = (await served.client.post(f"{here}/renew", json={"lease_seconds": 600})).json()
        assert longer["lease_seconds"] == 600
        plain = (await served.client.post("/v1/claims", json=SMALL)).json()
        await served.client.post(f"/v1/claims/{plain['id']}/confirm")
        problem_of(await served.client.post(f"/v1/claims/{plain['id']}/renew"), 409, "no_lease")
        problem_of(await served.client.post(f"/v1/claims/{plain['id']}/abort"), 409, "not_pending")


async def test_a_batch_is_all_or_nothing(serve: Serve) -> None:
    orders = [SMALL, {"request": {"vcpus": 99}}]
    async with serve() as served:
        refused = await served.client.post("/v1/claims/batch", json={"orders": orders})
        assert problem_of(refused, 409, "no_fit")["index"] == 1
        assert served.tracker.usage().claims == 0
        fitting = await served.client.post("/v1/claims/batch", json={"orders": [SMALL, SMALL]})
        assert [bool(one["claim"]) for one in fitting.json()["results"]] == [True, True]
        each = {"orders": orders, "mode": "each"}
        results = (await served.client.post("/v1/claims/batch", json=each)).json()["results"]
    assert results[0]["claim"]["state"] == "pending"
    assert results[1]["problem"]["code"] == "no_fit"
    assert results[1]["problem"]["reasons"][0]["asked"] == 99


async def test_a_misfit_comes_with_reasons_and_what_would_fit(serve: Serve) -> None:
    async with serve() as served:
        refused = await served.client.post("/v1/fit", json={"vcpus": 9, "memory_mib": 512})
        problem = problem_of(refused, 409, "no_fit")
        assert problem["reasons"][0]["code"] == "insufficient_vcpus"
        assert problem["nearest"]["vcpus"] == 8
        answer = (await served.client.post("/v1/fit", json={"vcpus": 2})).json()
        assert answer["placement"]["vcpus"] == 2
        assert answer["count"] == 4
        assert served.tracker.usage().claims == 0


async def test_who_waits_gets_room_when_it_comes(serve: Serve) -> None:
    async with serve() as served:
        held = (await served.client.post("/v1/claims", json={"request": {"vcpus": 8}})).json()
        got: list[httpx.Response] = []

        async def wait() -> None:
            order = {**SMALL, "wait_seconds": 60}
            got.append(await served.client.post("/v1/claims", json=order))

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await until_waiting(served, 1)
            await served.client.delete(f"/v1/claims/{held['id']}")
    assert got[0].status_code == 201


async def test_who_hangs_up_leaves_the_line(serve: Serve) -> None:
    async with serve() as served:
        await served.client.post("/v1/claims", json={"request": {"vcpus": 8}})
        reader, writer = await served.connect()
        body = b'{"request":{"vcpus":1},"wait_seconds":60}'
        head = b"POST /v1/claims HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        writer.write(head + body)
        await until_waiting(served, 1)
        writer.close()
        await until_waiting(served, 0)
        assert reader.at_eof() or not await reader.read()
        assert served.tracker.usage().claims == 1


async def until_waiting(served: Served, wanted: int) -> None:
    await served.until(lambda: served.tracker.statistics().waiting == wanted)


async def test_host_devices_and_pools(serve: Serve) -> None:
    async with serve() as served:
        view = HostView.model_validate_json((await served.client.get("/v1/host")).content)
        assert view.usage.vcpus.free == 8
        pools = (await served.client.get("/v1/pools")).json()["pools"]
        vf = next(pool for pool in pools if pool["kind"] == "vf")
        wanted = {"vendor_id": vf["vendor_id"], "product_id": vf["product_id"], "count": 1}
        made = await served.client.post("/v1/claims", json={"request": {"devices": [wanted]}})
        claim = Claim.model_validate_json(made.content)
        devices = DeviceList.model_validate_json((await served.client.get("/v1/devices")).content)
    held = claim.placement.devices[0].address
    by_address = {view.function.address: view for view in devices.devices}
    assert by_address[held].claim_id == claim.id
    assert not by_address[held].claimable
    parent = by_address[held].function.parent
    assert parent is not None
    assert by_address[parent].reason == f"its VF {held} is held"
    assert sum(view.claimable for view in devices.devices) == 3


async def test_a_tag_saves_the_answer_until_something_changes(serve: Serve) -> None:
    async with serve() as served:
        claim = (await served.client.post("/v1/claims", json=SMALL)).json()
        paths = ["/v1/host", "/v1/devices", "/v1/pools", "/v1/claims", f"/v1/claims/{claim['id']}"]
        tags = {path: (await served.client.get(path)).headers["etag"] for path in paths}
        for path, tag in tags.items():
            same = await served.client.get(path, headers={"If-None-Match": f'"x", W/{tag}'})
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        await served.client.post(f"/v1/claims/{claim['id']}/confirm")
        for path, tag in tags.items():
            changed = await served.client.get(path, headers={"If-None-Match": tag})
            assert changed.status_code == 200
            assert changed.headers["etag"] != tag


async def test_audit_findings_and_history(serve: Serve) -> None:
    async with serve() as served:
        report = (await served.client.post("/v1/audits")).json()
        assert report["findings"] == []
        assert (await served.client.get("/v1/findings?cleared=true")).json() == {
            "findings": [],
            "next_marker": None,
        }
        for _ in range(3):
            await served.client.post("/v1/claims", json=SMALL)
        first = (await served.client.get("/v1/events", params={"limit": 2})).json()
        rest = await served.client.get("/v1/events", params={"after": first["next_after"]})
        sequences = [one["sequence"] for one in first["events"] + rest.json()["events"]]
        assert sequences == sorted(set(sequences))
        assert len(sequences) == 4
        after = rest.json()["next_after"]
        nothing = await served.client.get("/v1/events", params={"after": after})
        assert nothing.json() == {"events": [], "next_after": after}


async def test_service_says_who_it_is(serve: Serve) -> None:
    async with serve() as served:
        about = (await served.client.get("/v1")).json()
        assert (about["node"], about["role"], about["host_root"]) == ("test", "admin", None)
        assert (await served.client.get("/livez")).json() == {"status": "ok"}
        assert (await served.client.get("/readyz")).json() == {"status": "ok"}
        await served.tracker.drain()
        assert (await served.client.get("/livez")).json() == {"status": "ok"}
        refused = await served.client.get("/readyz")
        problem_of(refused, 503, "draining")
        assert refused.headers["retry-after"] == "1"
        problem_of(await served.client.post("/v1/claims", json=SMALL), 503, "draining")


async def test_64_clients_on_a_host_with_room_for_40(serve: Serve) -> None:
    async with serve("cpus=40,cells=1,memory=64GiB") as served:
        answers: list[httpx.Response] = []

        async def claim() -> None:
            answers.append(await served.client.post("/v1/claims", json=SMALL))

        async with anyio.create_task_group() as group:
            for _ in range(64):
                group.start_soon(claim)
        statuses = [answer.status_code for answer in answers]
        assert (statuses.count(201), statuses.count(409)) == (40, 24)
        for refused in (one for one in answers if one.status_code == 409):
            reason = problem_of(refused, 409, "no_fit")["reasons"][0]
            assert (reason["code"], reason["free"]) == ("insufficient_vcpus", 0)
        cpus = served.tracker.usage().vcpus
        assert (cpus.used, cpus.free) == (40, 0)
        written = served.tracker.statistics().store
        assert written.batches < written.change_sets == 41


async def test_a_claim_is_updated_in_place(serve: Serve) -> None:
    async with serve() as served:
        claim = (await served.client.post("/v1/claims", json=SMALL)).json()
        here = f"/v1/claims/{claim['id']}"
        grown = await served.client.patch(here, json={"vcpus": 3, "memory_mib": None})
        assert grown.status_code == 200
        assert grown.json()["request"] == {**claim["request"], "vcpus": 3}
        assert (await served.client.get(here)).json() == grown.json()
        tag = (await served.client.get(here)).headers["etag"]
        again = await served.client.patch(here, json={"vcpus": 3})
        assert again.json() == grown.json()
        assert (await served.client.get(here)).headers["etag"] == tag
        refused = problem_of(await served.client.patch(here, json={"vcpus": 9}), 409, "no_fit")
        assert (refused["reasons"][0]["asked"], refused["nearest"]["vcpus"]) == (9, 8)
        await served.client.delete(here)
        problem_of(await served.client.patch(here, json={"vcpus": 2}), 409, "already_released")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "nothing is to change"),
        ({"vcpus": None}, "nothing is to change"),
        ({"vcpus": 0}, "vcpus"),
        ({"vcpu": 1}, "did you mean `vcpus`?"),
        ([], "body"),
    ],
)
async def test_an_update_that_says_nothing_or_nonsense_is_refused(
    serve: Serve, body: object, words: str
) -> None:
    async with serve() as served:
        claim = (await served.client.post("/v1/claims", json=SMALL)).json()
        here = f"/v1/claims/{claim['id']}"
        refused = await served.client.patch(here, json=body)
        assert words in problem_of(refused, 400, "invalid_request")["detail"]
        nowhere = await served.client.patch(f"/v1/claims/{uuid4()}", json={"vcpus": 1})
        problem_of(nowhere, 404, "unknown_claim")
        assert (await served.client.get(here)).json() == claim


async def test_updates_are_for_operators(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve() as served:
        claim = (await served.client.post("/v1/claims", json=SMALL)).json()

        async def identify(peer: Peer) -> Caller:
            return Caller(peer, "ann", Role.READER)

        monkeypatch.setattr(served.parts.access, "identify", identify)
        refused = await served.client.patch(f"/v1/claims/{claim['id']}", json={"vcpus": 2})
        problem_of(refused, 403, "forbidden")
