//! Host cells that go well together: close to each other, or on different sockets.

use crate::fit::cells::board::Board;
use crate::fit::cells::matching::Matching;
use crate::fit::cells::search::{Goal, Search};
use crate::fit::cells::together::{Cost, Costs};
use crate::fit::steps::Steps;
use crate::misfit::Undecided;
use crate::topology::CellPreference;

/// Steps that are spent to find something better; beyond it the best so far is taken.
const MAX_STEPS: u64 = 4_000;
/// Greedy sets that are tried.
const MAX_OFFERS: usize = 16;

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
/// Begun with the cheapest of the sets that grow greedily from each cell; then whatever is cheaper is
/// searched for, until there is nothing. Where [`MAX_STEPS`] are too few for that, the cost is no more
/// than the greedy one, and no more than that of the first assignment.
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
    let costs = Costs::of(board, cost);
    let limit = costs.total(&first);
    let mut best = Best { board, goal, budget_mib, costs, limit, found: first };
    let mut bound = Steps::within(MAX_STEPS);
    best.grow_greedily(&mut bound);
    best.descend(matching, &mut bound);
    let found = best.found;
    steps.add(&bound);
    *steps = steps.renewed();
    goal.accepts(&found, steps)?;
    Ok(Some(found))
}

struct Best<'a, G> {
    board: &'a Board<'a>,
    goal: &'a mut G,
    budget_mib: u64,
    costs: Costs,
    /// Cost of the best so far.
    limit: u64,
    found: Vec<usize>,
}

/// A goal that is only reached by cells that cost no more than so much together.
struct Cheap<'a, G> {
    goal: &'a mut G,
    costs: &'a Costs,
    limit: u64,
}

impl<G: Goal> Best<'_, G> {
    /// The cheapest set that grows from some cell and on which the request fits, if it is cheaper.
    fn grow_greedily(&mut self, steps: &mut Steps) {
        let grown = self.costs.grown(self.board.guests());
        let cheaper = grown.into_iter().filter(|(total, _)| *total < self.limit);
        for (total, set) in cheaper.take(MAX_OFFERS).collect::<Vec<_>>() {
            let only = self.board.only_on(&set);
            let Ok(matching) = Matching::full(&only, steps) else { continue };
            let search = Search::new(&only, self.goal, self.budget_mib);
            if let Ok(Some(hosts)) = search.first(&matching, steps) {
                (self.limit, self.found) = (total, hosts);
                return;
            }
        }
    }

    /// Ever cheaper ones, until there is none; then the first that costs as little.
    fn descend(&mut self, matching: &Matching, steps: &mut Steps) {
        while let Some(less) = self.limit.checked_sub(1) {
            let Ok(Some(hosts)) = self.first_within(less, matching, steps) else { break };
            (self.limit, self.found) = (self.costs.total(&hosts), hosts);
        }
        if let Ok(Some(hosts)) = self.first_within(self.limit, matching, steps) {
            self.found = hosts;
        }
    }

    fn first_within(
        &mut self,
        limit: u64,
        matching: &Matching,
        steps: &mut Steps,
    ) -> Result<Option<Vec<usize>>, Undecided> {
        let mut cheap = Cheap { goal: self.goal, costs: &self.costs, limit };
        Search::new(self.board, &mut cheap, self.budget_mib).first(matching, steps)
    }
}

impl<G: Goal> Goal for Cheap<'_, G> {
    fn may_reach(&self, cells: &[usize], left: usize) -> bool {
        self.costs.least(cells, left) <= self.limit && self.goal.may_reach(cells, left)
    }

    fn accepts(&mut self, cells: &[usize], steps: &mut Steps) -> Result<bool, Undecided> {
        Ok(self.costs.total(cells) <= self.limit && self.goal.accepts(cells, steps)?)
    }
}
