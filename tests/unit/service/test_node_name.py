"""A host that is renamed keeps the node's name that its claims are kept under."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from innkeeper.errors import BadConfig
from innkeeper.service.node_name import node_name


def test_the_first_name_is_the_hosts_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "before")
    assert node_name(None, tmp_path) == "before"
    monkeypatch.setattr(socket, "gethostname", lambda: "after")
    assert node_name(None, tmp_path) == "before"
    assert node_name("before", tmp_path) == "before"


def test_another_configured_name_is_refused(tmp_path: Path) -> None:
    assert node_name("one", tmp_path) == "one"
    with pytest.raises(BadConfig, match="kept under 'one'"):
        node_name("two", tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a\x00b", b"x" * 300])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "node").write_bytes(content)
    with pytest.raises(BadConfig, match="no name of a node"):
        node_name(None, tmp_path)
