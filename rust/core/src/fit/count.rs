//! How many requests fit one after another.

use std::sync::Arc;

use crate::fit::near::Level;
use crate::fit::plan::Plan;
use crate::fit::steps::Steps;
use crate::fit::trial::Trial;
use crate::fit::units::Units;
use crate::fit::{self, Room, amounts, counts, devices};
use crate::ids::ClaimId;
use crate::misfit::{Misfit, Refusal, Undecided};
use crate::request::Request;

/// Search steps that a whole count may take, some 50 ms; beyond it is [`Undecided`]. Each booking of it
/// has the bound of a booking, so that no count tells what a booking cannot.
const MAX_COUNT_STEPS: u64 = 100_000;

/// How many fit, and why the next one does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// So many one after another.
    pub times: u64,
    /// What runs out first; empty when the limit was reached.
    pub stopped_by: Vec<Misfit>,
}

/// How many such requests could be booked one after another, at most `limit`, and what ends it.
pub(crate) fn tally(
    room: Room<'_>,
    request: &Request,
    limit: u64,
    steps: &mut Steps,
) -> Result<Tally, Undecided> {
    if has_own_count(room, request) {
        return tally_by_booking(room, request, limit, steps);
    }
    let times = times(room, request, limit, steps)?;
    let next = request.times(times.saturating_add(1));
    let stopped_by =
        if times < limit { reasons(fit::explain(room, &next, steps)) } else { Vec::new() };
    Ok(Tally { times, stopped_by })
}

/// The number alone.
pub(crate) fn count(
    room: Room<'_>,
    request: &Request,
    limit: u64,
    steps: &mut Steps,
) -> Result<u64, Undecided> {
    if has_own_count(room, request) {
        return Ok(tally_by_booking(room, request, limit, steps)?.times);
    }
    times(room, request, limit, steps)
}

fn has_own_count(room: Room<'_>, request: &Request) -> bool {
    request.topology().is_some() && room.inventory.cordon().is_none()
}

fn reasons(refusal: Refusal) -> Vec<Misfit> {
    match refusal {
        Refusal::NoFit(no_fit) => no_fit.reasons,
        Refusal::Undecided(_) => Vec::new(),
    }
}

fn times(
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
        return count_by_trying(room, request, &plan, most, steps);
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
    plan: &Plan<'_>,
    most: u64,
    steps: &mut Steps,
) -> Result<u64, Undecided> {
    let mut trial = Trial::of(room.book.index());
    let mut units = Units::of(room, request, &counts(request));
    for booked in 0..most {
        *steps = steps.renewed_up_to(MAX_COUNT_STEPS);
        // That of a unit that needs no search is one too.
        steps.search()?;
        units.skip_used(&trial);
        if devices::choose_by(plan.clone(), &mut units, &mut trial, steps)?.is_none() {
            return Ok(booked);
        }
    }
    Ok(most)
}

/// On a copy of the book, since where each is put decides where the next one can be.
fn tally_by_booking(
    room: Room<'_>,
    request: &Request,
    limit: u64,
    steps: &mut Steps,
) -> Result<Tally, Undecided> {
    let mut book = room.book.clone();
    for booked in 0..limit {
        *steps = steps.renewed_up_to(MAX_COUNT_STEPS);
        let room = Room { book: &book, ..room };
        let Some(placement) = fit::place_if_it_fits(room, request, steps)? else {
            let stopped_by = reasons(fit::explain(room, request, steps));
            return Ok(Tally { times: booked, stopped_by });
        };
        book.add(ClaimId::from(format!("{booked}").as_str()), Arc::new(placement));
    }
    Ok(Tally { times: limit, stopped_by: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::{MAX_COUNT_STEPS, count};
    use crate::book::Book;
    use crate::fit::Room;
    use crate::fit::steps::Steps;
    use crate::ledger::Ledger;
    use crate::pci::{Device, Matcher};
    use crate::request::{DeviceRequest, Request, Unit, UnitPlace};
    use crate::samples::{plain, plain_host, vf_product};

    /// Functions that have an IOMMU group each.
    fn host_of_groups(count: u64) -> Ledger {
        let function = |number: u64| Device {
            iommu_group: Some(number),
            ..plain(&format!("{number:04x}:00:00.0"), vf_product())
        };
        Ledger::new(plain_host().with_devices((0..count).map(function).collect()).unwrap())
    }

    fn of_groups() -> Request {
        let unit = Unit { place: UnitPlace::IommuGroup, members: Vec::new() };
        let part = DeviceRequest {
            unit: Some(unit),
            ..DeviceRequest::new("group", Matcher::of_product(vf_product()), 1)
        };
        Request::default().with_device_request(part)
    }

    #[test]
    fn units_are_counted_without_looking_at_every_place_again() {
        let request = of_groups();
        for groups in [64, 4096] {
            let mut ledger = host_of_groups(groups);
            assert_eq!(ledger.count(&request, 10_000), Ok(groups));
            assert!(ledger.steps() < groups * 6 + 10, "{} steps", ledger.steps());
        }
        assert_eq!(host_of_groups(30_000).count(&request, 100_000), Ok(30_000));
    }

    #[test]
    fn a_count_of_units_is_bounded() {
        let ledger = host_of_groups(64);
        let book = Book::vacant(ledger.inventory());
        let room = Room { inventory: ledger.inventory(), book: &book };
        for (left, expected) in [(64, Err(MAX_COUNT_STEPS)), (65, Ok(64))] {
            let mut steps = Steps::within(MAX_COUNT_STEPS);
            (left..MAX_COUNT_STEPS).for_each(|_| steps.search().unwrap());
            let told = count(room, &of_groups(), 100, &mut steps);
            assert_eq!(told.map_err(|spent| spent.limit), expected);
        }
    }
}
