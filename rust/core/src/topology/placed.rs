//! Where a guest cell was put.

use std::collections::BTreeMap;
use std::fmt;

use crate::cpuset::CpuList;

/// What one guest cell holds of a host cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlacedCell {
    /// The host cell.
    pub cell: i64,
    /// vCPUs that float.
    pub shared: CpuList,
    /// CPUs that they float over.
    pub cpus: CpuList,
    /// The CPU of each dedicated vCPU.
    pub pins: BTreeMap<u32, u32>,
    /// CPUs of the emulator's threads alone.
    pub emulator: CpuList,
    /// Every CPU that is held for this instance alone.
    pub charged: CpuList,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Size in KiB of the pages that the memory comes from, where the host lists sizes.
    pub page_kib: Option<u64>,
    /// How many pages.
    pub pages: u64,
}

impl PlacedCell {
    /// The most of both, which are on one host cell and of one size of pages.
    pub(crate) fn joined(&self, other: &Self) -> Self {
        let both = |one: &CpuList, other: &CpuList| one.iter().chain(other.iter()).collect();
        Self {
            cell: other.cell,
            shared: both(&self.shared, &other.shared),
            cpus: both(&self.cpus, &other.cpus),
            pins: self.pins.iter().chain(&other.pins).map(|(vcpu, cpu)| (*vcpu, *cpu)).collect(),
            emulator: both(&self.emulator, &other.emulator),
            charged: both(&self.charged, &other.charged),
            memory_mib: self.memory_mib.max(other.memory_mib),
            page_kib: other.page_kib,
            pages: self.pages.max(other.pages),
        }
    }
}

impl fmt::Display for PlacedCell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "cell {}: {} MiB", self.cell, self.memory_mib)?;
        if let Some(size) = self.page_kib {
            write!(out, " in pages of {size} KiB")?;
        }
        if !self.charged.is_empty() {
            write!(out, ", CPUs {} alone", self.charged)?;
        }
        match self.shared.count() {
            0 => Ok(()),
            count => write!(out, ", {count} shared vCPUs"),
        }
    }
}
