//! The book of claims of one host.

use std::sync::Arc;

use crate::audit::Snapshot;
use crate::book::Book;
use crate::fit::{self, Room, Steps, Tally};
use crate::ids::ClaimId;
use crate::inventory::Inventory;
use crate::misfit::{NoFit, Refusal, Undecided};
use crate::pci::Pool;
use crate::placement::Placement;
use crate::request::Request;
use crate::usage::Usage;

/// Who holds what of a host. Every method is all or nothing.
#[derive(Clone, Debug)]
pub struct Ledger {
    inventory: Arc<Inventory>,
    /// The book before the first claim.
    vacant: Arc<Book>,
    book: Arc<Book>,
    generation: u64,
    steps: u64,
}

/// The claim id is booked already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("claim {claim} is booked already; unbook it first or use another claim id")]
pub struct ClaimConflict {
    /// Which.
    pub claim: ClaimId,
}

/// Why a claim was not booked; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// It does not fit.
    #[error(transparent)]
    NoFit(Box<NoFit>),
    /// It is not known whether it fits.
    #[error(transparent)]
    Undecided(Undecided),
    /// The claim id is booked already.
    #[error(transparent)]
    ClaimConflict(#[from] ClaimConflict),
}

/// Why a claim does not hold something else now; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// It does not fit.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such claim.
    #[error("claim {claim} is not booked")]
    NotBooked {
        /// Which.
        claim: ClaimId,
    },
    /// Cells cannot be added or taken while an instance runs.
    #[error("claim {claim} has {held} guest cells and cannot have {asked} while it runs")]
    OtherCells {
        /// Which.
        claim: ClaimId,
        /// Guest cells that it has.
        held: usize,
        /// Guest cells that are asked for.
        asked: usize,
    },
}

fn unknown(claim: &ClaimId) -> UpdateError {
    UpdateError::NotBooked { claim: claim.clone() }
}

impl From<Refusal> for BookError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoFit(reasons) => Self::NoFit(reasons),
            Refusal::Undecided(spent) => Self::Undecided(spent),
        }
    }
}

impl Ledger {
    /// An empty ledger of a host.
    pub fn new(inventory: Inventory) -> Self {
        let vacant = Arc::new(Book::vacant(&inventory));
        let book = Arc::clone(&vacant);
        Self { inventory: Arc::new(inventory), vacant, book, generation: 0, steps: 0 }
    }

    /// Counts the changes of this ledger.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Search steps that the last decision took.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Hold what the request asks for, or change nothing.
    pub fn book(&mut self, claim: ClaimId, request: &Request) -> Result<Arc<Placement>, BookError> {
        require_free(&self.book, &claim)?;
        let placement = Arc::new(self.fit(request)?);
        self.change().add(claim, Arc::clone(&placement));
        Ok(placement)
    }

    /// Give back what a claim holds; false when it holds nothing.
    pub fn unbook(&mut self, claim: &ClaimId) -> bool {
        self.book.bookings().contains_key(claim) && self.change().remove(claim)
    }

    /// What a claim would hold if it asked for this instead, where it is: the same devices and cells, the
    /// same CPUs for the vCPUs that stay. Until [`Self::settle`] it holds the most of both.
    ///
    /// The request has as many guest cells as the claim; its devices are not looked at.
    pub fn update(&mut self, claim: &ClaimId, request: &Request) -> Result<Placement, UpdateError> {
        let held = self.placement(claim).cloned().ok_or_else(|| unknown(claim))?;
        let cells = request.topology().map_or(0, |topology| topology.cells.len());
        if cells != held.cells.len() {
            let held = held.cells.len();
            return Err(UpdateError::OtherCells { claim: claim.clone(), held, asked: cells });
        }
        let mut book = Book::clone(&self.book);
        book.remove(claim);
        let room = Room { inventory: &self.inventory, book: &book };
        let updated = fit::refit(room, claim, &held, request)?;
        let joined = held.joined(&updated);
        self.settle(claim, joined)?;
        Ok(updated)
    }

    /// Let a claim hold exactly this.
    pub fn settle(&mut self, claim: &ClaimId, placement: Placement) -> Result<(), UpdateError> {
        if self.placement(claim).is_none() {
            return Err(unknown(claim));
        }
        let book = self.change();
        book.remove(claim);
        book.add(claim.clone(), Arc::new(placement));
        Ok(())
    }

