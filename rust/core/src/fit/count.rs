//! How many requests fit one after another.

use crate::fit::near::Level;
use crate::fit::plan::Plan;
use crate::fit::steps::Steps;
use crate::fit::trial::Trial;
use crate::fit::{Room, amounts, counts, devices};
use crate::misfit::Undecided;
use crate::request::Request;

/// How many such requests could be booked one after another, at most `limit`.
pub(crate) fn count(
    room: Room<'_>,
    request: &Request,
    limit: u64,
    steps: &mut Steps,
) -> Result<u64, Undecided> {
    if room.inventory.cordon().is_some() {
        return Ok(0);
    }
    let most = amounts::count(room, request, limit);
    if request.devices().is_empty() {
        return Ok(most);
    }
    let plan = Plan::of(room.inventory, request, &counts(request));
    let trial = Trial::of(room.book.index());
    if has_units(request) || plan.competes(&trial) {
        return count_by_trying(room, request, most, steps);
    }
    let times = plan.wants.iter().enumerate().map(|(want, one)| {
        free_for(&plan, want, one.level, &trial).checked_div(one.left).unwrap_or(most)
    });
    Ok(times.fold(most, u64::min))
}

fn has_units(request: &Request) -> bool {
    request.devices().iter().any(|devices| devices.unit.is_some())
}

fn free_for(plan: &Plan<'_>, want: usize, level: Level, trial: &Trial<'_>) -> u64 {
    let parts = plan.parts.iter().filter(|part| part.admits(want) && level.takes(part.nearness));
    parts.map(|part| part.free_count(trial)).fold(0, u64::saturating_add)
}

fn count_by_trying(
    room: Room<'_>,
    request: &Request,
    most: u64,
    steps: &mut Steps,
) -> Result<u64, Undecided> {
    let mut trial = Trial::of(room.book.index());
    let wanted = counts(request);
    for booked in 0..most {
        if devices::choose(room, request, &wanted, &mut trial, steps)?.is_none() {
            return Ok(booked);
        }
        *steps = steps.renewed();
    }
    Ok(most)
}
