//! Shapes that are suggested in place of one that does not fit.

use std::collections::BTreeSet;

use crate::amounts::Resource;
use crate::cpuset::CpuList;
use crate::ledger::Ledger;
use crate::misfit::NoFit;
use crate::properties::cells::strategies::CellHost;
use crate::request::Request;
use crate::topology::{GuestCell, GuestTopology, PageWant};

/// The suggested cells, amounts and devices fit together.
pub(super) fn check_suggestion(ledger: &mut Ledger, request: &Request, no_fit: &NoFit) {
    assert!(!no_fit.reasons.is_empty());
    let nearest = &no_fit.nearest;
    let Some(shape) = nearest.topology.clone() else {
        assert_eq!(nearest.amounts[&Resource::Vcpus], 0);
        assert_eq!(nearest.amounts[&Resource::MemoryMib], 0);
        assert!(nearest.devices.iter().all(|count| *count == 0));
        return;
    };
    assert_eq!(nearest.amounts[&Resource::Vcpus], shape.vcpu_count());
    assert_eq!(nearest.amounts[&Resource::MemoryMib], shape.memory_mib());
    let suggested = request.with_device_counts(&nearest.devices).reshaped(shape);
    let placed = ledger.fit(&suggested);
    assert!(placed.is_ok(), "{placed:?}");
}

/// By trying every shape: none has more guest cells, and of those with as many none gives up less.
pub(super) fn check_none_is_nearer(
    ledger: &mut Ledger,
    host: &CellHost,
    request: &Request,
    no_fit: &NoFit,
) {
    let asked = request.topology().unwrap();
    let suggested = no_fit.nearest.topology.as_ref();
    let all = shapes(host, asked);
    let fitting =
        all.into_iter().filter(|it| ledger.fit(&request.clone().reshaped(it.clone())).is_ok());
    let rank = |shape: &GuestTopology| (asked.cells.len() - shape.cells.len(), loss(asked, shape));
    let best = fitting.min_by_key(rank);
    assert_eq!(best.as_ref().map(rank), suggested.map(rank), "{best:?}\n{suggested:?}");
}

/// The shares of vCPUs and of memory that are given up, added and brought to whole numbers.
fn loss(asked: &GuestTopology, shape: &GuestTopology) -> u64 {
    let (vcpus, memory) = (asked.vcpu_count(), asked.memory_mib());
    (vcpus - shape.vcpu_count()) * memory.max(1) + (memory - shape.memory_mib()) * vcpus.max(1)
}

/// The first guest cells, with at most so many vCPUs and so much memory each, in whole pages.
fn shapes(host: &CellHost, asked: &GuestTopology) -> Vec<GuestTopology> {
    let most_vcpus = asked.cells.iter().map(GuestCell::vcpu_count).max().unwrap();
    let most_mib = asked.cells.iter().map(|cell| cell.memory_mib).max().unwrap();
    let mut shapes = Vec::new();
    for count in 1..=asked.cells.len() {
        for vcpus in most_vcpus.min(1)..=most_vcpus {
            for unit in units(host, asked) {
                for units in most_mib.min(1)..=most_mib.div_ceil(unit) {
                    let shape = shape(asked, count, vcpus, units * unit, unit);
                    let mut cells = shape.cells.iter().zip(&asked.cells);
                    if cells.all(|(left, all)| left.memory_mib > 0 || all.memory_mib == 0) {
                        shapes.push(shape);
                    }
                }
            }
        }
    }
    shapes
}

fn shape(asked: &GuestTopology, count: usize, vcpus: u64, mib: u64, unit: u64) -> GuestTopology {
    let mut next = 0..;
    let mut cut = |cell: &GuestCell| {
        let mut all: Vec<(u32, bool)> = cell.shared.iter().map(|vcpu| (vcpu, false)).collect();
        all.extend(cell.dedicated.iter().map(|vcpu| (vcpu, true)));
        all.sort_unstable();
        let kept: Vec<(u32, bool)> = all
            .into_iter()
            .take(usize::try_from(vcpus).unwrap())
            .map(|(_, own)| (next.next().unwrap(), own))
            .collect();
        let of = |own: bool| -> CpuList {
            kept.iter().filter(|it| it.1 == own).map(|it| it.0).collect()
        };
        let memory_mib = cell.memory_mib.min(mib) / unit * unit;
        GuestCell { shared: of(false), dedicated: of(true), memory_mib }
    };
    let cells = asked.cells.iter().take(count).map(&mut cut).collect();
    GuestTopology { cells, ..asked.clone() }
}

/// MiB of the pages that the memory may come from, on any cell.
fn units(host: &CellHost, asked: &GuestTopology) -> BTreeSet<u64> {
    let sizes = host.cells.iter().flat_map(|cell| {
        let sizes: Vec<u64> = cell.pages.iter().map(|page| page.size_kib).collect();
        match asked.pages {
            None | Some(PageWant::Small) => sizes.into_iter().take(1).collect(),
            Some(PageWant::Large) => sizes.into_iter().skip(1).collect(),
            Some(PageWant::Any) => sizes,
            Some(PageWant::Kib(size)) => vec![size],
        }
    });
    let mut units: BTreeSet<u64> = sizes.map(|size| size.div_ceil(1024)).collect();
    if units.is_empty() || asked.pages.is_none() {
        units.insert(1);
    }
    units
}
