"""A host and the operator's words to what may be handed out."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from innkeeper.config import Config, Counter, DeviceSpec, Ratios, Reserved
from innkeeper.objects import Cpu, Disk, Host, Pages, PciFunction, PciKind
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.requests.admission import why_not_offered
from innkeeper.requests.device_specs import DeviceRule
from innkeeper.requests.inventory import (
    inventory_warnings,
    take_inventory,
)

GIB = 1024 * 1024
EVERYTHING = Config(devices=(DeviceSpec(),))
ADMITTED = DeviceRule(position=0, tags={})


def function(address: str = "0000:41:00.0", **changes: object) -> PciFunction:
    usual = {"vendor_id": "8086", "product_id": "1889", "class_id": "020000"}
    return PciFunction.model_validate({"address": address, **usual, **changes})


def test_vcpus_are_the_cpus_that_are_online_and_not_isolated() -> None:
    cpus = (
        *(Cpu(id=number) for number in (0, 1, 2, 3, 8, 9)),
        Cpu(id=4, online=False),
        Cpu(id=5, isolated=True),
        Cpu(id=6, online=False, isolated=True),
    )
    inventory = take_inventory(Host(hostname="h", cpus=cpus))
    assert inventory.vcpus.total == 6
    assert inventory.shared_cpus == "0-3,8-9"


def test_memory_is_what_preallocated_hugepages_leave() -> None:
    pages = (Pages(size_kib=2048, total=512, free=7), Pages(size_kib=GIB, total=2, free=2))
    host = Host(hostname="h", memory_kib=8 * GIB, pages=pages)
    assert take_inventory(host).memory_mib.total == (8 - 1 - 2) * 1024


def test_more_hugepages_than_memory_leave_nothing() -> None:
    pages = (Pages(size_kib=GIB, total=9, free=9),)
    inventory = take_inventory(Host(hostname="h", memory_kib=8 * GIB, pages=pages))
    assert (inventory.memory_mib.total, inventory.memory_mib.reserved) == (0, 0)


def test_a_host_without_a_disk_has_none_to_hand_out() -> None:
    assert take_inventory(Host(hostname="h")).disk_mib.total == 0
    disk = Disk(path="/", total_mib=70, free_mib=3)
    assert take_inventory(Host(hostname="h", disk=disk)).disk_mib.total == 70


def test_reserved_amounts_and_ratios_are_those_of_the_operator() -> None:
    config = Config(
        reserved=Reserved(vcpus=1, memory_mib=100, disk_mib=10),
        ratios=Ratios(vcpus=4.0, memory=1.5, disk=2.0),
        counters=(Counter(name="slots", total=9, reserved=2, ratio=3.0),),
    )
    disk = Disk(path="/", total_mib=70, free_mib=3)
    host = Host(hostname="h", cpus=(Cpu(id=0), Cpu(id=1)), memory_kib=GIB, disk=disk)
    inventory = take_inventory(host, config)
    amounts = [
        (one.total, one.reserved, one.allocation_ratio)
        for one in (
            inventory.vcpus,
            inventory.memory_mib,
            inventory.disk_mib,
            inventory.counters["slots"],
        )
    ]
    assert amounts == [(2, 1, 4.0), (1024, 100, 1.5), (70, 10, 2.0), (9, 2, 3.0)]
    assert inventory_warnings(host, config) == ()


def test_a_reservation_above_its_total_counts_as_the_total_and_is_warned_of() -> None:
    config = Config(
        reserved=Reserved(vcpus=3, memory_mib=1024, disk_mib=1),
        counters=(Counter(name="slots", total=1, reserved=2), Counter(name="ids", total=2)),
    )
    host = Host(hostname="h", cpus=(Cpu(id=0), Cpu(id=1)), memory_kib=GIB)
    inventory = take_inventory(host, config)
    assert (inventory.vcpus.reserved, inventory.disk_mib.reserved) == (2, 0)
    assert inventory.counters["slots"].reserved == 1
    assert inventory_warnings(host, config) == (
        "reserved.vcpus is 3 but there is only 2: nothing of it is handed out",
        "reserved.disk_mib is 1 MiB but there is only 0 MiB: nothing of it is handed out",
        "reserved of counter slots is 2 but there is only 1: nothing of it is handed out",
    )


def test_without_an_entry_no_device_is_handed_out() -> None:
    host = Host(hostname="h", functions=(function(),))
    assert take_inventory(host).devices == ()
    assert why_not_offered(function(), None) == "no [[devices]] entry admits it"


def test_an_entry_admits_what_matches_every_key_that_it_gives() -> None:
    config = Config(devices=(DeviceSpec(vendor_id="8086", product_id="1889"),))
    host = Host(
        hostname="h",
        functions=(
            function("0000:41:00.0", kind=PciKind.PF, product_id="1592", total_vfs=1, num_vfs=1),
            function("0000:41:01.0", kind=PciKind.VF, parent="0000:41:00.0", cell=1),
            function("0000:42:00.0", vendor_id="10de"),
        ),
    )
    (device,) = take_inventory(host, config).devices
    assert (device.address, device.parent, device.cell) == ("0000:41:01.0", "0000:41:00.0", 1)
    assert device.kind is PciKind.VF


def test_a_device_has_the_tags_of_the_first_entry_that_admits_it() -> None:
    narrow = DeviceSpec(address="0000:41:00.0", physical_network="fast", trusted=True)
    wide = DeviceSpec(vendor_id="8086", tags={"tier": "b"}, resource_class="CUSTOM_X")
    host = Host(hostname="h", functions=(function(), function("0000:41:00.1")))

    def tags(*entries: DeviceSpec) -> list[dict[str, str | None]]:
        return [one.tags for one in take_inventory(host, Config(devices=entries)).devices]

    both = {"physical_network": "fast", "trusted": "true"}
    assert tags(narrow, wide) == [both, {"tier": "b"}]
    assert tags(wide, narrow) == [{"tier": "b"}, {"tier": "b"}]


def test_what_the_host_uses_is_never_handed_out() -> None:
    used = function(used_by_host="default route via eth0")
    assert why_not_offered(used, ADMITTED) == "in use by host: default route via eth0"
    assert take_inventory(Host(hostname="h", functions=(used,)), EVERYTHING).devices == ()


def test_bridges_are_never_handed_out() -> None:
    for class_id in ("060000", "060400", "068000"):
        assert why_not_offered(function(class_id=class_id), ADMITTED) == "a bridge"
    assert why_not_offered(function(class_id="070600"), ADMITTED) is None


@given(cpus=st.sets(st.integers(0, 70)))
def test_the_list_of_cpus_names_each_once(cpus: set[int]) -> None:
    text = format_cpu_spec(cpus)
    named = [
        cpu
        for part in text.split(",")
        if part
        for cpu in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)
    ]
    assert named == sorted(cpus)
    # Neighbours are always one range.
    ends = [tuple(map(int, part.split("-"))) for part in text.split(",") if part]
    assert all(later[0] > earlier[-1] + 1 for earlier, later in pairwise(ends))
