//! Amounts: asked against free, each resource for itself.

use crate::amounts::{Amounts, Quantity, Resource};
use crate::fit::Room;
use crate::inventory::KeptOff;
use crate::misfit::{Filtered, Misfit, MisfitCode};
use crate::pci::Filter;
use crate::request::Request;
use crate::usage::{Account, used_of_offer};

pub(super) fn fit(room: Room<'_>, request: &Request) -> bool {
    request.amounts().iter().all(|(resource, asked)| *asked <= free(room, request, resource))
}

/// How often the amounts of a request fit one after another, at most `limit`.
pub(super) fn count(room: Room<'_>, request: &Request, limit: u64) -> u64 {
    let times = request.amounts().iter().map(|(resource, asked)| {
        free(room, request, resource).checked_div(*asked).unwrap_or(limit)
    });
    times.fold(limit, u64::min)
}

/// What is asked, shrunk to what is free.
pub(super) fn nearest(room: Room<'_>, request: &Request) -> Amounts {
    let shrink = |(resource, asked): (&Resource, &u64)| {
        (resource.clone(), *asked.min(&free(room, request, resource)))
    };
    request.amounts().iter().map(shrink).collect()
}

pub(super) fn misfits(room: Room<'_>, request: &Request) -> Vec<Misfit> {
    let misfit = |(resource, asked): (&Resource, &u64)| match room.inventory.quantity(resource) {
        Some(quantity) => {
            insufficient(room, resource, &limited(request, resource, quantity)?, *asked)
        }
        None => Some(unknown(room, resource, *asked)),
    };
    request.amounts().iter().filter_map(misfit).collect()
}

/// What a request may have of a resource; whatever is limited by nothing is without end.
pub(super) fn free(room: Room<'_>, request: &Request, resource: &Resource) -> u64 {
    let quantity = room.inventory.quantity(resource).copied().unwrap_or_default();
    let quantity = limited(request, resource, &quantity);
    let used = used_of_offer(room.inventory, room.book, resource);
    quantity.map_or(u64::MAX, |it| Account::new(&it, used).free)
}

/// A quantity under the limits of a request; none: no end.
fn limited(request: &Request, resource: &Resource, quantity: &Quantity) -> Option<Quantity> {
    let limits = request.limits();
    let limit = match resource {
        Resource::Vcpus => limits.vcpus,
        Resource::MemoryMib => limits.memory,
        Resource::DiskMib | Resource::Counter(_) => return Some(*quantity),
    };
    limit.ratio(quantity.ratio).map(|ratio| Quantity { ratio, ..*quantity })
}

fn insufficient(
    room: Room<'_>,
    resource: &Resource,
    quantity: &Quantity,
    asked: u64,
) -> Option<Misfit> {
    let account = Account::new(quantity, used_of_offer(room.inventory, room.book, resource));
    let Account { free, capacity, used, .. } = account;
    let kept_off = room.inventory.kept_off(resource);
    let message = format!(
        "asked for {}; {free} of {capacity}{} {} free ({}, {used} used){}",
        resource.words(asked),
        resource.unit(),
        if free == 1 { "is" } else { "are" },
        quantity.derivation(),
        kept_off.map(|kept| cordoned(resource, kept)).unwrap_or_default(),
    );
    let filter = |kept: &KeptOff| Filtered {
        filter: Filter::Cordoned.as_str(),
        removed: kept.amount,
        left: quantity.total,
    };
    (asked > free).then(|| Misfit {
        capacity,
        used,
        filters: kept_off.map(filter).into_iter().collect(),
        ..Misfit::new(code_of(resource), resource.name(), message, asked, free)
    })
}

/// What is missing because nothing new goes there.
fn cordoned(resource: &Resource, kept: &KeptOff) -> String {
    format!("; {} more take no new claims: {}", resource.words(kept.amount), kept.reason)
}

