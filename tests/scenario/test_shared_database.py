"""Daemons of two nodes that keep their claims in one database, made by the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.contract.shared_databases import SERVERS, end_connections
from tests.daemon import client_of, running, started
from tests.unit.cli.program import CommandLine
from tests.upgrade.databases import empty

SMALL = {"request": {"vcpus": 1, "memory_mib": 64}}


@pytest.fixture(scope="module", params=SERVERS)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with empty(request.param) as made:
        yield made


@pytest.fixture
def url(engine: Engine) -> str:
    """With a password, which servers that trust everybody here do not ask for."""
    plain = engine.url.set(drivername=engine.dialect.name)
    shown = plain if engine.dialect.name == "mysql" else plain.set(password="s3cret")
    return shown.render_as_string(hide_password=False)


def options_of(short_dir: Path, node: str) -> dict[str, Any]:
    home = short_dir / node
    return {
        "state_dir": home / "state",
        "socket_path": home / "api.sock",
        "simulate": f"cpus=8,name={node}",
    }


def environ_of(node: str, url: str) -> dict[str, str]:
    return {"INNKEEPER_STORE__URL": url, "INNKEEPER_NODE": node}


def claim_on(options: dict[str, Any]) -> dict[str, Any]:
    with client_of(options["socket_path"]) as client:
        answer = client.post("/v1/claims", json=SMALL)
        assert answer.status_code == 201, answer.text
        claim: dict[str, Any] = answer.json()
        return claim


def claims_on(options: dict[str, Any]) -> list[str]:
    with client_of(options["socket_path"]) as client:
        return [one["id"] for one in client.get("/v1/claims").json()["claims"]]


def test_two_nodes_keep_their_claims_in_one_database(
    short_dir: Path, url: str, engine: Engine
) -> None:
    one, two = options_of(short_dir, "rack-1"), options_of(short_dir, "rack-2")
    with started(one, environ_of("rack-1", url)) as daemon:
        refusal = daemon.refusal()
        assert "refused store_missing" in refusal
        assert "innkeeper store init" in refusal
        assert "s3cret" not in daemon.log
    run = CommandLine({"HOME": str(short_dir)})
    made = run("store", "init", url).expect(0)
    assert "tables made; Nova's tables there are innkeeper's own" in made.err
    again = CommandLine({"HOME": str(short_dir), "INNKEEPER_STORE__URL": url})
    assert "0 tables made" in again("store", "init").expect(0).err
    assert "s3cret" not in made.err
    with running(one, environ_of("rack-1", url)) as first:
        with running(two, environ_of("rack-2", url)) as second:
            mine, theirs = claim_on(one), claim_on(two)
            assert (claims_on(one), claims_on(two)) == ([mine["id"]], [theirs["id"]])
            end_connections(engine)
            after = claim_on(one)
            assert set(claims_on(one)) == {mine["id"], after["id"]}
            assert second.stop() == 0
        assert first.stop() == 0
        assert "s3cret" not in first.log + second.log
    with running(one, environ_of("rack-1", url)):
        assert set(claims_on(one)) == {mine["id"], after["id"]}
    assert not list((short_dir / "rack-1" / "state").glob("*.sqlite3*"))


def test_a_second_daemon_of_one_state_directory_is_refused(short_dir: Path, url: str) -> None:
    CommandLine({"HOME": str(short_dir)})("store", "init", url).expect(0)
    options = options_of(short_dir, "rack-3")
    with running(options, environ_of("rack-3", url)):
        rival = {**options, "socket_path": short_dir / "other.sock"}
        with started(rival, environ_of("rack-3", url)) as daemon:
            assert "refused store_in_use" in daemon.refusal()
        claim_on(options)


def test_the_address_is_shown_without_its_password(short_dir: Path) -> None:
    file = short_dir / "innkeeper.toml"
    file.write_text('[store]\nurl = "postgresql://me:s3cret@db.example/innkeeper"\n')
    run = CommandLine({"HOME": str(short_dir), "INNKEEPER_CONFIG": str(file)})
    for words in (("config", "show"), ("config", "show", "--effective"), ("config", "check")):
        outcome = run(*words).expect(0)
        assert "s3cret" not in outcome.out + outcome.err
    assert "postgresql://me:***@db.example/innkeeper" in run("config", "show").out


def test_an_address_that_is_none_is_refused_in_words(short_dir: Path) -> None:
    run = CommandLine({"HOME": str(short_dir)})
    refused = run("store", "init", "oracle://me:s3cret@db/x").expect(2)
    assert "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE" in refused.err
    assert "s3cret" not in refused.err
    assert "which database?" in run("store", "init").expect(2).err
