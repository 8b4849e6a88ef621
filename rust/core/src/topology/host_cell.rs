//! One cell of a host.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::cpuset::CpuList;
use crate::topology::Networks;

/// The highest CPU number that is believed.
pub const MAX_CPU: u32 = 65_535;

/// A NUMA node of the host; it may lack CPUs, memory, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostCell {
    pub(crate) id: i64,
    pub(crate) socket: Option<i64>,
    pub(crate) memory_mib: u64,
    /// By size, ascending.
    pub(crate) pages: Vec<PageSize>,
    pub(crate) distances: BTreeMap<i64, u64>,
    pub(crate) cordoned: Option<Arc<str>>,
    pub(crate) networks: Networks,
    shared: CpuList,
    shared_count: u64,
    dedicated_count: u64,
    /// Core by core, ascending within a core.
    threads: Vec<Thread>,
    cores: Vec<Range<usize>>,
    /// Cores of each L3 cache.
    l3_groups: Vec<Vec<usize>>,
}

/// Pages of one size; the smallest are ordinary memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageSize {
    /// Size in KiB.
    pub size_kib: u64,
    /// All of them.
    pub total: u64,
    /// What the host keeps for itself.
    pub reserved: u64,
}

/// A CPU of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thread {
    pub(crate) cpu: u32,
    pub(crate) is_dedicated: bool,
}

impl HostCell {
    /// A cell with nothing.
    pub fn new(id: i64, socket: Option<i64>) -> Self {
        Self { id, socket, ..Self::default() }
    }

    /// The same cell with so much memory in MiB, hugepages included, and pages by size.
    #[must_use]
    pub fn with_memory(self, memory_mib: u64, mut pages: Vec<PageSize>) -> Self {
        pages.sort_by_key(|page| page.size_kib);
        pages.dedup_by_key(|page| page.size_kib);
        Self { memory_mib, pages, ..self }
    }

    /// The same cell with CPUs, by core in the order in which cores are taken.
    ///
    /// A CPU of the two sets that no core lists is a core by itself; CPUs of a core that are in neither
    /// set count as its siblings and are never given.
    #[must_use]
    pub fn with_cpus(mut self, shared: CpuList, dedicated: &CpuList, cores: &[CpuList]) -> Self {
        let own: BTreeSet<u32> = dedicated.iter().collect();
        let mut listed: BTreeSet<u32> = BTreeSet::new();
        for core in cores {
            let fresh: Vec<u32> = core.iter().filter(|cpu| listed.insert(*cpu)).collect();
            self.add_core(fresh, &own);
        }
        let all: BTreeSet<u32> = shared.iter().chain(dedicated.iter()).collect();
        for cpu in all.difference(&listed) {
            self.add_core(vec![*cpu], &own);
        }
        self.shared_count = shared.count();
        self.dedicated_count = dedicated.count();
        Self { shared, ..self }
    }

    fn add_core(&mut self, cpus: Vec<u32>, dedicated: &BTreeSet<u32>) {
        let first = self.threads.len();
        let thread = |cpu| Thread { cpu, is_dedicated: dedicated.contains(&cpu) };
        self.threads.extend(cpus.into_iter().map(thread));
        if self.threads.len() > first {
            self.cores.push(first..self.threads.len());
        }
    }

    /// The same cell with the CPUs of each L3 cache; a core is in the cache of its lowest CPU.
    #[must_use]
    pub fn with_l3_groups(self, groups: &[CpuList]) -> Self {
        let l3_groups = groups.iter().map(|group| {
            let members: BTreeSet<u32> = group.iter().collect();
            let mut cores: Vec<usize> = (0..self.cores.len()).collect();
            cores.retain(|core| self.first_cpu(*core).is_some_and(|cpu| members.contains(&cpu)));
            cores
        });
        Self { l3_groups: l3_groups.filter(|cores| !cores.is_empty()).collect(), ..self }
    }

    fn first_cpu(&self, core: usize) -> Option<u32> {
        self.threads_of(core).first().map(|thread| thread.cpu)
    }

    /// The same cell with the distance to each cell.
    #[must_use]
    pub fn with_distances(self, distances: BTreeMap<i64, u64>) -> Self {
        Self { distances, ..self }
    }

    /// The same cell with the networks that it is close to.
    #[must_use]
    pub fn with_networks(self, networks: Networks) -> Self {
        Self { networks, ..self }
    }

    /// The same cell, on which nothing new is placed for this reason.
    #[must_use]
    pub fn cordoned(self, reason: &str) -> Self {
        Self { cordoned: Some(reason.into()), ..self }
    }

    pub(crate) fn uncordoned(self) -> Self {
        Self { cordoned: None, ..self }
    }

    pub(crate) fn is_cordoned(&self) -> bool {
        self.cordoned.is_some()
    }

    pub(crate) fn shared(&self) -> &CpuList {
        &self.shared
    }

    pub(crate) fn shared_count(&self) -> u64 {
        self.shared_count
    }

    pub(crate) fn dedicated_count(&self) -> u64 {
        self.dedicated_count
    }

    pub(crate) fn threads(&self) -> &[Thread] {
        &self.threads
    }

    pub(crate) fn core_count(&self) -> usize {
        self.cores.len()
    }

    /// Where the threads of a core are among all.
    pub(crate) fn span_of(&self, core: usize) -> Range<usize> {
        self.cores.get(core).cloned().unwrap_or_default()
    }

    pub(crate) fn threads_of(&self, core: usize) -> &[Thread] {
        self.threads.get(self.span_of(core)).unwrap_or_default()
    }

    pub(crate) fn core_of(&self, position: usize) -> usize {
        self.cores.partition_point(|core| core.end <= position)
    }

    pub(crate) fn l3_groups(&self) -> &[Vec<usize>] {
        &self.l3_groups
    }

    /// Threads of the widest core, whether or not they may be given.
    pub(crate) fn widest(&self) -> usize {
        self.cores.iter().map(ExactSizeIterator::len).max().unwrap_or(0)
    }

    /// Distance to another cell; by the kernel's defaults where the host does not say.
    pub(crate) fn distance_to(&self, other: i64) -> u64 {
        let usual = if other == self.id { 10 } else { 20 };
        self.distances.get(&other).copied().unwrap_or(usual)
    }
}

impl PageSize {
    /// What may be handed out.
    pub(crate) fn offered(&self) -> u64 {
        self.total.saturating_sub(self.reserved)
    }
}
