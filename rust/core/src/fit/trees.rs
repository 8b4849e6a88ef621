//! Which PFs are given whole and which give up their VFs.
//!
//! A free PF and its VFs exclude each other, so a request for both must split the PFs. All VFs of a free
//! PF are free. The question is only how many PFs of each shape go which way: with `wanted[p]` devices
//! of product p, `singles[p]` devices that bar nothing, and trees that supply either one device of
//! their PF's product or `vfs[p]` of each, is there a split that supplies everything? Trees of one shape
//! are alike, and `vfs[p]` beyond `wanted[p]` counts for nothing, so the shapes are few.
//!
//! The search gives PFs of the shapes that lose least first, and leaves a branch when for some product
//! even the cheapest way to supply the missing PFs leaves too few. With one product of VFs this bound
//! is the answer, so that nothing is tried in vain; with several the question is a knapsack and the search
//! is bounded by [`Steps`].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::fit::steps::Steps;
use crate::misfit::Undecided;

/// A number for each product that is wanted, in the order of products.
pub(super) type PerProduct = Vec<u64>;

/// A free PF whose VFs are wanted too, or the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    /// Index of the PF's product.
    pub(super) pf: usize,
    /// VFs of each product.
    pub(super) vfs: PerProduct,
}

/// Whether some split of the trees supplies everything that is wanted.
pub(super) fn can_supply<'a>(
    wanted: &[u64],
    singles: &[u64],
    trees: impl Iterator<Item = &'a Tree>,
    steps: &mut Steps,
) -> Result<bool, Undecided> {
    let shapes = shapes_of(wanted, trees);
    let mut search = Search { wanted, remaining: BTreeMap::new(), failed: BTreeSet::new(), steps };
    let supplied = capped(wanted, singles.iter().copied());
    search.try_from(&shapes, &supplied)
}

/// Trees that are alike.
#[derive(Clone, Debug)]
struct Shape {
    pf: usize,
    vfs: PerProduct,
    size: u64,
}

fn shapes_of<'a>(wanted: &[u64], trees: impl Iterator<Item = &'a Tree>) -> Vec<Shape> {
    let mut sizes: BTreeMap<(u64, usize, PerProduct), u64> = BTreeMap::new();
    for tree in trees {
        let vfs = capped(wanted, tree.vfs.iter().copied());
        let loss = vfs.iter().copied().fold(0, u64::saturating_add);
        let size = sizes.entry((loss, tree.pf, vfs)).or_default();
        *size = size.saturating_add(1);
    }
    sizes.into_iter().map(|((_, pf, vfs), size)| Shape { pf, vfs, size }).collect()
}

/// What the shapes from some position on can supply.
struct Remaining {
    /// All of them as VFs.
    as_vfs: PerProduct,
    /// All of them as PFs.
    as_pfs: PerProduct,
    /// For each PF product and each product: (VFs lost by giving one PF, how many such PFs), ascending.
    losses: BTreeMap<usize, Vec<Vec<(u64, u64)>>>,
}

impl Remaining {
    fn of(wanted: &[u64], shapes: &[Shape]) -> Self {
        let products = 0..wanted.len();
        let pfs: BTreeSet<usize> = shapes.iter().map(|shape| shape.pf).collect();
        let each = |count: &dyn Fn(usize) -> u64| products.clone().map(count).collect();
        Self {
            as_vfs: each(&|product| {
                sum(shapes.iter().map(|it| times(it.size, at(&it.vfs, product))))
            }),
            as_pfs: each(&|product| {
                sum(shapes.iter().filter(|it| it.pf == product).map(|it| it.size))
            }),
            losses: pfs
                .into_iter()
                .map(|pf| (pf, products.clone().map(|it| losses(shapes, pf, it)).collect()))
                .collect(),
        }
    }

    /// The fewest VFs of a product that are lost when `count` PFs of another are given.
    fn least_loss(&self, pf: usize, product: usize, count: u64) -> u64 {
        let runs = self.losses.get(&pf).and_then(|row| row.get(product));
        let (mut missing, mut lost) = (count, 0_u64);
        for (loss, size) in runs.into_iter().flatten() {
            let taken = missing.min(*size);
            lost = lost.saturating_add(times(taken, *loss));
            missing = missing.saturating_sub(taken);
        }
        lost
    }
}

