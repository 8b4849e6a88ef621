//! Which CPUs of a cell dedicated vCPUs get (Nova 34, with whole cores for isolated threads).
//!
//! One rule decides both whether there are enough and which they are, so that what fits can be charged.

use std::collections::BTreeMap;

use crate::cpuset::CpuList;
use crate::fit::cells::ask::{Ask, Guest};
use crate::fit::cells::lack::Lack;
use crate::fit::cells::view::{Scope, View};
use crate::misfit::MisfitCode;
use crate::topology::ThreadPolicy;

/// How CPUs are taken: core by core, in the order of cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Take {
    /// Of one L3 cache only.
    group: Option<usize>,
    /// Cores with fewer free threads are passed over.
    least: usize,
    /// Threads that are taken of each core.
    most: usize,
    /// What is left of a core is charged too.
    whole: bool,
}

/// CPUs that were chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seats {
    pub(super) pins: BTreeMap<u32, u32>,
    pub(super) emulator: CpuList,
    pub(super) charged: CpuList,
}

/// How a guest cell's dedicated vCPUs are put on a cell; none when it has none, and then no policy asks
/// for cores (Nova 34 wants siblings under `require` even then).
pub(super) fn plan(ask: &Ask, guest: &Guest, view: &View<'_>) -> Result<Option<Take>, Lack> {
    if guest.dedicated == 0 {
        return Ok(None);
    }
    let code = MisfitCode::InsufficientDedicatedCpus;
    require(code, guest.own_cpus(), view.whole.free)?;
    let (threads, widest) = (ask.threads, view.widest);
    if threads == ThreadPolicy::Require && widest < 2 {
        return Err(Lack::new(MisfitCode::InsufficientCores, guest.dedicated, 0));
    }
    let take = rule(threads, widest, &view.whole, guest.dedicated).ok_or_else(|| {
        let most = most(threads, widest, &view.whole, guest.dedicated);
        Lack::new(MisfitCode::InsufficientCores, guest.dedicated, most)
    })?;
    let take = if ask.within_l3 { within_l3(ask, guest, view)? } else { take };
    if guest.has_emulator && take.whole {
        // In seats for vCPUs, so that the numbers are of one kind.
        let seats = u64::try_from(take.most).unwrap_or(u64::MAX);
        let cores = take.cores_for(guest.dedicated).saturating_add(1);
        let free = view.whole.cores_with(widest).saturating_mul(seats);
        require(MisfitCode::InsufficientCores, cores.saturating_mul(seats), free)?;
    }
    Ok(Some(take))
}

fn require(code: MisfitCode, asked: u64, free: u64) -> Result<(), Lack> {
    if asked <= free { Ok(()) } else { Err(Lack::new(code, asked, free)) }
}

/// In the first L3 cache that has room.
fn within_l3(ask: &Ask, guest: &Guest, view: &View<'_>) -> Result<Take, Lack> {
    let mut groups = view.l3_groups.iter().enumerate();
    let fitting = groups.find_map(|(number, group)| {
        let take = rule(ask.threads, view.widest, group, guest.dedicated)?;
        Some(Take { group: Some(number), ..take })
    });
    fitting.ok_or_else(|| {
        let most_of = |group| most(ask.threads, view.widest, group, guest.dedicated);
        let most = view.l3_groups.iter().map(most_of).max().unwrap_or(0);
        Lack::new(MisfitCode::InsufficientL3, guest.dedicated, most)
    })
}

/// How so many vCPUs are seated under a policy, if they can be.
fn rule(threads: ThreadPolicy, widest: usize, scope: &Scope, asked: u64) -> Option<Take> {
    let per_core = |least: usize| {
        let most_first = (least..=widest).rev();
        let mut enough = most_first.filter(|threads| scope.seats(*threads) >= asked);
        enough.next().map(|threads| Take::of(threads, threads))
    };
    match threads {
        ThreadPolicy::Prefer => {
            per_core(1).or_else(|| (scope.free >= asked).then_some(Take::of(1, usize::MAX)))
        }
        ThreadPolicy::Require => per_core(2),
        ThreadPolicy::Isolate => (scope.cores_with(widest) >= asked)
            .then_some(Take { whole: true, ..Take::of(widest, 1) }),
        ThreadPolicy::FullCores => {
            let even = evened(asked, widest) == asked;
            (even && scope.seats(widest) >= asked)
                .then_some(Take { whole: true, ..Take::of(widest, widest) })
        }
    }
}

