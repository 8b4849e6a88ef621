"""Nova's own objects on the rows of a node and its service, read from innkeeper's database."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import anyio.to_thread
from tests.interop.conftest import Ask

from innkeeper.clock import SystemClock
from innkeeper.config import Config
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.objects import ClaimSpec, CordonKind, Holder, Request
from innkeeper.store.sqlite import SqliteStore
from innkeeper.tracker import Tracker
from innkeeper.tracker.nova.node import node_uuid

CONFIG = Config.model_validate(
    {
        "devices": [{}],
        "nova": {"tables": "embedded"},
        "ratios": {"vcpus": 4.0, "memory": 1.5},
        "service": {"host": "rack", "report_interval": 1},
    }
)
HOLDER = Holder(project="lab")


async def test_nova_reads_the_node_and_finds_its_service_up(tmp_path: Path, nova: Ask) -> None:
    path = tmp_path / "innkeeper.sqlite3"
    clock = SystemClock()
    ask = partial(
        nova, do="host", database=str(path), host="rack", node="blade", binary="innkeeper"
    )

    async def answer() -> dict[str, Any]:
        said = await anyio.to_thread.run_sync(ask)
        assert "error" not in said, said
        return said

    tracker = Tracker(
        node="blade",
        store=SqliteStore(path, node="blade", clock=clock),
        driver=SimulatedDriver("cpus=8,memory=8GiB,pfs=1,vfs=4"),
        config=CONFIG,
        clock=clock,
    )
    async with tracker:
        for _ in range(2):
            request = Request(vcpus=1, memory_mib=512)
            await tracker.place(ClaimSpec(instance_uuid=uuid4(), holder=HOLDER, request=request))
        await tracker.cordon(CordonKind.HOST, "blade", reason="disks", by=HOLDER)
        with anyio.fail_after(30):
            while (seen := await answer())["service"][1] < 1:
                await anyio.sleep(0.2)
        await tracker.force_service_down(forced=True, by=HOLDER)
        forced = await answer()
    assert seen["uuid"] == node_uuid("blade")
    assert (seen["running_vms"], seen["ratios"], seen["metrics"]) == (2, [4.0, 1.5, 1.0], None)
    assert (seen["stats"]["num_instances"], seen["stats"]["num_proj_lab"]) == ("2", "2")
    assert seen["stats"]["io_workload"] == "2", "both are being built"
    assert seen["pools"] == 2
    assert seen["up"] is True
    assert (seen["service"][0], *seen["service"][2:]) == (1, True, False)
    assert forced["service"][3] is True
