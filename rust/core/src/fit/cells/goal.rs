//! Devices and networks near the cells of an instance.

use std::collections::{BTreeMap, BTreeSet};

use crate::fit::cells::board::Board;
use crate::fit::cells::search::Goal;
use crate::fit::cells::view::View;
use crate::fit::devices::{self, Chosen};
use crate::fit::plan::Plan;
use crate::fit::steps::Steps;
use crate::fit::trial::Trial;
use crate::fit::{Room, counts};
use crate::misfit::Undecided;
use crate::request::{NumaPolicy, Request};
use crate::topology::Networks;

/// What a request wants near its cells, wherever they are.
pub(super) struct Near<'a> {
    room: Room<'a>,
    board: &'a Board<'a>,
    /// The request, of an instance on the cells that were tried last.
    request: Request,
    /// Parts of which the devices must be near.
    parts: Vec<Part>,
    networks: NearNetworks,
    /// Steps of looking at the devices of a set of cells, by the number of pools: four take as long as a step.
    cost: u64,
    pub(super) chosen: Chosen,
}

/// What one part of the request could get.
struct Part {
    asked: u64,
    /// Wherever the cells are.
    anywhere: u64,
    /// On each cell.
    by_cell: BTreeMap<i64, u64>,
}

/// Networks that the request wants, by number.
struct NearNetworks {
    /// Those that each host cell is close to.
    by_host: Vec<Vec<usize>>,
    /// Those that any is close to: a network that no cell of the host is said to be close to is near to all.
    wanted: BTreeSet<usize>,
}

impl NearNetworks {
    fn of(board: &Board<'_>, wanted: &Networks) -> Self {
        let near = |view: &View<'_>| wanted.near(&view.cell.networks);
        let by_host: Vec<Vec<usize>> = board.views.iter().map(near).collect();
        let wanted = by_host.iter().flatten().copied().collect();
        Self { by_host, wanted }
    }

    fn are_near(&self, hosts: &[usize]) -> bool {
        let near = || hosts.iter().filter_map(|host| self.by_host.get(*host)).flatten();
        self.wanted.iter().all(|network| near().any(|it| it == network))
    }
}

impl<'a> Near<'a> {
    pub(super) fn of(room: Room<'a>, board: &'a Board<'a>, request: &Request) -> Self {
        let all = board.candidates().filter_map(|host| board.cell_id(host));
        let mut request = request.clone();
        request.move_to_cells(all);
        let parts = parts(room, &request);
        let pools = room.book.index().catalogue().pools().len();
        let cost = u64::try_from(pools.div_ceil(4)).unwrap_or(u64::MAX);
        let networks = NearNetworks::of(board, request.networks());
        Self { room, board, request, parts, networks, cost, chosen: Chosen::new() }
    }

    /// Whether it can be had on all cells that could be taken: more cells never bar anything.
    pub(super) fn can_be_had(&mut self, steps: &mut Steps) -> Result<bool, Undecided> {
        let all: Vec<usize> = self.board.candidates().collect();
        self.accepts(&all, steps)
    }
}

impl Goal for Near<'_> {
    fn may_reach(&self, cells: &[usize], left: usize) -> bool {
        self.parts.iter().all(|near| near.most(self.board, cells, left) >= near.asked)
    }

    fn accepts(&mut self, cells: &[usize], steps: &mut Steps) -> Result<bool, Undecided> {
        if !self.networks.are_near(cells) {
            return Ok(false);
        }
        if self.request.devices().is_empty() {
            return Ok(true);
        }
        steps.spend(self.cost)?;
        let ids = cells.iter().filter_map(|host| self.board.cell_id(*host));
        self.request.move_to_cells(ids);
        let mut trial = Trial::of(self.room.book.index());
        let counts = counts(&self.request);
        let chosen = devices::choose(self.room, &self.request, &counts, &mut trial, steps)?;
        self.chosen = chosen.clone().unwrap_or_default();
        Ok(chosen.is_some())
    }
}

impl Part {
    /// The most that these cells and so many others have.
    fn most(&self, board: &Board<'_>, cells: &[usize], left: usize) -> u64 {
        let mut rest: Vec<u64> = Vec::new();
        let mut most = self.anywhere;
        for host in 0..board.hosts() {
            let count = board.cell_id(host).and_then(|id| self.by_cell.get(&id)).copied();
            match count.unwrap_or(0) {
                0 => {}
                count if cells.contains(&host) => most = most.saturating_add(count),
                count => rest.push(count),
            }
        }
        rest.sort_unstable();
        rest.into_iter().rev().take(left).fold(most, u64::saturating_add)
    }
}

/// Of parts that are told cell by cell; where sockets or units decide, only trying tells.
fn parts(room: Room<'_>, request: &Request) -> Vec<Part> {
    let plan = Plan::of(room.inventory, request, &counts(request));
    let trial = Trial::of(room.book.index());
    let mut all = Vec::new();
    for (number, want) in plan.wants.iter().enumerate() {
        let policy = request.devices().get(want.request).map(|devices| devices.policy);
        if !matches!(policy, Some(NumaPolicy::Required | NumaPolicy::Legacy)) {
            continue;
        }
        let mut near = Part { asked: want.left, anywhere: 0, by_cell: BTreeMap::new() };
        let parts = plan.parts.iter().filter(|part| part.admits(number));
        for part in parts.filter(|part| want.level.takes(part.nearness)) {
            let pool = room.book.index().catalogue().pool(part.pool);
            let free = part.free_count(&trial);
            let count = match pool.and_then(|pool| pool.key.cell) {
                Some(cell) => near.by_cell.entry(cell).or_default(),
                None => &mut near.anywhere,
            };
            *count = count.saturating_add(free);
        }
        all.push(near);
    }
    all
}
