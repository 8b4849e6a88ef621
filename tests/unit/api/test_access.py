"""Roles by the names of a peer's user and groups."""

from __future__ import annotations

import grp
import os
import pwd
import socket
from contextlib import closing

import httpx
import pytest
from tests.serving import Served, problem_of
from tests.unit.api.conftest import Serve

from innkeeper.api.access import NAMES_KEPT_SECONDS, AccessRules, Role
from innkeeper.api.app import build_app
from innkeeper.api.front import Front
from innkeeper.api.peers import Peer, peer_of
from innkeeper.clock import SystemClock
from innkeeper.config import Access, Config

NOBODY_AT_ALL = 4_000_000_001


def stranger() -> pwd.struct_passwd:
    """Somebody with a name who is neither root nor who runs the tests."""
    return next(one for one in pwd.getpwall() if one.pw_uid not in (0, os.getuid()))


def peer_like(user: pwd.struct_passwd) -> Peer:
    return Peer(1, user.pw_uid, frozenset({user.pw_gid}))


async def role_of(peer: Peer, **access: tuple[str, ...]) -> Role:
    return (await AccessRules(Access(**access), SystemClock()).identify(peer)).role


async def test_root_and_the_daemons_user_are_admins() -> None:
    for uid in (0, os.getuid()):
        assert await role_of(Peer(1, uid, frozenset()), readers=()) is Role.ADMIN


async def test_roles_go_by_user_or_group() -> None:
    user = stranger()
    group = grp.getgrgid(user.pw_gid).gr_name
    for name in (user.pw_name, group, "*"):
        assert await role_of(peer_like(user), admins=(name,)) is Role.ADMIN
        assert await role_of(peer_like(user), operators=("x", name)) is Role.OPERATOR
        assert await role_of(peer_like(user), readers=(name,)) is Role.READER
    assert await role_of(peer_like(user)) is Role.READER
    assert await role_of(peer_like(user), readers=("x",)) is Role.NOBODY


async def test_a_user_without_a_name_has_its_number() -> None:
    rules = AccessRules(Access(), SystemClock())
    caller = await rules.identify(Peer(1, NOBODY_AT_ALL, frozenset({NOBODY_AT_ALL})))
    assert caller.user == f"uid-{NOBODY_AT_ALL}"
    assert caller.role is Role.READER


async def test_names_are_looked_up_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stepping(SystemClock):
        moment = 0.0

        def monotonic(self) -> float:
            return self.moment

    clock, asked = Stepping(), list[int]()
    known = pwd.getpwuid

    def ask(uid: int) -> pwd.struct_passwd:
        asked.append(uid)
        return known(uid)

    monkeypatch.setattr(pwd, "getpwuid", ask)
    rules, user = AccessRules(Access(), clock), stranger()
    for pid in (1, 2, 3):
        await rules.identify(Peer(pid, user.pw_uid, frozenset({user.pw_gid})))
    assert asked == [user.pw_uid]
    clock.moment += NAMES_KEPT_SECONDS + 1
    await rules.identify(peer_like(user))
    assert asked == [user.pw_uid] * 2


def test_the_kernel_names_the_peer() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with closing(ours), closing(theirs):
        peer = peer_of(ours)
    assert (peer.pid, peer.uid) == (os.getpid(), os.getuid())
    assert peer.gids == {os.getgid(), *os.getgroups()}


def client_as(served: Served, peer: Peer) -> httpx.AsyncClient:
    """A client of the application whose connection the kernel would name so."""
    app = build_app(served.parts)

    async def named(scope: object, receive: object, send: object) -> None:
        await app({**scope, "peer": peer}, receive, send)  # type: ignore[dict-item, arg-type]

    transport = httpx.ASGITransport(app=named)
    return httpx.AsyncClient(transport=transport, base_url="http://innkeeper")


ORDER = {"request": {"vcpus": 1}}
CHANGES = [
    ("POST", "/v1/claims"),
    ("POST", "/v1/claims/batch"),
    ("POST", "/v1/claims/6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11/confirm"),
    ("POST", "/v1/claims/6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11/abort"),
    ("POST", "/v1/claims/6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11/renew"),
    ("DELETE", "/v1/claims/6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11"),
    ("POST", "/v1/audits"),
    ("POST", "/v1/findings/0123456789ab/repair?dry_run=true"),
]
LOOKS = [
    "/metrics",
    "/v1",
    "/v1/host",
    "/v1/devices",
    "/v1/pools",
    "/v1/claims",
    "/v1/findings",
    "/v1/events",
]


async def test_a_reader_looks_and_changes_nothing(serve: Serve) -> None:
    async with serve() as served, client_as(served, peer_like(stranger())) as client:
        for path in LOOKS:
            assert (await client.get(path)).status_code == 200
        assert (await client.post("/v1/fit", json={"vcpus": 1})).status_code == 200
        for method, path in CHANGES:
            problem = problem_of(await client.request(method, path, json=ORDER), 403, "forbidden")
            assert (problem["role"], problem["needed"]) == ("reader", "operator")
            assert stranger().pw_name in problem["detail"]
        assert served.tracker.usage().claims == 0


async def test_nobody_sees_only_whether_it_lives(serve: Serve) -> None:
    async with serve() as served, client_as(served, peer_like(stranger())) as client:
        served.parts.reconfigure(Config(access=Access(readers=())))
        for path in LOOKS:
            problem_of(await client.get(path), 403, "forbidden")
        problem_of(await client.post("/v1/fit", json={"vcpus": 1}), 403, "forbidden")
        assert (await client.get("/livez")).status_code == 200


async def test_an_operator_claims_in_its_own_name(serve: Serve) -> None:
    user = stranger()
    config = Config(access=Access(operators=(user.pw_name,)))
    async with serve(config=config) as served, client_as(served, peer_like(user)) as client:
        made = await client.post("/v1/claims", json=ORDER)
        assert made.json()["holder"]["user"] == user.pw_name
        assert (await client.delete(f"/v1/claims/{made.json()['id']}")).status_code == 200


async def test_claims_are_tied_to_ones_own_processes(serve: Serve) -> None:
    user = stranger()
    config = Config(access=Access(operators=("*",)))
    peer = Peer(os.getpid(), user.pw_uid, frozenset({user.pw_gid}))
    async with serve(config=config) as served, client_as(served, peer) as client:
        foreign = await client.post("/v1/claims", json={**ORDER, "pid": os.getppid()})
        assert problem_of(foreign, 403, "forbidden")["pid"] == os.getppid()
        gone = await client.post("/v1/claims", json={**ORDER, "pid": 2**22})
        problem_of(gone, 400, "invalid_request")
        own = await client.post("/v1/claims", json={**ORDER, "pid": os.getpid()})
        assert own.json()["state"] == "confirmed"
        assert own.json()["process"]["pid"] == os.getpid()
    async with serve() as served:
        admins = await served.client.post("/v1/claims", json={**ORDER, "pid": os.getppid()})
        assert admins.status_code == 201


async def test_the_front_lets_other_messages_pass() -> None:
    seen: list[str] = []

    async def app(scope: dict[str, str], receive: object, send: object) -> None:
        seen.append(scope["type"])

    await Front(app)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]
