//! Whether an instance that runs can have more or less, where it is.

use std::sync::Arc;

use crate::amounts::{Amounts, Resource};
use crate::book::Book;
use crate::fit::{Room, Steps, amounts, cells, cpus_of, explain};
use crate::ids::ClaimId;
use crate::misfit::{Misfit, Nearest, NoFit, Refusal};
use crate::placement::Placement;
use crate::request::Request;
use crate::topology::PlacedCell;

/// What a claim would hold if it asked for this instead: the same devices, the same cells, and the same
/// CPUs for the vCPUs that stay.
///
/// `book` is without the claim. The guest cells of the request are as many as the claim has.
pub(crate) fn refit(
    room: Room<'_>,
    claim: &ClaimId,
    held: &Placement,
    request: &Request,
) -> Result<Placement, Refusal> {
    let mut steps = Steps::default();
    let bare = request.without_devices();
    let Some(topology) = request.topology() else {
        if amounts::fit(room, &bare) {
            return Ok(Placement { amounts: bare.amounts().clone(), ..held.clone() });
        }
        return Err(explain(room, &bare, &mut steps));
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
    let amounts = amounts_of(request, &placed, room);
    let whole = amounts.iter().fold(Request::default(), |request, (resource, amount)| {
        request.with_amount(resource.clone(), *amount)
    });
    let whole = whole.within(request.limits());
    if !amounts::fit(room, &whole) {
        return Err(explain(room, &whole, &mut steps));
    }
    Ok(Placement { amounts, cpus: cpus_of(&placed), cells: placed, devices: held.devices.clone() })
}

/// What counts against the whole host.
fn amounts_of(request: &Request, placed: &[PlacedCell], room: Room<'_>) -> Amounts {
    let mut amounts = request.amounts().clone();
    let ordinary = placed.iter().filter(|cell| {
        let smallest = room.inventory.cells().find(cell.cell).and_then(|it| it.pages.first());
        smallest.map(|page| page.size_kib) == cell.page_kib
    });
    let ordinary = ordinary.map(|cell| cell.memory_mib).fold(0, u64::saturating_add);
    if ordinary > 0 {
        amounts.insert(Resource::MemoryMib, ordinary);
    }
    amounts
}

#[expect(clippy::boxed_local, reason = "it is what `map_err` hands over")]
fn refusal(misfit: Box<Misfit>) -> Refusal {
    Box::new(NoFit { reasons: vec![*misfit], nearest: Nearest::default() }).into()
}