fn unknown(room: Room<'_>, resource: &Resource, asked: u64) -> Misfit {
    let counters: Vec<&str> = room.inventory.quantities().keys().filter_map(counter_name).collect();
    let known = if counters.is_empty() { "none".to_owned() } else { counters.join(", ") };
    let message = format!("asked for {}; this host's counters are: {known}", resource.words(asked));
    Misfit {
        used: Account::new(&Quantity::default(), room.book.used(resource)).used,
        ..Misfit::new(MisfitCode::UnknownCounter, resource.name(), message, asked, 0)
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

#[cfg(test)]
mod tests {
    use crate::amounts::{Quantity, Ratio, Resource};
    use crate::inventory::Inventory;
    use crate::ledger::{BookError, Ledger};
    use crate::misfit::{Filtered, Misfit, MisfitCode};
    use crate::request::Request;
    use crate::samples::{id, plain_host, quantity, vcpus};

    fn misfits(ledger: &mut Ledger, request: &Request) -> Vec<Misfit> {
        match ledger.book(id("refused"), request) {
            Err(BookError::NoFit(no_fit)) => no_fit.reasons,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_misfit_says_what_was_asked_and_what_is_free() {
        let mut ledger = Ledger::new(plain_host());
        ledger.book(id("a"), &vcpus(11)).unwrap();
        let misfit = misfits(&mut ledger, &vcpus(8)).remove(0);
        assert_eq!((misfit.asked, misfit.free, misfit.capacity, misfit.used), (8, 5, 16, 11));
        assert_eq!(
            misfit.message,
            "asked for 8 vCPUs; 5 of 16 are free (capacity 16 = (16 - 0 reserved) x 1.0, 11 used)"
        );
    }

    #[test]
    fn a_misfit_names_the_cordon_behind_which_there_is_more() {
        let cordoned = plain_host().with_kept_off(Resource::Vcpus, 4, "cell 1 cordoned: fan");
        let mut ledger = Ledger::new(cordoned);
        let misfit = misfits(&mut ledger, &vcpus(17)).remove(0);
        assert!(
            misfit.message.ends_with("; 4 vCPUs more take no new claims: cell 1 cordoned: fan")
        );
        let cordoned = Filtered { filter: "cordoned", removed: 4, left: 16 };
        assert_eq!((misfit.free, misfit.filters), (16, vec![cordoned]));
        assert_eq!(ledger.could_fit(&vcpus(20)), Ok(true));
        assert_eq!(ledger.could_fit(&vcpus(21)), Ok(false));
    }

    #[test]
    fn every_failing_constraint_is_told_in_order() {
        let counter = |name: &str| Resource::Counter(name.into());
        let mut ledger = Ledger::new(plain_host().with_counter("slots".into(), quantity(2)));
        let request = vcpus(17)
            .with_amount(counter("slots"), 3)
            .with_amount(counter("lots"), 1)
            .with_amount(Resource::DiskMib, 5000)
            .with_amount(Resource::MemoryMib, 1024);
        let codes: Vec<_> = misfits(&mut ledger, &request).iter().map(|it| it.code).collect();
        assert_eq!(
            codes,
            [
                MisfitCode::InsufficientVcpus,
                MisfitCode::InsufficientDisk,
                MisfitCode::UnknownCounter,
                MisfitCode::InsufficientCounter,
            ]
        );
    }

    #[test]
    fn a_ratio_hands_out_more_than_there_is_to_the_last_one() {
        let ratio = Ratio::from_parts_per_million(1_150_000).unwrap();
        let vcpu = Quantity { total: 20, reserved: 0, ratio };
        let mut ledger = Ledger::new(Inventory::new(vcpu, quantity(0), quantity(0)));
        assert_eq!(ledger.count(&vcpus(1), 1000), Ok(23));
        ledger.book(id("a"), &vcpus(23)).unwrap();
        assert_eq!(misfits(&mut ledger, &vcpus(1))[0].free, 0);
    }

    #[test]
    fn absurd_numbers_are_misfits() {
        let mut ledger = Ledger::new(plain_host());
        ledger.book(id("a"), &vcpus(1)).unwrap();
        let absurd = vcpus(u64::MAX).with_amount(Resource::Vcpus, u64::MAX);
        assert_eq!(misfits(&mut ledger, &absurd)[0].asked, u64::MAX);
        assert_eq!(ledger.count(&absurd, u64::MAX), Ok(0));
        assert_eq!(ledger.count(&Request::default(), 7), Ok(7));
    }
}
