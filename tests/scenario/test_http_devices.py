"""Devices, pools, aliases and cordons, asked for over the socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.scenario.conftest import MakeTracker
from tests.serving import Served, problem_of, serving

from innkeeper.api.access import Caller, Role
from innkeeper.api.peers import Peer
from innkeeper.api.views import DeviceList, DeviceState, HostView
from innkeeper.config import Config, DeviceSpec, load_config

SPEC = "cpus=8,cells=2,memory=16GiB,pfs=2,vfs=4"

WORDS = """
[[devices]]
vendor_id = "8086"
product_id = "1592"
[[devices]]
vendor_id = "8086"
product_id = "1889"
physical_network = "net1"
[[aliases]]
name = "nic"
vendor_id = "8086"
product_id = "1889"
device_type = "vf"
numa_policy = "required"
[[aliases]]
name = "card"
vendor_id = "8086"
product_id = "1592"
device_type = "pf"
"""

Serve = Callable[[], AbstractAsyncContextManager[Served]]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "innkeeper.toml"
    file.write_text(WORDS)
    return load_config(file, {})


@pytest.fixture
def serve(make_tracker: MakeTracker, short_dir: Path, config: Config) -> Serve:
    @asynccontextmanager
    async def start() -> AsyncIterator[Served]:
        async with (
            make_tracker(SPEC) as tracker,
            serving(tracker, short_dir, config=config) as served,
        ):
            yield served

    return start


async def claim(served: Served, *devices: dict[str, Any], **request: Any) -> dict[str, Any]:
    body = {"request": {"devices": devices, **request}}
    made = await served.client.post("/v1/claims", json=body)
    assert made.status_code == 201, made.text
    answer: dict[str, Any] = made.json()
    return answer


async def devices(served: Served, **query: str) -> DeviceList:
    answer = await served.client.get("/v1/devices", params=query)
    assert answer.status_code == 200, answer.text
    return DeviceList.model_validate_json(answer.content)


async def cordon(served: Served, kind: str, subject: str | None, reason: str) -> httpx.Response:
    body = {"kind": kind, "subject": subject, "reason": reason}
    return await served.client.post("/v1/cordons", json=body)


def addresses(found: DeviceList) -> list[str]:
    return [view.function.address for view in found.devices]


async def test_devices_are_chosen_by_being_free_or_by_their_holder(serve: Serve) -> None:
    async with serve() as served:
        instance = str(uuid4())
        body = {"instance_uuid": instance, "request": {"devices": [{"alias": "nic", "count": 2}]}}
        made = (await served.client.post("/v1/claims", json=body)).json()
        held = sorted(one["address"] for one in made["placement"]["devices"])
        for ref in (made["id"], instance):
            assert addresses(await devices(served, held_by=ref)) == held
        free, taken = await devices(served, free="true"), await devices(served, free="false")
        assert {view.state for view in free.devices} == {DeviceState.FREE}
        assert len(free.devices) == 6 + 1, "VFs, and the PF of which none is held"
        assert set(held) <= set(addresses(taken))
        everything = addresses(await devices(served))
        assert sorted(addresses(free) + addresses(taken)) == everything
        unknown = await served.client.get("/v1/devices", params={"held_by": str(uuid4())})
        problem_of(unknown, 404, "unknown_claim")
        wrong = await served.client.get("/v1/devices", params={"free": "maybe", "held": "x"})
        paths = {one["path"] for one in problem_of(wrong, 400, "invalid_request")["errors"]}
        assert paths == {"free", "held"}


async def test_pools_have_parents_tags_and_what_is_withheld(serve: Serve) -> None:
    async with serve() as served:
        held = (await claim(served, {"alias": "nic"}))["placement"]["devices"][0]
        other = next(
            view.function.address
            for view in (await devices(served, free="true")).devices
            if view.function.parent == held["parent"]
        )
        await cordon(served, "device", other, "link flaps")
        pools = (await served.client.get("/v1/pools")).json()["pools"]
    mine = next(pool for pool in pools if pool["parent"] == held["parent"])
    assert mine["tags"]["physical_network"] == "net1"
    counts = [mine[name] for name in ("total", "used", "withheld", "free")]
    assert counts == [4, 1, 1, 2]


async def test_aliases_say_what_they_stand_for_and_how_many_fit(serve: Serve) -> None:
    async with serve() as served:
        before = (await served.client.get("/v1/aliases")).json()["aliases"]
        await claim(served, {"alias": "nic", "count": 3})
        after = (await served.client.get("/v1/aliases")).json()["aliases"]
    assert [(one["name"], one["fit"]) for one in before] == [("card", 2), ("nic", 8)]
    assert [(one["name"], one["fit"]) for one in after] == [("card", 1), ("nic", 5)]
    stands_for = after[1]["stands_for"]
    assert stands_for["alias"] == "nic"
    assert stands_for["numa_policy"] == "required"
    (pattern,) = stands_for["alternatives"]
    assert (pattern["vendor_id"], pattern["product_id"]) == ("8086", "1889")


@pytest.mark.parametrize(
    ("asked", "path", "words"),
    [
        ({"alias": "nik"}, "devices[0].alias", "did you mean `nic`?"),
        ({}, "devices[0].alias", "says no kind"),
        ({"alias": "nic", "vendor_id": "8086", "product_id": "1889"}, "devices[0].alias", "by"),
        ({"alias": "nic", "count": 0}, "request.devices[0].count", "greater than or equal to 1"),
        ({"alias": "nic", "numa_policy": "near"}, "request.devices[0].numa_policy", "required"),
        ({"alias": "nic", "unit": {"place": "rack"}}, "request.devices[0].unit.place", "slot"),
        ({"aliases": "nic"}, "request.devices[0].aliases", "did you mean `alias`?"),
        ({"alias": "nic", "count": 2, "providers": [str(UUID(int=1))]}, "providers", "of each"),
    ],
)
async def test_a_device_request_that_says_nothing_names_its_field(
    serve: Serve, asked: dict[str, Any], path: str, words: str
) -> None:
    async with serve() as served:
        refused = await served.client.post("/v1/claims", json={"request": {"devices": [asked]}})
        fit = await served.client.post("/v1/fit", json={"devices": [asked]})
        claims = (await served.client.get("/v1/claims")).json()["claims"]
    problem = problem_of(refused, 400, "invalid_request")
    assert any(one["path"].endswith(path) for one in problem["errors"]), problem
    assert words in problem["detail"]
    problem_of(fit, 400, "invalid_request")
    assert claims == []


async def test_a_claim_by_alias_keeps_the_caller_s_words(serve: Serve) -> None:
    asked = {"alias": "nic", "count": 2, "numa_policy": "preferred"}
    body = {"claim_id": str(uuid4()), "request": {"devices": [asked], "cells": [1]}}
    async with serve() as served:
        made = await served.client.post("/v1/claims", json=body)
        again = await served.client.post("/v1/claims", json=body)
    (kept,) = made.json()["request"]["devices"]
    assert {key: kept[key] for key in asked} == asked
    assert kept["alternatives"] == []
    assert {one["cell"] for one in made.json()["placement"]["devices"]} == {1}
    assert {one["request"] for one in made.json()["placement"]["devices"]} == {0}
    assert (again.status_code, again.json()) == (200, made.json())


async def test_patterns_and_units_are_asked_for(serve: Serve) -> None:
    pattern = {"physical_network": "NET1", "dev_type": "type-VF"}
    member = {"alternatives": [{"vendor_id": "8086", "product_id": "1889"}], "count": 2}
    unit = {"alternatives": [pattern], "unit": {"place": "slot", "members": [member]}}
    async with serve() as served:
        by_tag = await claim(served, {"alternatives": [pattern], "count": 3})
        assert len(by_tag["placement"]["devices"]) == 3
        fits = await served.client.post("/v1/fit", json={"devices": [{**unit, "alternatives": []}]})
        placed = fits.json()["placement"]["devices"]
    assert len({one["address"].rpartition(".")[0] for one in placed}) == 1
    assert len(placed) == 2


async def test_a_refusal_has_every_pool_and_the_nearest_request(serve: Serve) -> None:
    async with serve() as served:
        await claim(served, {"alias": "nic"})
        asked = {"devices": [{"alias": "card"}, {"alias": "nic", "count": 9}], "cells": [0]}
        refused = await served.client.post("/v1/fit", json=asked)
        problem = problem_of(refused, 409, "no_fit")
        reason = next(one for one in problem["reasons"] if one["resource"] == "nic")
        assert reason["request"] == 1
        assert reason["asked"] == 9
        assert {pool["parent"] for pool in reason["pools"]} == {
            view.function.address
            for view in (await devices(served)).devices
            if view.function.kind == "pf"
        }
        removed = {
            step["filter"]: step["removed"] for pool in reason["pools"] for step in pool["filters"]
        }
        assert removed["numa"] == 4
        assert removed["booked"] == 1
        for pool in reason["pools"]:
            left = [step["left"] for step in pool["filters"]]
            gone = [step["removed"] for step in pool["filters"]]
            assert left[-1] + sum(gone) == pool["total"] == 4
        nearest = problem["nearest"]
        words = [(one["alias"], one["count"], one["alternatives"]) for one in nearest["devices"]]
        assert all(alternatives == [] for _, _, alternatives in words), "the caller's words"
        fits = await served.client.post("/v1/fit", json=nearest)
        assert fits.status_code == 200


# -- cordons -------------------------------------------------------------------------------------


async def test_a_cordon_keeps_claims_off_until_it_is_lifted(serve: Serve) -> None:
    async with serve() as served:
        address = addresses(await devices(served, free="true"))[-1]
        made = await cordon(served, "device", address, "link flaps")
        assert made.status_code == 201
        placed = made.json()
        assert (placed["kind"], placed["subject"], placed["cause"]) == (
            *("device", address),
            "operator",
        )
        assert placed["by"]["user"] not in ("", "unknown")
        again = await cordon(served, "device", address, "link flaps")
        assert again.json() == placed
        listed = (await served.client.get("/v1/cordons")).json()["cordons"]
        assert listed == [placed]
        view = next(
            one for one in (await devices(served)).devices if one.function.address == address
        )
        assert view.state is DeviceState.WITHHELD
        assert view.reason is not None
        assert "link flaps" in view.reason
        assert [one.model_dump(mode="json") for one in view.cordons] == [placed]
        host = HostView.model_validate_json((await served.client.get("/v1/host")).content)
        assert [one.subject for one in host.cordons] == [address]
        all_of_them = {"devices": [{"alias": "nic", "count": 8}]}
        problem_of(await served.client.post("/v1/fit", json=all_of_them), 409, "no_fit")
        lifted = await served.client.delete(f"/v1/cordons/device/{address}")
        assert lifted.json()["lifted_at"] is not None
        assert (await served.client.post("/v1/fit", json=all_of_them)).status_code == 200
        again = await served.client.delete(f"/v1/cordons/device/{address}")
        assert "is not cordoned" in problem_of(again, 404, "not_found")["detail"]
        clean = await served.client.delete(f"/v1/cordons/device/{address}?cause=dirty")
        assert "is not dirty" in problem_of(clean, 404, "not_found")["detail"]
        kinds = [one["kind"] for one in (await served.client.get("/v1/events")).json()["events"]]
        assert kinds[-2:] == ["cordoned", "uncordoned"]


async def test_a_cordoned_host_cell_and_cpu(serve: Serve) -> None:
    async with serve() as served:
        await cordon(served, "cpu", "3", "errors")
        assert served.tracker.usage().vcpus.capacity == 7
        await cordon(served, "cell", "1", "memory is replaced")
        found = await devices(served)
        assert {view.function.cell for view in found.devices if view.claimable} == {0}
        made = await cordon(served, "host", None, "emptied")
        assert made.json()["subject"] == "test"
        assert addresses(await devices(served, free="true")) == []
        refused = await served.client.post("/v1/claims", json={"request": {"vcpus": 1}})
        (reason,) = problem_of(refused, 409, "no_fit")["reasons"]
        assert (reason["code"], reason["resource"]) == ("host_cordoned", "host")
        assert "emptied" in reason["message"]
        listed = (await served.client.get("/v1/cordons")).json()["cordons"]
        assert {(one["kind"], one["subject"]) for one in listed} == {
            *(("cell", "1"), ("cpu", "3")),
            ("host", "test"),
        }
        await served.client.delete("/v1/cordons/host/test")
        assert (await served.client.get("/v1/aliases")).json()["aliases"][1]["fit"] == 4


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({"kind": "rack", "subject": "1", "reason": "x"}, 400, "invalid_request", "kind"),
        ({"kind": "cell", "subject": "1"}, 400, "invalid_request", "`reason` is missing"),
        ({"kind": "cell", "reason": "x"}, 400, "invalid_request", "`subject` is missing"),
        ({"kind": "cell", "subject": "1", "reason": "a\nb"}, 400, "invalid_request", "reason"),
        ({"kind": "cell", "subject": "9", "reason": "x"}, 404, "unknown_subject", "there is 0-1"),
        ({"kind": "cpu", "subject": "x", "reason": "x"}, 404, "unknown_subject", "there is 0-7"),
        ({"kind": "host", "subject": "y", "reason": "x"}, 404, "unknown_subject", "is test"),
        (
            {"kind": "device", "subject": "0000:ff:1f.7", "reason": "x"},
            *(404, "unknown_subject", "innkeeper devices"),
        ),
    ],
)
async def test_a_cordon_around_nothing_is_refused(
    serve: Serve, body: dict[str, str], status: int, code: str, words: str
) -> None:
    async with serve() as served:
        refused = await served.client.post("/v1/cordons", json=body)
        assert words in problem_of(refused, status, code)["detail"]
        assert (await served.client.get("/v1/cordons")).json() == {"cordons": []}


async def test_cordons_are_for_operators(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve() as served:

        async def identify(peer: Peer) -> Caller:
            return Caller(peer, "ann", Role.READER)

        monkeypatch.setattr(served.parts.access, "identify", identify)
        problem_of(await cordon(served, "host", None, "x"), 403, "forbidden")
        problem_of(await served.client.delete("/v1/cordons/host/test"), 403, "forbidden")
        for path in ("/v1/cordons", "/v1/aliases", "/v1/devices?free=true"):
            assert (await served.client.get(path)).status_code == 200


async def test_tags_change_with_cordons_and_with_the_operator_s_words(
    serve: Serve, config: Config
) -> None:
    async with serve() as served:
        by_cordon = ["/v1/host", "/v1/devices", "/v1/pools", "/v1/aliases", "/v1/cordons"]
        seen = await tags(served, by_cordon)
        assert await tags(served, by_cordon) == seen
        for path, tag in seen.items():
            same = await served.client.get(path, headers={"If-None-Match": tag})
            assert same.status_code == 304
        await cordon(served, "cpu", "1", "errors")
        cordoned = await tags(served, by_cordon)
        await served.client.delete("/v1/cordons/cpu/1")
        lifted = await tags(served, by_cordon)
        assert all(len({one[path] for one in (seen, cordoned, lifted)}) == 3 for path in by_cordon)
        by_words = by_cordon[:4]
        told = config.model_copy(update={"devices": (DeviceSpec(product_id="1592"),)})
        served.parts.reconfigure(told)
        await served.tracker.reconfigure(told)
        after = await tags(served, by_words)
        assert all(after[path] != lifted[path] for path in by_words)
        assert {pool["product_id"] for pool in await pools(served)} == {"1592"}


async def tags(served: Served, paths: list[str]) -> dict[str, str]:
    return {path: (await served.client.get(path)).headers["etag"] for path in paths}


async def pools(served: Served) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await served.client.get("/v1/pools")).json()["pools"]
    return found
