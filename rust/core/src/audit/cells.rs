//! CPUs, cells and pages that are booked twice, or are gone.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::{Difference, joined, only};
use crate::book::Book;
use crate::cpuset::CpuList;
use crate::ids::ClaimId;
use crate::inventory::Inventory;
use crate::usage::Account;

/// CPUs that several claims hold alone, told once for each company of holders.
pub(super) fn contested_cpus(book: &Book) -> impl Iterator<Item = Difference> {
    let mut holders: BTreeMap<u32, BTreeSet<ClaimId>> = BTreeMap::new();
    for (claim, cpu) in charges(book) {
        holders.entry(cpu).or_default().insert(claim.clone());
    }
    let mut companies: BTreeMap<BTreeSet<ClaimId>, Vec<u32>> = BTreeMap::new();
    for (cpu, claims) in holders.into_iter().filter(|(_, claims)| claims.len() > 1) {
        companies.entry(claims).or_default().push(cpu);
    }
    companies.into_iter().map(|(claims, cpus)| {
        let cpus: CpuList = cpus.into_iter().collect();
        Difference {
            kind: "oversubscribed",
            subject: format!("cpus {cpus}"),
            claim: None,
            message: format!(
                "{} {} claims for itself alone: {}",
                are(&cpus, "booked by"),
                claims.len(),
                joined(&claims)
            ),
            booked: Some(joined(&claims)),
            observed: Some("one holder".to_owned()),
        }
    })
}

/// CPUs that a claim holds alone and that the host does not offer for that.
pub(super) fn missing_cpus(inventory: &Inventory, book: &Book) -> impl Iterator<Item = Difference> {
    let mut lost: BTreeMap<&ClaimId, Vec<u32>> = BTreeMap::new();
    for (claim, cpu) in charges(book).filter(|(_, cpu)| !inventory.cells().is_dedicated(*cpu)) {
        lost.entry(claim).or_default().push(cpu);
    }
    lost.into_iter().map(|(claim, cpus)| {
        let cpus: CpuList = cpus.into_iter().collect();
        Difference {
            kind: "cpu_missing",
            subject: format!("cpus {cpus} of {claim}"),
            claim: Some(claim.clone()),
            message: format!(
                "{} {claim} alone and not among the dedicated CPUs of this host: offline, cordoned, \
                 or left out of `cpus.dedicated`",
                are(&cpus, "booked by")
            ),
            booked: Some(cpus.to_string()),
            observed: None,
        }
    })
}

/// Cells that a claim is on and that the host does not have.
pub(super) fn missing_cells(
    inventory: &Inventory,
    book: &Book,
) -> impl Iterator<Item = Difference> {
    let mut holders: BTreeMap<i64, BTreeSet<ClaimId>> = BTreeMap::new();
    for (claim, placement) in book.bookings() {
        let gone = placement.cells.iter().filter(|it| inventory.cells().find(it.cell).is_none());
        for placed in gone {
            holders.entry(placed.cell).or_default().insert(claim.clone());
        }
    }
    holders.into_iter().map(|(cell, claims)| Difference {
        kind: "cell_missing",
        subject: format!("cell {cell}"),
        claim: only(&claims),
        message: format!(
            "cell {cell} is booked by {} and is not among the cells of this host",
            joined(&claims)
        ),
        booked: Some(joined(&claims)),
        observed: None,
    })
}

/// Hugepages of which more are booked than there are; ordinary memory is judged for the whole host.
pub(super) fn oversubscribed_pages(book: &Book) -> impl Iterator<Item = Difference> {
    let accounts = book.held().accounts().into_iter();
    let huge = accounts.flat_map(|account| {
        let cell = account.cell;
        account.pages.into_iter().skip(1).map(move |(size, pages)| (cell, size, pages))
    });
    let over = huge.filter(|(_, _, pages)| pages.used > pages.capacity);
    over.map(|(cell, size, Account { used, capacity, total, reserved, .. })| Difference {
        kind: "oversubscribed",
        subject: format!("cell {cell} pages of {size} KiB"),
        claim: None,
        message: format!(
            "{used} pages of {size} KiB are booked on cell {cell}, more than there are: {capacity} = \
             {total} - {reserved} reserved"
        ),
        booked: Some(used.to_string()),
        observed: Some(capacity.to_string()),
    })
}

fn charges(book: &Book) -> impl Iterator<Item = (&ClaimId, u32)> {
    book.bookings().iter().flat_map(|(claim, placement)| {
        let cells = placement.cells.iter();
        cells.flat_map(move |placed| placed.charged.iter().map(move |cpu| (claim, cpu)))
    })
}

fn are(cpus: &CpuList, what: &str) -> String {
    let single = cpus.count() == 1;
    format!(
        "{} {cpus} {} {what}",
        if single { "CPU" } else { "CPUs" },
        if single { "is" } else { "are" }
    )
}
