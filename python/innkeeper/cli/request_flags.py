"""A request in the words of the command line, so that what would fit can be asked for as it is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from innkeeper.cli.device_words import device_flag, device_name
from innkeeper.cli.quantities import page_size
from innkeeper.objects import GuestCell, GuestTopology, Request, ThreadPolicy
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec
from innkeeper.requests.numa_words.own_keys import FULL_CORES_KEY, L3_KEY, PREFERENCE_KEY


def request_flags(request: Request) -> Iterator[str]:
    """The flags; what only a spec file can say is left out, see `unsaid`."""
    if request.vcpus:
        yield f"--vcpus {request.vcpus}"
    if request.memory_mib:
        yield f"--memory {request.memory_mib}MiB"
    if request.disk_mib:
        yield f"--disk {request.disk_mib}MiB"
    if request.topology is not None:
        yield from _shape_flags(request, request.topology)
    yield from filter(None, map(device_flag, request.devices))
    if request.cells is not None:
        yield f"--on-cells {','.join(map(str, request.cells))}"
    for name, number in request.counters.items():
        yield f"--counter {name}={number}"


def unsaid(request: Request) -> Iterator[str]:
    """What the flags leave out, in words."""
    if request.topology is not None and not list(_shape_flags(request, request.topology)):
        yield "the guest cells"
    for one in request.devices:
        if device_flag(one) is None:
            yield f"{one.count} of {device_name(one)}"
    if request.limits is not None:
        yield "the limits"
    if request.networks is not None:
        yield "the networks"


def _shape_flags(request: Request, asked: GuestTopology) -> Iterator[str]:
    topology = _meant(asked)
    if _is_even(topology.cells):
        yield from _own_flags(topology)
    elif request.vcpus and request.memory_mib and _is_numbered(topology.cells, request.vcpus):
        yield from (f"--property {key}={value}" for key, value in _properties(topology))


def _meant(topology: GuestTopology) -> GuestTopology:
    """Without policies for what it does not have, which the command line would refuse."""
    unused: dict[str, None] = {}
    if not any(cell.dedicated for cell in topology.cells):
        unused |= dict.fromkeys(("threads", "emulator_threads", "l3"))
    if not any(cell.memory_mib for cell in topology.cells):
        unused["pages"] = None
    return topology.model_copy(update=unused)


# -- cells alike -----------------------------------------------------------------------------------


def _is_even(cells: Sequence[GuestCell]) -> bool:
    """Whether the cells are what `--cells` makes: equal shares, in order, all of one kind."""
    each = len(_vcpus(cells[0]))
    shares = [frozenset(range(start, start + each)) for start in _starts(len(cells), each)]
    kinds = {(bool(cell.shared), bool(cell.dedicated)) for cell in cells}
    return (
        [_vcpus(cell) for cell in cells] == shares
        and len({cell.memory_mib for cell in cells}) == 1
        and len(kinds) == 1
        and kinds != {(True, True)}
    )


def _starts(cells: int, each: int) -> Sequence[int]:
    return [cell * each for cell in range(cells)]


def _own_flags(topology: GuestTopology) -> Iterator[str]:
    flags = list(_policies(topology))
    if len(topology.cells) > 1 or not flags:
        yield f"--cells {len(topology.cells)}"
    yield from flags


def _policies(topology: GuestTopology) -> Iterator[str]:
    if topology.cells[0].dedicated:
        yield "--dedicated"
    if topology.threads is not None:
        yield f"--threads {_dashed(topology.threads)}"
    if topology.pages is not None:
        yield f"--hugepages {_pages(topology)}"
    if topology.emulator_threads is not None:
        yield f"--emulator-threads {topology.emulator_threads}"
    if topology.l3 is not None:
        yield f"--l3 {topology.l3}"
    if topology.preference is not None:
        yield f"--prefer {_dashed(topology.preference)}"


def _dashed(word: str) -> str:
    return word.replace("_", "-")


def _pages(topology: GuestTopology) -> str:
    want = topology.pages
    return want if isinstance(want, str) else page_size(want or 0).replace(" ", "")


# -- cells that differ -----------------------------------------------------------------------------


def _is_numbered(cells: Sequence[GuestCell], vcpus: int) -> bool:
    """Whether a flavor of so many vCPUs can have these cells."""
    return sorted(vcpu for cell in cells for vcpu in _vcpus(cell)) == list(range(vcpus))


def _properties(topology: GuestTopology) -> Iterator[tuple[str, object]]:
    yield "hw:numa_nodes", len(topology.cells)
    for number, cell in enumerate(topology.cells):
        yield f"hw:numa_cpus.{number}", format_cpu_spec(_vcpus(cell))
        yield f"hw:numa_mem.{number}", cell.memory_mib
    yield from _cpu_properties(topology)
    if topology.pages is not None:
        yield "hw:mem_page_size", topology.pages
    if topology.preference is not None:
        yield PREFERENCE_KEY, topology.preference


def _cpu_properties(topology: GuestTopology) -> Iterator[tuple[str, object]]:
    dedicated = {vcpu for cell in topology.cells for vcpu in parse_cpu_spec(cell.dedicated)}
    mixed = any(cell.shared for cell in topology.cells)
    if dedicated:
        yield "hw:cpu_policy", "mixed" if mixed else "dedicated"
    if dedicated and mixed:
        yield "hw:cpu_dedicated_mask", format_cpu_spec(dedicated)
    if topology.threads is ThreadPolicy.FULL_CORES:
        yield FULL_CORES_KEY, "true"
    elif topology.threads is not None:
        yield "hw:cpu_thread_policy", topology.threads
    if topology.emulator_threads is not None:
        yield "hw:emulator_threads_policy", topology.emulator_threads
    if topology.l3 is not None:
        yield L3_KEY, topology.l3


def _vcpus(cell: GuestCell) -> frozenset[int]:
    return frozenset(parse_cpu_spec(cell.shared)) | frozenset(parse_cpu_spec(cell.dedicated))
