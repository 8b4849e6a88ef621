//! The first assignment of guest cells to host cells under which the whole request fits.
//!
//! Guest cell by guest cell the first host cell that leaves an assignment for the rest. What else the
//! request needs (devices and networks near the cells, ordinary memory) depends on the set of host cells
//! and on how much of the memory is ordinary, not on which guest cell is where: a set that failed is not
//! tried again.
//!
//! The bound. As long as no set has failed every step forward is final: k guest cells on n host cells end
//! after k steps. CPUs, pages and memory of single cells are told before the search begins, and too little
//! ordinary memory of the host as a whole mostly at its first step: only where guest cells compete both for
//! hugepages and for cells may sets fail because of it. What is left are devices and networks. To choose
//! cells that have some of each is to cover a set, for which nobody knows a quick way; so sets of up to k
//! of n cells may be tried. From the first that fails every cell that is tried costs a step, and looking at
//! devices a step for every four pools. Beyond [`MAX_STEPS`](crate::fit::MAX_STEPS), some milliseconds, the
//! answer is `undecided`. Guest cells that ask for the same take host cells in order, so that no set is
//! tried in several ways, and a set whose cells and the best of the others lack devices is not begun.

use std::cmp::Reverse;
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
    /// Where ordinary memory may be too little: the board with no room but on hugepages.
    huge: Option<Board<'a>>,
    /// Sets that failed, with the least ordinary memory that they failed with.
    failed: BTreeMap<Vec<usize>, u64>,
    chosen: Vec<usize>,
}

impl<'a, G: Goal> Search<'a, G> {
    pub(super) fn new(board: &'a Board<'a>, goal: &'a mut G, budget_mib: u64) -> Self {
        let most = (0..board.guests()).map(|guest| board.most_ordinary_mib(guest));
        let may_lack = most.fold(0, u64::saturating_add) > budget_mib;
        let huge = may_lack.then(|| board.only_on_hugepages());
        Self { board, goal, budget_mib, huge, failed: BTreeMap::new(), chosen: Vec::new() }
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
            _ if self.lacks_memory(matching, ordinary_mib, steps) => false,
            _ if !self.goal.may_reach(&set, left) => false,
            _ => self.try_hosts(matching, guest, ordinary_mib, steps)?,
        };
        if !found {
            let least = self.failed.entry(set).or_insert(ordinary_mib);
            *least = ordinary_mib.min(*least);
        }
        Ok(found)
    }

    /// Whether the rest needs too much ordinary memory, however it is assigned: those without a place on
    /// hugepages, when the largest go there first.
    fn lacks_memory(&self, matching: &Matching, ordinary_mib: u64, steps: &mut Steps) -> bool {
        let Some(huge) = &self.huge else { return false };
        let memory_of = |guest: &usize| self.board.ask.guests.get(*guest).map(|it| it.memory_mib);
        let mut rest: Vec<usize> = (self.chosen.len()..self.board.guests()).collect();
        rest.sort_by_key(|guest| Reverse(memory_of(guest)));
        let left_out = matching.left_out(huge, &rest, steps);
        let least = left_out.iter().filter_map(memory_of).fold(0, u64::saturating_add);
        ordinary_mib.saturating_add(least) > self.budget_mib
    }

    fn try_hosts(
        &mut self,
        matching: &Matching,
        guest: usize,
        ordinary_mib: u64,
        steps: &mut Steps,
    ) -> Result<bool, Undecided> {
        for host in self.first_host(guest)..self.board.hosts() {
            let Some(pair) = self.board.pair(guest, host) else { continue };
            let ordinary_mib = ordinary_mib.saturating_add(pair.pages.ordinary_mib);
            if ordinary_mib > self.budget_mib {
                continue;
            }
            if !self.failed.is_empty() {
                steps.search()?;
            }
            if let Some(next) = matching.settled_on(self.board, guest, host, steps) {
                self.chosen.push(host);
                if self.descend(&next, ordinary_mib, steps)? {
                    return Ok(true);
                }
                self.chosen.pop();
            }
        }
        Ok(false)
    }

    /// After those of the guest cells before it that ask for the same: to exchange two of them changes
    /// nothing, and the first assignment has them in order.
    fn first_host(&self, guest: usize) -> usize {
        let chosen = self.chosen.iter().enumerate().rev();
        let mut alike = chosen.filter(|(before, _)| self.board.alike(*before, guest));
        alike.next().map_or(0, |(_, host)| host.saturating_add(1))
    }
}