    /// Take over stored bookings as they are, whether or not they fit; an audit names what does not.
    ///
    /// Fails when a claim is booked already or twice in the list; then nothing is restored.
    pub fn restore(&mut self, bookings: Vec<(ClaimId, Placement)>) -> Result<(), ClaimConflict> {
        if bookings.is_empty() {
            return Ok(());
        }
        let mut restored = Book::clone(&self.book);
        for (claim, placement) in bookings {
            require_free(&restored, &claim)?;
            restored.add(claim, Arc::new(placement));
        }
        self.replace(restored);
        Ok(())
    }

    /// What a claim holds.
    pub fn placement(&self, claim: &ClaimId) -> Option<&Arc<Placement>> {
        self.book.bookings().get(claim)
    }

    /// Every booked claim, sorted.
    pub fn claims(&self) -> impl Iterator<Item = &ClaimId> {
        self.book.bookings().keys()
    }

    /// The dry run of [`Self::book`]: the same answer, no change.
    pub fn fit(&mut self, request: &Request) -> Result<Placement, Refusal> {
        let mut steps = Steps::default();
        let answer = fit::fit(self.room(), request, &mut steps);
        self.steps = steps.taken();
        answer
    }

    /// Whether it would fit if nothing were booked, withheld or cordoned.
    pub fn could_fit(&mut self, request: &Request) -> Result<bool, Undecided> {
        let mut steps = Steps::default();
        let unhindered = self.inventory.unhindered();
        let vacant = unhindered.as_ref().map(Book::vacant);
        let room = Room {
            inventory: unhindered.as_ref().unwrap_or(&self.inventory),
            book: vacant.as_ref().unwrap_or(&self.vacant),
        };
        let answer = fit::fit(room, request, &mut steps);
        self.steps = steps.taken();
        match answer {
            Ok(_) => Ok(true),
            Err(Refusal::NoFit(_)) => Ok(false),
            Err(Refusal::Undecided(spent)) => Err(spent),
        }
    }

    /// How many such requests would fit one after another, at most `limit`.
    pub fn count(&mut self, request: &Request, limit: u64) -> Result<u64, Undecided> {
        let mut steps = Steps::default();
        let answer = fit::count(self.room(), request, limit, &mut steps);
        self.steps = steps.taken();
        answer
    }

    /// The same, and what runs out first.
    pub fn tally(&mut self, request: &Request, limit: u64) -> Result<Tally, Undecided> {
        let mut steps = Steps::default();
        let answer = fit::tally(self.room(), request, limit, &mut steps);
        self.steps = steps.taken();
        answer
    }

    /// What may be handed out, as it was observed last.
    pub fn inventory(&self) -> &Arc<Inventory> {
        &self.inventory
    }

    /// Take the host's new inventory; bookings stay. False when nothing changed.
    pub fn observe(&mut self, inventory: Inventory) -> bool {
        if inventory == *self.inventory {
            return false;
        }
        let vacant = Book::vacant(&inventory);
        self.replace(self.book.rebooked_on(&vacant));
        self.vacant = Arc::new(vacant);
        self.inventory = Arc::new(inventory);
        true
    }

    /// The sums over all bookings, beside what the host offers.
    pub fn usage(&self) -> Usage {
        self.snapshot().usage()
    }

    /// Devices by pool, sorted.
    pub fn pools(&self) -> Vec<Pool> {
        self.snapshot().pools()
    }

    /// The ledger as it is now, for as long as it is wanted.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(Arc::clone(&self.inventory), Arc::clone(&self.book), self.generation)
    }

    fn room(&self) -> Room<'_> {
        Room { inventory: &self.inventory, book: &self.book }
    }

    fn replace(&mut self, book: Book) {
        self.generation = self.generation.saturating_add(1);
        self.book = Arc::new(book);
    }

    /// The book, to be changed once; a snapshot that still shows it keeps its own copy.
    fn change(&mut self) -> &mut Book {
        self.generation = self.generation.saturating_add(1);
        Arc::make_mut(&mut self.book)
    }
}

fn require_free(book: &Book, claim: &ClaimId) -> Result<(), ClaimConflict> {
    if book.bookings().contains_key(claim) {
        return Err(ClaimConflict { claim: claim.clone() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            ledger.book(id("a"), &vcpus(4)),
            Err(BookError::ClaimConflict(conflict.clone()))
        );
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
}
