"""Something differs: the exit code says so, and the findings what."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.unit.cli.program import CONFIG, serve


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
