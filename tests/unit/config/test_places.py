"""Where files are, by the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from innkeeper.config.places import (
    SOCKET_PATH_LIMIT,
    SYSTEM_SOCKET,
    client_sockets,
    config_path,
    socket_path,
    state_directory,
)
from innkeeper.errors import BadConfig

PREFIX = "TEST_INNKEEPER_"
HOME = {"HOME": "/home/ann"}
HOME_STATE = Path("/home/ann/.local/state/innkeeper")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({**HOME}, HOME_STATE),
        ({**HOME, "XDG_STATE_HOME": "/s"}, Path("/s/innkeeper")),
        ({**HOME, "XDG_STATE_HOME": "relative"}, HOME_STATE),
        ({**HOME, "XDG_STATE_HOME": ""}, HOME_STATE),
        ({**HOME, "XDG_STATE_HOME": "/s", "STATE_DIRECTORY": "/var/lib/x"}, Path("/var/lib/x")),
        ({"STATE_DIRECTORY": "/var/lib/x:/var/lib/y"}, Path("/var/lib/x")),
        ({**HOME, "STATE_DIRECTORY": ""}, HOME_STATE),
    ],
)
def test_state_is_where_systemd_then_xdg_says(environ: dict[str, str], expected: Path) -> None:
    assert state_directory(environ) == expected


def test_a_given_state_directory_wins() -> None:
    assert state_directory({"STATE_DIRECTORY": "/x"}, Path("/given")) == Path("/given")


def test_without_any_home_the_refusal_names_the_option() -> None:
    with pytest.raises(BadConfig, match="--state-dir"):
        state_directory({})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "/state/api.sock"),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, "/run/user/7/innkeeper/api.sock"),
        ({"XDG_RUNTIME_DIR": "run"}, "/state/api.sock"),
        ({"XDG_RUNTIME_DIR": "/r", "RUNTIME_DIRECTORY": "/run/x:/run/y"}, "/run/x/api.sock"),
    ],
)
def test_the_socket_is_at_runtime_then_beside_the_state(
    environ: dict[str, str], expected: str
) -> None:
    assert socket_path(environ, Path("/state")) == Path(expected)


def test_a_given_socket_wins() -> None:
    assert socket_path({"RUNTIME_DIRECTORY": "/r"}, Path("/s"), Path("/g.sock")) == Path("/g.sock")


def test_a_socket_path_may_fill_the_limit_and_no_byte_more() -> None:
    longest = Path("/" + "x" * (SOCKET_PATH_LIMIT - 1))
    assert socket_path({}, Path("/s"), longest) == longest
    with pytest.raises(BadConfig, match=r"108 bytes.*at most 107.*--socket") as caught:
        socket_path({}, Path("/s"), Path(f"{longest}y"))
    assert (caught.value.details["length"], caught.value.details["limit"]) == (108, 107)


def test_bytes_count_and_not_characters() -> None:
    with pytest.raises(BadConfig, match="121 bytes"):
        socket_path({}, Path("/s"), Path("/" + "é" * 60))


def test_a_client_looks_at_system_user_and_state_places_in_this_order() -> None:
    environ = {**HOME, "XDG_RUNTIME_DIR": "/run/user/7"}
    assert client_sockets(environ, prefix=PREFIX) == (
        SYSTEM_SOCKET,
        Path("/run/user/7/innkeeper/api.sock"),
        HOME_STATE / "api.sock",
    )


def test_a_client_without_any_home_looks_at_the_system_place() -> None:
    assert client_sockets({}, prefix=PREFIX) == (SYSTEM_SOCKET,)


def test_a_client_that_is_told_a_socket_tries_no_other() -> None:
    environ = {**HOME, f"{PREFIX}SOCKET": "/env.sock"}
    assert client_sockets(environ, prefix=PREFIX) == (Path("/env.sock"),)
    assert client_sockets(environ, Path("/opt.sock"), prefix=PREFIX) == (Path("/opt.sock"),)


def test_a_client_passes_over_places_that_no_socket_can_have() -> None:
    environ = {"XDG_RUNTIME_DIR": "/" + "x" * 120}
    assert client_sockets(environ, prefix=PREFIX) == (SYSTEM_SOCKET,)
    with pytest.raises(BadConfig):
        client_sockets({f"{PREFIX}SOCKET": "/" + "x" * 120}, prefix=PREFIX)


def test_the_configuration_is_the_given_file_then_that_of_the_environment() -> None:
    environ = {f"{PREFIX}CONFIG": "/env.toml"}
    assert config_path(environ, Path("/given.toml"), prefix=PREFIX) == Path("/given.toml")
    assert config_path(environ, prefix=PREFIX) == Path("/env.toml")


def test_the_configuration_of_the_system_counts_if_it_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "innkeeper.toml"
    monkeypatch.setattr("innkeeper.config.places.SYSTEM_CONFIG", file)
    assert config_path({}, prefix=PREFIX) is None
    file.touch()
    assert config_path({}, prefix=PREFIX) == file
