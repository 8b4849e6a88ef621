//! Amounts: asked against free, each resource for itself.

use crate::amounts::{Amounts, Quantity, Resource};
use crate::fit::Room;
use crate::misfit::{Misfit, MisfitCode};
use crate::request::Request;
use crate::usage::Account;

pub(super) fn fit(room: Room<'_>, request: &Request) -> bool {
    request.amounts().iter().all(|(resource, asked)| *asked <= free(room, resource))
}

/// How often the amounts of a request fit one after another, at most `limit`.
pub(super) fn count(room: Room<'_>, request: &Request, limit: u64) -> u64 {
    let times = request
        .amounts()
        .iter()
        .map(|(resource, asked)| free(room, resource).checked_div(*asked).unwrap_or(limit));
    times.fold(limit, u64::min)
}

/// What is asked, shrunk to what is free.
pub(super) fn nearest(room: Room<'_>, request: &Request) -> Amounts {
    let shrink = |(resource, asked): (&Resource, &u64)| {
        (resource.clone(), *asked.min(&free(room, resource)))
    };
    request.amounts().iter().map(shrink).collect()
}

pub(super) fn misfits(room: Room<'_>, request: &Request) -> Vec<Misfit> {
    let misfit = |(resource, asked): (&Resource, &u64)| match room.inventory.quantity(resource) {
        Some(quantity) => insufficient(room, resource, quantity, *asked),
        None => Some(unknown(room, resource, *asked)),
    };
    request.amounts().iter().filter_map(misfit).collect()
}

fn free(room: Room<'_>, resource: &Resource) -> u64 {
    let quantity = room.inventory.quantity(resource).copied().unwrap_or_default();
    Account::new(&quantity, room.book.used(resource)).free
}

fn insufficient(
    room: Room<'_>,
    resource: &Resource,
    quantity: &Quantity,
    asked: u64,
) -> Option<Misfit> {
    let account = Account::new(quantity, room.book.used(resource));
    let Account { free, capacity, used, .. } = account;
    let message = format!(
        "asked for {}; {free} of {capacity}{} {} free ({}, {used} used)",
        resource.words(asked),
        resource.unit(),
        if free == 1 { "is" } else { "are" },
        quantity.derivation(),
    );
    let code = code_of(resource);
    let resource = resource.name().to_owned();
    let filters = Vec::new();
    (asked > free).then_some(Misfit {
        code,
        resource,
        message,
        asked,
        free,
        capacity,
        used,
        filters,
    })
}

fn unknown(room: Room<'_>, resource: &Resource, asked: u64) -> Misfit {
    let counters: Vec<&str> = room.inventory.quantities().keys().filter_map(counter_name).collect();
    let known = if counters.is_empty() { "none".to_owned() } else { counters.join(", ") };
    Misfit {
        code: MisfitCode::UnknownCounter,
        resource: resource.name().to_owned(),
        message: format!("asked for {}; this host's counters are: {known}", resource.words(asked)),
        asked,
        free: 0,
        capacity: 0,
        used: Account::new(&Quantity::default(), room.book.used(resource)).used,
        filters: Vec::new(),
    }
}

fn counter_name(resource: &Resource) -> Option<&str> {
    matches!(resource, Resource::Counter(_)).then(|| resource.name())
}

fn code_of(resource: &Resource) -> MisfitCode {
    match resource {
        Resource::Vcpus => MisfitCode::InsufficientVcpus,
        Resource::MemoryMib => MisfitCode::InsufficientMemory,
        Resource::DiskMib => MisfitCode::InsufficientDisk,
        Resource::Counter(_) => MisfitCode::InsufficientCounter,
    }
}
