"""What is suspicious about the commands that clean devices."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from innkeeper.config.device_sections import CLEAN_PATH
from innkeeper.config.nearest import quoted
from innkeeper.requests.device_specs import DeviceRule


def idle_commands(rules: Iterable[DeviceRule]) -> Iterator[str]:
    """One line for each entry whose command is never run."""
    for rule in rules:
        if rule.clean and rule.one_time_use:
            yield (
                f"{rule.words}: `clean` is never run beside `one_time_use`: its devices wait for an "
                "operator"
            )


def missing_programs(rules: Iterable[DeviceRule]) -> Iterator[str]:
    """One line for each entry whose command cannot be started on this machine as it is now."""
    for rule in rules:
        if rule.clean and _program(rule.clean[0]) is None:
            yield (
                f"{rule.words}: `clean` starts {quoted(rule.clean[0])}, and no such program can be run "
                "here: its devices would stay dirty"
            )


def _program(name: str) -> str | None:
    """Where it is; a command is started in `/`."""
    return shutil.which(str(Path("/", name)) if "/" in name else name, path=CLEAN_PATH)
