//! What a request wants of the devices, and from which pools each want may be served.

use std::collections::BTreeMap;

use crate::fit::draft::{Draft, shares};
use crate::fit::flow::{Mask, bit};
use crate::fit::near::{Cells, Level, Nearness, levels};
use crate::fit::supply::{Supply, Tree};
use crate::fit::trial::Trial;
use crate::inventory::Inventory;
use crate::pci::{Catalogue, PoolNumber, Slot};
use crate::request::Request;

/// So many devices for one part of a request, of one provider if it names providers.
#[derive(Clone, Debug)]
pub(super) struct Want {
    /// Position in the request.
    pub(super) request: usize,
    pub(super) left: u64,
    pub(super) levels: &'static [Level],
    pub(super) level: Level,
}

/// Devices of one pool that every want sees alike: all of it, or, where requests name single devices,
/// one of it, or all but those.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) pool: PoolNumber,
    pub(super) only: Option<Slot>,
    pub(super) except: Vec<Slot>,
    /// Wants that may be served from it, as far as nearness allows.
    pub(super) admits: Mask,
    pub(super) nearness: Nearness,
}

/// All wants of a request over the pools of a catalogue.
#[derive(Clone, Debug)]
pub(super) struct Plan<'a> {
    catalogue: &'a Catalogue,
    pub(super) wants: Vec<Want>,
    /// By pool, in the order in which pools are given out.
    pub(super) parts: Vec<Part>,
    /// Some want can be served by VFs, and some by their parents: they may bar each other.
    has_trees: bool,
}

impl<'a> Plan<'a> {
    /// With `counts` devices for each part of the request; units are not planned here.
    pub(super) fn of(inventory: &'a Inventory, request: &Request, counts: &[u64]) -> Self {
        let cells = Cells::of(inventory, request.cells());
        Self::by(Draft::of(inventory.catalogue()), &cells, inventory, request, counts)
    }

    /// The same, without pools that a request of one part never comes to: the first ones have enough.
    pub(super) fn of_first(
        inventory: &'a Inventory,
        request: &Request,
        counts: &[u64],
        trial: &Trial<'_>,
    ) -> Self {
        let ([devices], [left]) = (request.devices(), counts) else {
            return Self::of(inventory, request, counts);
        };
        let in_order = devices.matcher.products().is_none_or(|products| products.len() == 1);
        if !in_order || !devices.providers.is_empty() {
            return Self::of(inventory, request, counts);
        }
        let cells = Cells::of(inventory, request.cells());
        let draft = Draft::of(inventory.catalogue()).stop_at(*left, &cells, trial);
        Self::by(draft, &cells, inventory, request, counts)
    }

    fn by(
        mut draft: Draft<'_>,
        cells: &Cells<'_>,
        inventory: &'a Inventory,
        request: &Request,
        counts: &[u64],
    ) -> Self {
        let mut wants = Vec::new();
        for (position, (devices, count)) in request.devices().iter().zip(counts).enumerate() {
            if devices.unit.is_some() {
                continue;
            }
            let levels = levels(devices.policy, cells.any());
            let Some(last) = levels.last().copied() else { continue };
            for (provider, left) in shares(devices, *count) {
                draft.admit(devices, provider, wants.len());
                wants.push(Want { request: position, left, levels, level: last });
            }
        }
        let parts = draft.parts(cells);
        let catalogue = inventory.catalogue();
        let has_trees = has_trees(catalogue, &parts);
        Self { catalogue, wants, parts, has_trees }
    }

    /// Wants that may be served from a part now.
    pub(super) fn mask(&self, part: &Part) -> Mask {
        let takes = |(want, it): (usize, &Want)| {
            let takes = it.is_open() && it.level.takes(part.nearness);
            if takes { bit(want) } else { 0 }
        };
        let near: Mask = self.wants.iter().enumerate().map(takes).fold(0, |all, one| all | one);
        part.admits & near
    }

    /// Wants that may be served from a device now, whether or not it is free.
    fn mask_of(&self, slot: Slot) -> Mask {
        if !self.has_trees {
            return 0;
        }
        let Some(entry) = self.catalogue.entry(slot) else { return 0 };
        let from = self.parts.partition_point(|part| part.pool < entry.pool);
        let of_pool = self.parts.iter().skip(from).take_while(|part| part.pool == entry.pool);
        let mut holding = of_pool.filter(|part| part.has(slot));
        holding.next().map_or(0, |part| self.mask(part))
    }

    /// Whether taking a device of a part for a want can take something from the rest of the request.
    pub(super) fn is_contested(
        &self,
        want: usize,
        part: &Part,
        slot: Slot,
        trial: &Trial<'_>,
    ) -> bool {
        if self.mask(part) & !bit(want) != 0 {
            return true;
        }
        if !self.has_trees {
            return false;
        }
        let wanted = |slot: &Slot| trial.is_free(*slot) && self.mask_of(*slot) != 0;
        self.catalogue.parent_of(slot).is_some_and(|parent| wanted(&parent))
            || self.catalogue.vfs_of(slot).iter().any(wanted)
    }

    /// Whether any device could serve two wants, or bars one that another want could get.
    pub(super) fn competes(&self, trial: &Trial<'_>) -> bool {
        let shared = self.parts.iter().any(|part| self.mask(part).count_ones() > 1);
        shared || !self.supply(trial).trees.is_empty()
    }

