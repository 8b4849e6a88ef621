//! How one want takes its devices, in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::fit::devices::{Chosen, is_possible};
use crate::fit::near::Nearness;
use crate::fit::plan::Plan;
use crate::fit::steps::Steps;
use crate::fit::trial::{Taken, Trial};
use crate::misfit::Undecided;
use crate::pci::Slot;

/// One want that takes its devices.
pub(super) struct Taking<'a, 'b, 'c> {
    pub(super) plan: &'a mut Plan<'b>,
    pub(super) want: usize,
    pub(super) trial: &'a mut Trial<'c>,
    pub(super) steps: &'a mut Steps,
    pub(super) chosen: &'a mut Chosen,
}

/// Where to go on: (those that are put last, number of properties, address, part).
type Head = (bool, usize, Slot, usize);

impl Taking<'_, '_, '_> {
    pub(super) fn all(&mut self) -> Result<(), Undecided> {
        let mut heads = self.heads();
        while self.left() > 0 {
            let Some(Reverse((last, rank, slot, part))) = heads.pop() else { break };
            if self.is_run(part) {
                self.take_run(part)?;
            } else if let Some(next) = self.take_single(part, slot)? {
                heads.push(Reverse((last, rank, next, part)));
            }
        }
        Ok(())
    }

    fn left(&self) -> u64 {
        self.plan.wants.get(self.want).map_or(0, |want| want.left)
    }

    fn is_run(&self, part: usize) -> bool {
        let pool = self.plan.parts.get(part).map(|part| part.pool);
        let pool = pool.and_then(|pool| self.trial.index().catalogue().pool(pool));
        pool.is_some_and(|pool| pool.key.is_run())
    }

    fn heads(&self) -> BinaryHeap<Reverse<Head>> {
        let level = self.plan.wants.get(self.want).map(|want| want.level);
        let puts_last = |near: Nearness| level.is_some_and(|level| level.puts_last(near));
        let takes = |near: Nearness| level.is_some_and(|level| level.takes(near));
        let parts = self.plan.parts.iter().enumerate();
        let mine = parts.filter(|(_, part)| part.admits(self.want) && takes(part.nearness));
        let heads = mine.filter_map(|(number, part)| {
            let pool = self.trial.index().catalogue().pool(part.pool)?;
            let first = if pool.key.is_run() {
                (self.trial.free_count(part.pool) > 0).then_some(pool.first)
            } else {
                part.next_free(self.trial, None)
            };
            Some(Reverse((puts_last(part.nearness), pool.key.rank, first?, number)))
        });
        heads.collect()
    }

    /// Take of a run as many as there are, or as many as leave a solution for the rest.
    fn take_run(&mut self, part: usize) -> Result<(), Undecided> {
        let Some(one) = self.plan.parts.get(part) else { return Ok(()) };
        let many = usize::try_from(self.left()).unwrap_or(usize::MAX);
        let free: Vec<Slot> = one.free(self.trial).rev().take(many).collect();
        let Some(highest) = free.first() else { return Ok(()) };
        let contested = self.plan.is_contested(self.want, one, *highest, self.trial);
        let most = if contested { self.most_of(&free)? } else { free.len() };
        for slot in free.iter().take(most) {
            self.take(*slot);
        }
        Ok(())
    }

    /// The more are taken, the less is left for the rest: by bisection.
    fn most_of(&mut self, free: &[Slot]) -> Result<usize, Undecided> {
        let (mut low, mut high) = (0, free.len());
        let mut middle = high;
        while low < high {
            if self.leaves_a_solution(free.get(..middle).unwrap_or_default())? {
                low = middle;
            } else {
                high = middle.saturating_sub(1);
            }
            middle = low.midpoint(high).max(low.saturating_add(1));
        }
        Ok(low)
    }

    /// Take one device if that leaves a solution; the next one to look at, if any is worth it.
    fn take_single(&mut self, part: usize, slot: Slot) -> Result<Option<Slot>, Undecided> {
        let Some(one) = self.plan.parts.get(part) else { return Ok(None) };
        let next = one.next_free(self.trial, Some(slot));
        // What was taken since this became the head of its pool may bar it.
        if !self.trial.is_free(slot) {
            return Ok(next);
        }
        let contested = self.plan.is_contested(self.want, one, slot, self.trial);
        if !contested || self.leaves_a_solution(&[slot])? {
            self.take(slot);
            return Ok(next);
        }
        // Functions without VFs are alike: where one cannot be spared no other can.
        let alike = self.trial.index().catalogue().vfs_of(slot).is_empty();
        Ok(next.filter(|_| !alike))
    }

    fn leaves_a_solution(&mut self, slots: &[Slot]) -> Result<bool, Undecided> {
        let taken: Vec<Taken> = slots.iter().map(|slot| self.trial.take(*slot)).collect();
        let count = u64::try_from(slots.len()).unwrap_or(u64::MAX);
        self.ask_for(|left| left.saturating_sub(count));
        let possible = is_possible(self.plan, self.trial, self.steps);
        self.ask_for(|left| left.saturating_add(count));
        taken.into_iter().rev().for_each(|taken| self.trial.give_back(taken));
        possible
    }

    fn ask_for(&mut self, change: impl Fn(u64) -> u64) {
        if let Some(want) = self.plan.wants.get_mut(self.want) {
            want.left = change(want.left);
        }
    }

    fn take(&mut self, slot: Slot) {
        self.steps.look();
        self.trial.take(slot);
        self.ask_for(|left| left.saturating_sub(1));
        let request = self.plan.wants.get(self.want).map(|want| want.request);
        self.chosen.extend(request.map(|request| (slot, request)));
    }
}
