//! The bookings and their sums, which only booking and unbooking touch.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::amounts::Resource;
use crate::ids::ClaimId;
use crate::inventory::Inventory;
use crate::pci::Index;
use crate::placement::Placement;
use crate::topology::Held;

/// Everything that a decision depends on besides the quantities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Book {
    bookings: BTreeMap<ClaimId, Arc<Placement>>,
    totals: BTreeMap<Resource, u128>,
    index: Index,
    devices: u64,
    held: Held,
}

impl Book {
    pub(crate) fn vacant(inventory: &Inventory) -> Self {
        Self {
            index: Index::new(Arc::clone(inventory.catalogue())),
            held: Held::vacant(inventory.cells()),
            ..Self::default()
        }
    }

    /// The same bookings, summed from zero on top of a vacant book.
    pub(crate) fn rebooked_on(&self, vacant: &Self) -> Self {
        let mut book = vacant.clone();
        for (claim, placement) in &self.bookings {
            book.add(claim.clone(), Arc::clone(placement));
        }
        book
    }

    /// Hold a placement, whether or not there is room; the claim must not be booked.
    pub(crate) fn add(&mut self, claim: ClaimId, placement: Arc<Placement>) {
        for (resource, amount) in &placement.amounts {
            let total = self.totals.entry(resource.clone()).or_default();
            *total = total.saturating_add(u128::from(*amount));
        }
        self.devices = self.devices.saturating_add(device_count(&placement));
        self.index.hold(&placement);
        self.held.hold(&placement.cells);
        self.bookings.insert(claim, placement);
    }

    /// Give back what a claim holds.
    pub(crate) fn remove(&mut self, claim: &ClaimId) -> bool {
        let Some(placement) = self.bookings.remove(claim) else { return false };
        for (resource, amount) in &placement.amounts {
            self.subtract(resource, *amount);
        }
        self.devices = self.devices.saturating_sub(device_count(&placement));
        self.index.let_go(&placement);
        self.held.let_go(&placement.cells);
        true
    }

    fn subtract(&mut self, resource: &Resource, amount: u64) {
        let Some(total) = self.totals.get_mut(resource) else { return };
        *total = total.saturating_sub(u128::from(amount));
        if *total == 0 {
            self.totals.remove(resource);
        }
    }

    pub(crate) fn bookings(&self) -> &BTreeMap<ClaimId, Arc<Placement>> {
        &self.bookings
    }

    /// Resources of which something is booked.
    pub(crate) fn totals(&self) -> &BTreeMap<Resource, u128> {
        &self.totals
    }

    pub(crate) fn used(&self, resource: &Resource) -> u128 {
        self.totals.get(resource).copied().unwrap_or(0)
    }

    /// Devices of all bookings; one that two claims hold counts twice.
    pub(crate) fn device_count(&self) -> u64 {
        self.devices
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// What is held of the cells.
    pub(crate) fn held(&self) -> &Held {
        &self.held
    }

    #[cfg(test)]
    pub(crate) fn corrupt(&mut self, resource: Resource) {
        self.totals.insert(resource, 12345);
    }
}

fn device_count(placement: &Placement) -> u64 {
    u64::try_from(placement.devices.len()).unwrap_or(u64::MAX)
}
