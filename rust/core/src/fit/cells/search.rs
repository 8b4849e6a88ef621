//! The first assignment of guest cells to host cells under which the whole request fits.
//!
//! Guest cell by guest cell the first host cell that leaves an assignment for the rest. What else the
//! request needs (devices near the cells, ordinary memory) depends on the set of host cells and on how
//! much of the memory is ordinary, not on which guest cell is where: a set that failed is not tried
//! again. So at most the sets of up to k of n cells are looked at, each costs a step, and beyond the
//! bound of steps the answer is `undecided`.

use std::collections::BTreeMap;

use crate::fit::cells::board::Board;
use crate::fit::cells::matching::Matching;
use crate::fit::steps::Steps;
use crate::misfit::Undecided;

/// What a set of host cells must have beside room for the guest cells.
pub(super) trait Goal {
    /// Whether these cells and `left` more could ever do; true when it is not known.
    fn may_reach(&self, cells: &[usize], left: usize) -> bool;

    /// Whether the request fits on exactly these cells.
    fn accepts(&mut self, cells: &[usize], steps: &mut Steps) -> Result<bool, Undecided>;
}

/// A walk over assignments.
pub(super) struct Search<'a, G> {
    board: &'a Board<'a>,
    goal: &'a mut G,
    /// MiB of ordinary memory that the instance may have.
    budget_mib: u64,
    /// Sets that failed, with the least ordinary memory that they failed with.
    failed: BTreeMap<Vec<usize>, u64>,
    chosen: Vec<usize>,
}

impl<'a, G: Goal> Search<'a, G> {
    pub(super) fn new(board: &'a Board<'a>, goal: &'a mut G, budget_mib: u64) -> Self {
        Self { board, goal, budget_mib, failed: BTreeMap::new(), chosen: Vec::new() }
    }

    /// The host cell of each guest cell.
    pub(super) fn first(
        mut self,
        matching: &Matching,
        steps: &mut Steps,
    ) -> Result<Option<Vec<usize>>, Undecided> {
        let found = self.descend(matching, 0, steps)?;
        Ok(found.then_some(self.chosen))
    }

    fn descend(
        &mut self,
        matching: &Matching,
        ordinary_mib: u64,
        steps: &mut Steps,
    ) -> Result<bool, Undecided> {
        let guest = self.chosen.len();
        let left = self.board.guests().saturating_sub(guest);
        let mut set = self.chosen.clone();
        set.sort_unstable();
        if self.failed.get(&set).is_some_and(|least| *least <= ordinary_mib) {
            return Ok(false);
        }
        steps.search()?;
        let found = match left {
            0 => self.goal.accepts(&self.chosen, steps)?,
            _ if !self.goal.may_reach(&set, left) => false,
            _ => self.try_hosts(matching, guest, ordinary_mib, steps)?,
        };
        if !found {
            let least = self.failed.entry(set).or_insert(ordinary_mib);
            *least = ordinary_mib.min(*least);
        }
        Ok(found)
    }

    fn try_hosts(
        &mut self,
        matching: &Matching,
        guest: usize,
        ordinary_mib: u64,
        steps: &mut Steps,
    ) -> Result<bool, Undecided> {
        for host in 0..self.board.hosts() {
            let Some(pair) = self.board.pair(guest, host) else { continue };
            let ordinary_mib = ordinary_mib.saturating_add(pair.pages.ordinary_mib);
            if ordinary_mib > self.budget_mib {
                continue;
            }
            let mut next = matching.clone();
            if next.settle(self.board, guest, host, steps) {
                self.chosen.push(host);
                if self.descend(&next, ordinary_mib, steps)? {
                    return Ok(true);
                }
                self.chosen.pop();
            }
        }
        Ok(false)
    }
}
