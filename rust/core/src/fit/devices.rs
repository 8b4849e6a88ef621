//! Which devices a request gets: of all sets that satisfy every part of it together, the one that
//! comes first by address.

use std::cmp::Reverse;
use std::collections::btree_set::Iter;
use std::collections::{BTreeMap, BinaryHeap};

use crate::fit::steps::Steps;
use crate::fit::trees::{PerProduct, Tree, can_supply};
use crate::misfit::Undecided;
use crate::pci::{Index, PciAddress, Product, Slot};

/// How many devices of each product are wanted.
pub(super) type Demand = BTreeMap<Product, u64>;

/// The devices for a request, or none when they cannot be had together.
pub(super) fn choose(
    index: &Index,
    demand: &Demand,
    steps: &mut Steps,
) -> Result<Option<Vec<Slot>>, Undecided> {
    let mut split = Split::of(index, demand);
    if !split.is_possible(steps)? {
        return Ok(None);
    }
    let mut chosen = Vec::new();
    let mut missing = demand.clone();
    let mut candidates = Candidates::of(index, demand);
    while let Some((slot, pool)) = candidates.next() {
        let Some(device) = index.catalogue().device(slot) else { continue };
        let Some(count) = missing.get_mut(&device.product).filter(|count| **count > 0) else {
            continue;
        };
        steps.look();
        if split.allows(device.address, device.parent, steps)? {
            chosen.push(slot);
            *count = count.saturating_sub(1);
        }
        if *count > 0 {
            candidates.go_on(pool);
        }
    }
    Ok(Some(chosen))
}

/// Whether the devices can be had together.
pub(super) fn can_have(
    index: &Index,
    demand: &Demand,
    steps: &mut Steps,
) -> Result<bool, Undecided> {
    Split::of(index, demand).is_possible(steps)
}

/// Whether the demand's products bar each other: only then can they not be counted one by one.
pub(super) fn interact(index: &Index, demand: &Demand) -> bool {
    !Split::of(index, demand).trees.is_empty()
}

/// What is still open about the trees while devices are chosen.
struct Split {
    wanted: PerProduct,
    singles: PerProduct,
    trees: BTreeMap<PciAddress, Tree>,
    decided: BTreeMap<PciAddress, Side>,
}

/// How a tree is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Pf,
    Vfs,
}

impl Split {
    fn of(index: &Index, demand: &Demand) -> Self {
        let free = demand.keys().map(|product| index.free_count(*product)).collect();
        let mut split = Self {
            wanted: demand.values().copied().collect(),
            singles: free,
            trees: BTreeMap::new(),
            decided: BTreeMap::new(),
        };
        for (position, product) in demand.keys().enumerate() {
            split.add_trees(index, demand, position, *product);
        }
        split
    }

    fn add_trees(&mut self, index: &Index, demand: &Demand, pf: usize, product: Product) {
        for slot in index.free_parents(product) {
            let Some(device) = index.catalogue().device(slot) else { continue };
            let Some(family) = index.catalogue().family(device.address) else { continue };
            let count = |wanted: &Product| family.products.get(wanted).copied().unwrap_or(0);
            let vfs: PerProduct = demand.keys().map(count).collect();
            if vfs.iter().any(|count| *count > 0) {
                self.add_tree(device.address, Tree { pf, vfs });
            }
        }
    }

    fn add_tree(&mut self, address: PciAddress, tree: Tree) {
        for (single, as_vfs) in self.singles.iter_mut().zip(&tree.vfs) {
            *single = single.saturating_sub(*as_vfs);
        }
        if let Some(single) = self.singles.get_mut(tree.pf) {
            *single = single.saturating_sub(1);
        }
        self.trees.insert(address, tree);
    }

    fn is_possible(&self, steps: &mut Steps) -> Result<bool, Undecided> {
        can_supply(&self.wanted, &self.singles, self.trees.values(), steps)
    }

