"""One way for every log entry, and no secrets on it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from innkeeper.telemetry import configure_logs


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def fail_with(secret: str) -> None:
    raise ValueError(f"{len(secret)} letters")


@pytest.mark.parametrize("rendering", ["json", "console"])
def test_tracebacks_show_no_values(rendering: str) -> None:
    out = io.StringIO()
    configure_logs("info", rendering, out)
    try:
        fail_with("".join(("s3", "cret")))
    except ValueError:
        structlog.get_logger("x").exception("failed")
    written = out.getvalue()
    assert "ValueError: 6 letters" in written
    assert "fail_with" in written
    assert "s3cret" not in written


def test_libraries_take_the_same_way() -> None:
    out = io.StringIO()
    configure_logs("info", "json", out)
    structlog.contextvars.bind_contextvars(request_id="r-1")
    logging.getLogger("uvicorn.error").info("chatter")
    logging.getLogger("uvicorn.error").warning("odd %s", "thing\nline")
    entry = json.loads(out.getvalue())
    assert entry["event"] == "odd thing\nline"
    assert (entry["level"], entry["logger"], entry["request_id"]) == (
        "warning",
        "uvicorn.error",
        "r-1",
    )
    assert entry["timestamp"].endswith("Z")


def test_the_level_can_be_changed_while_running() -> None:
    out = io.StringIO()
    log = structlog.get_logger("x")
    configure_logs("warning", "json", out)
    log.info("quiet")
    configure_logs("debug", "json", out)
    log.debug("loud")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["loud"]


def test_without_a_terminal_it_is_json() -> None:
    out = io.StringIO()
    configure_logs("info", "auto", out)
    structlog.get_logger("x").info("listening", socket="/x")
    assert json.loads(out.getvalue())["socket"] == "/x"
