//! Bookings that come, go, are restored and outlive what they hold.

use super::{BookError, ClaimConflict, Ledger};
use crate::amounts::{MAX_AMOUNT, Resource};
use crate::placement::Placement;
use crate::samples::{booked, host_of_pfs, id, pfs_and_vfs, plain_host, vcpus};

fn holding(amount: u64) -> Placement {
    Placement { amounts: [(Resource::Vcpus, amount)].into(), ..Placement::default() }
}

#[test]
fn the_generation_counts_changes_and_nothing_else() {
    let mut ledger = Ledger::new(plain_host());
    ledger.book(id("a"), &vcpus(4)).unwrap();
    assert_eq!(ledger.generation(), 1);
    ledger.book(id("b"), &vcpus(400)).unwrap_err();
    ledger.fit(&vcpus(4)).unwrap();
    ledger.count(&vcpus(4), 10).unwrap();
    assert!(!ledger.unbook(&id("b")));
    assert!(!ledger.observe(plain_host()));
    ledger.restore(vec![]).unwrap();
    assert_eq!(ledger.generation(), 1);
    assert!(ledger.unbook(&id("a")));
    assert!(ledger.observe(host_of_pfs(&[1])));
    ledger.restore(vec![(id("c"), holding(1)), (id("d"), holding(1))]).unwrap();
    assert_eq!(ledger.generation(), 4);
}

#[test]
fn a_claim_is_booked_once() {
    let mut ledger = Ledger::new(plain_host());
    ledger.book(id("a"), &vcpus(4)).unwrap();
    let conflict = ClaimConflict { claim: id("a") };
    assert_eq!(ledger.book(id("a"), &vcpus(4)), Err(BookError::ClaimConflict(conflict.clone())));
    let twice = vec![(id("b"), holding(1)), (id("b"), holding(1))];
    assert_eq!(ledger.restore(twice), Err(ClaimConflict { claim: id("b") }));
    let booked = vec![(id("b"), holding(1)), (id("a"), holding(1))];
    assert_eq!(ledger.restore(booked), Err(conflict));
    assert_eq!(ledger.claims().collect::<Vec<_>>(), [&id("a")]);
    assert_eq!(ledger.generation(), 1);
}

#[test]
fn restored_bookings_stand_even_when_there_is_no_room() {
    let mut ledger = Ledger::new(plain_host());
    let absurd = (0..20).map(|number| (id(&number.to_string()), holding(u64::MAX)));
    ledger.restore(absurd.collect()).unwrap();
    let usage = ledger.usage().amounts[&Resource::Vcpus];
    assert_eq!((usage.used, usage.free), (MAX_AMOUNT, 0));
    for claim in 0..20 {
        assert!(ledger.unbook(&id(&claim.to_string())));
    }
    assert_eq!(ledger.usage().amounts[&Resource::Vcpus].free, 16);
}

#[test]
fn a_device_that_comes_back_belongs_to_its_claim() {
    let mut ledger = Ledger::new(host_of_pfs(&[2]));
    booked(&mut ledger, "a", &pfs_and_vfs(0, 1));
    ledger.observe(plain_host());
    assert_eq!(ledger.placement(&id("a")).unwrap().devices.len(), 1);
    ledger.observe(host_of_pfs(&[2]));
    assert_eq!(booked(&mut ledger, "b", &pfs_and_vfs(0, 1)), ["0000:00:01.0"]);
    ledger.book(id("c"), &pfs_and_vfs(0, 1)).unwrap_err();
}

#[test]
fn a_pf_stays_barred_when_its_booked_vfs_are_no_longer_offered() {
    let mut ledger = Ledger::new(host_of_pfs(&[2]));
    booked(&mut ledger, "a", &pfs_and_vfs(0, 2));
    ledger.observe(host_of_pfs(&[0]));
    ledger.book(id("b"), &pfs_and_vfs(1, 0)).unwrap_err();
    let held = Placement::clone(ledger.placement(&id("a")).unwrap());
    let mut restarted = Ledger::new(host_of_pfs(&[0]));
    restarted.restore(vec![(id("a"), held)]).unwrap();
    restarted.book(id("b"), &pfs_and_vfs(1, 0)).unwrap_err();
    restarted.unbook(&id("a"));
    restarted.book(id("b"), &pfs_and_vfs(1, 0)).unwrap();
}

#[test]
fn nothing_is_near_to_what_a_cordoned_host_refuses() {
    let mut ledger = Ledger::new(host_of_pfs(&[2]).cordoned("fan"));
    let request = pfs_and_vfs(0, 1).with_amount(Resource::Vcpus, 2);
    let Err(crate::misfit::Refusal::NoFit(no_fit)) = ledger.fit(&request) else {
        panic!("it fits")
    };
    assert_eq!(no_fit.reasons[0].message, "this host takes no new claims: fan");
    assert_eq!(no_fit.nearest.amounts, [(Resource::Vcpus, 0)].into());
    assert_eq!(no_fit.nearest.devices, [0, 0]);
    assert_eq!((ledger.count(&request, 9), ledger.could_fit(&request)), (Ok(0), Ok(true)));
}

#[test]
fn what_could_fit_is_decided_without_the_bookings() {
    let mut ledger = Ledger::new(plain_host());
    ledger.book(id("a"), &vcpus(16)).unwrap();
    assert_eq!(ledger.could_fit(&vcpus(16)), Ok(true));
    assert_eq!(ledger.could_fit(&vcpus(17)), Ok(false));
}
