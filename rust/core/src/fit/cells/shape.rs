//! A topology cut down to less.

use std::collections::BTreeSet;

use crate::cpuset::CpuList;
use crate::inventory::Inventory;
use crate::topology::{GuestCell, GuestTopology, HostCell, PageWant};

const KIB_OF_MIB: u64 = 1024;

/// How far a topology is cut down: to its first guest cells, and each of them to so much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Guest cells that are left.
    pub(super) cells: usize,
    /// The most vCPUs of each; the lowest stay.
    pub(super) vcpus: u64,
    /// The most memory of each in MiB.
    pub(super) memory_mib: u64,
    /// MiB of which the memory is a multiple.
    pub(super) unit_mib: u64,
}

impl Cut {
    /// What is left, its vCPUs numbered anew; none when a guest cell would lose all of its vCPUs or
    /// memory.
    pub(super) fn of(&self, topology: &GuestTopology) -> Option<GuestTopology> {
        let mut next = 0_u32;
        let cells: Option<Vec<GuestCell>> =
            topology.cells.iter().take(self.cells).map(|cell| self.cell(cell, &mut next)).collect();
        Some(GuestTopology { cells: cells?, ..topology.clone() })
    }

    fn cell(&self, cell: &GuestCell, next: &mut u32) -> Option<GuestCell> {
        let units = cell.memory_mib.min(self.memory_mib).checked_div(self.unit_mib)?;
        let memory_mib = units.saturating_mul(self.unit_mib);
        let loses_all = |left: u64, all: u64| left == 0 && all > 0;
        if loses_all(memory_mib, cell.memory_mib) || loses_all(self.vcpus, cell.vcpu_count()) {
            return None;
        }
        let most = usize::try_from(self.vcpus).unwrap_or(usize::MAX);
        let mut kept: Vec<(u32, bool)> =
            cell.shared.iter().take(most).map(|it| (it, false)).collect();
        kept.extend(cell.dedicated.iter().take(most).map(|vcpu| (vcpu, true)));
        kept.sort_unstable();
        kept.truncate(most);
        let first = *next;
        *next = first.saturating_add(u32::try_from(kept.len()).unwrap_or(u32::MAX));
        let numbered = |own: bool| -> CpuList {
            let of_kind = (first..).zip(&kept).filter(|(_, it)| it.1 == own);
            of_kind.map(|(number, _)| number).collect()
        };
        Some(GuestCell { shared: numbered(false), dedicated: numbered(true), memory_mib })
    }
}

/// The share of the vCPUs that is given up and that of the memory, added and brought to whole numbers.
pub(super) fn loss(asked: &GuestTopology, left: &GuestTopology) -> u128 {
    let lost = |all: u64, left: u64, of_other: u64| {
        u128::from(all.saturating_sub(left)).saturating_mul(u128::from(of_other.max(1)))
    };
    let vcpus = lost(asked.vcpu_count(), left.vcpu_count(), asked.memory_mib());
    vcpus.saturating_add(lost(asked.memory_mib(), left.memory_mib(), asked.vcpu_count()))
}

/// MiB that the memory of a guest cell may be a multiple of, ascending: one for each size of pages from
/// which it could come.
pub(super) fn units(inventory: &Inventory, pages: Option<PageWant>) -> BTreeSet<u64> {
    let sizes_on = |cell: &HostCell| -> Vec<u64> {
        let sizes = cell.pages.iter().map(|page| page.size_kib);
        match pages {
            None | Some(PageWant::Small) => sizes.take(1).collect(),
            Some(PageWant::Large) => sizes.skip(1).collect(),
            Some(PageWant::Any) => sizes.collect(),
            Some(PageWant::Kib(size)) => vec![size],
        }
    };
    let cells = inventory.cells().iter();
    let mut units: BTreeSet<u64> = cells.flat_map(sizes_on).map(whole_mib).collect();
    if units.is_empty() || pages.is_none() {
        units.insert(1);
    }
    units
}

/// The least MiB that are a whole number of pages.
fn whole_mib(size_kib: u64) -> u64 {
    let (mut divisor, mut rest) = (size_kib.max(1), KIB_OF_MIB);
    while let Some(left) = divisor.checked_rem(rest) {
        (divisor, rest) = (rest, left);
    }
    size_kib.checked_div(divisor).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::whole_mib;

    #[test]
    fn memory_in_mib_is_a_whole_number_of_pages() {
        let all =
            [(4, 1), (64, 1), (1024, 1), (1536, 3), (2048, 2), (16384, 16), (1_048_576, 1024)];
        for (size_kib, mib) in all {
            assert_eq!(whole_mib(size_kib), mib, "{size_kib}");
        }
        assert_eq!((whole_mib(0), whole_mib(u64::MAX)), (1, u64::MAX));
    }
}
