//! How near devices are to the cells of an instance, and which of them a policy takes.

use std::collections::BTreeSet;

use crate::inventory::Inventory;
use crate::request::NumaPolicy;

/// How near the devices of one cell are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Nearness {
    /// On one of the instance's cells, or the instance has none.
    Near,
    /// The host does not say.
    Unknown,
    /// On a socket of one of the instance's cells.
    SameSocket,
    /// Elsewhere.
    Far,
}

/// What is taken at once: the first that is enough is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    takes: &'static [Nearness],
    /// What goes first within the level; the rest of it comes after.
    first: &'static [Nearness],
}

const NEAR: Level = Level { takes: &[Nearness::Near], first: &[Nearness::Near] };
const NEAR_OR_UNKNOWN: Level = Level {
    takes: &[Nearness::Near, Nearness::Unknown],
    // Nova does not put near ones first here (Q25 in docs/differences-from-nova.md).
    first: &[Nearness::Near, Nearness::Unknown],
};
const SAME_SOCKET: Level = Level {
    takes: &[Nearness::Near, Nearness::SameSocket],
    first: &[Nearness::Near, Nearness::SameSocket],
};
const ANYWHERE: Level = Level {
    takes: &[Nearness::Near, Nearness::Unknown, Nearness::SameSocket, Nearness::Far],
    first: &[Nearness::Near, Nearness::Unknown],
};

/// What a policy tries, in order (Nova 34).
pub(super) fn levels(policy: NumaPolicy, has_cells: bool) -> &'static [Level] {
    match policy {
        _ if !has_cells => &[ANYWHERE],
        NumaPolicy::Required => &[NEAR],
        NumaPolicy::Legacy => &[NEAR, NEAR_OR_UNKNOWN],
        NumaPolicy::Preferred => &[NEAR, NEAR_OR_UNKNOWN, ANYWHERE],
        NumaPolicy::Socket => &[NEAR, SAME_SOCKET],
    }
}

impl Level {
    pub(super) fn takes(self, nearness: Nearness) -> bool {
        self.takes.contains(&nearness)
    }

    pub(super) fn puts_last(self, nearness: Nearness) -> bool {
        !self.first.contains(&nearness)
    }
}

/// The cells of an instance on a host.
#[derive(Clone, Debug)]
pub(super) struct Cells<'a> {
    own: &'a BTreeSet<i64>,
    /// Of these cells; empty when any cell of the host lacks a socket, as Nova takes it.
    sockets: BTreeSet<i64>,
    inventory: &'a Inventory,
}

impl<'a> Cells<'a> {
    pub(super) fn of(inventory: &'a Inventory, own: &'a BTreeSet<i64>) -> Self {
        let known = inventory.cells();
        let all_known = known.iter().all(|cell| cell.socket.is_some());
        let sockets = own.iter().filter_map(|cell| known.find(*cell)?.socket);
        let sockets = sockets.filter(|_| all_known).collect();
        Self { own, sockets, inventory }
    }

    pub(super) fn any(&self) -> bool {
        !self.own.is_empty()
    }

    pub(super) fn nearness(&self, cell: Option<i64>) -> Nearness {
        let Some(cell) = cell else {
            return if self.any() { Nearness::Unknown } else { Nearness::Near };
        };
        if !self.any() || self.own.contains(&cell) {
            return Nearness::Near;
        }
        let socket = self.inventory.cells().find(cell).and_then(|cell| cell.socket);
        if socket.is_some_and(|socket| self.sockets.contains(&socket)) {
            Nearness::SameSocket
        } else {
            Nearness::Far
        }
    }
}
