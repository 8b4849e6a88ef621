//! The NUMA nodes that an instance asks for.

use crate::amounts::Ratio;
use crate::cpuset::CpuList;

/// NUMA nodes of an instance, each to be put on a host cell of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestTopology {
    /// In the order of the instance.
    pub cells: Vec<GuestCell>,
    /// Which pages the memory comes from; none: ordinary memory.
    pub pages: Option<PageWant>,
    /// How dedicated vCPUs sit on siblings.
    pub threads: ThreadPolicy,
    /// Where the emulator's threads run.
    pub emulator_threads: EmulatorThreads,
    /// Whether the dedicated vCPUs of one guest cell share an L3 cache.
    pub l3: Option<L3Policy>,
    /// Which of the host cells that fit are taken; none: the first in the host's order.
    pub preference: Option<CellPreference>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestCell {
    /// vCPUs that float over the shared CPUs of the host cell.
    pub shared: CpuList,
    /// vCPUs that have a CPU of their own.
    pub dedicated: CpuList,
    /// Memory in MiB.
    pub memory_mib: u64,
}

/// Which pages memory comes from (Nova's `hw:mem_page_size`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageWant {
    /// The smallest of the host cell.
    Small,
    /// Any but the smallest, the largest first.
    Large,
    /// Any, the largest first.
    Any,
    /// Of this size in KiB.
    Kib(u64),
}

/// How dedicated vCPUs sit on the siblings of a core (Nova since Mitaka; the last is ours).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThreadPolicy {
    /// Siblings together where they are free, else wherever CPUs are.
    #[default]
    Prefer,
    /// Siblings together or not at all.
    Require,
    /// A core each, whose other siblings stay idle.
    Isolate,
    /// Whole cores and nothing that would leave half of one.
    FullCores,
}

/// Where the emulator's threads run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmulatorThreads {
    /// On CPUs that are shared, or beside the vCPUs.
    #[default]
    Share,
    /// On one dedicated CPU more, of the first guest cell that has dedicated vCPUs.
    Isolate,
}

/// Whether dedicated vCPUs share an L3 cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L3Policy {
    /// Where all of the instance can.
    Prefer,
    /// Else it does not fit.
    Require,
}

/// Which of the host cells that fit are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellPreference {
    /// Those with the least sum of distances between each other.
    Closest,
    /// Those with the fewest pairs on one socket.
    SpreadSockets,
    /// The fullest first.
    Pack,
    /// The emptiest first.
    Spread,
}

/// How far what is shared may be overcommitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// As the host says.
    #[default]
    OfHost,
    /// By this ratio.
    Ratio(Ratio),
    /// Without end.
    Unlimited,
}

/// Of each amount that is shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// vCPUs.
    pub vcpus: Limit,
    /// Ordinary memory.
    pub memory: Limit,
}

impl GuestTopology {
    /// Whether any vCPU has a CPU of its own: then nothing of the instance is overcommitted but its
    /// shared vCPUs (Nova's policies dedicated and mixed).
    pub(crate) fn has_dedicated(&self) -> bool {
        self.cells.iter().any(|cell| !cell.dedicated.is_empty())
    }

    /// The guest cell that the emulator's own CPU comes with.
    pub(crate) fn emulator_cell(&self) -> Option<usize> {
        let isolated = self.emulator_threads == EmulatorThreads::Isolate;
        let first = self.cells.iter().position(|cell| !cell.dedicated.is_empty());
        first.filter(|_| isolated)
    }

    /// All of its memory in MiB.
    pub(crate) fn memory_mib(&self) -> u64 {
        self.cells.iter().map(|cell| cell.memory_mib).fold(0, u64::saturating_add)
    }

    /// All of its vCPUs.
    pub(crate) fn vcpu_count(&self) -> u64 {
        self.cells.iter().map(GuestCell::vcpu_count).fold(0, u64::saturating_add)
    }

    /// vCPUs that float.
    pub(crate) fn shared_count(&self) -> u64 {
        self.cells.iter().map(|cell| cell.shared.count()).fold(0, u64::saturating_add)
    }
}

impl GuestCell {
    /// Shared and dedicated.
    pub(crate) fn vcpu_count(&self) -> u64 {
        self.shared.count().saturating_add(self.dedicated.count())
    }
}

impl Limit {
    /// The ratio that counts; none: no end.
    pub(crate) fn ratio(self, of_host: Ratio) -> Option<Ratio> {
        match self {
            Self::OfHost => Some(of_host),
            Self::Ratio(ratio) => Some(ratio),
            Self::Unlimited => None,
        }
    }
}