/// The most vCPUs that could be seated under a policy in place of those that are asked for.
fn most(threads: ThreadPolicy, widest: usize, scope: &Scope, asked: u64) -> u64 {
    match threads {
        ThreadPolicy::Prefer => scope.free,
        ThreadPolicy::Require => {
            (2..=widest).map(|threads| scope.seats(threads)).max().unwrap_or(0)
        }
        ThreadPolicy::Isolate => scope.cores_with(widest),
        ThreadPolicy::FullCores => scope.seats(widest).min(evened(asked, widest)),
    }
}

/// So many less what would be half a core.
fn evened(vcpus: u64, widest: usize) -> u64 {
    let width = u64::try_from(widest).unwrap_or(u64::MAX);
    vcpus.saturating_sub(vcpus.checked_rem(width).unwrap_or(0))
}

impl Take {
    fn of(least: usize, most: usize) -> Self {
        Self { group: None, least, most, whole: false }
    }

    /// Cores that so many vCPUs take.
    fn cores_for(&self, vcpus: u64) -> u64 {
        vcpus.div_ceil(u64::try_from(self.most).unwrap_or(u64::MAX).max(1))
    }

    /// The CPUs themselves, for vCPUs in ascending order.
    pub(super) fn choose(&self, view: &View<'_>, vcpus: &CpuList, has_emulator: bool) -> Seats {
        let mut walk = Walk { take: *self, view, cpus: Vec::new(), charged: Vec::new() };
        walk.seat(usize::try_from(vcpus.count()).unwrap_or(usize::MAX));
        let emulator = if has_emulator { walk.emulator() } else { None };
        Seats {
            pins: vcpus.iter().zip(walk.cpus).collect(),
            emulator: emulator.into_iter().collect(),
            charged: walk.charged.into_iter().collect(),
        }
    }
}

struct Walk<'a> {
    take: Take,
    view: &'a View<'a>,
    cpus: Vec<u32>,
    charged: Vec<u32>,
}

impl Walk<'_> {
    fn seat(&mut self, vcpus: usize) {
        let cell = self.view.cell;
        let group = self.take.group.and_then(|group| cell.l3_groups().get(group));
        let all = 0..group.map_or(cell.core_count(), Vec::len);
        for core in all.map(|at| group.map_or(Some(at), |group| group.get(at).copied())) {
            let left = vcpus.saturating_sub(self.cpus.len());
            let Some(core) = core.filter(|_| left > 0) else { return };
            if self.view.held.free_of(core) >= self.take.least {
                self.sit_on(core, left.min(self.take.most));
            }
        }
    }

    fn sit_on(&mut self, core: usize, vcpus: usize) {
        let free = self.view.held.free_in(self.view.cell, core);
        for (number, cpu) in free.enumerate() {
            if number < vcpus {
                self.cpus.push(cpu);
            }
            if number < vcpus || self.take.whole {
                self.charged.push(cpu);
            }
        }
    }

    /// The first CPU that is left; where cores are whole, the first core.
    fn emulator(&mut self) -> Option<u32> {
        let View { cell, held, widest, .. } = self.view;
        let least = if self.take.whole { *widest } else { 1 };
        let cores = (0..cell.core_count()).filter(|core| held.free_of(*core) >= least);
        let left = |core: usize| -> Vec<u32> {
            held.free_in(cell, core).filter(|cpu| !self.charged.contains(cpu)).collect()
        };
        let spare = cores.map(left).find(|cpus| cpus.len() >= least)?;
        let charged = if self.take.whole { spare.len() } else { 1 };
        self.charged.extend(spare.iter().take(charged));
        spare.first().copied()
    }
}
