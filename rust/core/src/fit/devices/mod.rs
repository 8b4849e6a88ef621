//! Which devices a request gets.
//!
//! All parts of a request are solved together. Of all solutions the first in Nova's order is chosen: part
//! by part, the nearest level of its NUMA policy that leaves a solution; within it pools with the fewest
//! properties first, then those with the lowest addresses; of the VFs of one PF the highest first, of
//! other functions the lowest. The order is one of content, never of history. A device is taken only if the
//! rest of the request can still be had, which is asked only where parts compete for it.

mod taking;

use crate::fit::Room;
use crate::fit::devices::taking::Taking;
use crate::fit::plan::Plan;
use crate::fit::steps::Steps;
use crate::fit::trial::Trial;
use crate::fit::units::Units;
use crate::misfit::Undecided;
use crate::pci::Slot;
use crate::request::Request;

/// Devices, each with the position of the part of the request that it is for.
pub(super) type Chosen = Vec<(Slot, usize)>;

/// The devices for a request with these counts, or none when they cannot be had together.
pub(super) fn choose(
    room: Room<'_>,
    request: &Request,
    counts: &[u64],
    trial: &mut Trial<'_>,
    steps: &mut Steps,
) -> Result<Option<Chosen>, Undecided> {
    let plan = Plan::of_first(room.inventory, request, counts, trial);
    choose_by(plan, &mut Units::of(room, request, counts), trial, steps)
}

/// The same, for whoever asks many times and has made plan and units already.
pub(super) fn choose_by(
    mut plan: Plan<'_>,
    units: &mut Units,
    trial: &mut Trial<'_>,
    steps: &mut Steps,
) -> Result<Option<Chosen>, Undecided> {
    if !units.place(&plan, trial, steps)? {
        return Ok(None);
    }
    let mut chosen = units.take_chosen();
    for want in 0..plan.wants.len() {
        settle_level(&mut plan, want, trial, steps)?;
        Taking { plan: &mut plan, want, trial, steps, chosen: &mut chosen }.all()?;
    }
    let served = plan.wants.iter().all(|want| !want.is_open());
    debug_assert!(served, "a solution that was there is gone");
    if served { Ok(Some(chosen)) } else { Err(steps.give_up()) }
}

/// Whether so many devices can be had together.
pub(super) fn can_have(
    room: Room<'_>,
    request: &Request,
    counts: &[u64],
    steps: &mut Steps,
) -> Result<bool, Undecided> {
    let plan = Plan::of(room.inventory, request, counts);
    let mut trial = Trial::of(room.book.index());
    Units::of(room, request, counts).place(&plan, &mut trial, steps)
}

/// Whether all that is still wanted can be had.
pub(super) fn is_possible(
    plan: &Plan<'_>,
    trial: &Trial<'_>,
    steps: &mut Steps,
) -> Result<bool, Undecided> {
    let wanted: Vec<u64> = plan.wants.iter().map(|want| want.left).collect();
    plan.supply(trial).serves(&wanted, steps)
}

