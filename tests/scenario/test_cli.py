"""Every command against a real daemon: what it prints in each form, and its exit code."""

from __future__ import annotations

import json
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import yaml
from tests.unit.cli.program import CommandLine, Serving, serve

VF = "8086:1889"


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with tempfile.TemporaryDirectory(prefix="ik-") as directory, serve(Path(directory)) as ready:
        yield ready


@pytest.fixture
def run(serving: Serving) -> Iterator[CommandLine]:
    """Each test begins and ends without claims."""
    command_line = serving.command_line
    yield command_line
    for line in command_line("claims", "-o", "name").expect(0).out.split():
        command_line("release", line).expect(0)


def claim(run: CommandLine, *words: str) -> str:
    return run("claim", *words, "-o", "name").expect(0).out.strip()


def test_serve_greets_with_the_picture_and_where_it_listens(serving: Serving) -> None:
    assert "32 CPUs, 2 sockets, 2 cells, 64 GiB memory" in serving.greeting
    assert "+- socket 0 -" in serving.greeting
    assert serving.greeting.endswith(f"listening on {serving.socket}\n")


def test_show_draws_boxes_bars_and_claims(run: CommandLine) -> None:
    held = claim(run, "--vcpus", "8", "--memory", "16GiB", "--device", f"{VF}=3", "--name", "db-1")
    shown = run("show").expect(0)
    assert shown.out.isascii()
    assert shown.err == ""
    for words in ("socket 1", "cell 1", "8 of 32 held, 24 free", "16 GiB of", ". . . . . a a a"):
        assert words in shown.out
    assert "a db-1 8 vCPUs 16 GiB 3 devices" in " ".join(shown.out.split())
    wide = run("show", "-o", "wide").expect(0).out
    assert held in wide


def test_show_as_data_is_the_api_s_object(run: CommandLine) -> None:
    view = run("show", "-o", "json").expect(0).json
    again = yaml.safe_load(run("show", "-o", "yaml").expect(0).out)
    assert again["inventory"] == view["inventory"]
    assert view["host"]["hostname"] == "sim-1"
    assert view["usage"]["vcpus"]["free"] == 32
    assert run("show", "-o", "name").expect(0).out == f"{view['node']}\n"


def test_devices(run: CommandLine) -> None:
    held = claim(run, "--device", f"{VF}=1")
    listed = run("devices", "-o", "json").expect(0).json
    assert sum(one["claimable"] for one in listed) == 15
    assert [one["claim_id"] for one in listed if one["claim_id"]] == [held]
    table = run("devices").expect(0).out
    assert f"held by {held}" in table
    assert "in use by host: default route" in table
    assert "no [[devices]] entry admits it" in table
    assert "SERIAL" in run("devices", "-o", "wide").expect(0).out
    names = run("devices", "-o", "name").expect(0).out.split()
    assert names == [one["function"]["address"] for one in listed]


def test_pools(run: CommandLine) -> None:
    claim(run, "--device", f"{VF}=2")
    pools = run("pools", "-o", "json").expect(0).json
    assert [(pool["cell"], pool["used"], pool["free"]) for pool in pools] == [(0, 2, 6), (1, 0, 8)]
    assert VF in run("pools").expect(0).out
    assert run("pools", "-o", "name").expect(0).out == f"{VF}\n"


def test_a_claim_from_asking_to_release(run: CommandLine) -> None:
    instance = str(uuid4())
    asked = run(
        *("claim", "--instance", instance, "--name", "web", "--project", "shop"),
        *("--reason", "release 7", "--vcpus", "4", "--memory", "8GiB", "--disk", "40GiB"),
        *("--counter", "slots=2", "--lease", "10m", "-o", "json"),
    ).expect(0)
    made = asked.json
    assert made["state"] == "pending"
    assert made["holder"] | {"user": ""} == {"project": "shop", "user": "", "reason": "release 7"}
    assert made["placement"]["counters"] == {"slots": 2}
    assert "lapses in 10m" in asked.err
    assert f"innkeeper confirm {made['id']}" in asked.err

    assert run("confirm", instance, "-o", "json").expect(0).json["state"] == "confirmed"
    renewed = run("renew", made["id"], "--lease", "1h", "-o", "json").expect(0).json
    assert renewed["lease_seconds"] == 3600
    assert run("claims", "show", instance, "-o", "json").expect(0).json == renewed
    released = run("release", instance, "-o", "json").expect(0).json
    assert released["state"] == "released"
    assert run("claims", "-o", "json").expect(0).json == []
    assert made["id"] in run("claims", "--all").expect(0).out

    by_claim = run("history", made["id"], "-o", "json").expect(0).json
    assert [one["kind"] for one in by_claim] == ["claimed", "confirmed", "renewed", "released"]
    assert run("history", instance, "-o", "json").expect(0).json == by_claim
    assert "released" in run("history").expect(0).out


