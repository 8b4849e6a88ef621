"""Without a daemon: what works, what it says, and what does not work."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import yaml
from tests.unit.cli.program import CommandLine, run_program

HOST = ("--simulate", "cpus=16,cells=2,pfs=1,vfs=4,memory=32GiB")


@pytest.fixture
def run(tmp_path: Path) -> CommandLine:
    """Nobody listens where this one looks."""
    (tmp_path / "innkeeper.toml").write_text("[[devices]]\nproduct_id = '1889'\n")
    config = str(tmp_path / "innkeeper.toml")
    return CommandLine({"HOME": str(tmp_path), "INNKEEPER_CONFIG": config})


@pytest.mark.parametrize("command", ["show", "devices --tree", "pools", "fit --vcpus 1"])
def test_what_works_says_that_no_daemon_answers(run: CommandLine, command: str) -> None:
    fallen_back = run(*command.split()).expect(0)
    assert "no daemon answers at /run/innkeeper/api.sock" in fallen_back.err
    assert "without any claims" in fallen_back.err
    assert fallen_back.out != ""


@pytest.mark.parametrize("command", ["show", "devices --free", "pools", "fit --vcpus 1"])
def test_who_asks_for_it_hears_nothing_of_daemons(run: CommandLine, command: str) -> None:
    for words in (("--local",), HOST):
        outcome = run(*command.split(), *words).expect(0)
        assert outcome.err == ""


@pytest.mark.parametrize(
    "command",
    [
        "aliases",
        "cordons",
        "cordon host --reason x",
        "uncordon cell 0",
        "claims",
        "claim --vcpus 1",
        "claim --dry-run --vcpus 1",
        "audit run",
        "findings",
    ]
    + ["history", "run --vcpus 1 -- true"]
    + [f"{act} 6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11" for act in ("confirm", "renew", "release")],
)
def test_what_needs_a_daemon_says_where_it_looked(
    run: CommandLine, command: str, tmp_path: Path
) -> None:
    refused = run(*command.split()).expect(6)
    assert "[unreachable]" in refused.err
    assert f"{tmp_path}/.local/state/innkeeper/api.sock (no such file or directory)" in refused.err
    assert refused.out == ""


def test_a_socket_that_nobody_listens_on(run: CommandLine, short_dir: Path) -> None:
    path = short_dir / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))
    refused = run("--socket", str(path), "claims").expect(6)
    assert f"{path} (connection refused)" in refused.err
    assert run("claims", INNKEEPER_SOCKET=str(path)).expect(6).err == refused.err


def test_a_socket_path_that_is_too_long(run: CommandLine) -> None:
    refused = run("--socket", "/tmp/" + "x" * 120, "claims").expect(2)
    assert "at most 107" in refused.err


def test_this_host_is_what_the_kernel_says() -> None:
    shown = run_program("show", "--local", "-o", "yaml").expect(0)
    view = yaml.safe_load(shown.out)
    cpus = [one["id"] for one in view["host"]["cpus"] if one["online"]]
    assert len(cpus) == os.sysconf("SC_NPROCESSORS_ONLN")
    functions = {one["address"] for one in view["host"]["functions"]}
    assert functions == {entry.name for entry in Path("/sys/bus/pci/devices").glob("*:*:*.*")}
    meminfo = Path("/proc/meminfo").read_text().split()
    assert view["host"]["memory_kib"] == int(meminfo[meminfo.index("MemTotal:") + 1])


def test_a_fit_without_a_daemon(run: CommandLine) -> None:
    words = ("fit", *HOST, "--vcpus", "4", "--device", "8086:1889=2")
    answer = run(*words, "-o", "json").expect(0).json
    assert answer["count"] == 2
    assert [one["cell"] for one in answer["placement"]["devices"]] == [0, 0]
    assert "INNKEEPER_CLAIM" not in run(*words, "-o", "env").expect(0).out
    refused = run(*words, "--vcpus", "17").expect(3)
    assert "asked for 17 vCPUs; 16 of 16 are free" in refused.err
    assert "would fit now: --vcpus 16 --device 8086:1889=2" in refused.err
    nothing = run("fit", *HOST, "--device", "ffff:ffff=1").expect(3)
    assert "nothing of this kind would fit now" in nothing.err


def test_a_host_that_cannot_be_read(run: CommandLine, tmp_path: Path) -> None:
    refused = run("show", "--root", str(tmp_path / "nowhere")).expect(1)
    assert "[host_unreadable]" in refused.err


def test_a_capture_is_looked_at_elsewhere(run: CommandLine, tmp_path: Path) -> None:
    bundle = tmp_path / "host.tar.xz"
    assert "wrote " in run("capture", str(bundle), "--redact").expect(0).err
    here, there = run("show", "--local"), run("show", "--root", str(bundle))
    assert (
        there.expect(0).out.split("memory", 1)[0].split("   ")[1]
        == (here.expect(0).out.split("memory", 1)[0].split("   ")[1])
    )
    assert "cannot write" in run("capture", "/nonexistent/host.tar.xz").expect(2).err


def test_the_configuration_is_shown_and_checked(run: CommandLine, tmp_path: Path) -> None:
    example = run("config", "example").expect(0).out
    (tmp_path / "example.toml").write_text(example)
    checked = run("config", "check", "--config", str(tmp_path / "example.toml")).expect(0)
    assert "good" in checked.err
    assert run("config", "show").expect(0).out == "[[devices]]\nproduct_id = '1889'\n"
    effective = run("config", "show", "--effective", INNKEEPER_RESERVED__VCPUS="3").expect(0)
    assert "vcpus = 3" in effective.out
    assert "max_wait = 3600.0" in effective.out


def test_suspicious_words_are_warnings_and_wrong_ones_are_refused(
    run: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "devices.toml"
    file.write_text('[[devices]]\n[[devices]]\nvendor_id = "8086"\n')
    checked = run("config", "check", "--config", str(file)).expect(0)
    assert "warning: [[devices]] entry 2 is never reached" in checked.err
    assert "good" in checked.err
    file.write_text('[[devices]]\nclean = ["/no/such/wipe"]\n')
    checked = run("config", "check", "--config", str(file)).expect(0)
    assert "warning: [[devices]] entry 1: `clean` starts '/no/such/wipe'" in checked.err
    file.write_text('[[devices]]\nvendor_id = "+86"\n[nova]\nalias = ["{}"]\n')
    refused = run("config", "check", "--config", str(file)).expect(2)
    assert f"{file}: `devices[1].vendor_id` is " in refused.err
    assert f"{file}: `nova.alias[1]`: `name` is missing" in refused.err
    assert (
        "`devices[1].vendor_id`" in run("show", "--local", INNKEEPER_CONFIG=str(file)).expect(2).err
    )


def test_a_wrong_configuration_is_refused_with_a_hint(run: CommandLine, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[reserved]\nmemory_mb = 5\n")
    for words in (("config", "check", "--config"), ("config", "show", "--config")):
        refused = run(*words, str(wrong)).expect(2)
        assert "memory_mb" in refused.err
        assert "did you mean `memory_mib`?" in refused.err
    assert "[invalid_config]" in run("show", "--local", INNKEEPER_CONFIG=str(wrong)).expect(2).err
    missing = run("config", "check", "--config", str(tmp_path / "none.toml")).expect(2)
    assert "none.toml" in missing.err
