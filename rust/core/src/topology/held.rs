//! What is held of the cells, summed over all placements.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::amounts::{Resource, report};
use crate::cpuset::CpuList;
use crate::topology::{HostCell, HostCells, PageSize, PlacedCell};
use crate::usage::Account;

/// Of every cell; only booking and unbooking touch it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    host: Arc<HostCells>,
    /// By cell, as in the host.
    cells: Vec<CellHeld>,
    /// Of cells that the host does not have.
    gone: BTreeMap<i64, CellHeld>,
    /// How many hold each CPU that the host does not offer.
    strays: BTreeMap<u32, u32>,
}

/// Of one cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CellHeld {
    pub(crate) shared_vcpus: u128,
    pub(crate) dedicated_vcpus: u128,
    /// MiB, whatever pages it is of.
    pub(crate) memory_mib: u128,
    /// Pages by size in KiB.
    pages: BTreeMap<u64, u128>,
    /// How many hold each thread, by position.
    holders: Vec<u32>,
    /// Dedicated threads of each core that nobody holds.
    free: Vec<usize>,
}

/// One cell in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellAccount {
    /// The host cell.
    pub cell: i64,
    /// vCPUs that float over its shared CPUs.
    pub shared_vcpus: u64,
    /// vCPUs that have a CPU each.
    pub dedicated_vcpus: u64,
    /// Dedicated CPUs; used are those that somebody holds.
    pub dedicated_cpus: Account,
    /// Those that somebody holds.
    pub charged: CpuList,
    /// Memory of instances with a topology in MiB, whatever pages it is of.
    pub memory_mib: u64,
    /// Pages by size in KiB.
    pub pages: Vec<(u64, Account)>,
}

#[derive(Clone, Copy)]
enum Change {
    More,
    Less,
}

impl Held {
    pub(crate) fn vacant(host: &Arc<HostCells>) -> Self {
        let cells = host.iter().map(CellHeld::vacant).collect();
        Self { host: Arc::clone(host), cells, ..Self::default() }
    }

    pub(crate) fn hold(&mut self, placed: &[PlacedCell]) {
        for one in placed {
            self.change(one, Change::More);
        }
    }

    pub(crate) fn let_go(&mut self, placed: &[PlacedCell]) {
        for one in placed {
            self.change(one, Change::Less);
        }
        self.gone.retain(|_, cell| *cell != CellHeld::default());
    }

    fn change(&mut self, placed: &PlacedCell, change: Change) {
        let known = self.host.number_of(placed.cell);
        let cell = match known.and_then(|number| self.cells.get_mut(number)) {
            Some(cell) => cell,
            None => self.gone.entry(placed.cell).or_default(),
        };
        cell.change(placed, change);
        for cpu in placed.charged.iter() {
            self.seat(cpu, change);
        }
    }

    /// A CPU is held wherever it is now: cells may have been numbered anew.
    fn seat(&mut self, cpu: u32, change: Change) {
        let host = Arc::clone(&self.host);
        let seat = host.seat_of(cpu);
        let held = seat.and_then(|(cell, position)| {
            Some((host.get(cell)?, self.cells.get_mut(cell)?, position))
        });
        match held {
            Some((cell, held, position)) => held.seat(cell, position, change),
            None => apply(&mut self.strays, cpu, change),
        }
    }

    pub(crate) fn cells(&self) -> impl Iterator<Item = (&HostCell, &CellHeld)> {
        self.host.iter().zip(&self.cells)
    }

    /// What of a resource of the host lies on cells that take no new claims.
    pub(crate) fn on_cordoned(&self, resource: &Resource) -> u128 {
        let cordoned = self.cells().filter(|(cell, _)| cell.is_cordoned());
        let amounts = cordoned.map(|(cell, held)| match resource {
            Resource::Vcpus => held.shared_vcpus,
            Resource::MemoryMib => held.ordinary_mib(cell),
            Resource::DiskMib | Resource::Counter(_) => 0,
        });
        amounts.fold(0, u128::saturating_add)
    }

    pub(crate) fn accounts(&self) -> Vec<CellAccount> {
        self.cells().map(|(cell, held)| held.account(cell)).collect()
    }
}

impl CellHeld {
    fn vacant(cell: &HostCell) -> Self {
        let free_of = |core| cell.threads_of(core).iter().filter(|it| it.is_dedicated).count();
        Self {
            holders: vec![0; cell.threads().len()],
            free: (0..cell.core_count()).map(free_of).collect(),
            ..Self::default()
        }
    }

