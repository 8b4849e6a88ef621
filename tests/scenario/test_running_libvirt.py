"""What libvirt's own test driver says that it runs, and what a daemon makes of it."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from tests.daemon import client_of, running
from tests.scenario.conftest import MakeTracker

from innkeeper.drivers.choice import hypervisor_for
from innkeeper.objects import Holder

pytest.importorskip("libvirt")

URI = "test:///default"
#: The one domain of libvirt's test driver.
TEST = UUID("6695eb01-f6a4-8304-79aa-97f2502e193f")


async def test_an_instance_of_libvirt_is_adopted(make_tracker: MakeTracker) -> None:
    hypervisor = hypervisor_for(URI)
    async with make_tracker("cpus=8,memory=16GiB", hypervisor=hypervisor) as tracker:
        (finding,) = (await tracker.audit()).findings
        assert (finding.kind, finding.subject) == ("instance_unbooked", str(TEST))
        assert tracker.usage().memory_mib.reserved == 512 + 8192
        await tracker.repair(finding.id, by=Holder(user="eve"))
        assert (await tracker.find(TEST)).placement.memory_mib == 8192
        assert (await tracker.audit()).findings == ()


def test_a_daemon_asks_the_libvirt_that_its_configuration_names(short_dir: Path) -> None:
    options = {
        "state_dir": short_dir / "state",
        "socket_path": short_dir / "api.sock",
        "simulate": "cpus=8,memory=16GiB",
    }
    with (
        running(options, {"INNKEEPER_LIBVIRT__URI": URI}),
        client_of(short_dir / "api.sock") as client,
    ):
        found = client.post("/v1/audits").json()["findings"]
        assert [(one["kind"], one["subject"]) for one in found] == [
            ("instance_unbooked", str(TEST))
        ]
        memory = client.get("/v1/host").json()["usage"]["memory_mib"]
        assert memory["reserved"] == 512 + 8192
