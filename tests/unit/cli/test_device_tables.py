"""Pools, cordons, aliases and refusals as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from innkeeper.api.views import AliasView
from innkeeper.cli.device_tables import aliases_table, cordons_table, pools_table
from innkeeper.cli.refusals import refusal_lines
from innkeeper.objects import (
    Cordon,
    CordonKind,
    DeviceRequest,
    Holder,
    Misfit,
    PciKind,
    Pool,
    Request,
)
from innkeeper.objects.request import (
    DeviceUnit,
    Filtered,
    NumaPolicy,
    PoolFiltered,
    UnitMember,
    UnitPlace,
)

NET = {"physical_network": "net1", "trusted": "true", "spare": None}


def squeezed(line: str) -> str:
    return " ".join(line.split())


def pool_filtered(parent: str, left: int = 0, cell: int = 0) -> PoolFiltered:
    steps = (Filtered(filter="booked", removed=4 - left, left=left),) if left < 4 else ()
    return PoolFiltered(
        vendor_id="8086",
        product_id="1889",
        kind=PciKind.VF,
        cell=cell,
        parent=parent,
        total=4,
        filters=steps,
    )


def misfit(*pools: PoolFiltered) -> Misfit:
    return Misfit(
        code="insufficient_devices",
        resource="nic",
        message="asked for 9",
        asked=9,
        free=1,
        capacity=8,
        used=7,
        filters=(Filtered(filter="spec", removed=2, left=8),),
        request=1,
        pools=pools,
    )


def test_pools_have_their_parent_tags_and_what_is_withheld() -> None:
    pool = Pool(
        vendor_id="8086",
        product_id="1889",
        kind=PciKind.VF,
        cell=1,
        total=8,
        used=2,
        free=3,
        withheld=1,
        parent="0000:3b:00.0",
        parent_netdev="ens1f0",
        tags=NET,
    )
    head, row = pools_table([pool]).splitlines()
    assert squeezed(head) == "ID KIND CELL PARENT TAGS TOTAL USED WITHHELD FREE"
    assert row.startswith("8086:1889  vf    1     0000:3b:00.0")
    assert "physical_network=net1 spare=null trusted=true" in row
    assert row.split()[-4:] == ["8", "2", "1", "3"]
    wide = pools_table([pool], wide=True).splitlines()[1].split()
    assert wide[-3:] == ["2", "ens1f0", "-"]


def test_cordons_say_who_when_and_why() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    host = Cordon(
        kind=CordonKind.HOST, subject="n", reason="move\x9b2J", by=Holder(user="ann"), at=at
    )
    dirty = Cordon.model_validate(
        {
            "kind": "device",
            "subject": "0000:3b:00.1",
            "cause": "dirty",
            "reason": "wipe failed",
            "at": at,
            "claim_id": UUID(int=3),
        }
    )
    shown = cordons_table([host, dirty], wide=True)
    first, second = shown.splitlines()[1:]
    assert first.startswith("host                 operator  move?2J      default/ann")
    assert second.startswith("device 0000:3b:00.1  dirty     wipe failed  innkeeper")
    assert str(UUID(int=3)) in second


def test_aliases_say_what_they_stand_for() -> None:
    vf = {"vendor_id": "8086", "product_id": "1889", "dev_type": "type-VF", "trusted": "true"}
    plain = DeviceRequest(
        alias="nic", alternatives=(vf, {"product_id": "1572"}), numa_policy=NumaPolicy.REQUIRED
    )
    unit = DeviceUnit(
        place=UnitPlace.SLOT,
        members=(
            UnitMember(alternatives=({"vendor_id": "10de", "product_id": "2236"},)),
            UnitMember(alternatives=({"dev_type": "type-PCI"}, {}), count=2),
        ),
    )
    views = [
        AliasView(name="nic", stands_for=plain, fit=16),
        AliasView(name="gpu", stands_for=DeviceRequest(alias="gpu", unit=unit), fit=None),
    ]
    lines = aliases_table(views).splitlines()
    assert lines[1].split(maxsplit=2)[2].startswith("8086:1889 VF trusted=true")
    assert lines[1].endswith("required")
    assert lines[2].split() == ["-", "-", "or", "*:1572", "-"]
    assert "a unit by slot: 1 x 10de:2236 + 2 x PCI or any" in lines[3]
    assert lines[3].split()[:2] == ["gpu", "unknown"]


def test_a_refusal_has_the_pools_of_each_request_and_what_each_filter_removed() -> None:
    reason = misfit(
        pool_filtered("0000:3b:00.0"),
        pool_filtered("0000:5e:00.0"),
        pool_filtered("0000:86:00.0", 1, 1),
    )
    nearest = Request(
        vcpus=2,
        devices=(
            DeviceRequest(alias="nic", count=1, numa_policy=NumaPolicy.SOCKET),
            DeviceRequest(vendor_id="8086", product_id="1572", count=3),
        ),
        cells=(0, 2),
    )
    lines = list(refusal_lines([reason], nearest))
    assert lines[0] == "  nic (device request 2): asked for 9"
    assert squeezed(lines[1]) == "POOL KIND CELL PARENT DEVICES REMOVED LEFT"
    assert squeezed(lines[2]) == "8086:1889 vf 0 2 alike 8 booked 8 0"
    assert squeezed(lines[3]) == "8086:1889 vf 1 0000:86:00.0 4 booked 3 1"
    assert lines[4] == "    spec: removed 2, left 8"
    assert lines[5] == (
        "  would fit now: --vcpus 2 --device nic=1,numa_policy=socket --device 8086:1572=3 "
        "--on-cells 0,2"
    )


def test_a_pool_that_no_filter_touched_is_left_whole() -> None:
    lines = list(refusal_lines([misfit(pool_filtered("0000:3b:00.0", left=4))], None))
    assert squeezed(lines[2]) == "8086:1889 vf 0 0000:3b:00.0 4 - 4"
    assert lines[-1] == "  nothing of this kind would fit now"


def test_many_pools_are_counted() -> None:
    pools = [pool_filtered("0000:3b:00.0", cell=cell) for cell in range(30)]
    lines = list(refusal_lines([misfit(*pools)], None))
    assert "    and 6 more pools; `innkeeper fit -o json` has them all" in lines


def test_what_has_no_flags_is_said_all_the_same() -> None:
    by_pattern = DeviceRequest(alternatives=({"vendor_id": "8086"},), count=2)
    port = DeviceRequest(alternatives=({"trusted": "true"},), requester="port-1")
    lines = list(refusal_lines([], Request(vcpus=1, devices=(by_pattern, port))))
    assert lines == [
        "  would fit now: --vcpus 1",
        "    and 2 of devices by pattern, as the spec says it",
        "    and 1 of port port-1, as the spec says it",
    ]
    assert list(refusal_lines([], Request(cells=(0,)))) == ["  nothing of this kind would fit now"]
