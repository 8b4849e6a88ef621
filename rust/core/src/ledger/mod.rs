//! The book of claims of one host.

mod errors;

pub use errors::{BookError, ClaimConflict, UpdateError};

use std::sync::Arc;

use crate::audit::Snapshot;
use crate::book::Book;
use crate::fit::{self, Room, Steps, Tally};
use crate::ids::ClaimId;
use crate::inventory::Inventory;
use crate::misfit::{Refusal, Undecided};
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
        self.deciding(|room, steps| fit::fit(room, request, steps))
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
        self.deciding(|room, steps| fit::count(room, request, limit, steps))
    }

    /// The same, and what runs out first.
    pub fn tally(&mut self, request: &Request, limit: u64) -> Result<Tally, Undecided> {
        self.deciding(|room, steps| fit::tally(room, request, limit, steps))
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

    /// Decide on what is booked now, and keep how many steps that took.
    fn deciding<T>(&mut self, decide: impl FnOnce(Room<'_>, &mut Steps) -> T) -> T {
        let mut steps = Steps::default();
        let answer = decide(Room { inventory: &self.inventory, book: &self.book }, &mut steps);
        self.steps = steps.taken();
        answer
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

fn unknown(claim: &ClaimId) -> UpdateError {
    UpdateError::NotBooked { claim: claim.clone() }
}

fn require_free(book: &Book, claim: &ClaimId) -> Result<(), ClaimConflict> {
    if book.bookings().contains_key(claim) {
        return Err(ClaimConflict { claim: claim.clone() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
