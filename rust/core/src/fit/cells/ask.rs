//! What a topology asks of each host cell.

use crate::amounts::{Ratio, Resource};
use crate::inventory::Inventory;
use crate::request::Request;
use crate::topology::{GuestTopology, L3Policy, PageWant, ThreadPolicy};

/// A topology on a host with its ratios.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) guests: Vec<Guest>,
    pub(super) pages: Option<PageWant>,
    pub(super) threads: ThreadPolicy,
    pub(super) within_l3: bool,
    pub(super) has_dedicated: bool,
    /// Of shared vCPUs; none: no end.
    pub(super) vcpu_ratio: Option<Ratio>,
    /// Of ordinary memory; none: no end.
    pub(super) memory_ratio: Option<Ratio>,
}

/// One guest cell in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guest {
    pub(super) shared: u64,
    pub(super) dedicated: u64,
    /// Whether the emulator's own CPU comes with it.
    pub(super) has_emulator: bool,
    pub(super) memory_mib: u64,
}

impl Ask {
    pub(super) fn of(inventory: &Inventory, request: &Request, topology: &GuestTopology) -> Self {
        let emulator = topology.emulator_cell();
        let guests = topology.cells.iter().enumerate().map(|(position, cell)| Guest {
            shared: cell.shared.count(),
            dedicated: cell.dedicated.count(),
            has_emulator: emulator == Some(position),
            memory_mib: cell.memory_mib,
        });
        let of_host = |resource| inventory.quantity(&resource).copied().unwrap_or_default().ratio;
        Self {
            guests: guests.collect(),
            pages: topology.pages,
            threads: topology.threads,
            within_l3: topology.l3 == Some(L3Policy::Require),
            has_dedicated: topology.has_dedicated(),
            vcpu_ratio: request.limits().vcpus.ratio(of_host(Resource::Vcpus)),
            memory_ratio: request.limits().memory.ratio(of_host(Resource::MemoryMib)),
        }
    }
}

impl Guest {
    /// CPUs that are its alone, idle siblings apart.
    pub(super) fn own_cpus(&self) -> u64 {
        self.dedicated.saturating_add(u64::from(self.has_emulator))
    }
}
