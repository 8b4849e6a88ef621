"""Counters of the instances on a host, as Nova's schedulers read them from its node's `stats`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from innkeeper.objects import Instance

_BUSY_STATES: Final = frozenset({"building"})
_BUSY_TASKS: Final = frozenset(
    {
        *("resize_migrating", "rebuilding", "resize_prep", "image_snapshot"),
        *("image_backup", "rescuing", "unshelving"),
    }
)
"""What loads the host's disks (`nova/compute/stats.py` of Nova 34: `io_workload`)."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """What is counted of one instance; the image and with it the system is not known here."""

    vm_state: str
    task_state: str | None
    project: str | None

    @classmethod
    def of(cls, row: Instance) -> _Counted:
        return cls(row.vm_state or "None", row.task_state, row.project_id)

    def names(self) -> tuple[str, ...]:
        return (
            f"num_vm_{self.vm_state}",
            f"num_task_{self.task_state}",
            f"num_proj_{self.project}",
            "num_os_type_None",
        )

    @property
    def is_busy(self) -> bool:
        return self.vm_state in _BUSY_STATES or self.task_state in _BUSY_TASKS


class NodeStats:
    """Follows the rows of instances; what is not on this node is not counted."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._counted: dict[str, _Counted] = {}
        self._numbers: Counter[str] = Counter()
        self._busy = 0
        self._with_task = 0

    def follow(self, rows: Iterable[Instance]) -> None:
        """The next forms of instances."""
        for row in rows:
            self.forget(row.uuid)
            if row.node == self._node:
                self._counted[row.uuid] = counted = _Counted.of(row)
                self._add(counted, 1)

    def forget(self, instance_uuid: str) -> None:
        """It is not here."""
        counted = self._counted.pop(instance_uuid, None)
        if counted is not None:
            self._add(counted, -1)

    def _add(self, counted: _Counted, change: int) -> None:
        for name in counted.names():
            self._numbers[name] += change
            if not self._numbers[name]:
                # A project that left would else stay for as long as the process lives.
                del self._numbers[name]
        self._busy += change * counted.is_busy
        self._with_task += change * (counted.task_state is not None)

    @property
    def instances(self) -> int:
        """`running_vms`."""
        return len(self._counted)

    @property
    def workload(self) -> int:
        """`current_workload`: instances with a task."""
        return self._with_task

    def texts(self) -> dict[str, str]:
        """Every counter that is not 0, and the two that are always there; by name."""
        numbers = {
            **self._numbers,
            "num_instances": len(self._counted),
            "io_workload": self._busy,
        }
        return {name: str(numbers[name]) for name in sorted(numbers)}
