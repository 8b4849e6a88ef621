"""Something differs: the exit code says so, and the findings what."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.unit.cli.program import CONFIG, claim, run_program, serve


def test_findings_have_their_exit_code(short_dir: Path) -> None:
    with serve(short_dir) as serving:
        run = serving.command_line
        run("claim", "--vcpus", "20", "--counter", "slots=4").expect(0)
        (short_dir / "innkeeper.toml").write_text(
            f"[log]\nlevel = 'info'\n{CONFIG}".replace("10", "3")
        )
        serving.process.send_signal(signal.SIGHUP)
        assert serving.process.stderr is not None
        assert any("configuration read again" in line for line in serving.process.stderr)

        audited = run("audit", "run").expect(5)
        assert "slots" in audited.out
        found = run("findings", "-o", "json").expect(5).json
        assert [one["kind"] for one in found] == ["oversubscribed"]
        assert run("findings", "-o", "name").expect(5).out == f"{found[0]['id']}\n"
        assert "slots" in run("show").expect(0).out
        assert "1 too much" in run("show").expect(0).out

        run("release", run("claims", "-o", "name").out.strip()).expect(0)
        run("audit", "run").expect(0)
        run("findings").expect(0)
        cleared = run("findings", "--cleared", "-o", "json").expect(0).json
        assert [one["id"] for one in cleared] == [found[0]["id"]]


def test_findings_are_mended_by_their_ids(short_dir: Path) -> None:
    with serve(short_dir) as serving:
        run = serving.command_line
        held = claim(run, "--vcpus", "2", "--counter", "slots=4")
        run("confirm", held["id"]).expect(0)
        forget_record(short_dir, held["id"])
        claim(run, "--counter", "slots=4")
        (short_dir / "innkeeper.toml").write_text(CONFIG.replace("10", "3"))
        serving.process.send_signal(signal.SIGHUP)

        said = run("audit", "run", "--full", "-o", "json").expect(5)
        found = {one["kind"]: one for one in said.json["findings"]}
        assert set(found) == {"booked_not_stored", "oversubscribed"}
        assert "audited all" in said.err
        lost, over = found["booked_not_stored"]["id"], found["oversubscribed"]["id"]

        shown = run("findings", "show", lost).expect(5).out
        assert f"finding {lost}  error  booked_not_stored" in shown
        assert held["id"] in shown
        assert "findings repair" in shown
        run("findings", "show", "nosuch").expect(1)

        assert "which findings" in run("findings", "repair").expect(2).err
        assert "which findings" in run("findings", "repair", lost, "--all").expect(2).err
        planned = run("findings", "repair", "--all", "--dry-run").expect(5)
        assert "is stored again" in planned.out
        assert "nothing was changed" in planned.err
        assert run("findings", "-o", "name").expect(5).out.split() == sorted([lost, over])

        mended = run("findings", "repair", over, lost, "-o", "json").expect(5)
        assert [one["finding"]["id"] for one in mended.json] == [lost]
        assert mended.json[0]["repair"] == mended.json[0]["finding"]["taken_repair"]
        assert "[not_repairable]" in mended.err
        assert "release claims" in mended.err
        run("findings", "show", lost).expect(0)
        assert "is stored again" in run("findings", "--cleared", "-o", "wide").expect(5).out

        run("release", held["id"]).expect(0)
        run("release", run("claims", "-o", "name").out.strip()).expect(0)
        run("audit", "run").expect(0)
        assert "nothing was repaired" in run("findings", "repair", "--all").expect(0).err
        assert "[unknown_finding]" in run("findings", "repair", over).expect(1).err
        history = run("history", held["id"], "-o", "json").expect(0).json
        assert [one["by"] is not None for one in history if one["kind"] == "repaired"] == [True]


def forget_record(directory: Path, claim_id: str) -> None:
    """Somebody else's hand in the database of a daemon that runs."""
    with closing(sqlite3.connect(directory / "state" / "innkeeper.sqlite3")) as connection:
        connection.execute("DELETE FROM innkeeper_claims WHERE id = ?", (claim_id,))
        connection.commit()


def test_the_policy_mends_what_a_daemon_finds(short_dir: Path) -> None:
    config = f'{CONFIG}\n[audit]\npolicy = {{ booked_not_stored = "repair" }}\n'
    with serve(short_dir, config=config) as serving:
        run = serving.command_line
        held = claim(run, "--vcpus", "2")
        forget_record(short_dir, held["id"])
        run("audit", "run").expect(0)
        assert run("claims", "-o", "name").expect(0).out.strip() == held["id"]
        kinds = [one["kind"] for one in run("history", held["id"], "-o", "json").expect(0).json]
        assert kinds == ["claimed", "found", "repaired", "cleared"]


def test_a_policy_that_makes_no_sense_keeps_a_daemon_from_starting(short_dir: Path) -> None:
    file = short_dir / "innkeeper.toml"
    file.write_text('[audit]\npolicy = { boked_not_stored = "repair" }\n')
    for words in (("config", "check"), ("serve", "--state-dir", str(short_dir / "state"))):
        refused = run_program(*words, "--config", str(file)).expect(2)
        assert "did you mean `booked_not_stored`?" in refused.err
