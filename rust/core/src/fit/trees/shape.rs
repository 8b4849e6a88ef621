//! Trees that are alike, and what they can supply together.

use std::collections::BTreeMap;

use crate::fit::trees::{PerRow, Question, Tree};

/// Trees that are alike.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) pf: PerRow,
    pub(super) vfs: PerRow,
    /// Which.
    trees: Vec<usize>,
    pub(super) size: u64,
}

pub(super) fn shapes_of(wanted: &[u64], trees: &[Tree]) -> Vec<Shape> {
    let mut alike: BTreeMap<(u64, PerRow, PerRow), Vec<usize>> = BTreeMap::new();
    for (number, tree) in trees.iter().enumerate() {
        let vfs = capped(wanted, tree.vfs.iter().copied());
        let loss = vfs.iter().copied().fold(0, u64::saturating_add);
        alike.entry((loss, tree.pf.clone(), vfs)).or_default().push(number);
    }
    let shape = |((_, pf, vfs), trees): ((u64, PerRow, PerRow), Vec<usize>)| Shape {
        pf,
        vfs,
        size: u64::try_from(trees.len()).unwrap_or(u64::MAX),
        trees,
    };
    alike.into_iter().map(shape).collect()
}

pub(super) fn by_tree(shapes: &[Shape], given: &[u64], trees: usize) -> Vec<bool> {
    let mut split = vec![false; trees];
    for (shape, pfs) in shapes.iter().zip(given) {
        for number in shape.trees.iter().take(usize::try_from(*pfs).unwrap_or(usize::MAX)) {
            if let Some(as_pf) = split.get_mut(*number) {
                *as_pf = true;
            }
        }
    }
    split
}

/// What the shapes from some position on can supply.
pub(super) struct Remaining {
    /// All of them as VFs.
    pub(super) as_vfs: PerRow,
    /// All of them as PFs.
    pub(super) as_pfs: PerRow,
    /// For each distinct row as one that lacks PFs, and for each row: (VFs lost by giving one PF, how many
    /// such PFs), ascending.
    losses: Vec<Vec<Vec<(u64, u64)>>>,
}

impl Remaining {
    pub(super) fn of(question: &Question<'_>, shapes: &[Shape]) -> Self {
        let rows = 0..question.wanted.len();
        let each = |count: &dyn Fn(usize) -> u64| rows.clone().map(count).collect();
        let lost = |pf: usize| rows.clone().map(|row| losses(shapes, pf, row)).collect();
        Self {
            as_vfs: each(&|row| sum(shapes.iter().map(|it| times(it.size, at(&it.vfs, row))))),
            as_pfs: each(&|row| sum(shapes.iter().map(|it| times(it.size, at(&it.pf, row))))),
            losses: (0..question.distinct).map(lost).collect(),
        }
    }

    /// The fewest devices of a row that are lost when `count` PFs are given to another.
    pub(super) fn least_loss(&self, pf: usize, row: usize, count: u64) -> u64 {
        let runs = self.losses.get(pf).and_then(|of_pf| of_pf.get(row));
        let (mut missing, mut lost) = (count, 0_u64);
        for (loss, size) in runs.into_iter().flatten() {
            let taken = missing.min(*size);
            lost = lost.saturating_add(times(taken, *loss));
            missing = missing.saturating_sub(taken);
        }
        lost
    }
}

fn losses(shapes: &[Shape], pf: usize, row: usize) -> Vec<(u64, u64)> {
    let of_pf = shapes.iter().filter(|shape| at(&shape.pf, pf) > 0);
    let mut runs: Vec<(u64, u64)> = of_pf.map(|it| (at(&it.vfs, row), it.size)).collect();
    runs.sort_unstable();
    runs
}

pub(super) fn capped(wanted: &[u64], counts: impl Iterator<Item = u64>) -> PerRow {
    wanted.iter().zip(counts).map(|(wanted, count)| count.min(*wanted)).collect()
}

pub(super) fn at(counts: &[u64], row: usize) -> u64 {
    counts.get(row).copied().unwrap_or(0)
}

pub(super) fn times(count: u64, each: u64) -> u64 {
    count.saturating_mul(each)
}

pub(super) fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}
