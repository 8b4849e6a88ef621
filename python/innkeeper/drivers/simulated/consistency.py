"""Words of a simulated host that are good one by one and contradict each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from innkeeper.config.sizes import refusal
from innkeeper.drivers.simulated.cards import card_names, require_vdpa_among_vfs
from innkeeper.drivers.simulated.words import what

if TYPE_CHECKING:
    from innkeeper.drivers.simulated.spec import SimulatedSpec

#: PFs and VFs of one host together; a PCI domain holds 65,536 functions.
_MOST_FUNCTIONS = 65_536


def require_consistent(spec: SimulatedSpec) -> None:
    """Refuse what no host can be.

    Raises:
        BadRequest: with the key to change.
    """
    if spec.cpus % spec.threads:
        problem = f"should divide the {spec.cpus} CPUs into whole cores"
        raise refusal(what("threads"), str(spec.threads), problem)
    if spec.cells % spec.sockets:
        problem = f"should divide the {spec.cells} cells evenly; a cell is never in two sockets"
        raise refusal(what("sockets"), str(spec.sockets), problem)
    if spec.vfs and not spec.pfs:
        raise refusal(
            what("vfs"), str(spec.vfs), "are per PF, and there is none; give pfs=1 or more"
        )
    _require_cpus(spec)
    _require_room_for_functions(spec)
    _require_shares(spec)
    _require_memory_for_pages(spec)
    _require_distances(spec)


def _require_cpus(spec: SimulatedSpec) -> None:
    if not spec.offline < set(range(spec.cpus)):
        problem = f"should be some of the CPUs 0-{spec.cpus - 1}, but not all of them"
        raise refusal(what("offline"), ",".join(map(str, sorted(spec.offline))), problem)
    if not spec.isolated <= set(range(spec.cpus)):
        problem = f"should be some of the CPUs 0-{spec.cpus - 1}"
        raise refusal(what("isolated"), ",".join(map(str, sorted(spec.isolated))), problem)
    for number, own in enumerate(spec.own("cpus")):
        if (own or 0) % spec.threads:
            problem = f"should be whole cores of threads={spec.threads}"
            raise refusal(what(f"cell{number}.cpus"), str(own), problem)


def _require_room_for_functions(spec: SimulatedSpec) -> None:
    require_vdpa_among_vfs("", spec.vfs, spec.vdpa)
    functions = spec.gpus * 2
    for name in card_names("pf", spec.pfs):
        require_vdpa_among_vfs(f"{name}.", spec.vfs_of(name), spec.vdpa_of(name))
        functions += 1 + spec.vfs_of(name)
    if functions > _MOST_FUNCTIONS:
        problem = f"make {functions} functions with pfs={spec.pfs}; at most {_MOST_FUNCTIONS}"
        raise refusal(what("vfs"), str(spec.vfs), problem)


def _require_shares(spec: SimulatedSpec) -> None:
    """Cells have no more of their own than the host has, and all of it when all have something."""
    for name, unit in (("cpus", ""), ("memory_mib", "MiB"), ("pages_2m", ""), ("pages_1g", "")):
        total, own = getattr(spec, name), spec.own(name)
        of_cells = sum(one or 0 for one in own)
        if of_cells > total or (of_cells < total and None not in own):
            key = name.removesuffix("_mib")
            problem = f"are not what its cells have of their own, {of_cells}{unit} together"
            raise refusal(what(key), f"{total}{unit}", problem)


def _require_memory_for_pages(spec: SimulatedSpec) -> None:
    pages_mib = spec.pages_2m * 2 + spec.pages_1g * 1024
    if pages_mib > spec.memory_mib:
        problem = (
            f"is less than the {pages_mib} MiB of pages_2m={spec.pages_2m},pages_1g={spec.pages_1g}"
        )
        raise refusal(what("memory"), f"{spec.memory_mib}MiB", problem)
    for number, words in spec.cell_words.items():
        memory = spec.of_cells("memory_mib")[number]
        small, large = (spec.of_cells(name)[number] for name in ("pages_2m", "pages_1g"))
        if small * 2 + large * 1024 > memory:
            problem = f"is less than the {small * 2 + large * 1024} MiB of its hugepages"
            raise refusal(what(f"cell{number}.memory"), f"{memory}MiB", problem)
        for key, used, total in (
            ("used_2m", words.used_2m, small),
            ("used_1g", words.used_1g, large),
        ):
            if used > total:
                raise refusal(
                    what(f"cell{number}.{key}"), str(used), f"are more than its {total} pages"
                )


def _require_distances(spec: SimulatedSpec) -> None:
    for number, words in spec.cell_words.items():
        distances = words.distances
        if distances is not None and len(distances) != spec.cells:
            shown = "/".join(map(str, distances))
            problem = f"should be {spec.cells} distances, one to each cell"
            raise refusal(what(f"cell{number}.distances"), shown, problem)