def test_a_claim_as_a_table_says_who_what_and_until_when(run: CommandLine) -> None:
    shown = run("claim", "--vcpus", "2", "--memory", "512", "--device", VF).expect(0).out
    for words in ("pending", "unless confirmed before", "2 on CPUs 0-31", "512 MiB", VF, "cell 0"):
        assert words in shown


def test_the_same_id_and_words_are_the_same_claim(run: CommandLine) -> None:
    words = ("--claim-id", str(uuid4()), "--vcpus", "2")
    assert claim(run, *words) == claim(run, *words) == words[1]
    other = run("claim", "--claim-id", words[1], "--vcpus", "3").expect(4)
    assert "[claim_conflict]" in other.err
    assert other.out == ""


def test_what_does_not_fit_is_said_with_what_is_free_and_what_would(run: CommandLine) -> None:
    claim(run, "--vcpus", "30")
    words = ("--vcpus", "4", "--memory", "100GiB", "--counter", "slots=3")
    for command in ("claim", "fit", "explain"):
        refused = run(command, *words).expect(3)
        assert refused.out == ""
        assert "[no_fit]" in refused.err
        assert "asked for 4 vCPUs; 2 of 32 are free" in refused.err
        assert "memory_mib: asked for 102400 MiB" in refused.err
        nearest = refused.err.partition("would fit now: ")[2].split()
        assert run("fit", *nearest).expect(0).out.startswith("it fits")
    assert len(run("claims", "-o", "name").expect(0).out.split()) == 1


def test_fit_changes_nothing_and_counts(run: CommandLine) -> None:
    before = run("show", "-o", "json").json["generation"]
    answer = run("fit", "--vcpus", "8", "-o", "json").expect(0).json
    assert answer["count"] == 4
    assert "4 times" in run("claim", "--dry-run", "--vcpus", "8").expect(0).out
    assert run("show", "-o", "json").json["generation"] == before


def test_env_lines_can_be_sourced(run: CommandLine) -> None:
    words = ("--vcpus", "2", "--memory", "1GiB", "--disk", "5GiB", "--device", f"{VF}=2")
    asked = run("claim", *words, "--counter", "slots=1", "-o", "env").expect(0)
    script = f"{asked.out}\nset | grep ^INNKEEPER_ | sort"
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={})
    got = dict(line.split("=", 1) for line in said.stdout.replace("'", "").splitlines())
    devices = [one for one in run("devices", "-o", "json").json if one["claim_id"]]
    assert got == {
        "INNKEEPER_CLAIM": devices[0]["claim_id"],
        "INNKEEPER_VCPUS": "2",
        "INNKEEPER_CPUS": "0-31",
        "INNKEEPER_MEMORY_MIB": "1024",
        "INNKEEPER_DISK_MIB": "5120",
        "INNKEEPER_PCI": ",".join(one["function"]["address"] for one in devices),
        "INNKEEPER_COUNTER_SLOTS": "1",
    }