    /// What there is for the wants now.
    pub(super) fn supply(&self, trial: &Trial<'_>) -> Supply {
        let mut supply = Supply::default();
        for part in &self.parts {
            let mask = self.mask(part);
            if mask != 0 {
                let count = supply.singles.entry(mask).or_default();
                *count = count.saturating_add(part.free_count(trial));
            }
        }
        if self.has_trees {
            self.plant_trees(trial, &mut supply);
        }
        supply
    }

    /// Take devices that bar each other out of the singles. What makes a tree is that some name it as
    /// their parent, whatever the host calls it.
    fn plant_trees(&self, trial: &Trial<'_>, supply: &mut Supply) {
        let mut trees: BTreeMap<Slot, Tree> = BTreeMap::new();
        for part in &self.parts {
            let (mask, count) = (self.mask(part), part.free_count(trial));
            let Some(pf) = self.parent_of(part).filter(|pf| trial.is_free(*pf)) else { continue };
            let wanted_whole = self.mask_of(pf);
            if mask != 0 && count > 0 && wanted_whole != 0 {
                subtract(&mut supply.singles, mask, count);
                let tree = trees.entry(pf).or_insert_with(|| Tree::of(wanted_whole));
                tree.add_vfs(mask, count);
            }
        }
        for tree in trees.into_values() {
            subtract(&mut supply.singles, tree.pf, 1);
            supply.trees.push(tree);
        }
    }

    fn parent_of(&self, part: &Part) -> Option<Slot> {
        self.catalogue.pool(part.pool)?.parent
    }
}

impl Want {
    /// Whether it still asks for something.
    pub(super) fn is_open(&self) -> bool {
        self.left > 0
    }
}

impl Part {
    /// Whether it may serve a want at some level.
    pub(super) fn admits(&self, want: usize) -> bool {
        self.admits & bit(want) != 0
    }

    fn has(&self, slot: Slot) -> bool {
        self.only.map_or_else(|| !self.except.contains(&slot), |only| only == slot)
    }

    pub(super) fn free_count(&self, trial: &Trial<'_>) -> u64 {
        if let Some(only) = self.only {
            return u64::from(trial.is_free(only));
        }
        let except = self.except.iter().filter(|slot| trial.is_free(**slot)).count();
        trial.free_count(self.pool).saturating_sub(u64::try_from(except).unwrap_or(u64::MAX))
    }

    pub(super) fn free(&self, trial: &Trial<'_>) -> impl DoubleEndedIterator<Item = Slot> {
        trial.free(self.pool).filter(|slot| self.has(*slot))
    }

    pub(super) fn next_free(&self, trial: &Trial<'_>, after: Option<Slot>) -> Option<Slot> {
        let mut next = trial.next_free(self.pool, after);
        while let Some(slot) = next.filter(|slot| !self.has(*slot)) {
            next = trial.next_free(self.pool, Some(slot));
        }
        next
    }
}

/// Whether some part is of devices whose parent is in another part.
fn has_trees(catalogue: &Catalogue, parts: &[Part]) -> bool {
    let has_pool = |pool: PoolNumber| parts.binary_search_by_key(&pool, |part| part.pool).is_ok();
    let parents = parts.iter().filter_map(|part| catalogue.pool(part.pool)?.parent);
    let roots = parents.filter_map(|parent| catalogue.entry(parent));
    roots.map(|root| root.pool).any(has_pool)
}

fn subtract(counts: &mut BTreeMap<Mask, u64>, mask: Mask, count: u64) {
    if let Some(sum) = counts.get_mut(&mask) {
        *sum = sum.saturating_sub(count);
    }
}

#[cfg(test)]
mod tests {
    use super::Plan;
    use crate::fit::trial::Trial;
    use crate::ledger::Ledger;
    use crate::pci::Index;
    use crate::request::Request;
    use crate::samples::{booked, host_of_pfs, pfs_and_vfs, vf_product};

    fn parts(host: &[usize], request: &Request, counts: &[u64]) -> usize {
        let inventory = host_of_pfs(host);
        let index = Index::new(std::sync::Arc::clone(inventory.catalogue()));
        Plan::of_first(&inventory, request, counts, &Trial::of(&index)).parts.len()
    }

    #[test]
    fn a_request_of_one_part_looks_no_further_than_the_pools_that_have_enough() {
        let vfs = |count| Request::default().with_devices(vf_product(), count);
        assert_eq!(parts(&[2; 100], &vfs(2), &[2]), 1);
        assert_eq!(parts(&[2; 100], &vfs(3), &[3]), 2);
        assert_eq!(parts(&[2; 100], &vfs(201), &[201]), 100);
        assert_eq!(parts(&[2; 100], &pfs_and_vfs(1, 2), &[1, 2]), 101);
    }

    #[test]
    fn pools_that_are_full_are_passed_over() {
        let mut ledger = Ledger::new(host_of_pfs(&[2, 2, 2]));
        booked(&mut ledger, "a", &pfs_and_vfs(0, 3));
        assert_eq!(booked(&mut ledger, "b", &pfs_and_vfs(0, 1)), ["0001:00:01.0"]);
    }
}
