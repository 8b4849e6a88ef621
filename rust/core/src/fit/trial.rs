//! Devices taken for a request that is still being solved, over an index that does not change.

use std::collections::{BTreeMap, BTreeSet};

use crate::pci::{Index, PoolNumber, Slot};

/// What is free when these devices are taken too; what bars each other leaves together.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    index: &'a Index,
    gone: BTreeSet<Slot>,
    gone_in: BTreeMap<PoolNumber, u64>,
}

/// What one device took away, to be given back exactly.
#[derive(Debug)]
pub(super) struct Taken(Vec<Slot>);

impl<'a> Trial<'a> {
    pub(super) fn of(index: &'a Index) -> Self {
        Self { index, gone: BTreeSet::new(), gone_in: BTreeMap::new() }
    }

    pub(super) fn index(&self) -> &'a Index {
        self.index
    }

    pub(super) fn is_free(&self, slot: Slot) -> bool {
        self.index.is_free(slot) && !self.gone.contains(&slot)
    }

    pub(super) fn free_count(&self, pool: PoolNumber) -> u64 {
        let gone = self.gone_in.get(&pool).copied().unwrap_or(0);
        self.index.free_count(pool).saturating_sub(gone)
    }

    /// By ascending address.
    pub(super) fn free(
        &self,
        pool: PoolNumber,
    ) -> impl DoubleEndedIterator<Item = Slot> + use<'_, 'a> {
        self.index.free(pool).filter(|slot| !self.gone.contains(slot))
    }

    /// The first free device of a pool after another one.
    pub(super) fn next_free(&self, pool: PoolNumber, after: Option<Slot>) -> Option<Slot> {
        let is_here = |slot: &Slot| !self.gone.contains(slot);
        match after {
            Some(slot) => self.index.free_after(pool, slot).find(is_here),
            None => self.index.free(pool).find(is_here),
        }
    }

    /// Take a free device, and with it what it bars.
    pub(super) fn take(&mut self, slot: Slot) -> Taken {
        let catalogue = self.index.catalogue();
        let parent = catalogue.parent_of(slot);
        let vfs = catalogue.vfs_of(slot).iter().copied();
        let leaving: Vec<Slot> = std::iter::once(slot)
            .chain(parent)
            .chain(vfs)
            .filter(|slot| self.is_free(*slot))
            .collect();
        for slot in &leaving {
            self.gone.insert(*slot);
            self.count(*slot, |count| count.saturating_add(1));
        }
        Taken(leaving)
    }

    pub(super) fn give_back(&mut self, taken: Taken) {
        for slot in taken.0 {
            self.gone.remove(&slot);
            self.count(slot, |count| count.saturating_sub(1));
        }
    }

    fn count(&mut self, slot: Slot, change: impl Fn(u64) -> u64) {
        let Some(entry) = self.index.catalogue().entry(slot) else { return };
        let count = self.gone_in.entry(entry.pool).or_default();
        *count = change(*count);
    }
}
