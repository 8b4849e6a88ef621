//! What it costs that an instance is on several cells.

use crate::fit::cells::board::Board;
use crate::topology::HostCell;

/// What it costs that an instance is on both of two cells.
pub(super) type Cost = fn(&HostCell, &HostCell) -> u64;

/// Cells that are compared, the first in the host's order; others cost without end.
const MAX_CELLS: usize = 128;

/// The cost of each pair of cells that could be taken.
#[derive(Clone, Debug)]
pub(super) struct Costs {
    /// Host cells in order.
    cells: Vec<usize>,
    /// By one cell of them and the other.
    between: Vec<Vec<u64>>,
    /// Of the cheapest pair.
    least_pair: u64,
}

impl Costs {
    pub(super) fn of(board: &Board<'_>, cost: Cost) -> Self {
        let cells: Vec<usize> = board.candidates().take(MAX_CELLS).collect();
        let views: Vec<&HostCell> =
            cells.iter().filter_map(|host| board.views.get(*host)).map(|view| view.cell).collect();
        let row = |one: &&HostCell| views.iter().map(|other| cost(one, other)).collect();
        let between: Vec<Vec<u64>> = views.iter().map(row).collect();
        let pairs = between.iter().enumerate().flat_map(|(number, row)| row.iter().take(number));
        let least_pair = pairs.min().copied().unwrap_or(0);
        Self { cells, between, least_pair }
    }

    fn place_of(&self, host: usize) -> Option<usize> {
        self.cells.iter().position(|it| *it == host)
    }

    fn cost(&self, one: usize, other: usize) -> u64 {
        self.between.get(one).and_then(|row| row.get(other)).copied().unwrap_or(u64::MAX)
    }

    /// What one more costs beside those that are there.
    fn added(&self, set: &[usize], one: usize) -> u64 {
        set.iter().map(|other| self.cost(*other, one)).fold(0, u64::saturating_add)
    }

    fn places(&self, hosts: &[usize]) -> Vec<usize> {
        hosts.iter().map(|host| self.place_of(*host).unwrap_or(usize::MAX)).collect()
    }

    fn total_of(&self, set: &[usize]) -> u64 {
        let before = |number: usize| set.get(..number).unwrap_or_default();
        let costs = set.iter().enumerate().map(|(number, one)| self.added(before(number), *one));
        costs.fold(0, u64::saturating_add)
    }

    /// Of all pairs of these host cells.
    pub(super) fn total(&self, hosts: &[usize]) -> u64 {
        self.total_of(&self.places(hosts))
    }

    /// No more than what these host cells and `left` others cost.
    pub(super) fn least(&self, hosts: &[usize], left: usize) -> u64 {
        let set = self.places(hosts);
        let others = (0..self.cells.len()).filter(|one| !set.contains(one));
        let mut added: Vec<u64> = others.map(|one| self.added(&set, one)).collect();
        added.sort_unstable();
        let added = added.into_iter().take(left).fold(0, u64::saturating_add);
        let pairs = left.saturating_mul(left.saturating_sub(1)).checked_div(2).unwrap_or(0);
        let among = self.least_pair.saturating_mul(u64::try_from(pairs).unwrap_or(u64::MAX));
        self.total_of(&set).saturating_add(added).saturating_add(among)
    }

    /// Sets of so many host cells that grow from each cell by the cheapest next, with their cost, the
    /// cheapest first.
    pub(super) fn grown(&self, size: usize) -> Vec<(u64, Vec<usize>)> {
        let sets = (0..self.cells.len()).filter_map(|start| self.grown_from(start, size));
        let mut grown: Vec<(u64, Vec<usize>)> = sets.collect();
        grown.sort_unstable();
        grown.dedup();
        grown
    }

    fn grown_from(&self, start: usize, size: usize) -> Option<(u64, Vec<usize>)> {
        let mut added: Vec<u64> = (0..self.cells.len()).map(|one| self.cost(start, one)).collect();
        let (mut set, mut total) = (vec![start], 0_u64);
        while set.len() < size {
            let rest = (0..self.cells.len()).filter(|one| !set.contains(one));
            let next = rest.min_by_key(|one| (added.get(*one).copied(), *one))?;
            total = total.saturating_add(added.get(next).copied().unwrap_or(0));
            set.push(next);
            for (one, sum) in added.iter_mut().enumerate() {
                *sum = sum.saturating_add(self.cost(next, one));
            }
        }
        set.sort_unstable();
        Some((total, set.iter().filter_map(|one| self.cells.get(*one).copied()).collect()))
    }
}