    fn change(&mut self, placed: &PlacedCell, change: Change) {
        let shared = u128::from(placed.shared.count());
        self.shared_vcpus = summed(self.shared_vcpus, shared, change);
        let dedicated = u128::try_from(placed.pins.len()).unwrap_or(u128::MAX);
        self.dedicated_vcpus = summed(self.dedicated_vcpus, dedicated, change);
        self.memory_mib = summed(self.memory_mib, u128::from(placed.memory_mib), change);
        let Some(size) = placed.page_kib else { return };
        let pages = self.pages.entry(size).or_default();
        *pages = summed(*pages, u128::from(placed.pages), change);
        self.pages.retain(|_, pages| *pages > 0);
    }

    fn seat(&mut self, cell: &HostCell, position: usize, change: Change) {
        let Some(holders) = self.holders.get_mut(position) else { return };
        let before = *holders;
        *holders = match change {
            Change::More => before.saturating_add(1),
            Change::Less => before.saturating_sub(1),
        };
        let counts = cell.threads().get(position).is_some_and(|thread| thread.is_dedicated);
        let Some(free) = self.free.get_mut(cell.core_of(position)).filter(|_| counts) else {
            return;
        };
        match (before, *holders) {
            (0, 1) => *free = free.saturating_sub(1),
            (1, 0) => *free = free.saturating_add(1),
            _ => {}
        }
    }

    /// Dedicated threads of a core that nobody holds.
    pub(crate) fn free_of(&self, core: usize) -> usize {
        self.free.get(core).copied().unwrap_or(0)
    }

    pub(crate) fn free_cpus(&self) -> u64 {
        let free = self.free.iter().fold(0_usize, |sum, free| sum.saturating_add(*free));
        u64::try_from(free).unwrap_or(u64::MAX)
    }

    /// The CPUs of a core that may be taken, ascending.
    pub(crate) fn free_in(&self, cell: &HostCell, core: usize) -> impl Iterator<Item = u32> {
        let span = cell.span_of(core);
        let holders = self.holders.get(span).unwrap_or_default();
        let threads = cell.threads_of(core).iter().zip(holders);
        threads.filter(|(it, holders)| it.is_dedicated && **holders == 0).map(|(it, _)| it.cpu)
    }

    fn ordinary_mib(&self, cell: &HostCell) -> u128 {
        let of_pages = |size: &PageSize| {
            let kib = self.pages(size.size_kib).saturating_mul(u128::from(size.size_kib));
            kib.checked_div(1024).unwrap_or(0)
        };
        cell.pages.first().map_or(self.memory_mib, of_pages)
    }

    pub(crate) fn pages(&self, size_kib: u64) -> u128 {
        self.pages.get(&size_kib).copied().unwrap_or(0)
    }

    fn account(&self, cell: &HostCell) -> CellAccount {
        let held = cell.threads().iter().zip(&self.holders);
        let charged: Vec<u32> = held.filter(|it| *it.1 > 0).map(|it| it.0.cpu).collect();
        let (capacity, free) = (cell.dedicated_count(), self.free_cpus());
        let used = capacity.saturating_sub(free);
        let pages = cell.pages.iter().map(|size| (size.size_kib, self.page_account(size)));
        CellAccount {
            cell: cell.id,
            shared_vcpus: report(self.shared_vcpus),
            dedicated_vcpus: report(self.dedicated_vcpus),
            dedicated_cpus: Account { total: capacity, reserved: 0, capacity, used, free },
            charged: charged.into_iter().collect(),
            memory_mib: report(self.memory_mib),
            pages: pages.collect(),
        }
    }

    fn page_account(&self, size: &PageSize) -> Account {
        let (capacity, used) = (size.offered(), self.pages(size.size_kib));
        Account {
            total: size.total,
            reserved: size.reserved,
            capacity,
            used: report(used),
            free: report(u128::from(capacity).saturating_sub(used)),
        }
    }
}

fn summed(sum: u128, amount: u128, change: Change) -> u128 {
    match change {
        Change::More => sum.saturating_add(amount),
        Change::Less => sum.saturating_sub(amount),
    }
}

fn apply(counts: &mut BTreeMap<u32, u32>, cpu: u32, change: Change) {
    let count = counts.entry(cpu).or_default();
    *count = match change {
        Change::More => count.saturating_add(1),
        Change::Less => count.saturating_sub(1),
    };
    if *count == 0 {
        counts.remove(&cpu);
    }
}
