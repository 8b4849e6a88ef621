//! NUMA cells of an instance on cells of the host.
//!
//! Each pair of guest cell and host cell is judged once, for itself; then cells are matched. Of all
//! assignments the first in Nova's order is taken, unless the request prefers others.

mod ask;
mod board;
mod cpus;
mod explain;
mod goal;
mod lack;
mod matching;
mod memory;
mod nearest;
mod order;
mod pair;
mod prefer;
mod refit;
mod search;
mod shape;
mod together;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may panic")]
mod traps;
mod view;

pub(super) use explain::explain;
pub(super) use refit::{kept, refit};

use crate::amounts::Resource;
use crate::fit::cells::board::Board;
use crate::fit::cells::goal::Near;
use crate::fit::cells::matching::Matching;
use crate::fit::cells::search::Search;
use crate::fit::devices::Chosen;
use crate::fit::steps::Steps;
use crate::fit::{Room, amounts};
use crate::misfit::Undecided;
use crate::request::Request;
use crate::topology::{GuestTopology, L3Policy, PlacedCell};

/// Where an instance with a topology is put.
#[derive(Clone, Debug, Default)]
pub(super) struct Seated {
    /// In the order of the guest cells.
    pub(super) cells: Vec<PlacedCell>,
    pub(super) devices: Chosen,
    /// MiB of it that is ordinary memory.
    pub(super) ordinary_mib: u64,
}

/// The first assignment under which the cells, their memory and the devices fit together.
pub(super) fn seat(
    room: Room<'_>,
    request: &Request,
    topology: &GuestTopology,
    steps: &mut Steps,
) -> Result<Option<Seated>, Undecided> {
    if topology.l3 == Some(L3Policy::Prefer) {
        let strict = GuestTopology { l3: Some(L3Policy::Require), ..topology.clone() };
        if let Ok(Some(seated)) = seat_as_asked(room, request, &strict, steps) {
            return Ok(Some(seated));
        }
        *steps = steps.renewed();
    }
    seat_as_asked(room, request, topology, steps)
}

fn seat_as_asked(
    room: Room<'_>,
    request: &Request,
    topology: &GuestTopology,
    steps: &mut Steps,
) -> Result<Option<Seated>, Undecided> {
    let board = Board::of(room, request, topology, steps);
    let Ok(matching) = Matching::full(&board, steps) else { return Ok(None) };
    let mut near = Near::of(room, &board, request);
    if !near.can_be_had(steps)? {
        return Ok(None);
    }
    let budget = amounts::free(room, request, &Resource::MemoryMib);
    let found = match topology.preference.and_then(prefer::cost_of) {
        Some(cost) => prefer::best(&board, &mut near, budget, cost, &matching, steps)?,
        None => Search::new(&board, &mut near, budget).first(&matching, steps)?,
    };
    Ok(found.map(|hosts| seated(&board, &hosts, near.chosen)))
}

fn seated(board: &Board<'_>, hosts: &[usize], devices: Chosen) -> Seated {
    let mut seated = Seated { devices, ..Seated::default() };
    let guests = board.ask.guests.iter().zip(&board.topology.cells);
    for (position, ((guest, words), host)) in guests.zip(hosts).enumerate() {
        let (pair, view) = (board.pair(position, *host), board.views.get(*host));
        let Some((pair, view)) = pair.zip(view) else { continue };
        seated.ordinary_mib = seated.ordinary_mib.saturating_add(pair.pages.ordinary_mib);
        seated.cells.push(pair.place(guest, words, view));
    }
    seated
}
