//! Which PFs are given whole and which give up their VFs.
//!
//! A free PF and its VFs exclude each other, so a request for both must split the PFs. All VFs of a free
//! PF are free. The question is only how many PFs of each shape go which way: each row wants so many
//! devices, `singles` are those that bar nothing, and a tree supplies either its PF or its VFs. A row is a
//! set of wants that are counted together: one want, or several that starve together (see `supply`). Trees
//! of one shape are alike, and VFs beyond what a row wants count for nothing, so the shapes are few.
//!
//! The search gives PFs of the shapes that lose least first, and leaves a branch when for some row even
//! the cheapest way to supply the missing PFs leaves too few. With one product of VFs this bound is the
//! answer, so that nothing is tried in vain; with several the question is a knapsack and the search is
//! bounded by [`Steps`].

mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::fit::steps::Steps;
use crate::fit::trees::shape::{Remaining, Shape, at, by_tree, capped, shapes_of, sum, times};
use crate::misfit::Undecided;

/// A number for each row.
pub(super) type PerRow = Vec<u64>;

/// A free PF whose VFs are wanted too, or the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    /// 1 in each row that the PF can serve.
    pub(super) pf: PerRow,
    /// VFs that can serve each row.
    pub(super) vfs: PerRow,
}

/// For each tree whether its PF is given; none when no split supplies every row.
///
/// `distinct` rows are those of one want each: a PF serves one of them only.
pub(super) fn split(
    question: &Question<'_>,
    trees: &[Tree],
    steps: &mut Steps,
) -> Result<Option<Vec<bool>>, Undecided> {
    let shapes = shapes_of(question.wanted, trees);
    let mut search =
        Search { question, remaining: BTreeMap::new(), failed: BTreeSet::new(), steps };
    let supplied = capped(question.wanted, question.singles.iter().copied());
    let mut given = Vec::new();
    let found = search.try_from(&shapes, &supplied, &mut given)?;
    Ok(found.then(|| by_tree(&shapes, &given, trees.len())))
}

/// What every row wants and has without any tree.
pub(super) struct Question<'a> {
    pub(super) wanted: &'a [u64],
    pub(super) singles: &'a [u64],
    /// So many rows at the beginning are of one want each.
    pub(super) distinct: usize,
}

struct Search<'a> {
    question: &'a Question<'a>,
    /// By number of open shapes.
    remaining: BTreeMap<usize, Rc<Remaining>>,
    failed: BTreeSet<(usize, PerRow)>,
    steps: &'a mut Steps,
}

