//! An instance that runs gets more or less, and stays where it is.

use std::collections::BTreeMap;

use crate::cpuset::CpuList;
use crate::fit::Room;
use crate::fit::cells::ask::{Ask, Guest};
use crate::fit::cells::explain::misfit_in_place;
use crate::fit::cells::lack::Lack;
use crate::fit::cells::memory::whole_pages;
use crate::fit::cells::pair::Pair;
use crate::fit::cells::view::View;
use crate::misfit::{Misfit, MisfitCode};
use crate::request::Request;
use crate::topology::{
    CellHeld, GuestCell, GuestTopology, HostCell, PageWant, PlacedCell, ThreadPolicy,
};

/// What an instance keeps of a cell when it is to have these vCPUs: the CPUs of those that stay.
///
/// An idle sibling goes with the last vCPU of its core; one whose core does not tell that it did stays.
pub(in crate::fit) fn kept(room: Room<'_>, held: &PlacedCell, wanted: &GuestCell) -> PlacedCell {
    let stays = |vcpu: &u32| wanted.dedicated.iter().any(|it| it == *vcpu);
    let pins: BTreeMap<u32, u32> =
        held.pins.iter().filter(|(vcpu, _)| stays(vcpu)).map(|(vcpu, cpu)| (*vcpu, *cpu)).collect();
    let used: Vec<u32> = pins.values().copied().chain(held.emulator.iter()).collect();
    let core_of = |cpu: u32| {
        let host = room.inventory.cells();
        let (cell, position) = host.seat_of(cpu)?;
        Some((cell, host.get(cell)?.core_of(position)))
    };
    let gone: Vec<u32> = held.pins.values().copied().filter(|cpu| !used.contains(cpu)).collect();
    // A CPU that is offline has no core.
    let known = |cpus: &[u32]| -> Vec<_> { cpus.iter().filter_map(|it| core_of(*it)).collect() };
    let (cores_used, cores_left) = (known(&used), known(&gone));
    let is_left = |cpu: u32| {
        let core = core_of(cpu);
        core.is_some_and(|core| cores_left.contains(&core) && !cores_used.contains(&core))
    };
    let charged = held
        .charged
        .iter()
        .filter(|cpu| used.contains(cpu) || !(gone.contains(cpu) || is_left(*cpu)));
    PlacedCell {
        cell: held.cell,
        charged: charged.collect(),
        pins,
        emulator: held.emulator.clone(),
        ..PlacedCell::default()
    }
}

/// The same guest cells on the same host cells, in a book in which only what is kept is held.
pub(in crate::fit) fn refit(
    room: Room<'_>,
    request: &Request,
    topology: &GuestTopology,
    held: &[(PlacedCell, PlacedCell)],
) -> Result<Vec<PlacedCell>, Box<Misfit>> {
    let cells = topology.cells.iter().zip(held).enumerate();
    let refitted = cells.map(|(position, (wanted, (before, kept)))| {
        refit_cell(room, request, topology, wanted, before, kept).map_err(|lack| {
            let seat = room.book.held().cells().find(|(cell, _)| cell.id == before.cell);
            let view = seat.map(|(cell, held)| View::of(cell, held, false));
            Box::new(misfit_in_place(position, &lack, view.as_ref()))
        })
    });
    refitted.collect()
}

fn refit_cell(
    room: Room<'_>,
    request: &Request,
    topology: &GuestTopology,
    wanted: &GuestCell,
    before: &PlacedCell,
    kept: &PlacedCell,
) -> Result<PlacedCell, Lack> {
    // The pages that it is on cannot be exchanged while it runs.
    let pages = topology.pages.and(before.page_kib).map(PageWant::Kib);
    let ask = Ask { pages, ..Ask::of(room.inventory, request, topology) };
    let found = room.book.held().cells().find(|(cell, _)| cell.id == before.cell);
    let view = found.map(|(cell, held)| view_of(room, &ask, kept, cell, held));
    if let Some(view) = &view {
        require_whole_cores(&ask, wanted, view.widest)?;
    }
    if let Some(less) = shrunk(wanted, before, kept) {
        return Ok(less);
    }
    let view = view.ok_or(Lack::new(MisfitCode::InsufficientCells, 1, 0))?;
    let more: CpuList = wanted.dedicated.iter().filter(|it| !kept.pins.contains_key(it)).collect();
    let guest = Guest {
        shared: wanted.shared.count(),
        dedicated: more.count(),
        has_emulator: false,
        memory_mib: wanted.memory_mib,
    };
    let pair = Pair::judge(&ask, &guest, &view)?;
    let words = GuestCell { dedicated: more, ..wanted.clone() };
    let added = pair.place(&guest, &words, &view);
    Ok(PlacedCell {
        pins: kept.pins.iter().chain(&added.pins).map(|(vcpu, cpu)| (*vcpu, *cpu)).collect(),
        emulator: kept.emulator.clone(),
        charged: kept.charged.iter().chain(added.charged.iter()).collect(),
        ..added
    })
}

/// The cell, of which only the L3 cache counts that the vCPUs share already, if they have to share one.
fn view_of<'a>(
    room: Room<'_>,
    ask: &Ask,
    kept: &PlacedCell,
    cell: &'a HostCell,
    held: &'a CellHeld,
) -> View<'a> {
    let mut view = View::of(cell, held, ask.within_l3);
    let seat = kept.pins.values().next().and_then(|cpu| room.inventory.cells().seat_of(*cpu));
    if let Some((_, position)) = seat {
        let core = cell.core_of(position);
        let groups = view.l3_groups.iter_mut().zip(cell.l3_groups());
        groups.filter(|(_, cores)| !cores.contains(&core)).for_each(|(group, _)| group.close());
    }
    view
}

/// A policy is no question of room: it holds for less, too.
fn require_whole_cores(ask: &Ask, wanted: &GuestCell, widest: usize) -> Result<(), Lack> {
    let (asked, width) = (wanted.dedicated.count(), u64::try_from(widest).unwrap_or(u64::MAX));
    let half = asked.checked_rem(width).unwrap_or(0);
    if ask.threads == ThreadPolicy::FullCores && half > 0 {
        let whole = asked.saturating_sub(half);
        return Err(Lack::new(MisfitCode::InsufficientCores, asked, whole));
    }
    Ok(())
}

/// Less of everything needs no room, not even a cell that is still there; none when something grows.
fn shrunk(wanted: &GuestCell, before: &PlacedCell, kept: &PlacedCell) -> Option<PlacedCell> {
    let pages = match before.page_kib {
        Some(size_kib) => whole_pages(wanted.memory_mib, size_kib)?,
        None => before.pages,
    };
    let no_pin_is_new = wanted.dedicated.iter().all(|vcpu| kept.pins.contains_key(&vcpu));
    let no_more_float = wanted.shared.count() <= before.shared.count();
    let floats = !wanted.shared.is_empty();
    (no_pin_is_new && no_more_float && wanted.memory_mib <= before.memory_mib).then(|| PlacedCell {
        shared: wanted.shared.clone(),
        cpus: if floats { before.cpus.clone() } else { CpuList::default() },
        memory_mib: wanted.memory_mib,
        page_kib: before.page_kib,
        pages,
        ..kept.clone()
    })
}
