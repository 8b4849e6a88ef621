"""What a tracker counts, in Prometheus' terms: read when somebody asks, and at no other time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from innkeeper import __version__
from innkeeper.objects import Amounts, ClaimState, Usage
from innkeeper.objects.finding_kinds import FINDING_KINDS
from innkeeper.tracker import Tracker

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
MIB: Final = 2**20


def metrics_text(tracker: Tracker, node: str) -> bytes:
    """Everything of this moment, as Prometheus reads it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(TrackerCollector(tracker, node))
    return generate_latest(registry)


class TrackerCollector(Collector):
    """Reads one tracker."""

    def __init__(self, tracker: Tracker, node: str) -> None:
        self._tracker = tracker
        self._node = node

    def collect(self) -> Iterator[Metric]:
        """Every metric with its value now."""
        yield self._build()
        yield from self._of_claims()
        yield from self._of_store()
        yield from _of_usage(self._tracker.usage())
        yield from self._of_findings()
        yield from self._of_audits()

    def _build(self) -> Metric:
        labels = {"version": __version__, "node": self._node}
        return _gauge("build_info", "Always 1; which innkeeper this is.", [(labels, 1)])

    def _of_claims(self) -> Iterator[Metric]:
        counts = self._tracker.statistics()
        states = (ClaimState.PENDING, ClaimState.CONFIRMED)
        values = [({"state": str(state)}, counts.by_state.get(state, 0)) for state in states]
        yield _gauge("claims", "Claims that hold something, by state.", values)
        yield _one("waiting_claims", "Callers that wait for room.", counts.waiting)
        yield _one("steps_in_doubt", "Writes that may or may not be durable.", counts.in_doubt)
        yield _total(
            "undecided_searches",
            "Searches for room that reached their bound before they knew.",
            [({}, counts.undecided)],
        )

    def _of_store(self) -> Iterator[Metric]:
        counts = self._tracker.statistics().store
        yield _one("generation", "The ledger's generation on disk.", self._tracker.generation)
        for name, words, count in (
            ("store_change_sets", "Change sets that became durable.", counts.change_sets),
            ("store_batches", "Transactions, each of one sync of the disk.", counts.batches),
            (
                "store_retried_change_sets",
                "Change sets written alone after their batch was rolled back.",
                counts.retried,
            ),
        ):
            yield _total(name, words, [({}, count)])
        words = "Change sets of the largest transaction."
        yield _one("store_largest_batch_change_sets", words, counts.largest_batch)

    def _of_findings(self) -> Iterator[Metric]:
        counts = self._tracker.audit_statistics()
        open_values = [
            ({"kind": kind.name, "severity": str(kind.severity)}, counts.open.get(kind.name, 0))
            for kind in FINDING_KINDS.values()
        ]
        yield _gauge("findings", "Findings that are open.", open_values)
        words = "Differences that the policy keeps out of sight."
        yield _gauge("findings_ignored", words, _by_kind(FINDING_KINDS, counts.ignored))
        mendable = [kind.name for kind in FINDING_KINDS.values() if kind.repair is not None]
        yield _total("repairs", "Findings mended.", _by_kind(mendable, counts.repaired))
        words = "Repairs that the policy tried in vain."
        yield _total("repairs_failed", words, _by_kind(mendable, counts.failed))

    def _of_audits(self) -> Iterator[Metric]:
        audits = self._tracker.audit_statistics().audits
        extents = {"full": audits.full, "incremental": audits.incremental}
        values = [({"extent": extent}, count) for extent, count in extents.items()]
        yield _total("audits", "Audits of everything, and of what changed.", values)
        yield _total("audits_failed", "Audits that failed.", [({}, audits.failed)])
        lasted = {"full": audits.last_full_seconds, "incremental": audits.last_incremental_seconds}
        yield _gauge(
            "audit_duration_seconds",
            "How long the last audit took; not there before the first.",
            [({"extent": extent}, took) for extent, took in lasted.items() if took is not None],
        )


def _of_usage(usage: Usage) -> Iterator[Metric]:
    yield from _amounts("vcpus", "vCPUs", usage.vcpus)
    yield from _amounts("memory", "Ordinary memory", usage.memory_mib, unit="_bytes", factor=MIB)
    yield from _amounts("disk", "Disk", usage.disk_mib, unit="_bytes", factor=MIB)
    yield from _amounts("devices", "Devices", usage.devices)
    for word, meaning in _SIDES.items():
        values = [
            ({"counter": name}, getattr(amounts, word)) for name, amounts in usage.counters.items()
        ]
        yield _gauge(f"counter_{word}", f"Of each counter of the operator's: {meaning}.", values)


_SIDES: Final = {"used": "held by claims", "capacity": "what claims may hold in all"}


def _amounts(
    name: str, noun: str, amounts: Amounts, *, unit: str = "", factor: int = 1
) -> Iterator[Metric]:
    for word, meaning in _SIDES.items():
        value = getattr(amounts, word) * factor
        yield _one(f"{name}_{word}{unit}", f"{noun}: {meaning}.", value)


Values = Iterable[tuple[Mapping[str, str], float]]


def _by_kind(kinds: Iterable[str], counts: Mapping[str, int]) -> Values:
    return [({"kind": kind}, counts.get(kind, 0)) for kind in kinds]


def _one(name: str, words: str, value: float) -> Metric:
    return _gauge(name, words, [({}, value)])


def _gauge(name: str, words: str, values: Values) -> Metric:
    return _filled(GaugeMetricFamily(f"innkeeper_{name}", words), values)


def _total(name: str, words: str, values: Values) -> Metric:
    """A count since the start; the text has `_total` at its name."""
    return _filled(CounterMetricFamily(f"innkeeper_{name}", words), values, suffix="_total")


def _filled(family: Metric, values: Values, *, suffix: str = "") -> Metric:
    for labels, value in values:
        family.add_sample(f"{family.name}{suffix}", dict(labels), value)
    return family
