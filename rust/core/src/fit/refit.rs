//! Whether an instance that runs can have more or less, where it is.

use std::sync::Arc;

use crate::amounts::{Amounts, Resource};
use crate::book::Book;
use crate::cpuset::CpuList;
use crate::fit::{Room, Steps, amounts, cells, cpus_of, explain};
use crate::ids::ClaimId;
use crate::misfit::{Misfit, Nearest, NoFit, Refusal};
use crate::placement::Placement;
use crate::request::Request;
use crate::topology::PlacedCell;

/// What a claim would hold if it asked for this instead: the same devices, the same cells, and the same
/// CPUs for the vCPUs that stay.
///
/// `book` is without the claim. The guest cells of the request are as many as the claim has. Only what
/// grows needs room: less is not refused for what was cordoned or oversold meanwhile.
pub(crate) fn refit(
    room: Room<'_>,
    claim: &ClaimId,
    held: &Placement,
    request: &Request,
) -> Result<Placement, Refusal> {
    let mut steps = Steps::default();
    let Some(topology) = request.topology() else {
        let grown = grown(request, request.amounts(), held);
        if !fits(room, &grown) {
            return Err(explain(room, &grown, &mut steps));
        }
        let amounts = request.amounts().clone();
        return Ok(Placement { amounts, cpus: floating(room, request, held), ..held.clone() });
    };
    let kept: Vec<(PlacedCell, PlacedCell)> = held
        .cells
        .iter()
        .zip(&topology.cells)
        .map(|(before, wanted)| (before.clone(), cells::kept(room, before, wanted)))
        .collect();
    let mut book = Book::clone(room.book);
    let kept_cells = kept.iter().map(|(_, kept)| kept.clone()).collect();
    book.add(claim.clone(), Arc::new(Placement { cells: kept_cells, ..Placement::default() }));
    let room = Room { book: &book, ..room };
    let placed = cells::refit(room, request, topology, &kept).map_err(refusal)?;
    let amounts = amounts_of(request, &placed, held, room);
    let grown = grown(request, &amounts, held);
    if !fits(room, &grown) {
        return Err(explain(room, &grown, &mut steps));
    }
    Ok(Placement { amounts, cpus: cpus_of(&placed), cells: placed, devices: held.devices.clone() })
}

/// The part of it that is more than what is held.
fn grown(request: &Request, amounts: &Amounts, held: &Placement) -> Request {
    let more = amounts.iter().filter(|(resource, amount)| **amount > held.amount(resource));
    let grown = more.fold(Request::default(), |grown, (resource, amount)| {
        grown.with_amount(resource.clone(), *amount)
    });
    grown.within(request.limits())
}

fn fits(room: Room<'_>, grown: &Request) -> bool {
    let nothing_grows = grown.amounts().is_empty();
    nothing_grows || (room.inventory.cordon().is_none() && amounts::fit(room, grown))
}

/// CPUs that it floats over: those that it has, and the host's for its first vCPU.
fn floating(room: Room<'_>, request: &Request, held: &Placement) -> CpuList {
    if held.cpus.is_empty() && request.asks_for_vcpus() {
        return room.inventory.shared_cpus().clone();
    }
    held.cpus.clone()
}

/// What counts against the whole host.
fn amounts_of(
    request: &Request,
    placed: &[PlacedCell],
    held: &Placement,
    room: Room<'_>,
) -> Amounts {
    let mut amounts = request.amounts().clone();
    let gone = ordinary_page_kib(held);
    let ordinary = placed.iter().filter(|cell| match room.inventory.cells().find(cell.cell) {
        Some(host) => host.pages.first().map(|page| page.size_kib) == cell.page_kib,
        None => cell.page_kib.is_none() || cell.page_kib == gone,
    });
    let ordinary = ordinary.map(|cell| cell.memory_mib).fold(0, u64::saturating_add);
    if ordinary > 0 {
        amounts.insert(Resource::MemoryMib, ordinary);
    }
    amounts
}

/// Size in KiB of the ordinary pages that it holds, for cells that the host has no more.
fn ordinary_page_kib(held: &Placement) -> Option<u64> {
    let has_some = held.amount(&Resource::MemoryMib) > 0;
    held.cells.iter().filter_map(|cell| cell.page_kib).min().filter(|_| has_some)
}

#[expect(clippy::boxed_local, reason = "it is what `map_err` hands over")]
fn refusal(misfit: Box<Misfit>) -> Refusal {
    Box::new(NoFit { reasons: vec![*misfit], nearest: Nearest::default() }).into()
}

#[cfg(test)]
mod tests {
    use crate::amounts::Resource;
    use crate::inventory::Inventory;
    use crate::ledger::{Ledger, UpdateError};
    use crate::misfit::Refusal;
    use crate::request::Request;
    use crate::samples::{id, plain_host, quantity, vcpus};
    use crate::topology::{GuestCell, GuestTopology, HostCell, PageSize, ThreadPolicy};

