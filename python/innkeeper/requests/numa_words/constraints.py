"""All that a flavor and an image say of a guest's CPUs, cells and pages, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from innkeeper.objects.request import NumaPolicy
from innkeeper.objects.topology import GuestCell, GuestTopology, PageWant
from innkeeper.requests.numa_words.candidate_query import CandidateQuery
from innkeeper.requests.numa_words.cells import read_cell_count, read_cells, require_all_used
from innkeeper.requests.numa_words.cpus import GuestCpus, read_guest_cpus
from innkeeper.requests.numa_words.device_policy import read_device_policy
from innkeeper.requests.numa_words.image_checks import require_image
from innkeeper.requests.numa_words.memory import read_locked, read_pages
from innkeeper.requests.numa_words.own_keys import (
    PREFERENCE_KEY,
    read_l3,
    read_preference,
    require_known_keys,
)
from innkeeper.requests.numa_words.words import GuestWords, Saying, refused


@dataclass(frozen=True, slots=True)
class GuestConstraints:
    """What follows from the words of one flavor and one image."""

    topology: GuestTopology | None
    """Null: the guest may be anywhere, and shares."""
    realtime: frozenset[int]
    """vCPUs with realtime scheduling."""
    locked_memory: bool
    pmem: tuple[str, ...]
    """Labels of the persistent memory namespaces that it wants, which innkeeper does not book."""
    device_policy: NumaPolicy | None
    """How near its devices are to be, see `devices_of_flavor`."""
    query: CandidateQuery


def topology_of_flavor(
    vcpus: int,
    memory_mib: int,
    extra_specs: Mapping[str, str],
    image_properties: Mapping[str, str] | None = None,
) -> GuestTopology | None:
    """The NUMA cells that a flavor and an image ask for; null when they ask for none.

    Raises:
        BadRequest: as `constraints_of_flavor`.
    """
    return constraints_of_flavor(vcpus, memory_mib, extra_specs, image_properties).topology


def constraints_of_flavor(
    vcpus: int,
    memory_mib: int,
    extra_specs: Mapping[str, str],
    image_properties: Mapping[str, str] | None = None,
) -> GuestConstraints:
    """Everything at once, judged in Nova's order, so that of several errors the same one wins.

    Raises:
        BadRequest: a word is none, or two contradict each other; `details["errors"]` names the key,
            and under `cause` the error that Nova has for it.
    """
    words = GuestWords(vcpus, memory_mib, extra_specs, image_properties or {})
    require_image(words)
    cpus = read_guest_cpus(words)
    count = read_cell_count(words)
    pages = read_pages(words)
    pmem = _labels(words)
    locked = read_locked(words)
    cells: tuple[GuestCell, ...] = ()
    if count or pages or pmem or cpus.dedicated:
        cells = read_cells(words, count or 1, cpus.dedicated)
    topology = _topology(words, cpus, cells, pages)
    device_policy = read_device_policy(extra_specs, words.image_properties)
    query = CandidateQuery.of(words, cpus, device_policy)
    return GuestConstraints(topology, cpus.realtime, locked or False, pmem, device_policy, query)


def _labels(words: GuestWords) -> tuple[str, ...]:
    said = words.of_flavor("pmem")
    labels = (label.strip() for label in said.text.split(",")) if said else ()
    return tuple(label for label in labels if label)


def _topology(
    words: GuestWords, cpus: GuestCpus, cells: tuple[GuestCell, ...], pages: PageWant | None
) -> GuestTopology | None:
    require_all_used(words, len(cells))
    require_known_keys(words)
    preference = read_preference(words)
    if not cells:
        if preference:
            said = Saying(PREFERENCE_KEY, preference)
            message = f"{said}, but the guest has no cells: set hw:numa_nodes"
            raise refused("CellPreferenceConfigurationInvalid", PREFERENCE_KEY, message)
        return None
    return GuestTopology(
        cells=cells,
        pages=pages,
        threads=cpus.threads,
        emulator_threads=cpus.emulator,
        l3=read_l3(words),
        preference=preference,
    )