impl Search<'_> {
    /// Whether the open shapes can bring `supplied` up to what is wanted; `given` says how.
    fn try_from(
        &mut self,
        open: &[Shape],
        supplied: &[u64],
        given: &mut Vec<u64>,
    ) -> Result<bool, Undecided> {
        self.steps.search()?;
        let remaining = self.remaining_of(open);
        let missing = self.missing(&remaining, supplied);
        if missing.iter().all(|missing| *missing == 0) {
            return Ok(true);
        }
        let (Some((shape, rest)), true) =
            (open.split_first(), self.is_possible(&remaining, supplied, &missing))
        else {
            return Ok(false);
        };
        let state = (open.len(), supplied.to_vec());
        if self.failed.contains(&state) {
            return Ok(false);
        }
        for pfs in self.splits(shape, &remaining, &missing) {
            given.push(pfs);
            if self.try_from(rest, &self.after(shape, supplied, pfs), given)? {
                return Ok(true);
            }
            given.pop();
        }
        self.failed.insert(state);
        Ok(false)
    }

    fn remaining_of(&mut self, open: &[Shape]) -> Rc<Remaining> {
        let question = self.question;
        let remaining = self.remaining.entry(open.len());
        Rc::clone(remaining.or_insert_with(|| Rc::new(Remaining::of(question, open))))
    }

    /// How many each row lacks when every open tree gives its VFs: only PFs can help.
    fn missing(&self, remaining: &Remaining, supplied: &[u64]) -> PerRow {
        let reached = supplied.iter().zip(&remaining.as_vfs).map(|(a, b)| a.saturating_add(*b));
        let wanted = self.question.wanted.iter();
        wanted.zip(reached).map(|(wanted, it)| wanted.saturating_sub(it)).collect()
    }

    fn is_possible(&self, remaining: &Remaining, supplied: &[u64], missing: &[u64]) -> bool {
        let lacking = missing.iter().copied().enumerate().take(self.question.distinct);
        self.question.wanted.iter().enumerate().all(|(row, wanted)| {
            let lost = sum(lacking.clone().map(|(pf, count)| remaining.least_loss(pf, row, count)));
            let kept = at(&remaining.as_vfs, row).saturating_sub(lost);
            let most = sum([at(supplied, row), kept, at(&remaining.as_pfs, row)].into_iter());
            most >= *wanted && at(missing, row) <= at(&remaining.as_pfs, row)
        })
    }

    /// How many trees to give as PFs: as many as are missing first, then fewer. More can only help where
    /// VFs serve a row of the PF too.
    fn splits(
        &self,
        shape: &Shape,
        remaining: &Remaining,
        missing: &[u64],
    ) -> impl Iterator<Item = u64> + use<> {
        let rows = || (0..self.question.wanted.len()).filter(|row| at(&shape.pf, *row) > 0);
        let lacking = rows().map(|row| at(missing, row)).max().unwrap_or(0).min(shape.size);
        let more = rows().any(|row| at(&remaining.as_vfs, row) > 0);
        let most = if more { shape.size } else { 0 };
        (0..=lacking).rev().chain(lacking.saturating_add(1)..=most)
    }

    fn after(&self, shape: &Shape, supplied: &[u64], pfs: u64) -> PerRow {
        let whole = shape.size.saturating_sub(pfs);
        let gained = shape.vfs.iter().zip(&shape.pf);
        let gained = gained.map(|(vfs, pf)| times(whole, *vfs).saturating_add(times(pfs, *pf)));
        let sums = supplied.iter().zip(gained).map(|(before, more)| before.saturating_add(more));
        capped(self.question.wanted, sums)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "a test may panic")]

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Question, Tree, split};
    use crate::fit::steps::{MAX_STEPS, Steps};
    use crate::misfit::Undecided;

    fn tree(pf: usize, vfs: &[u64]) -> Tree {
        let pf = (0..vfs.len()).map(|row| u64::from(row == pf)).collect();
        Tree { pf, vfs: vfs.to_vec() }
    }

    fn can_supply(
        wanted: &[u64],
        singles: &[u64],
        trees: &[Tree],
        steps: &mut Steps,
    ) -> Result<bool, Undecided> {
        let question = Question { wanted, singles, distinct: wanted.len() };
        Ok(split(&question, trees, steps)?.is_some())
    }

    /// By trying every way to split the trees.
    fn obviously(wanted: &[u64], singles: &[u64], trees: &[Tree]) -> bool {
        let supplies = |mask: u32, product: usize| {
            let of_tree = |(bit, tree): (usize, &Tree)| match mask >> bit & 1 {
                1 => tree.pf[product],
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
            let tree = (0..products, vec(0_u64..5, products)).prop_map(|(pf, vfs)| tree(pf, &vfs));
            (vec(0_u64..9, products), vec(0_u64..3, products), vec(tree, 0..9))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_search_is_exact((wanted, singles, trees) in any_question()) {
            let found = can_supply(&wanted, &singles, &trees, &mut Steps::default());
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
            assert_eq!(can_supply(&[100, vfs], &[0, 0], &trees, &mut steps), Ok(expected));
            assert!(steps.taken() <= most, "{} steps for {vfs} VFs", steps.taken());
        }
    }

    #[test]
    fn trees_of_one_shape_cost_one_step() {
        let trees = vec![tree(0, &[0, 64]); 4096];
        let mut steps = Steps::default();
        assert_eq!(can_supply(&[4000, 6144], &[0, 0], &trees, &mut steps), Ok(true));
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
        let spent = can_supply(&[20, first, second], &[0; 3], &trees, &mut steps).unwrap_err();
        assert_eq!((spent.steps, spent.limit), (MAX_STEPS, MAX_STEPS));
    }

    #[test]
    fn absurd_counts_do_not_overflow() {
        let trees = vec![tree(0, &[0, u64::MAX]); 3];
        let wanted = [u64::MAX, u64::MAX];
        let found = can_supply(&wanted, &[u64::MAX, u64::MAX], &trees, &mut Steps::default());
        assert_eq!(found, Ok(true));
        assert_eq!(can_supply(&wanted, &[0, 0], &trees, &mut Steps::default()), Ok(false));
    }
}
