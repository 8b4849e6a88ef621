"""The daemon is killed at any await between a request and its answer; half a step is never left.

Every kind of step is taken once to its end. Then daemon after daemon is killed at one step of its event loop
after the request went out. What the next one finds is all as it was before or all as it is after; after,
when the answer had come.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import anyio
import httpx
import pytest
from tests.crash.kill.remains import Remains, remains_of
from tests.crash.kill.stepping import SteppedDaemon, stepped
from tests.crash.kill.stories import HERE, Ask, Story, stories

from innkeeper.config import Config
from innkeeper.requests.checking import load_checked
from innkeeper.service.premises import ServeOptions

DEEP = bool(os.environ.get("TEST_INNKEEPER_DEEP"))
NORMAL_TRIALS, NORMAL_KILLS = 10, 5
"""How many stories, and how many kills in each."""
DEEP_ROUNDS, DEEP_KILLS = 2, 24
SPEC = f"cpus=16,cells=2,threads=2,memory=16GiB,pfs=1,vfs=8,name={HERE}"
WORDS = """
node = "{node}"
[cpus]
shared = "0-1,4-5,8-9,12-13"
dedicated = "2-3,6-7,10-11,14-15"

[reserved]
memory_mib = 0

[[devices]]

[nova]
tables = "{tables}"
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """One story, with or without Nova's tables, in a folder of its own."""

    story: Story
    tables: str
    folder: Path

    @property
    def state(self) -> Path:
        """What every kill begins with."""
        return self.folder / "state"

    @property
    def config(self) -> Config:
        return load_checked(self.folder / "innkeeper.toml", {})

    def options(self, state: Path) -> ServeOptions:
        return ServeOptions(
            config_path=self.folder / "innkeeper.toml",
            state_dir=state,
            socket_path=self.folder / "api.sock",
            simulate=SPEC,
        )

    def copy(self, name: str) -> Path:
        copied = self.folder / name
        shutil.copytree(self.state, copied)
        return copied

    def remains(self, state: Path) -> Remains:
        """Of a copy, since looking at it changes it."""
        return anyio.run(partial(remains_of, state, self.config, SPEC, HERE))

    def prepare(self) -> None:
        self.folder.mkdir()
        (self.folder / "innkeeper.toml").write_text(WORDS.format(node=HERE, tables=self.tables))
        with stepped(self.options(self.state), self.folder) as daemon:
            for asked in self.story.before:
                ask(daemon, asked)


def ask(daemon: SteppedDaemon, asked: Ask) -> None:
    answer = daemon.client.request(asked.method, asked.path, json=asked.body)
    assert answer.is_success, answer.text


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How the story begins and ends, and how many steps of the loop are between."""

    before: Remains
    after: Remains
    steps: int


def take_once(trial: Trial) -> Outcomes:
    before = trial.remains(trial.copy("before"))
    whole = trial.copy("whole")
    with stepped(trial.options(whole), trial.folder) as daemon:
        daemon.counter.arm(fatal=0)
        ask(daemon, trial.story.step)
        steps = daemon.counter.steps.value
    after = trial.remains(whole)
    assert before != after
    return Outcomes(before, after, steps)


def kill_at(trial: Trial, step: int, outcomes: Outcomes) -> str:
    """Which of both was found: `before`, `after`, or `alive` when it answered sooner than that step."""
    state = trial.copy(f"kill-{step}")
    with stepped(trial.options(state), trial.folder) as daemon:
        daemon.counter.arm(fatal=step)
        try:
            ask(daemon, trial.story.step)
            answered = True
        except httpx.TransportError:
            answered = False
            assert daemon.end() == -signal.SIGKILL
    found = trial.remains(state)
    shutil.rmtree(state)
    assert found == outcomes.after or (found == outcomes.before and not answered), (
        f"{trial.story.name} ({trial.tables}), killed at step {step}, answered: {answered}"
    )
    return "alive" if answered else "before" if found == outcomes.before else "after"


def chosen(steps: int, kills: int, chance: Random) -> list[int]:
    """So many of the steps, spread over all of them."""
    spread = [1 + int((index + chance.random()) * steps / kills) for index in range(kills)]
    return sorted(set(spread))


def take_and_kill(trial: Trial, kills: int, round_number: int) -> list[str]:
    """What was found after each kill."""
    trial.prepare()
    outcomes = take_once(trial)
    steps = chosen(outcomes.steps, kills, Random(f"{trial.story.name} {round_number}"))
    found = [kill_at(trial, step, outcomes) for step in steps]
    shutil.rmtree(trial.folder)
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a sync takes no time: what dies here is a process, and never the power."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(prefix="ik-", dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


# httpcore leaves the socket of a broken connection to the garbage collector.
@pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(4 * 3600)
def test_a_kill_at_any_await_leaves_a_step_whole_or_not_at_all(folder: Path) -> None:
    tables = ("none", "embedded")
    trials = [
        Trial(story, kept, folder / f"{number}-{kept}")
        for number, story in enumerate(stories())
        for kept in tables
    ]
    if not DEEP:
        trials = Random(7).sample(trials, NORMAL_TRIALS)
    rounds, kills = (DEEP_ROUNDS, DEEP_KILLS) if DEEP else (1, NORMAL_KILLS)
    taken = (take_and_kill(trial, kills, each) for each in range(rounds) for trial in trials)
    found = Counter(each for some in taken for each in some)
    assert found["before"]
    assert found["after"]
    died = found.total() - found["alive"]
    # A step that took fewer turns of the loop than kills were asked for has fewer places to die at.
    assert died >= 0.8 * found.total(), found
    assert died >= (2000 if DEEP else 40), found
    sys.stdout.write(f"{died} kills of {len(trials)} stories: {dict(found)}\n")
