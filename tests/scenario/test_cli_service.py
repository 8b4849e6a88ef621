"""`service`: its record in Nova's tables, on the command line."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.program import serve


def test_the_service_is_shown_and_forced_down(short_dir: Path) -> None:
    with serve(short_dir, config="[nova]\ntables = 'embedded'\n") as serving:
        run = serving.command_line
        shown = run("service", "-o", "json").expect(0).json
        assert (shown["up"], shown["forced_down"]) == (True, False)
        assert run("service", "show", "-o", "name").expect(0).out == f"service/{shown['host']}\n"
        down = run("service", "forced-down", "true").expect(0).out
        assert "state         down" in down
        assert "forced down   yes" in down
        run("service", "forced-down", "perhaps").expect(2)
        up = run("service", "forced-down", "false").expect(0).out
        assert "forced down   no" in up
        run("cordon", "host", "--reason", "new disks").expect(0)
        assert "disabled      yes: new disks" in run("service").expect(0).out


def test_without_nova_s_tables_there_is_none(short_dir: Path) -> None:
    with serve(short_dir) as serving:
        assert "embedded" in serving.command_line("service").expect(1).err