    /// Whether a device can be taken so that everything else can still be had; then it counts as taken.
    fn allows(
        &mut self,
        address: PciAddress,
        parent: Option<PciAddress>,
        steps: &mut Steps,
    ) -> Result<bool, Undecided> {
        let Some((root, side)) = self.place_of(address, parent) else { return Ok(true) };
        if let Some(decided) = self.decided.get(&root) {
            return Ok(*decided == side);
        }
        let Some(tree) = self.trees.remove(&root) else { return Ok(true) };
        let before = self.singles.clone();
        self.supply(&tree, side);
        let allowed = self.is_possible(steps)?;
        if !allowed {
            self.singles = before;
            self.supply(&tree, side.other());
        }
        self.decided.insert(root, if allowed { side } else { side.other() });
        Ok(allowed)
    }

    fn place_of(
        &self,
        address: PciAddress,
        parent: Option<PciAddress>,
    ) -> Option<(PciAddress, Side)> {
        let known =
            |root: &PciAddress| self.trees.contains_key(root) || self.decided.contains_key(root);
        let as_pf = Some(address).filter(known).map(|root| (root, Side::Pf));
        as_pf.or_else(|| parent.filter(known).map(|root| (root, Side::Vfs)))
    }

    fn supply(&mut self, tree: &Tree, side: Side) {
        for (product, single) in self.singles.iter_mut().enumerate() {
            let more = match side {
                Side::Pf => u64::from(product == tree.pf),
                Side::Vfs => tree.vfs.get(product).copied().unwrap_or(0),
            };
            *single = single.saturating_add(more);
        }
    }
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Pf => Self::Vfs,
            Self::Vfs => Self::Pf,
        }
    }
}

/// Free devices of the wanted products by ascending address; a pool is left when it is not asked to go on.
struct Candidates<'a> {
    pools: Vec<Iter<'a, Slot>>,
    heads: BinaryHeap<Reverse<(Slot, usize)>>,
}

impl<'a> Candidates<'a> {
    fn of(index: &'a Index, demand: &Demand) -> Self {
        let pools = demand.keys().flat_map(|product| index.free_pools(*product));
        let mut candidates =
            Self { pools: pools.map(|pool| pool.iter()).collect(), heads: BinaryHeap::new() };
        for pool in 0..candidates.pools.len() {
            candidates.go_on(pool);
        }
        candidates
    }

    fn next(&mut self) -> Option<(Slot, usize)> {
        self.heads.pop().map(|Reverse(head)| head)
    }

