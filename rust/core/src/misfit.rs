//! Why not, as values with numbers.

use crate::amounts::Amounts;
use crate::pci::{Kind, PciAddress, Product};

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
    /// Position of the device request that it speaks of.
    pub request: Option<u64>,
    /// For devices, the pools that have what is asked for, in the order in which they are given out.
    pub pools: Vec<PoolFiltered>,
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
#[error("not decided within {limit} search steps: which devices go to which part of the request")]
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

impl MisfitCode {
    /// Every kind, in the order in which reasons are told.
    pub const ALL: [Self; 8] = [
        Self::InsufficientVcpus,
        Self::InsufficientMemory,
        Self::InsufficientDisk,
        Self::InsufficientCounter,
        Self::UnknownCounter,
        Self::InsufficientDevices,
        Self::UnknownDevice,
        Self::HostCordoned,
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
        }
    }
}

fn joined(reasons: &[Misfit]) -> String {
    let messages: Vec<&str> = reasons.iter().map(|reason| reason.message.as_str()).collect();
    messages.join("; ")
}
