"""What a person should know of a host that is not as its claims and the operator's words have it."""

from __future__ import annotations

from collections.abc import Iterator

from innkeeper.config import Config
from innkeeper.objects import Host
from innkeeper.requests.cpu_sets import lost_cpus
from innkeeper.requests.host_pages import OthersPages, ReservedMemory
from innkeeper.requests.remarks import Remark


def remarks_on_host(host: Host, config: Config, others: OthersPages) -> tuple[Remark, ...]:
    """CPUs that are named and gone, and hugepages that somebody without a claim uses."""
    return (*_of_cpus(host, config), *_of_pages(config, others))


def _of_cpus(host: Host, config: Config) -> Iterator[Remark]:
    reasons: dict[str, list[str]] = {}
    for lost in lost_cpus(host, config):
        reasons.setdefault(lost.key, []).append(lost.message)
    for key, messages in reasons.items():
        yield Remark("cpus_lost", key, f"{'; '.join(messages)}; the others are handed out")


def _of_pages(config: Config, others: OthersPages) -> Iterator[Remark]:
    reserved = ReservedMemory.of(config.reserved).pages
    for place, count in sorted(others.counts.items()):
        kept = reserved.get(place, 0)
        if count <= kept:
            continue
        cell, size = place
        yield Remark(
            "pages_in_use",
            f"cell {cell} pages of {size} KiB",
            f"{count} pages of {size} KiB of cell {cell} are in use and no claim holds them, "
            f"{kept} are reserved: those in use are not handed out",
            booked=str(kept),
            observed=str(count),
        )
