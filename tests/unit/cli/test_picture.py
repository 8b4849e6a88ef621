"""The picture: everything is in it, it is as wide as it may be, and plain where it has to be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from innkeeper import Ledger, NoFit, discover, simulated
from innkeeper.api.views import HostView
from innkeeper.cli.local import LocalHost
from innkeeper.cli.picture import PLAIN, TERMINAL, Ink, picture
from innkeeper.cli.picture.lines import Line, cells_of, framed, text_of
from innkeeper.config import Config, Counter, DeviceSpec
from innkeeper.objects import (
    Cell,
    Claim,
    ClaimState,
    Cordon,
    CordonKind,
    Cpu,
    DeviceRequest,
    Disk,
    Holder,
    Host,
    Placement,
    Request,
    Usage,
)
from innkeeper.requests.inventory import take_inventory

EVERYTHING = Config(devices=(DeviceSpec(),), counters=(Counter(name="slots", total=10),))
START = datetime(2026, 1, 1, tzinfo=UTC)
VF = "1889"


def claim_of(number: int, request: Request, placement: Placement, **words: object) -> Claim:
    fields = {
        "id": UUID(int=number),
        "node": "n",
        "state": ClaimState.CONFIRMED,
        "name": f"guest-{number}",
        "holder": Holder(),
        "request": request,
        "placement": placement,
        "fingerprint": "0" * 64,
        "created_at": START + timedelta(seconds=number),
        "updated_at": START,
    }
    return Claim.model_validate(fields | words)


def booked(
    host: Host, *requests: Request, config: Config = EVERYTHING
) -> tuple[HostView, list[Claim]]:
    """The host after these requests, in their order; what does not fit is left out."""
    ledger = Ledger(take_inventory(host, config))
    claims = []
    for number, request in enumerate(requests, 1):
        try:
            placed = ledger.book(str(UUID(int=number)), request)
        except NoFit:
            continue
        placement = Placement.model_validate(placed, from_attributes=True)
        claims.append(claim_of(number, request, placement))
    usage = Usage.model_validate(ledger.usage(), from_attributes=True)
    view = LocalHost(config, host).view().model_copy(update={"usage": usage})
    pools = [
        pool.model_validate(one, from_attributes=True)
        for pool, one in zip(view.pools, ledger.pools(), strict=True)
    ]
    return view.model_copy(update={"pools": tuple(pools)}), claims


def plain(view: HostView, claims: Sequence[Claim] = (), width: int = 100) -> str:
    return picture(view, claims, PLAIN, width)


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def vfs(count: int) -> tuple[DeviceRequest, ...]:
    return (DeviceRequest(vendor_id="8086", product_id=VF, count=count),)


def test_the_whole_picture_of_a_small_host() -> None:
    host = simulated("cpus=8,cells=2,sockets=1,memory=16GiB,pfs=1,vfs=4,disk=100GiB,name=small")
    view, claims = booked(
        host,
        Request(vcpus=2, memory_mib=4096, devices=vfs(2)),
        Request(vcpus=4, disk_mib=51200, counters={"slots": 5}),
    )
    shown = plain(view, claims, 80)
    assert shown == (Path(__file__).parent / "small_host.txt").read_text()


@pytest.mark.parametrize("ink", [PLAIN, TERMINAL])
def test_shares_of_a_bar_belong_to_their_claims(ink: Ink) -> None:
    requests = [Request(vcpus=8), Request(vcpus=16)]
    view, claims = booked(simulated("cpus=32,cells=1"), *requests)
    shown = picture(view, list(reversed(claims)), ink, 100)
    bar = next(line for line in shown.splitlines() if "of 32 held" in line)
    assert "24 of 32 held, 8 free" in bar
    if ink is PLAIN:
        found = re.search(r" (a+)(b+)(\.+) ", bar)
    else:
        found = re.search("\x1b\\[36m(█+)\x1b\\[0m\x1b\\[35m(█+)\x1b\\[0m\x1b\\[2m(░+)", bar)
    assert found is not None
    first, second, free = map(len, found.groups())
    whole = first + second + free
    assert (first, second) == (round(whole / 4), round(whole * 3 / 4) - first)


def test_whatever_is_held_or_free_can_be_seen_in_its_bar() -> None:
    host = simulated("cpus=2,cells=1,memory=1TiB")
    view, claims = booked(host, Request(memory_mib=1))
    assert re.search(r"memory +a\.+ ", plain(view, claims))
    view, claims = booked(host, Request(memory_mib=2**20 - 512 - 1))
    assert re.search(r"memory +a+\. ", plain(view, claims))


def test_more_than_there_is_is_said() -> None:
    view, claims = booked(simulated("cpus=8,cells=1"), Request(vcpus=8))
    shrunk = view.usage.vcpus.model_copy(update={"capacity": 6, "free": 0})
    usage = view.usage.model_copy(update={"vcpus": shrunk})
    assert "8 of 6 held, 2 too much" in plain(view.model_copy(update={"usage": usage}), claims)


def test_devices_show_who_holds_them_and_what_that_bars() -> None:
    host = simulated("cpus=8,cells=1,pfs=2,vfs=3")
    pf = DeviceRequest(vendor_id="8086", product_id="1592", count=1)
    view, claims = booked(host, Request(devices=vfs(1)), Request(devices=(pf,)))
    shown = plain(view, claims)
    assert "8086:1592 pf x b" in shown
    assert "8086:1889 vf . . a x x x" in shown
    assert "1 of 6 held, 2 free; 3 barred" in shown


def cordon(kind: CordonKind, subject: str, **words: object) -> Cordon:
    fields = {"kind": kind, "subject": subject, "reason": "repair", "by": Holder(), "at": START}
    return Cordon.model_validate(fields | words)


def test_what_takes_no_new_claims_is_marked() -> None:
    host = simulated("cpus=8,cells=2,sockets=1,pfs=1,vfs=4")
    vfs = [one.address for one in host.functions if one.parent is not None]
    cordons = (
        cordon(CordonKind.HOST, "n"),
        cordon(CordonKind.CELL, "1"),
        cordon(CordonKind.CPU, "4"),
        cordon(CordonKind.DEVICE, vfs[0]),
        cordon(CordonKind.DEVICE, vfs[1], cause="dirty", reason="not wiped", by=None),
    )
    view = LocalHost(EVERYTHING, host).view()
    inventory = take_inventory(host, EVERYTHING, cordons=cordons)
    shown = plain(view.model_copy(update={"inventory": inventory, "cordons": cordons}))
    assert shown.splitlines()[0].endswith("   cordoned")
    assert "8086:1889 vf ! ~ . ." in shown
    assert "8086:1592 pf x" in shown
    assert "cell 1 cordoned" in shown
    assert "cell 0 cordoned" not in shown
    assert "0/4!" in shown
    assert "! cordoned   ~ not clean yet" in shown
    told = shown.partition("Takes no new claims\n")[2].splitlines()
    by = "cordoned by unknown at 2026-01-01 00:00:00 UTC: repair"
    assert told[:4] == [f"  host {by}", f"  cell 1 {by}", f"  CPU 4 {by}", f"  {vfs[0]}  {by}"]
    assert told[4] == f"  {vfs[1]}  dirty since 2026-01-01 00:00:00 UTC: not wiped"
    large = simulated("cpus=1024,cells=32")
    rows = plain(LocalHost(EVERYTHING, large).view().model_copy(update={"cordons": cordons[:3]}))
    assert "cell 1 cordoned" in rows
    assert rows.count("!") == 2, "core and legend"


def test_many_cordons_are_counted() -> None:
    cordons = tuple(cordon(CordonKind.CPU, str(number)) for number in range(11))
    view = LocalHost(EVERYTHING, simulated("cpus=16,cells=1")).view()
    shown = plain(view.model_copy(update={"cordons": cordons}))
    assert "and 3 more; `innkeeper cordons` lists them all" in shown


def test_a_large_host_is_drawn_without_numbers() -> None:
    view, claims = booked(simulated("cpus=1024,cells=32,pfs=64,vfs=64"), Request(devices=vfs(3)))
    shown = plain(view, claims, 100)
    assert len(shown.splitlines()) < 45
    assert shown.count("oooooooo oooooooo 128 GiB") == 32
    assert "3/130 dev" in shown
    assert "socket 7" in shown


def test_odd_hosts_are_drawn() -> None:
    cpus = (
        Cpu(id=0, socket=0, core=0, cell=0, siblings=(0, 1)),
        Cpu(id=1, socket=0, core=0, cell=0, siblings=(0, 1), isolated=True),
        Cpu(id=2, online=False, cell=0),
        Cpu(id=3, online=False),
        Cpu(id=7, socket=1, cell=0, siblings=(7,)),
        Cpu(id=9, cell=5, siblings=(9,)),
    )
    cells = (
        Cell(id=0, cpus=(0, 1, 7), memory_kib=2**20),
        Cell(id=3, memory_kib=2**21),
        Cell(id=5, cpus=(9,)),
    )
    host = Host(hostname="odd", cpus=cpus, cells=cells, memory_kib=3 * 2**20, warnings=("x",) * 20)
    shown = plain(LocalHost(Config(), host).view())
    for words in ("0/1i", "2-", "continued", "no socket named", "no CPUs", "no memory"):
        assert words in shown
    assert "in no cell, offline: CPUs 3" in shown
    assert "and 12 more; `innkeeper show -o json` has them all" in shown


def test_a_host_without_anything_is_drawn() -> None:
    host = Host(hostname="bare", cells=(Cell(id=0),), disk=Disk(path="/", total_mib=0, free_mib=0))
    assert "no CPUs" in plain(LocalHost(Config(), host).view())


def test_many_claims_are_counted() -> None:
    view, claims = booked(simulated("cpus=64,cells=1"), *[Request(vcpus=1)] * 60)
    shown = plain(view, claims)
    assert "60 claims" in shown
    assert "and 40 more; `innkeeper claims` lists them all" in shown
    bar = next(line for line in shown.splitlines() if line.startswith("vCPUs"))
    assert "*" in bar


def test_names_cannot_steer_the_terminal() -> None:
    placement = Placement(vcpus=1, cpus="0")
    claim = claim_of(1, Request(vcpus=1), placement, name="\x9b2J\u202egnp", process=None)
    view = LocalHost(Config(), simulated("cpus=1")).view()
    shown = without_colours(picture(view, [claim], TERMINAL, 100))
    assert "?2J?gnp" in shown
    assert all(line.isprintable() for line in shown.splitlines())


@settings(max_examples=60, deadline=None)
@given(
    spec=st.builds(
        "cpus={},cells={},sockets={},threads={},pfs={},vfs={},pages_2m={}".format,
        st.sampled_from([8, 32, 128, 256, 1024]),
        st.sampled_from([2, 4, 8, 32]),
        st.sampled_from([1, 2]),
        st.sampled_from([1, 2, 4]),
        st.sampled_from([1, 3]),
        st.sampled_from([0, 2, 8]),
        st.sampled_from([0, 64]),
    ),
    width=st.integers(70, 200),
    sizes=st.lists(st.integers(1, 16), max_size=6),
)
def test_no_box_is_wider_than_the_screen(spec: str, width: int, sizes: list[int]) -> None:
    view, claims = booked(
        simulated(spec), *(Request(vcpus=n, memory_mib=64 * n, devices=vfs(1)) for n in sizes)
    )
    drawn = picture(view, claims, PLAIN, width)
    assert drawn.isascii()
    assert all(len(line) <= width for line in drawn.splitlines() if line[0:1] in ("+", "|"))
    coloured = picture(view, claims, TERMINAL, width)
    widths = [len(line) for line in without_colours(coloured).splitlines()]
    # The headline has " · " for ", ".
    assert widths[1:] == [len(line) for line in drawn.splitlines()][1:]


def test_a_captured_host_is_drawn() -> None:
    bundle = Path(__file__).parents[2] / "data/hosts/qemu64-9n-A-novfs.tar.xz"
    view = LocalHost(EVERYTHING, discover(str(bundle))).view()
    shown = plain(view)
    assert all(f"cell {cell.id}" in shown for cell in view.host.cells)
    assert all(len(line) <= 100 for line in shown.splitlines() if line[0:1] in ("+", "|"))


def test_wide_characters_count_twice_and_combining_ones_not() -> None:
    assert cells_of("世界") == 4
    assert cells_of("e\u0301") == 1
    body = [Line.of("世界", "strong"), Line.of("abcdefghij")]
    drawn = text_of(framed(Line.of("t"), Line(), body, 10, PLAIN), PLAIN)
    assert [cells_of(line) for line in drawn.splitlines()] == [10, 10, 10, 10]
    assert "| abcdef |" in drawn
