"""Requests that a greedy choice cannot serve, and those that nothing can, with their search steps."""

from __future__ import annotations

from benches.pci_figures import Figures, repeat
from benches.pci_hosts import (
    config_of,
    eight_requests,
    host_of_eight_kinds,
    host_of_vfs,
    pfs_and_vfs,
    specs,
)
from benches.pci_ours import ledger_of

from innkeeper import _core
from innkeeper.errors import NoFit
from innkeeper.objects import Host, Request


def tell_searches(figures: Figures, seconds: float) -> None:
    figures.head("searches, through Python")
    for of_each in (1, 64):
        ledger = _ledger(host_of_eight_kinds(of_each))
        asked, more = eight_requests(of_each), eight_requests(of_each, extra=1)
        _tell(figures, f"8 kinds x 8 requests of {of_each}", ledger, asked, seconds)
        _tell(figures, "the same and one card more", ledger, more, seconds)
    for size in (256, 4096, 16384):
        ledger, pfs, vfs = _ledger(host_of_vfs(size)), size // 256, size // 2
        name = f"{pfs} PFs with {vfs:,} VFs of {size:,}"
        _tell(figures, name, ledger, pfs_and_vfs(pfs, vfs), seconds)
        _tell(figures, "the same and one VF more", ledger, pfs_and_vfs(pfs, vfs + 1), seconds)


def _ledger(host: Host) -> _core.Ledger:
    return ledger_of(host, config_of(specs()))


def _tell(
    figures: Figures, name: str, ledger: _core.Ledger, asked: Request, seconds: float
) -> None:
    def fits() -> bool:
        try:
            ledger.fit(asked)
        except NoFit:
            return False
        return True

    answer = "fits" if fits() else "does not fit"
    steps = ledger.steps
    figures.tell(name, repeat(fits, seconds / 3), note=f"{answer} after {steps:,} steps")