fn losses(shapes: &[Shape], pf: usize, product: usize) -> Vec<(u64, u64)> {
    let of_pf = shapes.iter().filter(|shape| shape.pf == pf);
    let mut runs: Vec<(u64, u64)> = of_pf.map(|it| (at(&it.vfs, product), it.size)).collect();
    runs.sort_unstable();
    runs
}

struct Search<'a> {
    wanted: &'a [u64],
    /// By number of open shapes.
    remaining: BTreeMap<usize, Rc<Remaining>>,
    failed: BTreeSet<(usize, PerProduct)>,
    steps: &'a mut Steps,
}

impl Search<'_> {
    /// Whether the open shapes can bring `supplied` up to what is wanted.
    fn try_from(&mut self, open: &[Shape], supplied: &[u64]) -> Result<bool, Undecided> {
        self.steps.search()?;
        let remaining = self.remaining_of(open);
        let missing_pfs = self.missing_pfs(&remaining, supplied);
        if missing_pfs.iter().all(|missing| *missing == 0) {
            return Ok(true);
        }
        let (Some((shape, rest)), true) =
            (open.split_first(), self.is_possible(&remaining, supplied, &missing_pfs))
        else {
            return Ok(false);
        };
        let state = (open.len(), supplied.to_vec());
        if self.failed.contains(&state) {
            return Ok(false);
        }
        let most = if at(&remaining.as_vfs, shape.pf) > 0 { shape.size } else { 0 };
        for pfs in splits(shape.size.min(at(&missing_pfs, shape.pf)), most) {
            if self.try_from(rest, &self.after(shape, supplied, pfs))? {
                return Ok(true);
            }
        }
        self.failed.insert(state);
        Ok(false)
    }

    fn remaining_of(&mut self, open: &[Shape]) -> Rc<Remaining> {
        let wanted = self.wanted;
        let remaining = self.remaining.entry(open.len());
        Rc::clone(remaining.or_insert_with(|| Rc::new(Remaining::of(wanted, open))))
    }

    /// How many of each product are missing when every open tree gives its VFs: only PFs can help.
    fn missing_pfs(&self, remaining: &Remaining, supplied: &[u64]) -> PerProduct {
        let reached = supplied.iter().zip(&remaining.as_vfs).map(|(a, b)| a.saturating_add(*b));
        self.wanted.iter().zip(reached).map(|(wanted, it)| wanted.saturating_sub(it)).collect()
    }

    fn is_possible(&self, remaining: &Remaining, supplied: &[u64], missing_pfs: &[u64]) -> bool {
        self.wanted.iter().enumerate().all(|(product, wanted)| {
            let lost = sum(missing_pfs
                .iter()
                .enumerate()
                .map(|(pf, count)| remaining.least_loss(pf, product, *count)));
            let kept = at(&remaining.as_vfs, product).saturating_sub(lost);
            let most =
                sum([at(supplied, product), kept, at(&remaining.as_pfs, product)].into_iter());
            most >= *wanted && at(missing_pfs, product) <= at(&remaining.as_pfs, product)
        })
    }

    fn after(&self, shape: &Shape, supplied: &[u64], pfs: u64) -> PerProduct {
        let whole = shape.size.saturating_sub(pfs);
        let gained = shape.vfs.iter().enumerate().map(|(product, vfs)| {
            let as_pfs = if product == shape.pf { pfs } else { 0 };
            times(whole, *vfs).saturating_add(as_pfs)
        });
        let sums = supplied.iter().zip(gained).map(|(before, more)| before.saturating_add(more));
        capped(self.wanted, sums)
    }
}

/// How many trees to give as PFs: as many as are missing first, then fewer. More can only help where VFs
/// supply the PF's product too.
fn splits(missing: u64, most: u64) -> impl Iterator<Item = u64> {
    (0..=missing).rev().chain(missing.saturating_add(1)..=most)
}

fn capped(wanted: &[u64], counts: impl Iterator<Item = u64>) -> PerProduct {
    wanted.iter().zip(counts).map(|(wanted, count)| count.min(*wanted)).collect()
}

fn at(counts: &[u64], product: usize) -> u64 {
    counts.get(product).copied().unwrap_or(0)
}

