//! The ledger against a slow, obvious model, on random histories of small hosts.

mod cells;
mod choice;
mod model;
mod strategies;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use crate::ids::ClaimId;
use crate::ledger::{BookError, Ledger};
use crate::misfit::NoFit;
use crate::placement::Placement;
use crate::request::{DeviceRequest, Request};
use model::Model;
use strategies::{Step, any_host, any_request, any_steps};

/// Everything that a ledger holds, after its audit has proved the rest equal to the sum of it.
fn state(ledger: &Ledger) -> BTreeMap<ClaimId, Placement> {
    let held =
        |claim: &ClaimId| (claim.clone(), Placement::clone(ledger.placement(claim).unwrap()));
    let state = ledger.claims().map(held).collect();
    ledger.snapshot().audit(&state).unwrap();
    state
}

fn book_like_the_model(ledger: &mut Ledger, model: &mut Model, claim: &ClaimId, request: &Request) {
    let (before, generation) = (state(ledger), ledger.generation());
    let dry = ledger.fit(request).ok();
    match ledger.book(claim.clone(), request) {
        Ok(placement) => {
            assert_eq!(Some(&*placement), dry.as_ref());
            assert_eq!(Some(&*placement), model.place(request).as_ref());
            assert_eq!(ledger.generation(), generation + 1);
            model.add(claim, Placement::clone(&placement));
        }
        Err(refusal) => {
            assert_eq!((state(ledger), ledger.generation()), (before, generation));
            match refusal {
                BookError::NoFit(no_fit) => {
                    assert_eq!(model.place(request), None);
                    check_explanation(ledger, request, &no_fit);
                }
                BookError::ClaimConflict(_) => assert!(model.holds(claim)),
                BookError::Undecided(spent) => panic!("{spent:?} on a small host"),
            }
        }
    }
}

/// What is called nearest fits, and no single part of it could be more.
fn check_explanation(ledger: &mut Ledger, request: &Request, no_fit: &NoFit) {
    assert!(!no_fit.reasons.is_empty());
    let nearest = &no_fit.nearest;
    let mut largest = Request::default().on_cells(request.cells().iter().copied());
    for (resource, amount) in &nearest.amounts {
        largest = largest.with_amount(resource.clone(), *amount);
    }
    for (devices, count) in request.devices().iter().zip(&nearest.devices) {
        largest = largest.with_device_request(DeviceRequest { count: *count, ..devices.clone() });
    }
    ledger.fit(&largest).unwrap();
    for (resource, asked) in request.amounts() {
        let more = largest.clone().with_amount(resource.clone(), 1);
        assert!(nearest.amounts[resource] == *asked || ledger.fit(&more).is_err());
    }
    for (devices, had) in request.devices().iter().zip(&nearest.devices) {
        if !devices.providers.is_empty() {
            assert!(*had == 0 || *had == devices.count);
            continue;
        }
        let one = DeviceRequest { count: 1, ..devices.clone() };
        let more = largest.clone().with_device_request(one);
        assert!(*had == devices.count || ledger.fit(&more).is_err());
    }
}