    fn go_on(&mut self, pool: usize) {
        if let Some(slot) = self.pools.get_mut(pool).and_then(Iterator::next) {
            self.heads.push(Reverse((*slot, pool)));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ledger::{BookError, Ledger};
    use crate::misfit::{MisfitCode, NoFit};
    use crate::request::Request;
    use crate::samples::{booked, host_of_pfs, id, pf_product, pfs_and_vfs, vf_product};

    fn refused(ledger: &mut Ledger, request: &Request) -> NoFit {
        match ledger.book(id("refused"), request) {
            Err(BookError::NoFit(no_fit)) => *no_fit,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_lowest_free_addresses_come_first() {
        let mut ledger = Ledger::new(host_of_pfs(&[2, 3]));
        let first = booked(&mut ledger, "a", &pfs_and_vfs(0, 3));
        assert_eq!(first, ["0000:00:01.0", "0000:00:01.1", "0001:00:01.0"]);
        ledger.unbook(&id("a"));
        assert_eq!(booked(&mut ledger, "b", &pfs_and_vfs(0, 3)), first);
    }

    #[test]
    fn a_pf_and_its_vfs_exclude_each_other() {
        let mut ledger = Ledger::new(host_of_pfs(&[2]));
        booked(&mut ledger, "vf", &pfs_and_vfs(0, 1));
        let misfit = refused(&mut ledger, &pfs_and_vfs(1, 0)).reasons.remove(0);
        assert_eq!((misfit.free, misfit.capacity, misfit.used), (0, 1, 0));
        assert!(misfit.message.contains("1 barred because their PF or VFs are booked"));
        ledger.unbook(&id("vf"));
        booked(&mut ledger, "pf", &pfs_and_vfs(1, 0));
        assert_eq!(refused(&mut ledger, &pfs_and_vfs(0, 1)).reasons[0].free, 0);
    }

    #[test]
    fn the_only_pf_with_enough_vfs_is_not_given_away() {
        // Greedy would take the first PF, or the first two VFs, and be stuck.
        let mut ledger = Ledger::new(host_of_pfs(&[4, 1]));
        let got = booked(&mut ledger, "a", &pfs_and_vfs(1, 2));
        assert_eq!(got, ["0000:00:01.0", "0000:00:01.1", "0001:00:00.0"]);
    }

    #[test]
    fn vfs_are_not_picked_from_the_only_pf_that_is_left() {
        let mut ledger = Ledger::new(host_of_pfs(&[2, 2]));
        booked(&mut ledger, "half", &pfs_and_vfs(0, 1));
        let got = booked(&mut ledger, "a", &pfs_and_vfs(1, 1));
        assert_eq!(got, ["0000:00:01.1", "0001:00:00.0"]);
    }

    #[test]
    fn parts_that_fit_alone_but_not_together_are_a_misfit_that_says_so() {
        let mut ledger = Ledger::new(host_of_pfs(&[4]));
        let no_fit = refused(&mut ledger, &pfs_and_vfs(1, 2));
        let misfit = &no_fit.reasons[0];
        assert_eq!(no_fit.reasons.len(), 1);
        assert_eq!(misfit.code, MisfitCode::InsufficientDevices);
        assert_eq!((misfit.asked, misfit.free, misfit.capacity, misfit.used), (2, 0, 4, 0));
        assert!(misfit.message.contains("0 of 4 are free together with the rest of the request"));
        let left: Vec<u64> = misfit.filters.iter().map(|filtered| filtered.left).collect();
        assert_eq!(left, [4, 4, 4, 0]);
        assert_eq!(no_fit.nearest.devices, [(pf_product(), 1), (vf_product(), 0)].into());
    }

    #[test]
    fn what_is_nearest_is_the_most_that_goes_with_the_rest() {
        let mut ledger = Ledger::new(host_of_pfs(&[5; 16]));
        for pfs in 1..=16 {
            let no_fit = refused(&mut ledger, &pfs_and_vfs(pfs, 80));
            let most = (16 - pfs) * 5;
            assert_eq!(no_fit.nearest.devices, [(pf_product(), pfs), (vf_product(), most)].into());
            assert_eq!((no_fit.reasons.len(), no_fit.reasons[0].free), (1, most));
        }
    }

    #[test]
    fn taking_vfs_looks_at_no_other_device() {
        let mut ledger = Ledger::new(host_of_pfs(&[64; 64]));
        booked(&mut ledger, "a", &pfs_and_vfs(0, 8));
        assert_eq!(ledger.steps(), 9);
        booked(&mut ledger, "b", &pfs_and_vfs(0, 100));
        assert_eq!(ledger.steps(), 101);
    }

    #[test]
    fn asking_for_pfs_and_vfs_together_looks_at_each_device_once_and_searches_once_a_tree() {
        let mut ledger = Ledger::new(host_of_pfs(&[64; 64]));
        booked(&mut ledger, "a", &pfs_and_vfs(32, 32 * 64));
        assert_eq!(ledger.steps(), 64 * 65 + 65);
        ledger.unbook(&id("a"));
        refused(&mut ledger, &pfs_and_vfs(32, 32 * 64 + 1));
        assert!(ledger.steps() < 100, "{}", ledger.steps());
    }

    #[test]
    fn pfs_and_vfs_are_counted_together() {
        let mut ledger = Ledger::new(host_of_pfs(&[2, 2, 2, 2]));
        assert_eq!(ledger.count(&pfs_and_vfs(1, 1), 10), Ok(2));
        assert_eq!(ledger.count(&pfs_and_vfs(0, 3), 10), Ok(2));
        assert_eq!(ledger.count(&pfs_and_vfs(1, 0), 3), Ok(3));
    }

    #[test]
    fn an_unknown_product_is_told_with_what_there_is() {
        let mut ledger = Ledger::new(host_of_pfs(&[1]));
        let other = crate::pci::Product::parse("10de", "2230").unwrap();
        let misfit =
            refused(&mut ledger, &Request::default().with_devices(other, 2)).reasons.remove(0);
        assert_eq!(misfit.code, MisfitCode::UnknownDevice);
        assert_eq!(
            misfit.message,
            "asked for 2 devices 10de:2230; this host offers 8086:1592, 8086:1889"
        );
    }
}
