//! What is booked compared with what is stored and with what the host has.

mod cells;
mod devices;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::amounts::Resource;
use crate::book::Book;
use crate::ids::ClaimId;
use crate::inventory::Inventory;
use crate::pci::Pool;
use crate::placement::Placement;
use crate::usage::{Account, Usage, used_of_offer};

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
    /// `device_missing`, `counter_missing`, `cpu_missing` or `cell_missing`.
    pub kind: &'static str,
    /// The claim id, resource, device address, CPUs or cell it speaks of.
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
        differences.extend(devices::contested(&self.book));
        differences.extend(devices::missing(&self.inventory, &self.book));
        differences.extend(cells::contested_cpus(&self.book));
        differences.extend(cells::missing_cpus(&self.inventory, &self.book));
        differences.extend(cells::missing_cells(&self.inventory, &self.book));
        differences.extend(cells::oversubscribed_pages(&self.book));
        Ok(differences)
    }

    #[cfg(test)]
    pub(crate) fn shows_the_same_as(&self, other: &Self) -> bool {
        self.inventory == other.inventory && self.book == other.book
    }

    #[cfg(test)]
    pub(crate) fn inventory(&self) -> Inventory {
        Inventory::clone(&self.inventory)
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
            let used = used_of_offer(&self.inventory, &self.book, resource);
            let account = Account::new(quantity, used);
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

fn only(claims: &BTreeSet<ClaimId>) -> Option<ClaimId> {
    let mut claims = claims.iter();
    claims.next().cloned().filter(|_| claims.next().is_none())
}

fn joined(claims: &BTreeSet<ClaimId>) -> String {
    claims.iter().map(ClaimId::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::{Difference, Snapshot, TotalsBroken};
    use crate::amounts::Resource;
    use crate::book::Book;
    use crate::ids::ClaimId;
    use crate::ledger::Ledger;
    use crate::placement::Placement;
    use crate::samples::{booked, host_of_pfs, id, pfs_and_vfs, plain_host, quantity, vcpus};

    fn bookings(ledger: &Ledger) -> BTreeMap<ClaimId, Placement> {
        let held = |claim: &ClaimId| Placement::clone(ledger.placement(claim).unwrap());
        ledger.claims().map(|claim| (claim.clone(), held(claim))).collect()
    }

    /// Kind, subject and claim of what an audit of the ledger against itself finds.
    fn found(ledger: &Ledger) -> Vec<(&'static str, String, Option<ClaimId>)> {
        let differences = ledger.snapshot().audit(&bookings(ledger)).unwrap();
        differences.into_iter().map(|it| (it.kind, it.subject, it.claim)).collect()
    }

    /// A ledger in which two claims hold what `claims` got on a host of their own.
    fn both(claims: [(&str, (u64, u64)); 2], vfs: usize) -> Ledger {
        let mut ledger = Ledger::new(host_of_pfs(&[vfs]));
        for (claim, (pfs, vfs_asked)) in claims {
            let mut own = Ledger::new(host_of_pfs(&[vfs]));
            booked(&mut own, claim, &pfs_and_vfs(pfs, vfs_asked));
            ledger.restore(bookings(&own).into_iter().collect()).unwrap();
        }
        ledger
    }

    #[test]
    fn nothing_is_found_where_nothing_differs() {
        let mut ledger = Ledger::new(host_of_pfs(&[2]));
        booked(&mut ledger, "a", &pfs_and_vfs(0, 1));
        assert_eq!(found(&ledger), []);
    }

    #[test]
    fn bookings_and_store_are_compared_claim_by_claim() {
        let mut ledger = Ledger::new(plain_host());
        for claim in ["booked only", "changed", "same"] {
            ledger.book(id(claim), &vcpus(2)).unwrap();
        }
        let mut stored = bookings(&ledger);
        let lost = stored.remove(&id("booked only")).unwrap();
        stored.insert(id("stored only"), lost);
        stored.get_mut(&id("changed")).unwrap().amounts.insert(Resource::Vcpus, 3);
        let differences = ledger.snapshot().audit(&stored).unwrap();
        let told: Vec<_> = differences.iter().map(|it| (it.kind, it.message.as_str())).collect();
        assert_eq!(
            told,
            [
                (
                    "booked_not_stored",
                    "claim booked only is booked with 2 vCPUs and is not in the store"
                ),
                (
                    "placement_differs",
                    "claim changed is booked with 2 vCPUs and stored with 3 vCPUs"
                ),
                ("stored_not_booked", "claim stored only is stored with 2 vCPUs and is not booked"),
            ]
        );
    }

    #[test]
    fn more_booked_than_there_is_is_oversubscribed() {
        let mut ledger = Ledger::new(plain_host().with_counter("slots".into(), quantity(3)));
        let slots = Resource::Counter("slots".into());
        ledger.book(id("a"), &vcpus(10).with_amount(slots, 3)).unwrap();
        ledger.observe(plain_host());
        assert_eq!(found(&ledger), [("counter_missing", "slots".to_owned(), None)]);
        ledger
            .restore(vec![(id("b"), Placement::clone(ledger.placement(&id("a")).unwrap()))])
            .unwrap();
        let Difference { message, booked, observed, .. } =
            ledger.snapshot().audit(&bookings(&ledger)).unwrap().remove(0);
        assert!(message.starts_with("20 vCPUs are booked, more than there are: capacity 16 = "));
        assert_eq!((booked.as_deref(), observed.as_deref()), (Some("20"), Some("16")));
    }

    #[test]
    fn a_device_of_two_claims_is_told_with_both_and_freed_by_the_last() {
        let mut ledger = both([("a", (0, 1)), ("b", (0, 1))], 1);
        let differences = ledger.snapshot().audit(&bookings(&ledger)).unwrap();
        let message = "device 0000:00:01.0 is booked by 2 claims: a, b";
        assert_eq!((differences.len(), differences[0].message.as_str()), (1, message));
        ledger.unbook(&id("a"));
        ledger.book(id("c"), &pfs_and_vfs(0, 1)).unwrap_err();
        ledger.unbook(&id("b"));
        ledger.book(id("c"), &pfs_and_vfs(0, 1)).unwrap();
    }

    #[test]
    fn a_pf_and_its_vf_of_two_claims_are_told_once() {
        let ledger = both([("pf", (1, 0)), ("vfs", (0, 2))], 2);
        let differences = ledger.snapshot().audit(&bookings(&ledger)).unwrap();
        let message = "PF 0000:00:00.0 is booked by pf while VFs of it are booked by vfs";
        assert_eq!((differences.len(), differences[0].message.as_str()), (1, message));
    }

    #[test]
    fn a_device_that_is_gone_is_missing_for_its_claim() {
        let mut ledger = Ledger::new(host_of_pfs(&[1]));
        booked(&mut ledger, "a", &pfs_and_vfs(0, 1));
        ledger.observe(plain_host());
        assert_eq!(found(&ledger), [("device_missing", "0000:00:01.0".to_owned(), Some(id("a")))]);
    }

    #[test]
    fn totals_that_are_not_the_sum_are_a_bug() {
        let mut ledger = Ledger::new(plain_host());
        ledger.book(id("a"), &vcpus(2)).unwrap();
        let mut book = Book::clone(&ledger.snapshot().book);
        book.corrupt(Resource::Vcpus);
        let broken = Snapshot { book: Arc::new(book), ..ledger.snapshot() };
        assert_eq!(broken.audit(&bookings(&ledger)), Err(TotalsBroken));
    }
}
