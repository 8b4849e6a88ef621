//! A host cell as a fit sees it: looked at once, whatever the number of guest cells.

use crate::topology::{CellHeld, HostCell};

/// A cell and the free cores in it.
#[derive(Clone, Debug)]
pub(super) struct View<'a> {
    pub(super) cell: &'a HostCell,
    pub(super) held: &'a CellHeld,
    /// Threads of its widest core.
    pub(super) widest: usize,
    pub(super) whole: Scope,
    /// One for each L3 cache.
    pub(super) l3_groups: Vec<Scope>,
}

/// Some cores in numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// Cores with at least so many free threads, by the number of threads.
    at_least: Vec<u64>,
    /// Free threads.
    pub(super) free: u64,
}

impl<'a> View<'a> {
    pub(super) fn of(cell: &'a HostCell, held: &'a CellHeld, with_l3: bool) -> Self {
        let widest = cell.widest();
        let groups = if with_l3 { cell.l3_groups() } else { &[] };
        let scope = |cores: &Vec<usize>| Scope::of(held, widest, cores.iter().copied());
        Self {
            cell,
            held,
            widest,
            whole: Scope::of(held, widest, 0..cell.core_count()),
            l3_groups: groups.iter().map(scope).collect(),
        }
    }
}

impl Scope {
    fn of(held: &CellHeld, widest: usize, cores: impl Iterator<Item = usize>) -> Self {
        let mut at_least = vec![0_u64; widest.saturating_add(1)];
        let mut free = 0_usize;
        for core in cores {
            let threads = held.free_of(core);
            free = free.saturating_add(threads);
            for count in at_least.iter_mut().take(threads.saturating_add(1)).skip(1) {
                *count = count.saturating_add(1);
            }
        }
        Self { at_least, free: u64::try_from(free).unwrap_or(u64::MAX) }
    }

    /// Nothing of it is to be had.
    pub(super) fn close(&mut self) {
        *self = Self::default();
    }

    /// Cores with at least so many free threads.
    pub(super) fn cores_with(&self, threads: usize) -> u64 {
        self.at_least.get(threads).copied().unwrap_or(0)
    }

    /// vCPUs that find a place when so many threads of a core are taken.
    pub(super) fn seats(&self, threads: usize) -> u64 {
        let threads_of_each = u64::try_from(threads).unwrap_or(u64::MAX);
        self.cores_with(threads).saturating_mul(threads_of_each)
    }
}
