//! Why not, as values with numbers.

use crate::amounts::Amounts;
use crate::pci::{Kind, PciAddress, Product};
use crate::topology::GuestTopology;

/// The kind of a misfit; its code is stable and for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MisfitCode {
    /// Too few vCPUs are free.
    InsufficientVcpus,
    /// Too little memory is free.
    InsufficientMemory,
    /// Too little disk is free.
    InsufficientDisk,
    /// Too little of a counter is free.
    InsufficientCounter,
    /// The host has no counter of this name.
    UnknownCounter,
    /// Too few devices of a product are free together with the rest of the request.
    InsufficientDevices,
    /// The host offers no such device at all.
    UnknownDevice,
    /// An operator keeps new claims off this host.
    HostCordoned,
    /// The host has fewer cells than the instance.
    InsufficientCells,
    /// Too few dedicated CPUs are free on a cell.
    InsufficientDedicatedCpus,
    /// Too few cores are free as the thread policy wants them.
    InsufficientCores,
    /// Too few pages of an admissible size are free on a cell.
    InsufficientPages,
    /// A cell has no pages of the size.
    UnknownPageSize,
    /// The memory is no whole number of pages.
    UnevenPages,
    /// No L3 cache has enough free CPUs.
    InsufficientL3,
    /// An operator keeps new claims off this cell.
    CellCordoned,
    /// Every guest cell fits somewhere, but several only on the same host cells.
    CellsCompete,
    /// The cells fit, and so do the devices, but not near each other.
    CellsFarFromDevices,
    /// The cells fit, but none that is close to a network that is wanted.
    CellsFarFromNetworks,
}

/// One constraint that fails, with its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// What kind of constraint.
    pub code: MisfitCode,
    /// `vcpus`, `memory_mib`, `disk_mib`, the counter's name, `host`, or the device request's name.
    pub resource: String,
    /// The reason in words, with the numbers.
    pub message: String,
    /// What was asked.
    pub asked: u64,
    /// What would fit now; for devices, together with the rest of the request.
    pub free: u64,
    /// What there is to hand out.
    pub capacity: u64,
    /// What is booked.
    pub used: u64,
    /// For devices, what each filter did to the candidates, in order.
    pub filters: Vec<Filtered>,
    /// Position of the guest cell that it speaks of.
    pub guest_cell: Option<u64>,
    /// Why that one fits on none of the host cells, in the order in which they are tried.
    pub cells: Vec<CellMisfit>,
    /// Position of the device request that it speaks of.
    pub request: Option<u64>,
    /// For devices, the pools that have what is asked for, in the order in which they are given out.
    pub pools: Vec<PoolFiltered>,
}

/// Why one guest cell does not fit on one host cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellMisfit {
    /// Position of the guest cell.
    pub guest_cell: u64,
    /// The host cell.
    pub cell: i64,
    /// What kind of constraint.
    pub code: MisfitCode,
    /// What was asked.
    pub asked: u64,
    /// What is free.
    pub free: u64,
}

/// What the filters of one device request did to one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolFiltered {
    /// What its devices are.
    pub product: Product,
    /// Plain, PF, VF or vDPA.
    pub kind: Kind,
    /// The host cell, when the host says.
    pub cell: Option<i64>,
    /// The PF of VFs.
    pub parent: Option<PciAddress>,
    /// All of its devices.
    pub total: u64,
    /// The filters that removed something, in order.
    pub filters: Vec<Filtered>,
}

/// How many candidates one filter removed and how many it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filtered {
    /// The filter's name, stable.
    pub filter: &'static str,
    /// Candidates that it removed.
    pub removed: u64,
    /// Candidates that it left.
    pub left: u64,
}

/// The nearest request of the same kind that fits now; what was asked for is present, even at zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nearest {
    /// Of each resource.
    pub amounts: Amounts,
    /// For each device request, in their order.
    pub devices: Vec<u64>,
    /// For a request with a topology, one that fits.
    pub topology: Option<GuestTopology>,
}

/// Every reason why a request does not fit, and what would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", joined(.reasons))]
pub struct NoFit {
    /// One misfit for each constraint that fails; never empty.
    pub reasons: Vec<Misfit>,
    /// What would fit.
    pub nearest: Nearest,
}

/// The search reached its bound before it knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not decided within {limit} search steps: which cells and devices go to which part of the request"
)]
pub struct Undecided {
    /// Steps that were spent.
    pub steps: u64,
    /// The bound.
    pub limit: u64,
}

/// Why a decision is not a placement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not fit.
    #[error(transparent)]
    NoFit(#[from] Box<NoFit>),
    /// It is not known whether it fits.
    #[error(transparent)]
    Undecided(#[from] Undecided),
}

impl Misfit {
    /// One with nothing but its words and the two numbers.
    pub(crate) fn new(
        code: MisfitCode,
        resource: &str,
        message: String,
        asked: u64,
        free: u64,
    ) -> Self {
        Self {
            code,
            resource: resource.to_owned(),
            message,
            asked,
            free,
            capacity: 0,
            used: 0,
            filters: Vec::new(),
            guest_cell: None,
            cells: Vec::new(),
            request: None,
            pools: Vec::new(),
        }
    }
}

impl MisfitCode {
    /// Every kind, in the order in which reasons are told.
    pub const ALL: [Self; 19] = [
        Self::InsufficientVcpus,
        Self::InsufficientMemory,
        Self::InsufficientDisk,
        Self::InsufficientCounter,
        Self::UnknownCounter,
        Self::InsufficientDevices,
        Self::UnknownDevice,
        Self::HostCordoned,
        Self::InsufficientCells,
        Self::InsufficientDedicatedCpus,
        Self::InsufficientCores,
        Self::InsufficientPages,
        Self::UnknownPageSize,
        Self::UnevenPages,
        Self::InsufficientL3,
        Self::CellCordoned,
        Self::CellsCompete,
        Self::CellsFarFromDevices,
        Self::CellsFarFromNetworks,
    ];

    /// The stable text of the code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientVcpus => "insufficient_vcpus",
            Self::InsufficientMemory => "insufficient_memory",
            Self::InsufficientDisk => "insufficient_disk",
            Self::InsufficientCounter => "insufficient_counter",
            Self::UnknownCounter => "unknown_counter",
            Self::InsufficientDevices => "insufficient_devices",
            Self::UnknownDevice => "unknown_device",
            Self::HostCordoned => "host_cordoned",
            Self::InsufficientCells => "insufficient_cells",
            Self::InsufficientDedicatedCpus => "insufficient_dedicated_cpus",
            Self::InsufficientCores => "insufficient_cores",
            Self::InsufficientPages => "insufficient_pages",
            Self::UnknownPageSize => "unknown_page_size",
            Self::UnevenPages => "uneven_pages",
            Self::InsufficientL3 => "insufficient_l3",
            Self::CellCordoned => "cell_cordoned",
            Self::CellsCompete => "cells_compete",
            Self::CellsFarFromDevices => "cells_far_from_devices",
            Self::CellsFarFromNetworks => "cells_far_from_networks",
        }
    }
}

fn joined(reasons: &[Misfit]) -> String {
    let messages: Vec<&str> = reasons.iter().map(|reason| reason.message.as_str()).collect();
    messages.join("; ")
}