def test_libvirt_s_elements_can_be_pasted(run: CommandLine) -> None:
    words = ("--vcpus", "2", "--memory", "1GiB", "--device", f"{VF}=2")
    text = run("claim", *words, "-o", "libvirt").expect(0).out
    domain = ElementTree.fromstring(f"<domain>{text}</domain>")
    vcpu, memory = domain.find("vcpu"), domain.find("memory")
    assert vcpu is not None
    assert memory is not None
    assert (vcpu.text, vcpu.get("cpuset")) == ("2", "0-31")
    assert (memory.text, memory.get("unit")) == ("1024", "MiB")
    hostdevs = domain.findall("hostdev")
    assert [one.get("managed") for one in hostdevs] == ["yes", "yes"]
    addresses = [one.find("source/address") for one in hostdevs]
    assert [one.attrib for one in addresses if one is not None] == [
        {"domain": "0x0000", "bus": "0x03", "slot": slot, "function": function}
        for slot, function in (("0x01", "0x6"), ("0x01", "0x7"))
    ]


def test_a_spec_in_any_form_and_flags_over_it(run: CommandLine, tmp_path: Path) -> None:
    spec = {"name": "from-spec", "request": {"vcpus": 2, "counters": {"slots": 1}}}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    (tmp_path / "spec.toml").write_text(
        'name = "from-spec"\n[request]\nvcpus = 2\ncounters = {slots = 1}\n'
    )
    for form in ("json", "yaml", "toml"):
        path = tmp_path / f"spec.{form}"
        for words, stdin in (((str(path),), b""), (("-",), path.read_bytes())):
            made = run("claim", "--spec", *words, "--vcpus", "3", "-o", "json", stdin=stdin)
            got = made.expect(0).json
            assert got["name"] == "from-spec"
            assert got["request"]["vcpus"] == 3
            assert got["request"]["counters"] == {"slots": 1}
            run("release", got["id"]).expect(0)


def test_waiting_for_room_ends_with_room_or_with_why_not(run: CommandLine) -> None:
    claim(run, "--vcpus", "32")
    refused = run("claim", "--vcpus", "1", "--wait", "50ms").expect(3)
    assert "asked for 1 vCPU" in refused.err


def test_audits_and_findings_of_a_sound_host(run: CommandLine) -> None:
    audited = run("audit", "run").expect(0)
    assert audited.out == "nothing differs\n"
    assert " ms" in audited.err
    assert run("audit", "run", "-o", "json").expect(0).json["findings"] == []
    assert run("findings").expect(0).out == "nothing differs\n"
    assert run("findings", "-o", "json").expect(0).json == []


def test_conflicts_have_their_exit_code(run: CommandLine) -> None:
    made = claim(run, "--instance", str(instance := uuid4()), "--vcpus", "1")
    assert (
        "[instance_claimed]"
        in run("claim", "--instance", str(instance), "--vcpus", "1").expect(4).err
    )
    run("confirm", made).expect(0)
    assert "[no_lease]" in run("renew", made).expect(4).err
    run("release", made).expect(0)
    assert "[already_released]" in run("confirm", made).expect(4).err


def test_a_claim_is_updated_and_the_history_says_how(run: CommandLine) -> None:
    made = claim(run, "--vcpus", "2", "--memory", "1GiB")
    words = ("--vcpus", "3", "--memory", "2GiB", "--disk", "1GiB")
    shown = run("claims", "update", made, *words, "-o", "json").expect(0).json
    assert shown["request"]["vcpus"] == shown["placement"]["vcpus"] == 3
    assert (shown["placement"]["memory_mib"], shown["placement"]["disk_mib"]) == (2048, 1024)
    assert "vcpus_before=2 vcpus=3" in run("history", made).expect(0).out
    refused = run("claims", "update", made, "--vcpus", "999").expect(3)
    assert "would fit now: --vcpus 32" in refused.err


@pytest.mark.parametrize(
    "command",
    ["confirm", "renew", "release", "claims show", "claims update --vcpus 2", "history"],
    ids=str.split,
)
def test_an_unknown_claim_is_an_error(run: CommandLine, command: str) -> None:
    named = str(UUID(int=7))
    refused = run(*command.split(), named).expect(1)
    assert "[unknown_claim]" in refused.err
    assert named in refused.err


def test_a_socket_may_be_named_before_the_command(serving: Serving) -> None:
    elsewhere = CommandLine({"HOME": "/nonexistent"})
    listed = elsewhere("--socket", str(serving.socket), "claims", "-o", "json")
    assert listed.expect(0).json == []
