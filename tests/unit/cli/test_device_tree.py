"""The tree of devices: runs of alike VFs are one line, and nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from innkeeper import simulated
from innkeeper.api.device_views import DeviceSurvey, chosen
from innkeeper.api.views import DeviceView
from innkeeper.cli.device_tree import devices_tree
from innkeeper.config import Config, DeviceSpec
from innkeeper.objects import Host
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.inventory import take_inventory

ALL = Config(devices=(DeviceSpec(),))


def views(host: Host, holders: Mapping[str, UUID] | None = None) -> tuple[DeviceView, ...]:
    return DeviceSurvey(
        functions=host.functions,
        inventory=take_inventory(host, ALL),
        holders=holders or {},
        cordons=(),
        rules=DeviceRules.of(ALL),
    ).views()


def vfs_of(host: Host) -> list[str]:
    return [one.address for one in host.functions if one.parent is not None]


def test_sixty_four_times_sixty_four_is_two_lines_a_pf() -> None:
    host = simulated("cpus=64,cells=4,pfs=64,vfs=64")
    tree = devices_tree(views(host)).splitlines()
    cards = sum(one.parent is None for one in host.functions)
    assert len(tree) == cards + 64
    assert sum("64 x 8086:1889 vf" in line for line in tree) == 64


def test_holders_break_a_run_and_are_named() -> None:
    host = simulated("cpus=8,cells=1,pfs=1,vfs=8")
    first, *_ = vfs = vfs_of(host)
    one, two = UUID(int=1), UUID(int=2)
    tree = devices_tree(views(host, {vfs[2]: one, vfs[3]: one, vfs[5]: two})).splitlines()
    start = next(index for index, line in enumerate(tree) if "8 VFs: 3 held, 5 free" in line)
    assert f"its VF {vfs[2]} is held" in tree[start]
    bus = first.partition(":")[2].partition(".")[0]
    assert tree[start + 1 : start + 6] == [
        f"|-- {vfs[0]} .. {bus}.1  2 x 8086:1889 vf  vfio-pci  free",
        f"|-- {vfs[2]} .. {bus}.3  2 x 8086:1889 vf  vfio-pci  held by {one}",
        f"|-- {vfs[4]}  8086:1889 vf  vfio-pci  free",
        f"|-- {vfs[5]}  8086:1889 vf  vfio-pci  held by {two}",
        f"`-- {vfs[6]} .. {bus}.7  2 x 8086:1889 vf  vfio-pci  free",
    ]


def test_vfs_without_their_pf_still_say_where_they_belong() -> None:
    host = simulated("cpus=8,cells=1,pfs=1,vfs=2")
    claim = UUID(int=1)
    vf = vfs_of(host)[1]
    parent = next(one.parent for one in host.functions if one.address == vf)
    tree = devices_tree(chosen(views(host, {vf: claim}), free=None, holder=claim))
    assert tree.splitlines() == [
        f"{parent}  not in this list",
        f"`-- {vf}  8086:1889 vf  vfio-pci  held by {claim}",
    ]


def test_cards_hang_below_their_switch() -> None:
    host = simulated("cpus=8,cells=1,gpus=2,switch=2,pfs=1,vfs=2")
    found = views(host)
    gpus = [one.address for one in host.functions if one.product_id == "24b0"]
    tree = devices_tree(found).splitlines()
    for gpu in gpus:
        (line,) = (line for line in tree if gpu in line)
        assert line.startswith(("|-- ", "`-- "))
    for port in {one.switch for one in host.functions if one.switch}:
        (line,) = (line for line in tree if line.startswith(port))
        below = tree[tree.index(line) + 1 :]
        own = [one.address for one in host.functions if one.switch == port and not one.parent]
        assert below[0][4:].startswith(own[0])
    free = devices_tree(chosen(found, free=True, holder=None)).splitlines()
    assert free[0].startswith("switch 0000:")
    assert free[0].endswith("not in this list")
    shown = [line for line in tree if "free" in line]
    assert [line for line in free if "not in this list" not in line] == shown


def test_nothing_is_an_empty_tree() -> None:
    assert devices_tree(()) == ""


def test_names_cannot_steer_the_terminal() -> None:
    host = simulated("cpus=8,cells=1,pfs=1,vfs=1")
    functions = tuple(one.model_copy(update={"netdevs": ("e\x1b[2J",)}) for one in host.functions)
    tree = devices_tree(views(host.model_copy(update={"functions": functions})))
    assert all(line.isprintable() for line in tree.splitlines())