fn unbook_like_the_model(ledger: &mut Ledger, model: &mut Model, claim: &ClaimId) {
    let generation = ledger.generation();
    let held = model.remove(claim);
    assert_eq!(ledger.unbook(claim), held);
    assert_eq!(ledger.generation(), generation + u64::from(held));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_history_is_that_of_the_model(host in any_host(), steps in any_steps()) {
        let mut ledger = Ledger::new(host.inventory());
        let mut model = Model::of(host);
        for step in steps {
            match step {
                Step::Book(claim, request) => {
                    book_like_the_model(&mut ledger, &mut model, &claim, &request);
                }
                Step::Unbook(claim) => unbook_like_the_model(&mut ledger, &mut model, &claim),
                Step::Observe(host) => {
                    ledger.observe(host.inventory());
                    model.host = host;
                }
            }
            prop_assert_eq!(&state(&ledger), model.bookings());
            model.check_usage(&ledger);
        }
    }

    #[test]
    fn nothing_is_oversold_while_the_host_stays(host in any_host(), steps in any_steps()) {
        let mut ledger = Ledger::new(host.inventory());
        for step in steps {
            match step {
                Step::Book(claim, request) => drop(ledger.book(claim, &request)),
                Step::Unbook(claim) => drop(ledger.unbook(&claim)),
                Step::Observe(_) => {}
            }
            prop_assert_eq!(ledger.snapshot().audit(&state(&ledger)), Ok(vec![]));
        }
    }

    #[test]
    fn a_release_undoes_its_claim(
        host in any_host(),
        steps in any_steps(),
        request in any_request(),
    ) {
        let mut ledger = Ledger::new(host.inventory());
        for step in steps {
            if let Step::Book(claim, request) = step {
                drop(ledger.book(claim, &request));
            }
        }
        let (before, usage) = (ledger.snapshot(), ledger.usage().amounts);
        if ledger.book("one more".into(), &request).is_ok() {
            prop_assert!(!ledger.snapshot().shows_the_same_as(&before));
            ledger.unbook(&"one more".into());
            prop_assert!(ledger.snapshot().shows_the_same_as(&before));
            prop_assert_eq!(ledger.usage().amounts, usage);
        }
    }

    #[test]
    fn a_count_is_the_number_of_bookings_that_succeed(host in any_host(), request in any_request()) {
        let mut ledger = Ledger::new(host.inventory());
        let counted = ledger.count(&request, 50).unwrap();
        let names = (0..50).map(|number| ClaimId::from(number.to_string().as_str()));
        let booked = names.take_while(|name| ledger.book(name.clone(), &request).is_ok()).count();
        prop_assert_eq!(counted, booked as u64);
    }

    #[test]
    fn what_could_fit_fits_an_empty_ledger_of_which_nothing_is_withheld(
        host in any_host(),
        steps in any_steps(),
    ) {
        let mut ledger = Ledger::new(host.inventory());
        let mut open = host.clone();
        open.devices.iter_mut().for_each(|device| device.withheld = None);
        for step in steps {
            if let Step::Book(claim, request) = step {
                let could = ledger.could_fit(&request).unwrap();
                prop_assert_eq!(could, Ledger::new(open.inventory()).fit(&request).is_ok());
                drop(ledger.book(claim, &request));
            }
        }
    }

    #[test]
    fn a_restored_ledger_decides_as_the_old_one(
        host in any_host(),
        steps in any_steps(),
        request in any_request(),
    ) {
        let mut ledger = Ledger::new(host.inventory());
        for step in steps {
            match step {
                Step::Book(claim, request) => drop(ledger.book(claim, &request)),
                Step::Unbook(claim) => drop(ledger.unbook(&claim)),
                Step::Observe(host) => drop(ledger.observe(host.inventory())),
            }
        }
        let stored = state(&ledger);
        let mut again = Ledger::new(ledger.snapshot().inventory());
        again.restore(stored.into_iter().rev().collect()).unwrap();
        prop_assert!(again.snapshot().shows_the_same_as(&ledger.snapshot()));
        prop_assert_eq!(again.fit(&request), ledger.fit(&request));
    }

    #[test]
    fn the_order_of_devices_and_requests_means_nothing(host in any_host(), request in any_request()) {
        let mut reversed = host.clone();
        reversed.devices.reverse();
        prop_assert_eq!(
            Ledger::new(host.inventory()).fit(&request),
            Ledger::new(reversed.inventory()).fit(&request)
        );
    }

    #[test]
    fn a_snapshot_never_changes(host in any_host(), steps in any_steps()) {
        let mut ledger = Ledger::new(host.inventory());
        let (empty, usage) = (ledger.snapshot(), ledger.usage());
        for step in steps {
            if let Step::Book(claim, request) = step {
                drop(ledger.book(claim, &request));
            }
        }
        prop_assert_eq!(empty.usage(), usage);
        prop_assert_eq!(empty.audit(&BTreeMap::new()), Ok(vec![]));
        drop(Arc::new(ledger));
    }
}
