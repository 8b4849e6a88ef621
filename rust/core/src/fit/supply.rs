//! Whether everything that is still wanted can be had together.

use std::collections::BTreeMap;

use crate::fit::flow::{Mask, bit, starving, wants_in};
use crate::fit::steps::Steps;
use crate::fit::trees::{self, PerRow, Question};
use crate::misfit::Undecided;

/// What there is: for each set of wants how many devices serve exactly these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Supply {
    pub(super) singles: BTreeMap<Mask, u64>,
    pub(super) trees: Vec<Tree>,
}

/// A PF that bars its VFs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) pf: Mask,
    pub(super) vfs: BTreeMap<Mask, u64>,
}

impl Tree {
    pub(super) fn of(pf: Mask) -> Self {
        Self { pf, vfs: BTreeMap::new() }
    }

    pub(super) fn add_vfs(&mut self, mask: Mask, count: u64) {
        let sum = self.vfs.entry(mask).or_default();
        *sum = sum.saturating_add(count);
    }
}

impl Supply {
    /// Exact, or undecided at the bound of `steps`.
    ///
    /// Trees are split so that each row has enough; then the devices are shared out. Whoever starves then
    /// becomes a row of its own and the trees are split again: by Hall's theorem a split that satisfies
    /// every row that ever starves serves everybody, and the rows are finitely many.
    pub(super) fn serves(&self, wanted: &[u64], steps: &mut Steps) -> Result<bool, Undecided> {
        steps.search()?;
        let served = self.singles_and(wanted, &vec![false; self.trees.len()]).is_none();
        if served || self.trees.is_empty() {
            return Ok(served);
        }
        let mut rows: Vec<Mask> = (0..wanted.len()).map(bit).collect();
        loop {
            let Some(split) = self.split(wanted, &rows, steps)? else { return Ok(false) };
            let Some(starving) = self.singles_and(wanted, &split) else { return Ok(true) };
            rows.push(starving);
        }
    }

    fn singles_and(&self, wanted: &[u64], split: &[bool]) -> Option<Mask> {
        let mut supply = self.singles.clone();
        for (tree, as_pf) in self.trees.iter().zip(split) {
            let given = if *as_pf { &BTreeMap::from([(tree.pf, 1)]) } else { &tree.vfs };
            for (mask, count) in given {
                let sum = supply.entry(*mask).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        starving(wanted, &supply)
    }

    fn split(
        &self,
        wanted: &[u64],
        rows: &[Mask],
        steps: &mut Steps,
    ) -> Result<Option<Vec<bool>>, Undecided> {
        let per_row = |supply: &BTreeMap<Mask, u64>| -> PerRow {
            rows.iter().map(|row| serving(supply, *row)).collect()
        };
        let trees: Vec<trees::Tree> = self
            .trees
            .iter()
            .map(|tree| trees::Tree {
                pf: rows.iter().map(|row| u64::from(row & tree.pf != 0)).collect(),
                vfs: per_row(&tree.vfs),
            })
            .collect();
        let of_row = |row: &Mask| {
            let asked = wants_in(*row).filter_map(|want| wanted.get(want).copied());
            asked.fold(0, u64::saturating_add)
        };
        let wanted_by_row: PerRow = rows.iter().map(of_row).collect();
        let singles = per_row(&self.singles);
        let distinct = wanted.len();
        trees::split(
            &Question { wanted: &wanted_by_row, singles: &singles, distinct },
            &trees,
            steps,
        )
    }
}

/// How many devices serve one of these wants or more.
fn serving(supply: &BTreeMap<Mask, u64>, row: Mask) -> u64 {
    let counts = supply.iter().filter(|(mask, _)| *mask & row != 0).map(|(_, count)| *count);
    counts.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::{Supply, Tree};
    use crate::fit::steps::Steps;

    fn any_supply(wants: u32) -> impl Strategy<Value = Supply> {
        let masks = || 0_u128..1 << wants;
        let tree = (masks(), btree_map(masks(), 0_u64..4, 0..3));
        let trees = vec(tree.prop_map(|(pf, vfs)| Tree { pf, vfs }), 0..7);
        (btree_map(masks(), 0_u64..4, 0..4), trees)
            .prop_map(|(singles, trees)| Supply { singles, trees })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_answer_is_that_of_trying_every_split(
            (wanted, supply) in (1_u32..5).prop_flat_map(|wants| {
                (vec(0_u64..6, wants as usize), any_supply(wants))
            }),
        ) {
            let splits = (0..1_u32 << supply.trees.len()).map(|set| {
                (0..supply.trees.len()).map(|tree| set >> tree & 1 == 1).collect::<Vec<bool>>()
            });
            let served = splits.into_iter().any(|it| supply.singles_and(&wanted, &it).is_none());
            prop_assert_eq!(supply.serves(&wanted, &mut Steps::default()), Ok(served));
        }
    }

    /// Eight kinds of one device each; the request for kind n takes any of the kinds up to n, so that
    /// whoever takes the first it meets starves a later one.
    #[test]
    fn the_eight_by_eight_trap_takes_one_step() {
        let singles = (0..8).map(|kind| (0xff_u128 >> kind << kind, 1)).collect();
        let supply = Supply { singles, trees: Vec::new() };
        let mut steps = Steps::default();
        assert_eq!(supply.serves(&[1; 8], &mut steps), Ok(true));
        assert_eq!(supply.serves(&[1, 1, 1, 2, 1, 1, 1, 1], &mut steps), Ok(false));
        assert_eq!(steps.taken(), 2);
    }
}
