//! The bound of every search.

use crate::misfit::Undecided;

/// Search steps that one decision may take; beyond it is [`Undecided`].
pub const MAX_STEPS: u64 = 10_000;

/// Counts what a decision looks at. Devices that are looked at in order cost a step each, but only
/// steps of the search, which could grow without end, are bounded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    looked: u64,
    searched: u64,
    limit: u64,
}

impl Default for Steps {
    fn default() -> Self {
        Self::within(MAX_STEPS)
    }
}

impl Steps {
    pub(crate) fn within(limit: u64) -> Self {
        Self { looked: 0, searched: 0, limit }
    }

    /// All steps that were taken.
    pub(crate) fn taken(&self) -> u64 {
        self.looked.saturating_add(self.searched)
    }

    /// A new bound for another question of the same decision.
    pub(crate) fn renewed(&self) -> Self {
        Self { limit: self.searched.saturating_add(MAX_STEPS), ..*self }
    }

    /// The same, as long as all questions together stay within a bound.
    pub(crate) fn renewed_up_to(&self, most: u64) -> Self {
        let renewed = self.renewed();
        Self { limit: renewed.limit.min(most), ..renewed }
    }

    /// Those of a search that had a bound of its own.
    pub(crate) fn add(&mut self, other: &Self) {
        self.looked = self.looked.saturating_add(other.taken());
    }

    pub(crate) fn look(&mut self) {
        self.looked = self.looked.saturating_add(1);
    }

    pub(crate) fn give_up(&self) -> Undecided {
        Undecided { steps: self.taken(), limit: self.limit }
    }

    /// So many steps of the search at once.
    pub(crate) fn spend(&mut self, steps: u64) -> Result<(), Undecided> {
        if self.limit.saturating_sub(self.searched) < steps {
            self.searched = self.limit.max(self.searched);
            return Err(self.give_up());
        }
        self.searched = self.searched.saturating_add(steps);
        Ok(())
    }

    pub(crate) fn search(&mut self) -> Result<(), Undecided> {
        if self.searched >= self.limit {
            return Err(self.give_up());
        }
        self.searched = self.searched.saturating_add(1);
        Ok(())
    }
}
