"""The lines of one host: ours, the peer's, the core's own, and what they must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benches import pci_ours as ours
from benches.pci_figures import Figures, Sample, repeat, rounds, timed
from benches.pci_hosts import config_of, request
from benches.peer_process import Ask

from innkeeper import _core
from innkeeper.config.sections import Nova
from innkeeper.objects import Host

CRITERION = Path(__file__).resolve().parents[1] / "target" / "criterion"

MS, US = 1e-3, 1e-6


class OnHost:
    """Everything that is timed on one host."""

    def __init__(
        self,
        figures: Figures,
        seconds: float,
        host: Host,
        *,
        entries: list[dict[str, str]],
        pattern: dict[str, str],
        ask: Ask,
    ) -> None:
        self._figures = figures
        self._seconds = seconds
        self._host = host
        self._config = config_of(entries)
        self._pattern = pattern
        self._ask = ask
        self.judged = False
        """Whether figures are compared with what they must be."""
        self.peers = True
        """Whether the peer is measured."""
        self.core = ""
        """The host's name in the core's benches."""
        self.count = 0
        """Devices that a pattern stands for."""
        self.took: dict[str, float] = {}
        """Medians of what is compared between hosts."""

    def all_lines(self) -> None:
        self.syncs()
        for count in (1, 8):
            self._fit(count)
        for count, most in ((1, 10 * US), (8, 30 * US)):
            self._claim_and_free(count, most)
        self._pools()
        self._fill()

    def _theirs(self, **words: Any) -> Sample | None:
        return Sample(self._ask(**words)["seconds"]) if self.peers else None

    def _tell(
        self,
        name: str,
        took: Sample,
        *,
        peer: Sample | None = None,
        most: float | None = None,
        note: str = "",
    ) -> None:
        most = most if self.judged else None
        self._figures.tell(name, took, most=most, peer=peer, note=note)

    def _tell_core(self, name: str, group: str, bench: str, most: float) -> None:
        took = of_core(group, bench, self.core)
        if took is None:
            self._figures.say(f"{name}, in the core", "not measured: `cargo bench` does it")
        else:
            self._tell(f"{name}, in the core", took, most=most)
            self.took[f"{name}, in the core"] = took.median

    # -- syncs ---------------------------------------------------------------------------------

    def syncs(self) -> None:
        first = self._theirs(do="first_sync")
        took = ours.first_sync(self._host, self._config, self._seconds)
        self.took["first sync in memory"] = took.median
        self._tell("first sync in memory", took, peer=first, most=10 * MS)
        synced = ours.syncs(self._host, self._config, 5)
        self._first_saved(synced, first)
        self._unchanged(synced)
        self._tell("one device gone or back, saved", synced.change, note=f"{synced.change_writes}")
        self._with_tables()

    def _with_tables(self) -> None:
        """With what the peer writes, too: a row of each device in Nova's tables."""
        tables = Nova(tables="embedded")
        synced = ours.syncs(self._host, self._config.model_copy(update={"nova": tables}), 5)
        for name, took, writes, most in (
            ("first sync, saved", synced.first, synced.first_writes, 200 * MS),
            ("nothing changed, saved", synced.unchanged, synced.unchanged_writes, 2 * MS),
            ("one device gone or back, saved", synced.change, synced.change_writes, None),
        ):
            self._tell(f"{name} with Nova's tables", took, most=most, note=f"{writes}")

    def _first_saved(self, synced: ours.Syncs, first: Sample | None) -> None:
        saved = self._ask(do="save") if self.peers else None
        self._tell(
            "first sync, saved",
            synced.first,
            peer=total(first, saved),
            most=200 * MS,
            note=f"{synced.first_writes}{statements_of(saved)}",
        )

    def _unchanged(self, synced: ours.Syncs) -> None:
        again = self._theirs(do="sync")
        saved = self._ask(do="save") if self.peers else None
        self.took["nothing changed, in memory"] = synced.refresh.median
        self._tell("nothing changed, in memory", synced.refresh, peer=again)
        self._tell("nothing changed, every object made anew, in memory", synced.equal)
        self._tell(
            "nothing changed, saved",
            synced.unchanged,
            peer=total(again, saved),
            most=2 * MS,
            note=f"{synced.unchanged_writes}{statements_of(saved)}",
        )
        silent = synced.unchanged_writes == ours.Writes(0, 0)
        self._figures.say("nothing changed, no write", str(synced.unchanged_writes), reached=silent)

    # -- decisions -----------------------------------------------------------------------------

    def _fit(self, count: int) -> None:
        name = f"does it fit, {count}"
        self._tell_core(name, "pci_fit", str(count), 5 * US)
        theirs = self._theirs(do="fit", count=count, seconds=self._seconds)
        took = ours.fit(self._ledger(), request(self._pattern, count), self._seconds / 3)
        self._tell(f"{name}, through Python", took, peer=theirs)

    def _claim_and_free(self, count: int, most: float) -> None:
        name = f"claim and free {count}"
        self._tell_core(name, "pci_claim_and_free", str(count), most)
        theirs = self._theirs(do="claim_and_free", count=count, seconds=self._seconds)
        took = ours.claim_and_free(self._ledger(), request(self._pattern, count), self._seconds / 3)
        self._tell(f"{name}, through Python", took, peer=theirs, most=most)

    def _ledger(self) -> _core.Ledger:
        return ours.ledger_of(self._host, self._config)

    def _fill(self) -> None:
        self._tell_core("fill one by one", "pci_fill", "one_by_one", 50 * MS)
        theirs = self._theirs(do="fill", count=self.count)
        took = ours.fill(self._host, self._config, self._pattern, self.count)
        self.took["fill one by one, through Python"] = took.median
        self._tell("fill one by one, through Python", took, peer=theirs, most=50 * MS)

    def memory(self) -> None:
        """What the devices and a claim of each cost."""
        before, peak = ours.peak_of_filled(self.count)
        theirs = self._ask(do="peak")
        more = theirs["until_now"] - theirs["before"]
        words = f"{mib(peak)} ({mib(peak - before)} more than before it had devices)"
        peer = f"peer {mib(theirs['until_now'])} ({mib(more)} more)"
        self._figures.say("peak memory of a process that filled the host", f"{words}; {peer}")

    def _pools(self) -> None:
        """As Nova's schedulers read them: after each change of a count, and when nothing changed."""
        theirs = self._theirs(do="pools", seconds=self._seconds)
        pools, address = ours.nova_pools(self._host, self._config)

        def after_a_change() -> object:
            pools.count(address, -1)
            pools.as_object()
            pools.count(address, 1)
            return pools.as_object()

        twice = repeat(after_a_change, self._seconds / 3)
        one = Sample([seconds / 2 for seconds in twice.seconds])
        many = f"{len(pools.as_object().objects)} pools"
        self._tell("pools as objects, one count changed", one, peer=theirs, most=1 * MS, note=many)
        self._tell("pools as objects, made from nothing", self._pools_made())
        same = pools.as_object() is pools.as_object()
        self._figures.say("pools as objects, nothing changed", "the same object", reached=same)

    def _pools_made(self) -> Sample:
        def once() -> float:
            pools, _ = ours.nova_pools(self._host, self._config)
            return timed(pools.as_object)

        return rounds(once, 5)


def total(first: Sample | None, answer: dict[str, Any] | None) -> Sample | None:
    """A sync and the save after it, of the peer."""
    if first is None or answer is None:
        return None
    return Sample([first.median + answer["seconds"][0]])


def mib(kib: int) -> str:
    return f"{kib / 1024:.0f} MiB"


def statements_of(answer: dict[str, Any] | None) -> str:
    return f" (peer {answer['statements']})" if answer else ""


def of_core(*path: str) -> Sample | None:
    """The median of one of the core's own benches."""
    file = CRITERION.joinpath(*path, "new", "estimates.json")
    if not file.exists():
        return None
    return Sample([json.loads(file.read_text())["median"]["point_estimate"] / 1e9])
