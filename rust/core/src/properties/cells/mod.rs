//! Guest cells against an exhaustive search, on small hosts.

mod model;
mod shapes;
mod strategies;

use std::cell::Cell;
use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::ids::ClaimId;
use crate::ledger::{BookError, Ledger};
use crate::misfit::{NoFit, Refusal};
use crate::properties::state;
use crate::request::Request;
use crate::topology::{CellPreference, GuestTopology, L3Policy, PlacedCell, ThreadPolicy};
use model::CellModel;
use shapes::{check_none_is_nearer, check_suggestion};
use strategies::{CellHost, any_cell_host, any_guest, any_plain_guest};

const MISFITS: u32 = 10_000;

fn claim(number: usize) -> ClaimId {
    number.to_string().as_str().into()
}

/// A host with claims, as many of these requests as fit.
fn filled(host: &CellHost, requests: &[Request]) -> (Ledger, CellModel) {
    let (mut ledger, mut model) = (Ledger::new(host.inventory()), CellModel::of(host.clone()));
    for (number, request) in requests.iter().enumerate() {
        if let Ok(placement) = ledger.book(claim(number), request) {
            model.add(&claim(number), (*placement).clone());
        }
    }
    (ledger, model)
}

fn refused(ledger: &mut Ledger, request: &Request) -> Option<NoFit> {
    match ledger.fit(request) {
        Ok(_) => None,
        Err(Refusal::NoFit(no_fit)) => Some(*no_fit),
        Err(Refusal::Undecided(spent)) => panic!("{spent:?} on a small host"),
    }
}

fn own_cpus(cell: &PlacedCell) -> Vec<u32> {
    cell.pins.values().copied().chain(cell.emulator.iter()).collect()
}

/// No two hold a CPU alone, and nobody one that is not dedicated.
fn check_holders(ledger: &Ledger) {
    let mut seen = BTreeSet::new();
    for claim in ledger.claims() {
        for cell in &ledger.placement(claim).unwrap().cells {
            for cpu in cell.charged.iter() {
                assert!(seen.insert(cpu), "CPU {cpu} is held twice");
                assert!(ledger.inventory().cells().is_dedicated(cpu));
            }
        }
    }
    // A caller's limits may be wider than the host's.
    let limited = |subject: &str| subject == "vcpus" || subject == "memory_mib";
    let differences = ledger.snapshot().audit(&state(ledger)).unwrap();
    assert!(differences.iter().all(|it| limited(&it.subject)), "{differences:?}");
}

fn check_caches(host: &CellHost, request: &Request, placed: &[PlacedCell]) {
    let topology = request.topology().unwrap();
    for placed in placed.iter().filter(|_| topology.l3 == Some(L3Policy::Require)) {
        let caches = &host.cells.iter().find(|it| it.id == placed.cell).unwrap().caches;
        let together = |cache: &BTreeSet<u32>| placed.pins.values().all(|cpu| cache.contains(cpu));
        assert!(placed.pins.is_empty() || caches.iter().any(together), "{placed}");
    }
}

/// Each vCPU has a CPU of its own. What is charged is what is pinned; where cores are whole, with all of
/// their threads.
fn check_charged(host: &CellHost, request: &Request, placed: &[PlacedCell]) {
    let threads = request.topology().unwrap().threads;
    let whole = matches!(threads, ThreadPolicy::Isolate | ThreadPolicy::FullCores);
    for placed in placed {
        let cell = host.cells.iter().find(|it| it.id == placed.cell).unwrap();
        let own: BTreeSet<u32> = own_cpus(placed).into_iter().collect();
        assert_eq!(own.len(), own_cpus(placed).len(), "{placed}");
        let touched = cell.cores.iter().filter(|core| core.iter().any(|it| own.contains(it)));
        let cores: BTreeSet<u32> = touched.flatten().copied().collect();
        let expected = if whole { cores } else { own };
        assert_eq!(placed.charged.iter().collect::<BTreeSet<u32>>(), expected, "{placed}");
    }
}

