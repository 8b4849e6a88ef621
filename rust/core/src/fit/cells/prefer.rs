//! Host cells that go well together: close to each other, or on different sockets.

use crate::fit::cells::board::Board;
use crate::fit::cells::matching::Matching;
use crate::fit::cells::search::{Goal, Search};
use crate::fit::steps::Steps;
use crate::misfit::Undecided;
use crate::topology::{CellPreference, HostCell};

/// What it costs that an instance is on both of two cells.
pub(super) type Cost = fn(&HostCell, &HostCell) -> u64;

/// Sets that are looked at for a better one; beyond it the best so far is taken.
const MAX_SETS: u64 = 4_000;

pub(super) fn cost_of(preference: CellPreference) -> Option<Cost> {
    match preference {
        CellPreference::Closest => {
            Some(|one, other| one.distance_to(other.id).saturating_add(other.distance_to(one.id)))
        }
        CellPreference::SpreadSockets => {
            Some(|one, other| u64::from(one.socket.is_some() && one.socket == other.socket))
        }
        CellPreference::Pack | CellPreference::Spread => None,
    }
}

/// The assignment whose cells cost least together; of equals the first in the host's order.
///
/// Branch and bound over sets of cells, begun with the best of the sets that grow greedily from each
/// cell. The least cost is found where [`MAX_SETS`] sets are enough, else a cost that is no worse than
/// the greedy one.
pub(super) fn best<G: Goal>(
    board: &Board<'_>,
    goal: &mut G,
    budget_mib: u64,
    cost: Cost,
    matching: &Matching,
    steps: &mut Steps,
) -> Result<Option<Vec<usize>>, Undecided> {
    let first = Search::new(board, goal, budget_mib).first(matching, steps)?;
    let Some(first) = first else { return Ok(None) };
    let candidates: Vec<usize> = board.candidates().collect();
    let mut best =
        Best { board, goal, budget_mib, cost, candidates, limit: 0, sets: 0, found: first };
    best.limit = best.total(&best.found);
    for start in best.candidates.clone() {
        let greedy = best.grown_from(start);
        best.offer(&greedy, steps);
    }
    best.descend(&mut Vec::new(), 0, 0, steps);
    let found = best.found;
    goal.accepts(&found, steps)?;
    Ok(Some(found))
}

struct Best<'a, G> {
    board: &'a Board<'a>,
    goal: &'a mut G,
    budget_mib: u64,
    cost: Cost,
    candidates: Vec<usize>,
    /// Cost of the best so far.
    limit: u64,
    sets: u64,
    found: Vec<usize>,
}

impl<G: Goal> Best<'_, G> {
    fn between(&self, one: usize, other: usize) -> u64 {
        let cells = self.board.views.get(one).zip(self.board.views.get(other));
        cells.map_or(0, |(one, other)| (self.cost)(one.cell, other.cell))
    }

    fn added(&self, set: &[usize], host: usize) -> u64 {
        set.iter().map(|one| self.between(*one, host)).fold(0, u64::saturating_add)
    }

    fn total(&self, set: &[usize]) -> u64 {
        let before = |number: usize| set.get(..number).unwrap_or_default();
        let costs = set.iter().enumerate().map(|(number, host)| self.added(before(number), *host));
        costs.fold(0, u64::saturating_add)
    }

    /// The cheapest next cell, again and again.
    fn grown_from(&self, start: usize) -> Vec<usize> {
        let mut set = vec![start];
        while set.len() < self.board.guests() {
            let rest = self.candidates.iter().copied().filter(|host| !set.contains(host));
            let Some(next) = rest.min_by_key(|host| (self.added(&set, *host), *host)) else {
                break;
            };
            set.push(next);
        }
        set.sort_unstable();
        set
    }

    /// Take this set if it is cheaper and the request fits on it, as far as can be told.
    fn offer(&mut self, set: &[usize], steps: &mut Steps) {
        let total = self.total(set);
        if set.len() < self.board.guests() || total >= self.limit {
            return;
        }
        let only = self.board.only_on(set);
        let Ok(matching) = Matching::full(&only, steps) else { return };
        let search = Search::new(&only, self.goal, self.budget_mib);
        if let Ok(Some(hosts)) = search.first(&matching, steps) {
            self.limit = total;
            self.found = hosts;
        }
    }

    fn descend(&mut self, set: &mut Vec<usize>, from: usize, spent: u64, steps: &mut Steps) {
        self.sets = self.sets.saturating_add(1);
        if spent >= self.limit || self.sets > MAX_SETS {
            return;
        }
        if set.len() == self.board.guests() {
            self.offer(set, steps);
            return;
        }
        for at in from..self.candidates.len() {
            let Some(host) = self.candidates.get(at).copied() else { break };
            let spent = spent.saturating_add(self.added(set, host));
            set.push(host);
            self.descend(set, at.saturating_add(1), spent, steps);
            set.pop();
        }
    }
}
