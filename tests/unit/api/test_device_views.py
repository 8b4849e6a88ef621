"""How each PCI function stands to claims: the state, who is behind it, and the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from innkeeper import simulated
from innkeeper.api.device_views import DeviceSurvey, chosen
from innkeeper.api.views import DeviceState, DeviceView
from innkeeper.config import Config, DeviceSpec
from innkeeper.objects import Cordon, CordonKind, Holder
from innkeeper.objects.host import Withheld
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.inventory import take_inventory

HOST = simulated("cpus=8,cells=2,pfs=2,vfs=3")
VFS = [one.address for one in HOST.functions if one.parent is not None]
FIRST_PF, SECOND_PF = dict.fromkeys(one.parent for one in HOST.functions if one.parent is not None)
CLAIM = UUID(int=7)
ALL = Config(devices=(DeviceSpec(),))


def cordon(kind: CordonKind, subject: str, **words: object) -> Cordon:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    fields = {"kind": kind, "subject": subject, "reason": "repair", "by": Holder(user="ann")}
    return Cordon.model_validate({**fields, "at": at, **words})


def views(
    *cordons: Cordon, holders: Mapping[str, UUID] | None = None, config: Config = ALL
) -> Mapping[str, DeviceView]:
    survey = DeviceSurvey(
        functions=HOST.functions,
        inventory=take_inventory(HOST, config, cordons=cordons),
        holders=holders or {},
        cordons=cordons,
        rules=DeviceRules.of(config),
    )
    return {view.function.address: view for view in survey.views()}


def states(found: Mapping[str, DeviceView], addresses: Sequence[str | None]) -> list[str]:
    return [found[address or ""].state for address in addresses]


def test_what_nobody_holds_is_free() -> None:
    found = views()
    assert set(states(found, VFS)) == {"free"}
    free = found[VFS[0]]
    assert (free.claimable, free.reason, free.barred_by, free.cordons) == (True, None, None, ())
    assert free.device is not None
    assert free.device.parent == FIRST_PF


def test_a_held_vf_bars_its_pf_and_nothing_else() -> None:
    found = views(holders={VFS[0]: CLAIM})
    held, barred = found[VFS[0]], found[FIRST_PF or ""]
    assert (held.state, held.claim_id) == (DeviceState.HELD, CLAIM)
    assert held.reason == f"held by claim {CLAIM}"
    assert (barred.state, barred.barred_by) == (DeviceState.BARRED, VFS[0])
    assert barred.reason == f"its VF {VFS[0]} is held"
    assert set(states(found, [*VFS[1:], SECOND_PF])) == {"free"}


def test_a_held_pf_bars_its_vfs() -> None:
    found = views(holders={FIRST_PF or "": CLAIM})
    assert states(found, VFS) == ["barred"] * 3 + ["free"] * 3
    assert found[VFS[0]].reason == f"its PF {FIRST_PF} is held"


def test_a_cordoned_device_is_withheld_and_bars_like_a_held_one() -> None:
    mark = cordon(CordonKind.DEVICE, VFS[0])
    found = views(mark)
    view = found[VFS[0]]
    assert (view.state, view.claimable, view.cordons) == (DeviceState.WITHHELD, False, (mark,))
    assert view.reason == "cordoned by ann at 2026-01-01 00:00:00 UTC: repair"
    assert view.device is not None
    assert view.device.withheld is Withheld.CORDONED
    assert found[FIRST_PF or ""].reason == f"its VF {VFS[0]} is withheld"
    assert set(states(found, VFS[1:])) == {"free"}


def test_a_dirty_device_says_since_when_and_why() -> None:
    found = views(cordon(CordonKind.DEVICE, VFS[0], cause="dirty", by=None, reason="wipe failed"))
    assert found[VFS[0]].state is DeviceState.WITHHELD
    assert found[VFS[0]].reason == "dirty since 2026-01-01 00:00:00 UTC: wipe failed"


def test_the_cordon_of_a_cell_or_the_host_is_around_its_devices() -> None:
    cell = HOST.functions[-1].cell
    found = views(cordon(CordonKind.CELL, str(cell)))
    for view in found.values():
        inside = view.function.cell == cell
        assert bool(view.cordons) is inside
        assert not (view.claimable and inside)
    assert any(view.claimable for view in found.values())
    everywhere = views(cordon(CordonKind.HOST, "n"))
    assert not any(view.claimable for view in everywhere.values())
    assert everywhere[VFS[0]].state is DeviceState.WITHHELD
    assert everywhere[VFS[0]].reason == "host cordoned by ann at 2026-01-01 00:00:00 UTC: repair"


def test_a_held_device_stays_held_whatever_is_cordoned() -> None:
    found = views(cordon(CordonKind.DEVICE, VFS[0]), holders={VFS[0]: CLAIM})
    assert found[VFS[0]].state is DeviceState.HELD
    assert len(found[VFS[0]].cordons) == 1


def test_a_cordon_follows_the_hardware() -> None:
    identities = {
        one.address: one.identity for one in take_inventory(HOST, ALL).devices if one.identity
    }
    here = next(address for address in identities if address != FIRST_PF)
    moved = cordon(CordonKind.DEVICE, "0000:fe:00.0", identity=identities[here])
    found = views(moved)
    assert found[here].cordons == (moved,)
    assert found[here].state is DeviceState.WITHHELD


def test_what_is_not_admitted_says_why() -> None:
    found = views(config=Config(devices=(DeviceSpec(product_id="1889"),)))
    reasons = {view.reason for view in found.values() if view.state is DeviceState.NOT_ADMITTED}
    assert "a bridge" in reasons
    assert "no [[devices]] entry admits it" in reasons
    assert any((reason or "").startswith("in use by host: ") for reason in reasons)
    assert found[FIRST_PF or ""].device is None
    assert set(states(found, VFS)) == {"free"}


def test_devices_are_chosen() -> None:
    found = list(views(holders={VFS[0]: CLAIM}).values())
    assert chosen(found, free=None, holder=None) == tuple(found)
    free, taken = (chosen(found, free=wanted, holder=None) for wanted in (True, False))
    assert {one.state for one in free} == {DeviceState.FREE}
    assert len(free) + len(taken) == len(found)
    assert [one.function.address for one in chosen(found, free=None, holder=CLAIM)] == [VFS[0]]