fn times(count: u64, each: u64) -> u64 {
    count.saturating_mul(each)
}

fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "a test may panic")]

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Tree, can_supply};
    use crate::fit::steps::{MAX_STEPS, Steps};

    fn tree(pf: usize, vfs: &[u64]) -> Tree {
        Tree { pf, vfs: vfs.to_vec() }
    }

    /// By trying every way to split the trees.
    fn obviously(wanted: &[u64], singles: &[u64], trees: &[Tree]) -> bool {
        let supplies = |mask: u32, product: usize| {
            let of_tree = |(bit, tree): (usize, &Tree)| match mask >> bit & 1 {
                1 => u64::from(tree.pf == product),
                _ => tree.vfs[product],
            };
            singles[product] + trees.iter().enumerate().map(of_tree).sum::<u64>()
        };
        let all =
            |mask| (0..wanted.len()).all(|product| supplies(mask, product) >= wanted[product]);
        (0..1_u32 << trees.len()).any(all)
    }

    fn any_question() -> impl Strategy<Value = (Vec<u64>, Vec<u64>, Vec<Tree>)> {
        (1_usize..5).prop_flat_map(|products| {
            let tree =
                (0..products, vec(0_u64..5, products)).prop_map(|(pf, vfs)| Tree { pf, vfs });
            (vec(0_u64..9, products), vec(0_u64..3, products), vec(tree, 0..9))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_search_is_exact((wanted, singles, trees) in any_question()) {
            let found = can_supply(&wanted, &singles, trees.iter(), &mut Steps::default());
            prop_assert_eq!(found, Ok(obviously(&wanted, &singles, &trees)));
        }
    }

    /// PFs of product 0 whose VFs, of product 1, are 1, 2, 3, ... each.
    fn staircase(count: u64) -> Vec<Tree> {
        (1..=count).map(|vfs| tree(0, &[0, vfs])).collect()
    }

    #[test]
    fn one_product_of_vfs_is_decided_without_backtracking() {
        let trees = staircase(500);
        let kept: u64 = (101..=500).sum();
        for (vfs, expected, most) in [(kept, true, 101), (kept + 1, false, 1)] {
            let mut steps = Steps::default();
            assert_eq!(can_supply(&[100, vfs], &[0, 0], trees.iter(), &mut steps), Ok(expected));
            assert!(steps.taken() <= most, "{} steps for {vfs} VFs", steps.taken());
        }
    }

    #[test]
    fn trees_of_one_shape_cost_one_step() {
        let trees = vec![tree(0, &[0, 64]); 4096];
        let mut steps = Steps::default();
        assert_eq!(can_supply(&[4000, 6144], &[0, 0], trees.iter(), &mut steps), Ok(true));
        assert_eq!(steps.taken(), 2);
    }

    /// Each PF loses `10 + a` of one and `30 - a` of another product: both losses are bounded, so the sum
    /// over the PFs that are given must be met exactly.
    fn knapsack(count: u64, step: u64) -> Vec<Tree> {
        let loss = |number: u64| 2 * (number * number * step % 499);
        (1..=count).map(|it| tree(0, &[0, loss(it), 1000 - loss(it)])).collect()
    }

    #[test]
    fn a_question_beyond_the_bound_is_undecided_and_says_how_far_it_went() {
        let trees = knapsack(40, 37);
        let all = |product: usize| trees.iter().map(|tree| tree.vfs[product]).sum::<u64>();
        // Odd, while every loss is even.
        let (first, second) = (all(1) - 9_001, all(2) - (20_000 - 9_001));
        let mut steps = Steps::default();
        let spent =
            can_supply(&[20, first, second], &[0; 3], trees.iter(), &mut steps).unwrap_err();
        assert_eq!((spent.steps, spent.limit), (MAX_STEPS, MAX_STEPS));
    }

    #[test]
    fn absurd_counts_do_not_overflow() {
        let trees = vec![tree(0, &[0, u64::MAX]); 3];
        let wanted = [u64::MAX, u64::MAX];
        let found = can_supply(&wanted, &[u64::MAX, u64::MAX], trees.iter(), &mut Steps::default());
        assert_eq!(found, Ok(true));
        assert_eq!(can_supply(&wanted, &[0, 0], trees.iter(), &mut Steps::default()), Ok(false));
    }
}
