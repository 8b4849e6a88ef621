//! How many requests fit one after another.

use crate::fit::steps::Steps;
use crate::fit::{Room, amounts, devices, place};
use crate::ids::ClaimId;
use crate::misfit::Undecided;
use crate::request::Request;

/// How many such requests could be booked one after another, at most `limit`.
pub(crate) fn count(
    room: Room<'_>,
    request: &Request,
    limit: u64,
    steps: &mut Steps,
) -> Result<u64, Undecided> {
    let most = amounts::count(room, request, limit);
    if devices::interact(room.book.index(), request.devices()) {
        return count_by_trying(room, request, most, steps);
    }
    let index = room.book.index();
    let times = request
        .devices()
        .iter()
        .map(|(product, asked)| index.free_count(*product).checked_div(*asked).unwrap_or(most));
    Ok(times.fold(most, u64::min))
}

fn count_by_trying(
    room: Room<'_>,
    request: &Request,
    most: u64,
    steps: &mut Steps,
) -> Result<u64, Undecided> {
    let mut index = room.book.index().clone();
    let trial = ClaimId::from("trial");
    for booked in 0..most {
        match devices::choose(&index, request.devices(), steps)? {
            Some(slots) => index.hold(&trial, &place(room, request, &slots)),
            None => return Ok(booked),
        }
    }
    Ok(most)
}
