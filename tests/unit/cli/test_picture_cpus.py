"""The picture of CPUs: who holds which of them alone, core by core."""

from __future__ import annotations

from tests.unit.cli.test_picture import booked, plain, without_colours

from innkeeper import simulated
from innkeeper.cli.picture import TERMINAL, picture
from innkeeper.config import Config, Cpus
from innkeeper.objects import GuestCell, GuestTopology, Request, ThreadPolicy

SMALL = "cpus=8,cells=2,sockets=1,memory=16GiB,name=small"
LARGE = "cpus=256,cells=8,sockets=2,memory=64GiB,name=large"
RESERVED_PAGES = {"cell": 0, "size_kib": 2048, "count": 2}


def with_own_cpus(
    count: int, shared: int = 0, cells: int = 1, threads: ThreadPolicy | None = None
) -> Request:
    """So many dedicated and shared vCPUs in each of the guest cells."""
    every = count + shared
    guest_cells = tuple(
        GuestCell(
            dedicated=",".join(str(first + vcpu) for vcpu in range(count)),
            shared=",".join(str(first + vcpu) for vcpu in range(count, every)),
            memory_mib=512,
        )
        for first in range(0, every * cells, every)
    )
    return Request(
        vcpus=every * cells,
        memory_mib=512 * cells,
        topology=GuestTopology(cells=guest_cells, threads=threads),
    )


def config(dedicated: str, shared: str | None = None) -> Config:
    return Config(cpus=Cpus(dedicated=dedicated, shared=shared))


def test_each_cpu_shows_who_holds_it_alone() -> None:
    requests = [with_own_cpus(2), with_own_cpus(1, shared=1), Request(vcpus=1)]
    view, claims = booked(simulated(SMALL), *requests, config=config("1-3,5-7", "0,4"))
    shown = plain(view, claims)
    assert "| 0/4 1b/5.        | | 2a/6a 3./7.      |" in shown
    assert "a-Z the claim that holds it alone   . dedicated CPU that is free" in shown
    assert "3 of 6 held, 3 free" in shown
    assert "a  guest-1  2 vCPUs, CPUs 2,6 alone" in shown
    assert "b  guest-2  2 vCPUs, CPUs 1 alone" in shown
    assert "c  guest-3  1 vCPU   " in shown


def test_idle_siblings_of_isolated_threads_belong_to_their_claim() -> None:
    isolated = with_own_cpus(2, threads=ThreadPolicy.ISOLATE)
    view, claims = booked(simulated(SMALL), isolated, config=config("0-7"))
    assert "0a/4a 1a/5a" in plain(view, claims)


def test_a_core_of_a_large_host_is_one_sign() -> None:
    requests = [with_own_cpus(20), with_own_cpus(3, cells=2), with_own_cpus(1)]
    view, claims = booked(simulated(LARGE), *requests, config=config("16-255", "0-15"))
    shown = plain(view, claims, 110)
    assert "cell 1 aaaaaaaa aa......" in shown
    assert "cell 2 bb......" in shown
    assert "cell 3 bb......" in shown
    assert all(
        line in without_colours(picture(view, claims, TERMINAL, 110)) for line in ("aaaa", "bb")
    )


def test_a_core_that_two_claims_share_is_not_given_to_one_of_them() -> None:
    half = [with_own_cpus(1), with_own_cpus(1)]
    view, claims = booked(simulated(LARGE), *half, config=config("16,144", "0-15"))
    assert "cell 1 &" in plain(view, claims, 110)


def test_cpus_that_are_the_host_s_own_are_not_drawn_as_shared() -> None:
    view, claims = booked(simulated(SMALL), config=config("1-3,5-7"))
    shown = plain(view, claims)
    assert "| 0h/4h 1./5.      |" in shown
    assert "h kept for the host itself" in shown
    assert "kept for the host" not in plain(*booked(simulated(SMALL)))


def test_hugepages_show_what_claims_hold_beside_what_is_in_use() -> None:
    in_pages = GuestTopology(cells=(GuestCell(dedicated="0", memory_mib=40),), pages=2048)
    request = Request(vcpus=1, memory_mib=40, topology=in_pages)
    words = {"cpus": {"dedicated": "2-7"}, "reserved": {"pages": [RESERVED_PAGES]}}
    view, claims = booked(
        simulated(f"{SMALL},pages_2m=64"), request, config=Config.model_validate(words)
    )
    shown = plain(view, claims)
    assert "20 of 62 held, 42 free; 2 reserved; 0 in use" in shown
    assert "2 MiB pages  0/32 in use, 20 held" in shown