/// Keep a want to the nearest level that leaves a solution; the last one does.
fn settle_level(
    plan: &mut Plan<'_>,
    want: usize,
    trial: &Trial<'_>,
    steps: &mut Steps,
) -> Result<(), Undecided> {
    let Some(levels) = plan.wants.get(want).map(|want| want.levels) else { return Ok(()) };
    for (number, level) in levels.iter().enumerate() {
        if let Some(want) = plan.wants.get_mut(want) {
            want.level = *level;
        }
        let is_last = number.saturating_add(1) == levels.len();
        if is_last || is_possible(plan, trial, steps)? {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::ledger::{BookError, Ledger};
    use crate::misfit::{MisfitCode, NoFit};
    use crate::pci::{Matcher, Pattern};
    use crate::request::{DeviceRequest, Request};
    use crate::samples::{booked, host_of_pfs, id, pf_with_vfs, pfs_and_vfs, plain_host, tagged};

    fn refused(ledger: &mut Ledger, request: &Request) -> NoFit {
        match ledger.book(id("refused"), request) {
            Err(BookError::NoFit(no_fit)) => *no_fit,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_pf_s_vfs_come_first_and_of_these_the_highest() {
        let mut ledger = Ledger::new(host_of_pfs(&[2, 3]));
        assert_eq!(booked(&mut ledger, "one", &pfs_and_vfs(0, 1)), ["0000:00:01.1"]);
        ledger.unbook(&id("one"));
        let first = booked(&mut ledger, "a", &pfs_and_vfs(0, 3));
        assert_eq!(first, ["0000:00:01.0", "0000:00:01.1", "0001:00:01.2"]);
        ledger.unbook(&id("a"));
        assert_eq!(booked(&mut ledger, "b", &pfs_and_vfs(0, 3)), first);
    }

    #[test]
    fn a_pf_and_its_vfs_exclude_each_other() {
        let mut ledger = Ledger::new(host_of_pfs(&[2]));
        booked(&mut ledger, "vf", &pfs_and_vfs(0, 1));
        let misfit = refused(&mut ledger, &pfs_and_vfs(1, 0)).reasons.remove(0);
        assert_eq!((misfit.free, misfit.capacity, misfit.used), (0, 1, 0));
        assert!(misfit.message.contains("1 barred by their PF or VFs"));
        ledger.unbook(&id("vf"));
        booked(&mut ledger, "pf", &pfs_and_vfs(1, 0));
        assert_eq!(refused(&mut ledger, &pfs_and_vfs(0, 1)).reasons[0].free, 0);
    }

    #[test]
    fn the_only_pf_with_enough_vfs_is_not_given_away() {
        // Greedy would take the first PF, or the first two VFs, and be stuck.
        let mut ledger = Ledger::new(host_of_pfs(&[4, 1]));
        let got = booked(&mut ledger, "a", &pfs_and_vfs(1, 2));
        assert_eq!(got, ["0000:00:01.2", "0000:00:01.3", "0001:00:00.0"]);
    }

    #[test]
    fn a_pf_that_comes_after_its_vf_is_not_given_beside_it() {
        let with_tag = |number| {
            let mut family = pf_with_vfs(number, 1);
            let pf = tagged(family.remove(0), &[("more", None)]);
            [pf, family.remove(0)]
        };
        let devices = [with_tag(0), with_tag(1)].concat();
        let mut ledger = Ledger::new(plain_host().with_devices(devices).unwrap());
        let kind = |name| Pattern::default().with("dev_type", Some(name));
        let any = Matcher::new(vec![kind("type-PF"), kind("type-VF")]);
        let two = Request::default().with_device_request(DeviceRequest::new("any", any, 2));
        assert_eq!(booked(&mut ledger, "a", &two), ["0000:00:01.0", "0001:00:01.0"]);
    }

    #[test]
    fn vfs_are_not_picked_from_the_only_pf_that_is_left() {
        let mut ledger = Ledger::new(host_of_pfs(&[2, 2]));
        booked(&mut ledger, "half", &pfs_and_vfs(0, 1));
        let got = booked(&mut ledger, "a", &pfs_and_vfs(1, 1));
        assert_eq!(got, ["0000:00:01.0", "0001:00:00.0"]);
    }

    #[test]
    fn parts_that_fit_alone_but_not_together_are_a_misfit_that_says_so() {
        let mut ledger = Ledger::new(host_of_pfs(&[4]));
        let no_fit = refused(&mut ledger, &pfs_and_vfs(1, 2));
        let misfit = &no_fit.reasons[0];
        assert_eq!(no_fit.reasons.len(), 1);
        assert_eq!(misfit.code, MisfitCode::InsufficientDevices);
        assert_eq!((misfit.asked, misfit.free, misfit.capacity, misfit.used), (2, 0, 4, 0));
        assert!(misfit.message.contains("0 of 4 are free together with the rest of the request"));
        let filters: Vec<_> =
            misfit.filters.iter().map(|it| (it.filter, it.removed, it.left)).collect();
        assert_eq!(filters, [("spec", 1, 4), ("rest_of_request", 4, 0)]);
        assert_eq!((misfit.request, misfit.pools.len(), misfit.pools[0].total), (Some(1), 1, 4));
        assert_eq!(no_fit.nearest.devices, [1, 0]);
    }

    #[test]
    fn what_is_nearest_is_the_most_that_goes_with_the_rest() {
        let mut ledger = Ledger::new(host_of_pfs(&[5; 16]));
        for pfs in 1..=16 {
            let no_fit = refused(&mut ledger, &pfs_and_vfs(pfs, 80));
            let most = (16 - pfs) * 5;
            assert_eq!(no_fit.nearest.devices, [pfs, most]);
            assert_eq!((no_fit.reasons.len(), no_fit.reasons[0].free), (1, most));
        }
    }

    #[test]
    fn taking_vfs_looks_at_no_other_device() {
        let mut ledger = Ledger::new(host_of_pfs(&[64; 64]));
        booked(&mut ledger, "a", &pfs_and_vfs(0, 8));
        assert_eq!(ledger.steps(), 9);
        booked(&mut ledger, "b", &pfs_and_vfs(0, 100));
        assert_eq!(ledger.steps(), 101);
    }

    #[test]
    fn asking_for_pfs_and_vfs_together_searches_a_few_times_for_each_tree() {
        let mut ledger = Ledger::new(host_of_pfs(&[64; 64]));
        booked(&mut ledger, "a", &pfs_and_vfs(32, 32 * 64));
        assert!(ledger.steps() < 64 * 33 + 5 * 64, "{}", ledger.steps());
        ledger.unbook(&id("a"));
        refused(&mut ledger, &pfs_and_vfs(32, 32 * 64 + 1));
        assert!(ledger.steps() < 100, "{}", ledger.steps());
    }

    #[test]
    fn pfs_and_vfs_are_counted_together() {
        let mut ledger = Ledger::new(host_of_pfs(&[2, 2, 2, 2]));
        assert_eq!(ledger.count(&pfs_and_vfs(1, 1), 10), Ok(2));
        assert_eq!(ledger.count(&pfs_and_vfs(0, 3), 10), Ok(2));
        assert_eq!(ledger.count(&pfs_and_vfs(1, 0), 3), Ok(3));
    }

    #[test]
    fn an_unknown_product_is_told_with_what_there_is() {
        let mut ledger = Ledger::new(host_of_pfs(&[1]));
        let other = crate::pci::Product::parse("10de", "2230").unwrap();
        let misfit =
            refused(&mut ledger, &Request::default().with_devices(other, 2)).reasons.remove(0);
        assert_eq!(misfit.code, MisfitCode::UnknownDevice);
        assert_eq!(
            misfit.message,
            "asked for 2 devices 10de:2230; this host offers 8086:1592, 8086:1889"
        );
    }
}