/// The assignments among which a preference chooses: where L3 caches are preferred and can be had, only
/// those with them.
fn assignments(model: &CellModel, request: &Request) -> Vec<Vec<usize>> {
    let topology = request.topology().unwrap();
    if topology.l3 == Some(L3Policy::Prefer) {
        let strict = GuestTopology { l3: Some(L3Policy::Require), ..topology.clone() };
        let all = model.assignments(&request.clone().reshaped(strict));
        if !all.is_empty() {
            return all;
        }
    }
    model.assignments(request)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn a_guest_fits_exactly_when_some_assignment_of_cells_does(
        host in any_cell_host(),
        requests in vec(any_guest(), 1..7),
    ) {
        let (mut ledger, mut model) = (Ledger::new(host.inventory()), CellModel::of(host.clone()));
        for (number, request) in requests.iter().enumerate() {
            let before = ledger.snapshot();
            match ledger.book(claim(number), request) {
                Ok(placement) => {
                    prop_assert!(model.fits(request));
                    check_caches(&host, request, &placement.cells);
                    check_charged(&host, request, &placement.cells);
                    check_holders(&ledger);
                    prop_assert!(ledger.unbook(&claim(number)));
                    prop_assert!(ledger.snapshot().shows_the_same_as(&before));
                    prop_assert_eq!(&placement, &ledger.book(claim(number), request).unwrap());
                    model.add(&claim(number), (*placement).clone());
                }
                Err(BookError::NoFit(no_fit)) => {
                    prop_assert!(!model.fits(request), "{}", no_fit);
                    prop_assert!(ledger.snapshot().shows_the_same_as(&before));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn the_order_in_which_cells_are_told_means_nothing(
        host in any_cell_host(),
        requests in vec(any_guest(), 1..5),
        last in any_guest(),
    ) {
        let (mut ledger, _) = filled(&host, &requests);
        let (mut other, _) = filled(&host.reversed(), &requests);
        prop_assert_eq!(state(&ledger), state(&other));
        prop_assert_eq!(ledger.fit(&last), other.fit(&last));
    }

    #[test]
    fn a_tally_is_the_number_of_bookings_that_succeed(
        host in any_cell_host(),
        requests in vec(any_guest(), 0..3),
        wanted in any_guest(),
    ) {
        let (mut ledger, _) = filled(&host, &requests);
        let tally = ledger.tally(&wanted, 20).unwrap();
        let booked = (100..120).take_while(|it| ledger.book(claim(*it), &wanted).is_ok()).count();
        prop_assert_eq!(tally.times, booked as u64);
        prop_assert_eq!(tally.stopped_by.is_empty(), booked == 20);
    }

    #[test]
    fn an_update_keeps_what_stays_and_takes_from_nobody(
        host in any_cell_host(),
        requests in vec(any_guest(), 1..5),
        changed in any_plain_guest(),
    ) {
        let (mut ledger, _) = filled(&host, &requests);
        for (number, request) in requests.iter().enumerate() {
            let Some(held) = ledger.placement(&claim(number)).cloned() else { continue };
            let (topology, cells) = (request.topology().unwrap(), &changed.topology().unwrap().cells);
            let cells: Vec<_> = cells.iter().cycle().take(held.cells.len()).cloned().collect();
            let wanted = request.clone().reshaped(GuestTopology { cells, ..topology.clone() });
            let before = ledger.snapshot();
            let Ok(updated) = ledger.update(&claim(number), &wanted) else {
                prop_assert!(ledger.snapshot().shows_the_same_as(&before));
                continue;
            };
            check_holders(&ledger);
            for (old, new) in held.cells.iter().zip(&updated.cells) {
                prop_assert_eq!(old.cell, new.cell);
                for (vcpu, cpu) in &new.pins {
                    prop_assert!(old.pins.get(vcpu).is_none_or(|it| it == cpu));
                }
            }
            prop_assert_eq!(&held.devices, &updated.devices);
            check_caches(&host, request, &updated.cells);
            check_charged(&host, request, &updated.cells);
            ledger.settle(&claim(number), (*held).clone()).unwrap();
            prop_assert!(ledger.snapshot().shows_the_same_as(&before));
            ledger.settle(&claim(number), updated).unwrap();
            check_holders(&ledger);
        }
    }

    #[test]
    fn an_update_to_what_is_held_changes_nothing(
        host in any_cell_host(),
        requests in vec(any_guest(), 1..5),
    ) {
        let (mut ledger, _) = filled(&host, &requests);
        let before = ledger.snapshot();
        for (number, request) in requests.iter().enumerate() {
            if let Some(held) = ledger.placement(&claim(number)).cloned() {
                let updated = ledger.update(&claim(number), request).unwrap();
                prop_assert_eq!(&updated, &*held);
                prop_assert!(ledger.snapshot().shows_the_same_as(&before));
            }
        }
    }

    #[test]
    fn preferred_cells_cost_least(
        host in any_cell_host(),
        requests in vec(any_guest(), 0..4),
        wanted in any_guest(),
    ) {
        let (mut ledger, model) = filled(&host, &requests);
        let preference = wanted.topology().unwrap().preference;
        // The others say in which order single cells are tried.
        let of_pairs = [CellPreference::Closest, CellPreference::SpreadSockets];
        let preference = preference.filter(|it| of_pairs.contains(it));
        if let (Some(preference), Ok(placed)) = (preference, ledger.fit(&wanted)) {
            let number_of = |placed: &PlacedCell| {
                host.cells.iter().position(|it| it.id == placed.cell).unwrap()
            };
            let chosen: Vec<usize> = placed.cells.iter().map(number_of).collect();
            let all = assignments(&model, &wanted);
            prop_assert!(all.contains(&chosen));
            let least = all.iter().map(|hosts| model.cost(preference, hosts)).min();
            prop_assert_eq!(Some(model.cost(preference, &chosen)), least);
        }
    }

    #[test]
    fn no_shape_is_nearer_than_the_suggested_one(
        host in any_cell_host(),
        requests in vec(any_guest(), 0..4),
        wanted in any_plain_guest(),
    ) {
        let (mut ledger, _) = filled(&host, &requests);
        if let Some(no_fit) = refused(&mut ledger, &wanted) {
            check_none_is_nearer(&mut ledger, &host, &wanted, &no_fit);
        }
    }
}

#[test]
fn ten_thousand_suggested_shapes_fit() {
    let misfits = Cell::new(0);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(MISFITS / 4));
    let histories = (any_cell_host(), vec(any_guest(), 0..4), vec(any_guest(), 12));
    let run = runner.run(&histories, |(host, requests, wanted)| {
        let (mut ledger, _) = filled(&host, &requests);
        for request in wanted.iter().filter(|_| misfits.get() < MISFITS) {
            if let Some(no_fit) = refused(&mut ledger, request) {
                check_suggestion(&mut ledger, request, &no_fit);
                misfits.set(misfits.get() + 1);
            }
        }
        Ok(())
    });
    run.unwrap();
    assert_eq!(misfits.get(), MISFITS);
}
