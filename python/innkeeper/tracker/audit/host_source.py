"""What the host alone gives to report: devices, CPUs and pages that are not as claims or words have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from innkeeper.requests.remarks import Remark
from innkeeper.tracker.audit.comparing import Comparison
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.sync import host_remarks


class HostSource:
    """Of devices that are not what they were or do not get clean, of lost CPUs, of pages in use."""

    kinds = frozenset(
        {
            *("device_changed", "device_retired", "device_moved"),
            *("clean_failed", "clean_missing", "cpus_lost", "pages_in_use"),
        }
    )

    def __init__(self, parts: Parts, of_cleaning: Callable[[], Sequence[Remark]]) -> None:
        self._parts = parts
        self._of_cleaning = of_cleaning

    def said(self) -> tuple[object, ...]:
        """Another value when there is something new to report."""
        return self._parts.offer.missing, self._remarks()

    def _remarks(self) -> tuple[Remark, ...]:
        parts = self._parts
        return (*parts.offer.remarks, *self._of_cleaning(), *host_remarks(parts))

    async def compare(self, *, full: bool) -> Comparison:  # noqa: D102 - nothing is read for it
        told = self._remarks()
        holders = self._parts.register.device_holders() if told else {}
        remarks = [replace(one, claim_id=one.claim_id or holders.get(one.subject)) for one in told]
        return Comparison(remarks, examined=len(self._parts.host.functions))
