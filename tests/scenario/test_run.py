"""`innkeeper run`: the claim lives as long as the command, however that ends."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.cli.program import (
    CommandLine,
    Serving,
    program,
    run_program,
    serve,
)

VF = "8086:1889"


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with tempfile.TemporaryDirectory(prefix="ik-") as directory, serve(Path(directory)) as ready:
        yield ready


@pytest.fixture
def run(serving: Serving) -> CommandLine:
    return serving.command_line


def run_words(serving: Serving, *words: str) -> tuple[str, ...]:
    return ("--socket", str(serving.socket), "run", *words)


def claims_when_none_is_left(run: CommandLine) -> None:
    """The daemon hears of the end by itself: a claim that needs all waits until then."""
    waited = run("claim", "--vcpus", "32", "--wait", "30s", "-o", "name").expect(0)
    run("release", waited.out.strip()).expect(0)
    assert run("claims", "-o", "name").expect(0).out == ""


def ignored(status: str) -> set[int]:
    """Signals that the command ignores; who started the tests may have added others."""
    (mask,) = re.findall(r"^SigIgn:\t([0-9a-f]+)$", status, re.MULTILINE)
    return {number for number in range(1, 65) if int(mask, 16) >> (number - 1) & 1}


def test_the_command_gets_its_claim_as_environment_and_its_exit_code_is_ours(
    serving: Serving, run: CommandLine
) -> None:
    script = "env | grep ^INNKEEPER_; grep -E 'SigIgn|SigBlk|Cpus_allowed_list' /proc/self/status; exit 9"
    words = ("--vcpus", "2", "--memory", "1GiB", "--device", f"{VF}=2", "--counter", "slots=1")
    ran = run_program(*run_words(serving, *words, "--", "sh", "-c", script)).expect(9)
    assert ran.err == ""
    got = dict(line.split("=", 1) for line in ran.out.splitlines() if "=" in line)
    assert got["INNKEEPER_VCPUS"] == "2"
    assert got["INNKEEPER_CPUS"] == "0-31"
    assert got["INNKEEPER_MEMORY_MIB"] == "1024"
    assert len(got["INNKEEPER_PCI"].split(",")) == 2
    assert got["INNKEEPER_COUNTER_SLOTS"] == "1"
    assert not ignored(ran.out) & {signal.SIGPIPE, signal.SIGXFSZ}
    claims_when_none_is_left(run)
    kinds = [one["kind"] for one in run("history", got["INNKEEPER_CLAIM"], "-o", "json").json]
    assert kinds[0] == "claimed"
    assert kinds[-1] in ("process_ended", "released")


def test_the_claim_is_tied_to_the_process_while_it_runs(serving: Serving, run: CommandLine) -> None:
    words = ("--vcpus", "4", "--name", "job", "--", "sh", "-c", "echo ready; read end")
    with program(*run_words(serving, *words)) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        (held,) = run("claims", "-o", "json").expect(0).json
        assert (held["state"], held["name"]) == ("confirmed", "job")
        assert held["process"]["pid"] == running.pid
        assert f"with pid {running.pid}" in run("claims").expect(0).out
        assert f"confirmed with pid {running.pid}" in run("show").expect(0).out
        running.communicate("end\n")
        assert running.returncode == 0
    claims_when_none_is_left(run)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGPIPE])
def test_a_command_that_is_killed_gives_back_what_it_held(
    serving: Serving, run: CommandLine, number: signal.Signals
) -> None:
    words = ("--vcpus", "32", "--", "sh", "-c", "echo ready; read end")
    with program(*run_words(serving, *words)) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(number)
        assert running.wait() == -number
    claims_when_none_is_left(run)


def test_it_runs_on_the_cpus_of_its_claim(short_dir: Path) -> None:
    allowed = min(os.sched_getaffinity(0))
    with serve(short_dir, host="cpus=1,cells=1") as serving:
        script = "grep Cpus_allowed_list /proc/self/status"
        words = run_words(serving, "--vcpus", "1", "--", "sh", "-c", script)
        if allowed != 0:
            pytest.skip("CPU 0 is not ours to run on")
        assert run_program(*words).expect(0).out == "Cpus_allowed_list:\t0\n"


def test_cpus_that_this_machine_does_not_have_are_refused(short_dir: Path) -> None:
    with serve(short_dir, root=host_with_cpu(short_dir / "host", 9_000)) as serving:
        refused = run_program(*run_words(serving, "--vcpus", "1", "--", "true")).expect(1)
        assert "cannot run on CPUs 9000: Invalid argument; the claim is released" in refused.err
        assert serving.command_line("claims", "-o", "name").expect(0).out == ""


def host_with_cpu(root: Path, number: int) -> Path:
    """A host tree with one CPU of this number."""
    for name, text in {
        "sys/devices/system/cpu/online": f"{number}",
        "sys/devices/system/cpu/present": f"{number}",
        f"sys/devices/system/cpu/cpu{number}/topology/physical_package_id": "0",
        "proc/meminfo": "MemTotal: 4194304 kB",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


def test_commands_that_cannot_run(serving: Serving, run: CommandLine, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("just words\n")
    no_program = tmp_path / "no-program"
    no_program.write_bytes(b"\0\1\2")
    no_program.chmod(0o755)
    no_shell = tmp_path / "no-shell"
    no_shell.write_text("#!/nonexistent/shell\n")
    no_shell.chmod(0o755)
    for command, code, reason in (
        ("no-such-command", 127, "command not found"),
        ("./no/such/command", 127, "command not found"),
        (str(plain), 126, "not executable"),
        (str(tmp_path), 126, "not executable"),
        (str(no_program), 126, "Exec format error; the claim is released"),
        (str(no_shell), 127, "No such file or directory; the claim is released"),
    ):
        refused = run_program(*run_words(serving, "--vcpus", "1", "--", command)).expect(code)
        assert reason in refused.err
        assert refused.out == ""
        assert run("claims", "-o", "name").expect(0).out == ""


def test_what_does_not_fit_is_not_run(serving: Serving, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    refused = run_program(*run_words(serving, "--vcpus", "99", "--", "touch", str(ran)))
    assert "[no_fit]" in refused.expect(3).err
    assert not ran.exists()


def test_the_command_s_own_flags_are_its_own(serving: Serving) -> None:
    words = ("--vcpus", "1", "--", "echo", "--vcpus", "-o", "--help")
    assert run_program(*run_words(serving, *words)).expect(0).out == "--vcpus -o --help\n"


def test_a_daemon_that_restarts_meanwhile_still_sees_the_end(short_dir: Path) -> None:
    with serve(short_dir) as first:
        words = run_words(first, "--vcpus", "32", "--", "sh", "-c", "echo ready; read end")
        with program(*words) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            first.process.kill()
            first.process.wait()
            with serve(short_dir) as second:
                run = second.command_line
                (held,) = run("claims", "-o", "json").expect(0).json
                assert held["process"]["pid"] == running.pid
                running.kill()
                running.wait()
                claims_when_none_is_left(run)


def test_a_command_that_ended_while_the_daemon_was_away_holds_nothing(short_dir: Path) -> None:
    with serve(short_dir) as first:
        words = run_words(first, "--vcpus", "32", "--", "sh", "-c", "echo ready; read end")
        with program(*words) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            first.process.kill()
            first.process.wait()
            running.kill()
            running.wait()
        with serve(short_dir) as second:
            claims_when_none_is_left(second.command_line)
