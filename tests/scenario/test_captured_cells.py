"""Guest cells on captured hosts through a real daemon: filled until nothing fits, checked, kept, given back.

The hosts have cells without CPUs, without memory, with isolated CPUs, and one has SMT off. Each placement
is checked by a checker that searches nothing and by the files of the host, each refusal by a slow model.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.test_captures import CAPTURES, unpacked
from tests.properties.numa_checker import broken_rules
from tests.scenario.captured_files import CapturedFiles, OneRule
from tests.scenario.captured_guests import SHAPES, with_devices, with_memory
from tests.scenario.captured_story import Asked, Sight, Story, play
from tests.unit.cli.program import run_program
from tests.vectors.numa.model_ledger import ModelLedger

from innkeeper.errors import NoFit
from innkeeper.objects import PlacedCell, Placement, Usage
from innkeeper.objects.cpu_spec import parse_cpu_spec

#: What is claimed of each capture that has devices: the product and its kind.
DEVICES = {
    "qemu64-9n-A-novfs": ("10c9", "type-PF"),
    "qemu64-9n-B-vfs": ("10ca", "type-VF"),
    "qemu64-9n-D-smt-off": ("10ca", "type-VF"),
}
#: So many guests of memory alone fill the largest cell.
LOTS = 8
#: The model tries every selection of cells.
MOST_CELLS_OF_MODEL = 9


@pytest.fixture(scope="module", params=CAPTURES)
def root(request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    with unpacked(request.param) as folder:
        yield request.param, folder


@pytest.fixture(scope="module")
def story(root: tuple[str, Path]) -> Story:
    name, folder = root
    product, kind = DEVICES.get(name, (None, ""))
    files = CapturedFiles(folder)
    largest = max(map(files.memory_kib, files.cells)) // 1024
    shapes = {**SHAPES, **with_memory(max(largest // LOTS, 1))}
    if product is not None:
        shapes |= with_devices(product, kind)
    return play(OneRule(files, product), shapes)


def shown(sight: Sight | None) -> Sight:
    assert sight is not None
    return sight


def counted(sight: Sight) -> Usage:
    """What is held; how often that changed is another matter."""
    return sight.view.usage.model_copy(update={"generation": 0})


def placed_cells(story: Story) -> Iterator[PlacedCell]:
    return (cell for _, placement in story.placed for cell in placement.cells)


def test_every_placement_keeps_the_rules(story: Story) -> None:
    inventory = story.empty.view.inventory
    assert len(story.placed) >= 3
    for one, placement in story.placed:
        assert broken_rules(inventory, one.request, one.before, placement) == [], one.shape


def test_cpus_are_those_of_the_cell_that_are_online_and_named_for_it(story: Story) -> None:
    rule = story.rule
    for it in placed_cells(story):
        here = story.files.cells[it.cell]
        assert parse_cpu_spec(it.cpus) <= here & rule.shared
        assert parse_cpu_spec(it.charged) <= here & rule.dedicated & story.files.online
        assert {*it.pins.values()} | parse_cpu_spec(it.emulator) <= parse_cpu_spec(it.charged)


def test_cells_without_cpus_give_memory_and_those_without_memory_give_cpus(story: Story) -> None:
    """And the host is full: nobody is kept off a cell for what it lacks and they do not want."""
    held: dict[int, list[PlacedCell]] = {}
    for it in placed_cells(story):
        held.setdefault(it.cell, []).append(it)
    most_mib = max(one.request.memory_mib or 0 for one in story.asked)
    for cell, cpus in story.files.cells.items():
        memory_kib = story.files.memory_kib(cell)
        if not cpus:
            assert not any(it.shared or it.pins or it.charged for it in held.get(cell, []))
        if cpus and not memory_kib:
            assert not any(it.memory_mib for it in held.get(cell, []))
        if memory_kib // 1024 > 2 * most_mib or len(cpus & story.rule.dedicated) > 1:
            assert held.get(cell), f"nobody is on cell {cell} of a full host"


def test_devices_are_as_near_as_they_were_wanted(story: Story) -> None:
    for one, placement in story.placed:
        for device in placement.devices:
            near = story.files.cell_of_device(device.address)
            here = {it.cell for it in placement.cells}
            policy = one.request.devices[0].numa_policy
            sockets = {story.files.socket_of(cell) for cell in here}
            assert {
                "required": near in here,
                "legacy": near in here or near is None,
                "socket": near is not None and story.files.socket_of(near) in sockets,
                "preferred": True,
            }[str(policy)], one.shape


def test_a_refusal_is_right(story: Story) -> None:
    """The model finds no selection of cells, or the host as a whole lacks something."""
    inventory = story.empty.view.inventory
    for one, problem in story.refused:
        if any(it["guest_cell"] is None for it in problem["reasons"]):
            assert all(it["asked"] > it["free"] for it in problem["reasons"]), problem["detail"]
        elif len(inventory.cells) <= MOST_CELLS_OF_MODEL:
            model = ModelLedger(inventory)
            model.restore((str(number), it) for number, it in enumerate(one.before))
            with pytest.raises(NoFit):
                model.fit(one.request)


def test_a_refusal_names_every_cell_with_numbers(story: Story) -> None:
    known = set(story.files.cells)
    for one, problem in story.refused:
        assert problem["reasons"], one.shape
        for reason in problem["reasons"]:
            assert reason["message"]
            if reason["guest_cell"] is not None and reason["code"] != "cells_compete":
                assert {it["cell"] for it in reason["cells"]} == known, one.shape
                assert all(it["asked"] > it["free"] for it in reason["cells"]), reason


def test_what_a_refusal_offers_fits(story: Story) -> None:
    assert [one.shape for one, _ in story.refused if one.nearest_fits is False] == []


def test_a_full_host_is_full_for_every_shape(story: Story) -> None:
    last: dict[str, Asked] = {one.shape: one for one in story.asked}
    assert all(one.claim is None for one in last.values())


def test_a_killed_daemon_comes_back_with_everything(story: Story) -> None:
    full, restarted = shown(story.full), shown(story.restarted)
    assert restarted.claims == full.claims
    assert len(full.claims) == len(story.placed)
    assert counted(restarted) == counted(full)
    assert restarted.view.inventory == full.view.inventory == story.empty.view.inventory


def test_releases_give_everything_back(story: Story) -> None:
    emptied = shown(story.emptied)
    assert emptied.claims == ()
    assert counted(emptied) == counted(story.empty)
    assert emptied.view.pools == story.empty.view.pools


def test_an_empty_host_places_as_it_did_at_first(story: Story) -> None:
    first = story.asked[: len(story.again)]
    assert [_where(one) for one in story.again] == [_where(one) for one in first]


def _where(one: Asked) -> Placement | Any:
    return one.claim.placement if one.claim is not None else one.problem


def test_the_picture_is_drawn_empty_and_full(story: Story) -> None:
    for sight in (story.empty, shown(story.full), shown(story.restarted)):
        for picture in sight.pictures:
            assert picture.expect(0).out
            assert picture.err == ""
    drawn = shown(story.full).pictures[0].out
    assert all(f"cell {cell}" in drawn for cell in story.files.cells)


def test_fit_without_a_daemon(root: tuple[str, Path]) -> None:
    _, folder = root
    local = ("fit", "--local", "--root", str(folder), "--cells", "1", "--vcpus", "1")
    assert run_program(*local).expect(0).out.startswith("it fits")
