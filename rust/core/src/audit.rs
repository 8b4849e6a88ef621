//! What is booked compared with what is stored and with what the host has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::amounts::Resource;
use crate::book::Book;
use crate::ids::ClaimId;
use crate::inventory::Inventory;
use crate::pci::{PciAddress, Pool};
use crate::placement::Placement;
use crate::usage::{Account, Usage};

/// The ledger at one generation; it never changes.
#[derive(Clone, Debug)]
pub struct Snapshot {
    inventory: Arc<Inventory>,
    book: Arc<Book>,
    generation: u64,
}

/// One difference; kind and subject together name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `booked_not_stored`, `stored_not_booked`, `placement_differs`, `oversubscribed`,
    /// `device_missing` or `counter_missing`.
    pub kind: &'static str,
    /// The claim id, resource or device address it speaks of.
    pub subject: String,
    /// The one claim that it concerns, if it is one.
    pub claim: Option<ClaimId>,
    /// The difference in words, with its numbers.
    pub message: String,
    /// What is booked.
    pub booked: Option<String>,
    /// What is stored or what the host has.
    pub observed: Option<String>,
}

/// The totals are not the sum of the bookings: a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the totals of the ledger are not the sum of its bookings; please report this bug")]
pub struct TotalsBroken;

impl Snapshot {
    pub(crate) fn new(inventory: Arc<Inventory>, book: Arc<Book>, generation: u64) -> Self {
        Self { inventory, book, generation }
    }

    /// The generation of the ledger that it shows.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The sums over all bookings, beside what the host offers.
    pub fn usage(&self) -> Usage {
        Usage::of(&self.inventory, &self.book, self.generation)
    }

    /// Devices by pool, sorted.
    pub fn pools(&self) -> Vec<Pool> {
        self.book.index().pools().collect()
    }

    /// Compare every booking with what is stored, and the bookings with the inventory.
    ///
    /// Fails when the totals are not the sum over the bookings from zero.
    pub fn audit(
        &self,
        stored: &BTreeMap<ClaimId, Placement>,
    ) -> Result<Vec<Difference>, TotalsBroken> {
        if *self.book != self.book.rebooked_on(&Book::vacant(&self.inventory)) {
            return Err(TotalsBroken);
        }
        let mut differences = self.against_store(stored);
        differences.extend(self.oversubscribed_amounts());
        differences.extend(self.missing_counters());
        differences.extend(self.contested_devices());
        differences.extend(self.missing_devices());
        Ok(differences)
    }

    fn against_store(&self, stored: &BTreeMap<ClaimId, Placement>) -> Vec<Difference> {
        let bookings = self.book.bookings();
        let claims: BTreeSet<&ClaimId> = bookings.keys().chain(stored.keys()).collect();
        let compare =
            |claim| compare_claim(claim, bookings.get(claim).map(AsRef::as_ref), stored.get(claim));
        claims.into_iter().filter_map(compare).collect()
    }

    fn oversubscribed_amounts(&self) -> impl Iterator<Item = Difference> {
        self.inventory.quantities().iter().filter_map(|(resource, quantity)| {
            let account = Account::new(quantity, self.book.used(resource));
            (account.used > account.capacity)
                .then(|| oversubscribed_amount(resource, account, &quantity.derivation()))
        })
    }

    fn missing_counters(&self) -> impl Iterator<Item = Difference> {
        let totals = self.book.totals().iter();
        let missing = totals.filter(|(resource, _)| self.inventory.quantity(resource).is_none());
        missing.map(|(resource, used)| Difference {
            kind: "counter_missing",
            subject: resource.name().to_owned(),
            claim: None,
            message: format!(
                "{used} of counter `{}` are booked and this host has no such counter",
                resource.name()
            ),
            booked: Some(used.to_string()),
            observed: None,
        })
    }

    /// Devices that several claims hold, and PFs that are held while their VFs are.
    fn contested_devices(&self) -> impl Iterator<Item = Difference> {
        let held_vfs = self.held_vfs();
        self.book
            .index()
            .holders()
            .iter()
            .filter_map(move |(address, claims)| contest(*address, claims, held_vfs.get(address)))
    }

