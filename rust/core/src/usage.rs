//! How much of a host is held.

use std::collections::BTreeMap;

use crate::amounts::{Quantity, Resource, report};
use crate::book::Book;
use crate::inventory::Inventory;
use crate::topology::CellAccount;

/// One resource: free = capacity - used, never below 0; what is used on cordoned cells is in no capacity
/// and takes nothing from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// All of it.
    pub total: u64,
    /// What the host keeps for itself.
    pub reserved: u64,
    /// What there is to hand out.
    pub capacity: u64,
    /// What is booked.
    pub used: u64,
    /// What could be booked now.
    pub free: u64,
}

/// The sums over all bookings, beside what the host offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of every resource that the host has or of which something is booked.
    pub amounts: BTreeMap<Resource, Account>,
    /// Of devices; those that are barred by their booked PF or VFs are not in the capacity.
    pub devices: Account,
    /// Of cells, by id.
    pub cells: Vec<CellAccount>,
    /// How many claims are booked.
    pub claims: u64,
    /// Counts the changes of the ledger.
    pub generation: u64,
}

impl Account {
    pub(crate) fn new(quantity: &Quantity, used: u128) -> Self {
        let capacity = quantity.capacity();
        Self {
            total: quantity.total,
            reserved: quantity.reserved,
            capacity,
            used: report(used),
            free: report(u128::from(capacity).saturating_sub(used)),
        }
    }
}

/// What is booked of a resource, without what lies on cordoned cells: that is no part of what is offered.
pub(crate) fn used_of_offer(inventory: &Inventory, book: &Book, resource: &Resource) -> u128 {
    let ratio = inventory.quantity(resource).copied().unwrap_or_default().ratio;
    let kept_off = inventory.kept_off(resource).map_or(0, |kept| ratio.apply(kept.amount));
    let apart = book.held().on_cordoned(resource).min(u128::from(kept_off));
    book.used(resource).saturating_sub(apart)
}

impl Usage {
    pub(crate) fn of(inventory: &Inventory, book: &Book, generation: u64) -> Self {
        let account = |resource: &Resource| {
            let quantity = inventory.quantity(resource).copied().unwrap_or_default();
            let offer = Account::new(&quantity, used_of_offer(inventory, book, resource));
            (resource.clone(), Account { used: report(book.used(resource)), ..offer })
        };
        let resources = inventory.quantities().keys().chain(book.totals().keys());
        Self {
            amounts: resources.map(account).collect(),
            devices: device_account(book),
            cells: book.held().accounts(),
            claims: u64::try_from(book.bookings().len()).unwrap_or(u64::MAX),
            generation,
        }
    }
}

fn device_account(book: &Book) -> Account {
    let (mut total, mut held, mut free) = (0_u64, 0_u64, 0_u64);
    for pool in book.index().pools() {
        total = total.saturating_add(pool.total);
        held = held.saturating_add(pool.used);
        free = free.saturating_add(pool.free);
    }
    Account {
        total,
        reserved: 0,
        capacity: held.saturating_add(free),
        used: book.device_count(),
        free,
    }
}
