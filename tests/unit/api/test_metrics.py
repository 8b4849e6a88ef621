"""What is counted, as Prometheus reads it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.serving import Served
from tests.unit.api.conftest import Serve
from tests.unit.core.inventories import inventory
from tests.unit.core.test_refusals import knapsack, too_mixed

from innkeeper.api.metrics import TrackerCollector
from innkeeper.config import Config
from innkeeper.errors import Undecided
from innkeeper.objects import ClaimSpec, Holder, Request

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
WORDS: dict[str, Any] = {
    "counters": [{"name": "slots", "total": 3}],
    "audit": {"policy": {"booked_not_stored": "ignore", "stored_not_booked": "repair"}},
}


async def scraped(served: Served) -> dict[str, float]:
    """Every sample, named as it stands in the text."""
    answer = await served.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        _written(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def _written(name: str, labels: dict[str, str]) -> str:
    inner = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return f"{name}{{{inner}}}" if inner else name


async def test_the_values_are_those_of_the_moment(serve: Serve) -> None:
    async with serve(config=Config.model_validate(WORDS)) as served:
        tracker = served.tracker
        before = await scraped(served)
        assert before["innkeeper_claims{state=pending}"] == 0
        request = Request(vcpus=2, memory_mib=512, counters={"slots": 2})
        claim = (await tracker.place(ClaimSpec(request=request))).claim
        await tracker.place(ClaimSpec(request=Request(vcpus=1)))
        await tracker.confirm(claim.id, by=Holder())
        now = await scraped(served)
        assert now["innkeeper_claims{state=pending}"] == 1
        assert now["innkeeper_claims{state=confirmed}"] == 1
        assert now["innkeeper_vcpus_used"] == 3
        assert now["innkeeper_vcpus_capacity"] == 4
        assert now["innkeeper_memory_used_bytes"] == 512 * 2**20
        assert now["innkeeper_counter_used{counter=slots}"] == 2
        assert now["innkeeper_counter_capacity{counter=slots}"] == 3
        assert now["innkeeper_generation"] == tracker.generation > before["innkeeper_generation"]
        written = "innkeeper_store_change_sets_total"
        assert now[written] - before[written] == 3
        await tracker.release(claim.id, by=Holder())
        after = await scraped(served)
        assert after["innkeeper_claims{state=confirmed}"] == 0
        assert after["innkeeper_claims{state=pending}"] == 1


async def test_findings_and_repairs_are_counted_by_kind(serve: Serve) -> None:
    async with serve(config=Config.model_validate(WORDS)) as served:
        tracker = served.tracker
        lost = (await tracker.place(ClaimSpec(request=Request(vcpus=1)))).claim
        tracker._parts.ledger.unbook(str(lost.id))
        tracker._parts.ledger.book("22222222-2222-4222-8222-222222222222", Request(vcpus=1))
        await tracker.place(ClaimSpec(request=Request(counters={"slots": 2})))
        await tracker.reconfigure(Config(audit=served.parts.config.audit))
        before = await scraped(served)
        await tracker.audit()
        await tracker.audit(full=False)
        now = await scraped(served)
        assert now["innkeeper_findings{kind=counter_missing,severity=warning}"] == 1
        assert now["innkeeper_findings{kind=stored_not_booked,severity=error}"] == 0
        assert now["innkeeper_findings_ignored{kind=booked_not_stored}"] == 1
        assert now["innkeeper_repairs_total{kind=stored_not_booked}"] == 1
        assert now["innkeeper_repairs_failed_total{kind=stored_not_booked}"] == 0
        for extent in ("full", "incremental"):
            name = f"innkeeper_audits_total{{extent={extent}}}"
            assert now[name] - before[name] >= 1
            assert now[f"innkeeper_audit_duration_seconds{{extent={extent}}}"] > 0
        assert now["innkeeper_audits_failed_total"] == 0


async def test_what_could_not_be_decided_is_counted(serve: Serve) -> None:
    async with serve() as served:
        devices = knapsack()
        served.tracker._parts.ledger.observe(inventory(devices=devices))
        request = too_mixed(devices)
        with pytest.raises(Undecided):
            served.tracker.fit(request)
        with pytest.raises(Undecided):
            await served.tracker.place(ClaimSpec(request=request))
        assert served.tracker.count(request) is None
        assert (await scraped(served))["innkeeper_undecided_searches_total"] == 3


async def test_the_document_names_all_of_it(serve: Serve) -> None:
    async with serve(config=Config.model_validate(WORDS)) as served:
        await served.tracker.audit()
        collected = list(TrackerCollector(served.tracker, "test").collect())
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", DOCUMENT.read_text(), re.M)
    assert [tuple(row) for row in rows] == list(_described(collected))


def _described(metrics: Iterable[Metric]) -> Iterable[tuple[str, str, str, str]]:
    for metric in metrics:
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        labels = ", ".join(f"`{label}`" for label in metric.samples[0].labels)
        yield name, metric.type, labels, metric.documentation.removesuffix(".")


def test_the_library_and_the_tracker_do_without_it() -> None:
    code = "import innkeeper, innkeeper.tracker, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "innkeeper.tracker" in done.stdout.split()
    assert "prometheus_client" not in done.stdout.split()
