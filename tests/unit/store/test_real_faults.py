"""Real faults: full disks, limits, syncs that fail; each in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.crash.power_loss.shim import build_shim
from tests.unit.store.conftest import Database, in_thread

ROOT = Path(__file__).parents[3]


def run_child(fault: str, folder: Path, *before: str, **environment: str) -> dict[str, object]:
    """The report of `child.py` under a fault."""
    folder.mkdir(exist_ok=True)
    paths = os.pathsep.join((str(ROOT), *filter(None, sys.path)))
    ended = subprocess.run(
        [*before, sys.executable, "-m", "tests.unit.store.child", fault, str(folder)],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    report: dict[str, object] = json.loads(ended.stdout.splitlines()[-1])
    return report


async def require_all_there(database: Database, report: dict[str, object]) -> None:
    async with database.opened() as store:
        assert database.found.set_aside is None
        claims = [int(claim.fingerprint, 16) for claim in await store.list_claims()]
        assert claims == report["written"]
        assert len(await store.list_events()) == len(claims)


async def test_at_a_limit_of_file_size_writing_stops_and_goes_on_after(tmp_path: Path) -> None:
    report = await in_thread(run_child, "file-size", tmp_path / "limited")
    assert report["refused"] == ["store_error", "store_error"]
    assert "could not be written" in str(report["message"])
    await require_all_there(Database(tmp_path / "limited" / "innkeeper.sqlite3"), report)


def mounting(folder: Path, mount: str) -> list[str]:
    """What runs a command with a mount of its own on the folder; skips where that is not allowed."""
    before = ["unshare", "-Urm", "sh", "-c", f'{mount} && exec "$@"', str(folder)]
    if shutil.which("unshare") is None or subprocess.run([*before, "true"], check=False).returncode:
        pytest.skip("this kernel lets nobody mount a file system of their own")
    return before


def test_on_a_full_disk_writing_stops_and_goes_on_after(tmp_path: Path) -> None:
    """A disk of 900 KiB."""
    before = mounting(tmp_path, 'mount -t tmpfs -o size=900k tmpfs "$0"')
    report = run_child("full", tmp_path, *before)
    assert report["refused"] == ["store_full", "store_full"]
    assert "full" in str(report["message"])
    assert report["found_again"] == report["written"]


def test_a_read_only_file_system_is_named(tmp_path: Path) -> None:
    before = mounting(tmp_path, 'mount -t tmpfs -o ro tmpfs "$0"')
    report = run_child("open", tmp_path, *before)
    assert report["refused"] == ["store_error"]
    assert "Read-only file system" in str(report["message"])


async def test_a_claim_whose_sync_failed_does_not_come_back(tmp_path: Path) -> None:
    shim = await in_thread(build_shim, tmp_path)
    failing = tmp_path / "failing"
    folder = tmp_path / "syncs"

    def run() -> dict[str, object]:
        return run_child(
            "sync",
            folder,
            LD_PRELOAD=str(shim),
            POWER_WATCH="innkeeper.sqlite3",
            POWER_FAILING=str(failing),
        )

    report = await in_thread(run)
    assert report["refused"] == ["outcome_unknown", "store_error"]
    assert "sync" in str(report["message"])
    assert report["found_applied"] is False
    await require_all_there(Database(folder / "innkeeper.sqlite3"), report)