    fn cell(number: i64, dedicated: &str, cores: &[&str]) -> HostCell {
        let pages = vec![PageSize { size_kib: 4, total: 262_144, reserved: 0 }];
        let cores: Vec<_> = cores.iter().map(|core| core.parse().unwrap()).collect();
        let cell = HostCell::new(number, None).with_memory(1024, pages);
        cell.with_cpus("".parse().unwrap(), &dedicated.parse().unwrap(), &cores)
    }

    fn host_of(cells: Vec<HostCell>) -> Inventory {
        Inventory::new(quantity(0), quantity(2048), quantity(100)).with_cells(cells).unwrap()
    }

    fn isolated(cells: u32) -> Request {
        let cell = |number: u32| GuestCell {
            dedicated: number.to_string().parse().unwrap(),
            memory_mib: 512,
            ..GuestCell::default()
        };
        let cells = (0..cells).map(cell).collect();
        let threads = ThreadPolicy::Isolate;
        Request::default().with_topology(GuestTopology { cells, threads, ..Default::default() })
    }

    fn update(ledger: &mut Ledger, request: &Request) {
        let updated = ledger.update(&id("a"), request).unwrap();
        ledger.settle(&id("a"), updated).unwrap();
    }

    fn used(ledger: &Ledger) -> u64 {
        ledger.usage().amounts[&Resource::Vcpus].used
    }

    #[test]
    fn the_most_of_both_is_held_until_it_is_settled() {
        for (wanted, most) in [(2, 4), (6, 6)] {
            let mut ledger = Ledger::new(plain_host());
            ledger.book(id("a"), &vcpus(4)).unwrap();
            let updated = ledger.update(&id("a"), &vcpus(wanted)).unwrap();
            assert_eq!(used(&ledger), most);
            ledger.settle(&id("a"), updated).unwrap();
            assert_eq!(used(&ledger), wanted);
        }
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut ledger = Ledger::new(plain_host());
        ledger.book(id("a"), &vcpus(4)).unwrap();
        let generation = ledger.generation();
        let refused = ledger.update(&id("a"), &vcpus(17)).unwrap_err();
        let UpdateError::Refused(Refusal::NoFit(no_fit)) = refused else { panic!("{refused:?}") };
        assert_eq!((no_fit.reasons[0].asked, no_fit.reasons[0].free), (17, 16));
        assert_eq!(no_fit.nearest.amounts, [(Resource::Vcpus, 16)].into());
        let unknown = ledger.update(&id("b"), &vcpus(1));
        assert_eq!(unknown, Err(UpdateError::NotBooked { claim: id("b") }));
        assert_eq!((used(&ledger), ledger.generation()), (4, generation));
    }

    #[test]
    fn memory_of_a_cell_that_is_gone_still_counts() {
        let whole = host_of(vec![cell(0, "0", &["0"]), cell(1, "1", &["1"])]);
        let mut ledger = Ledger::new(whole.clone());
        ledger.book(id("a"), &isolated(2).with_amount(Resource::DiskMib, 20)).unwrap();
        ledger.observe(host_of(vec![cell(0, "0", &["0"])]));
        update(&mut ledger, &isolated(2).with_amount(Resource::DiskMib, 10));
        ledger.observe(whole);
        assert_eq!(ledger.usage().amounts[&Resource::MemoryMib].used, 1024);
    }

    #[test]
    fn idle_siblings_stay_held_whichever_of_the_core_is_offline() {
        let whole = host_of(vec![cell(0, "0-1", &["0-1"])]);
        for (online, seated) in [("0", "0"), ("1", "1")] {
            let mut ledger = Ledger::new(whole.clone());
            ledger.book(id("a"), &isolated(1).with_amount(Resource::DiskMib, 20)).unwrap();
            ledger.observe(host_of(vec![cell(0, online, &[seated])]));
            update(&mut ledger, &isolated(1).with_amount(Resource::DiskMib, 10));
            let charged = ledger.placement(&id("a")).unwrap().cells[0].charged.to_string();
            assert_eq!(charged, "0-1");
        }
    }

    #[test]
    fn only_what_grows_needs_room() {
        let mut ledger = Ledger::new(plain_host());
        let both = vcpus(12).with_amount(Resource::MemoryMib, 512);
        ledger.book(id("a"), &both).unwrap();
        let shrunk = plain_host().with_kept_off(Resource::Vcpus, 8, "cell 1 cordoned: fan");
        ledger.observe(shrunk.cordoned("fire"));
        let less = vcpus(10).with_amount(Resource::MemoryMib, 512);
        let settled = ledger.update(&id("a"), &less).unwrap();
        ledger.settle(&id("a"), settled).unwrap();
        let more = vcpus(10).with_amount(Resource::MemoryMib, 513);
        let refused = ledger.update(&id("a"), &more).unwrap_err();
        assert!(refused.to_string().contains("this host takes no new claims: fire"), "{refused}");
    }
}