    /// Who holds VFs, by PF.
    fn held_vfs(&self) -> BTreeMap<PciAddress, BTreeSet<ClaimId>> {
        let mut holders: BTreeMap<PciAddress, BTreeSet<ClaimId>> = BTreeMap::new();
        for (claim, placement) in self.book.bookings() {
            for (address, placed) in &placement.devices {
                for parent in self.book.index().parents_of(*address, placed) {
                    holders.entry(parent).or_default().insert(claim.clone());
                }
            }
        }
        holders
    }

    fn missing_devices(&self) -> impl Iterator<Item = Difference> {
        let catalogue = self.inventory.catalogue();
        let held = self.book.index().holders().iter();
        held.filter(|(address, _)| catalogue.find(**address).is_none()).map(|(address, claims)| {
            Difference {
                kind: "device_missing",
                subject: address.to_string(),
                claim: only(claims),
                message: format!(
                    "device {address} is booked by {} and is not among the devices of this host",
                    joined(claims)
                ),
                booked: Some(joined(claims)),
                observed: None,
            }
        })
    }
}

fn compare_claim(
    claim: &ClaimId,
    booked: Option<&Placement>,
    stored: Option<&Placement>,
) -> Option<Difference> {
    let (kind, message) = match (booked, stored) {
        (Some(booked), Some(stored)) if booked == stored => return None,
        (Some(booked), Some(stored)) => (
            "placement_differs",
            format!("claim {claim} is booked with {booked} and stored with {stored}"),
        ),
        (Some(booked), None) => (
            "booked_not_stored",
            format!("claim {claim} is booked with {booked} and is not in the store"),
        ),
        (None, Some(stored)) => (
            "stored_not_booked",
            format!("claim {claim} is stored with {stored} and is not booked"),
        ),
        (None, None) => return None,
    };
    Some(Difference {
        kind,
        subject: claim.to_string(),
        claim: Some(claim.clone()),
        message,
        booked: booked.map(ToString::to_string),
        observed: stored.map(ToString::to_string),
    })
}

fn oversubscribed_amount(resource: &Resource, account: Account, derivation: &str) -> Difference {
    Difference {
        kind: "oversubscribed",
        subject: resource.name().to_owned(),
        claim: None,
        message: format!(
            "{} are booked, more than there are: {derivation}",
            resource.words(account.used)
        ),
        booked: Some(account.used.to_string()),
        observed: Some(account.capacity.to_string()),
    }
}

/// What is wrong with these holders of a device and of its VFs, if anything.
fn contest(
    address: PciAddress,
    claims: &BTreeSet<ClaimId>,
    of_vfs: Option<&BTreeSet<ClaimId>>,
) -> Option<Difference> {
    let (message, observed) = match of_vfs {
        Some(of_vfs) => (
            format!(
                "PF {address} is booked by {} while VFs of it are booked by {}",
                joined(claims),
                joined(of_vfs)
            ),
            "either the PF or its VFs",
        ),
        None if claims.len() > 1 => (
            format!("device {address} is booked by {} claims: {}", claims.len(), joined(claims)),
            "one device",
        ),
        None => return None,
    };
    let all: BTreeSet<ClaimId> =
        claims.iter().chain(of_vfs.into_iter().flatten()).cloned().collect();
    Some(Difference {
        kind: "oversubscribed",
        subject: address.to_string(),
        claim: only(&all),
        message,
        booked: Some(joined(&all)),
        observed: Some(observed.to_owned()),
    })
}

fn only(claims: &BTreeSet<ClaimId>) -> Option<ClaimId> {
    let mut claims = claims.iter();
    claims.next().cloned().filter(|_| claims.next().is_none())
}

fn joined(claims: &BTreeSet<ClaimId>) -> String {
    claims.iter().map(ClaimId::as_str).collect::<Vec<_>>().join(", ")
}
