//! Guest cells assigned to host cells, no two to one.

use crate::fit::cells::board::Board;
use crate::fit::steps::Steps;

/// An assignment, some of it settled.
#[derive(Clone, Debug)]
pub(super) struct Matching {
    host_of: Vec<Option<usize>>,
    guest_of: Vec<Option<usize>>,
    /// Host cells whose guest cell stays.
    settled: Vec<bool>,
}

impl Matching {
    /// Any assignment of all guest cells, or the guest cells that compete for too few host cells.
    ///
    /// Augmenting paths: at most guest cells x pairs looks, whatever the host.
    pub(super) fn full(board: &Board<'_>, steps: &mut Steps) -> Result<Self, Vec<usize>> {
        let mut matching = Self::empty(board);
        for guest in 0..board.guests() {
            let mut seen = vec![false; board.hosts()];
            if !matching.augment(board, guest, &mut seen, steps) {
                return Err(matching.competitors(guest, &seen));
            }
        }
        Ok(matching)
    }

    /// Those that want nothing but the host cells that were seen (Hall's theorem).
    fn competitors(&self, guest: usize, seen: &[bool]) -> Vec<usize> {
        let seated = self.guest_of.iter().zip(seen).filter(|(_, seen)| **seen);
        let mut competing: Vec<usize> = seated.filter_map(|(guest, _)| *guest).collect();
        competing.push(guest);
        competing.sort_unstable();
        competing
    }

    fn augment(
        &mut self,
        board: &Board<'_>,
        guest: usize,
        seen: &mut [bool],
        steps: &mut Steps,
    ) -> bool {
        for host in 0..board.hosts() {
            let taken = seen.get(host).copied().unwrap_or(true);
            if taken || board.pair(guest, host).is_none() {
                continue;
            }
            steps.look();
            set(seen, host, true);
            let other = self.guest_of.get(host).copied().flatten();
            if other.is_none_or(|other| self.augment(board, other, seen, steps)) {
                self.assign(guest, host);
                return true;
            }
        }
        false
    }

    fn assign(&mut self, guest: usize, host: usize) {
        set(&mut self.host_of, guest, Some(host));
        set(&mut self.guest_of, host, Some(guest));
    }

    /// The same with a guest cell settled on a host cell, if the others can still be had.
    pub(super) fn settled_on(
        &self,
        board: &Board<'_>,
        guest: usize,
        host: usize,
        steps: &mut Steps,
    ) -> Option<Self> {
        if self.is_settled(host) || board.pair(guest, host).is_none() {
            return None;
        }
        let mut tried = self.clone();
        let displaced = tried.guest_of.get(host).copied().flatten().filter(|it| *it != guest);
        if let Some(left) = tried.host_of.get(guest).copied().flatten() {
            set(&mut tried.guest_of, left, None);
        }
        tried.assign(guest, host);
        set(&mut tried.settled, host, true);
        let Some(displaced) = displaced else { return Some(tried) };
        let mut seen = tried.settled.clone();
        tried.augment(board, displaced, &mut seen, steps).then_some(tried)
    }

    /// Of these guest cells, those that find no place beside the ones before them on the host cells where
    /// nothing is settled; who has a place keeps one.
    pub(super) fn left_out(
        &self,
        board: &Board<'_>,
        guests: &[usize],
        steps: &mut Steps,
    ) -> Vec<usize> {
        let mut apart = Self::empty(board);
        let mut left_out = Vec::new();
        for guest in guests {
            let mut seen = self.settled.clone();
            if !apart.augment(board, *guest, &mut seen, steps) {
                left_out.push(*guest);
            }
        }
        left_out
    }

    fn empty(board: &Board<'_>) -> Self {
        Self {
            host_of: vec![None; board.guests()],
            guest_of: vec![None; board.hosts()],
            settled: vec![false; board.hosts()],
        }
    }

    pub(super) fn is_settled(&self, host: usize) -> bool {
        self.settled.get(host).copied().unwrap_or(true)
    }
}

fn set<T>(places: &mut [T], at: usize, value: T) {
    if let Some(place) = places.get_mut(at) {
        *place = value;
    }
}
