//! The nearest shape that fits.
//!
//! A shape has the same policies and pages, with at most so many vCPUs and so much memory in each guest
//! cell. It has as many guest cells as can be; of such shapes it gives up the least, the shares of vCPUs
//! and of memory that are given up being added. Then it has as many devices as go with it, part by part.

use crate::amounts::Resource;
use crate::cpuset::CpuList;
use crate::fit::cells::seat;
use crate::fit::steps::Steps;
use crate::fit::{Room, amounts};
use crate::misfit::Nearest;
use crate::request::Request;
use crate::topology::{GuestCell, GuestTopology, PageWant};

/// Steps of the memory that are tried one by one; more are bisected.
const FEW: u64 = 32;
/// Shapes that are tried at most.
const MAX_SHAPES: u64 = 400;

pub(super) fn of(
    room: Room<'_>,
    request: &Request,
    topology: &GuestTopology,
    steps: &mut Steps,
) -> Nearest {
    let mut tailor = Tailor { room, request, topology, steps, left: MAX_SHAPES };
    let shape = (1..=topology.cells.len()).rev().find_map(|cells| tailor.best_of(cells));
    let mut nearest = Nearest {
        amounts: amounts::nearest(room, request),
        devices: vec![0; request.devices().len()],
        topology: None,
    };
    let Some(shape) = shape else {
        nearest.amounts.insert(Resource::Vcpus, 0);
        nearest.amounts.insert(Resource::MemoryMib, 0);
        return nearest;
    };
    nearest.devices = tailor.devices_with(&shape);
    nearest.amounts.insert(Resource::Vcpus, shape.vcpu_count());
    nearest.amounts.insert(Resource::MemoryMib, shape.memory_mib());
    nearest.topology = Some(shape);
    nearest
}

struct Tailor<'a, 'b> {
    room: Room<'a>,
    request: &'b Request,
    topology: &'b GuestTopology,
    steps: &'b mut Steps,
    left: u64,
}

/// The most of each guest cell.
#[derive(Clone, Copy)]
struct Caps {
    vcpus: u64,
    memory_mib: u64,
}

impl Tailor<'_, '_> {
    /// The best shape of so many guest cells.
    fn best_of(&mut self, cells: usize) -> Option<GuestTopology> {
        let most = self.topology.cells.iter().map(GuestCell::vcpu_count).max().unwrap_or(0);
        let mut best: Option<(u128, GuestTopology)> = None;
        for vcpus in (most.min(1)..=most).rev() {
            let given_up = self.loss(&self.shape(cells, Caps { vcpus, memory_mib: u64::MAX }));
            if self.left == 0 || best.as_ref().is_some_and(|(loss, _)| *loss <= given_up) {
                break;
            }
            if let Some(shape) = self.most_memory(cells, vcpus) {
                let loss = self.loss(&shape);
                if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                    best = Some((loss, shape));
                }
            }
        }
        best.map(|(_, shape)| shape)
    }

    /// What is given up of vCPUs and of memory, in parts of both together.
    fn loss(&self, shape: &GuestTopology) -> u128 {
        let (all, kept) = (self.topology, shape);
        let lost = |all: u64, kept: u64, of: u64| {
            u128::from(all.saturating_sub(kept)).saturating_mul(u128::from(of.max(1)))
        };
        let vcpus = lost(all.vcpu_count(), kept.vcpu_count(), all.memory_mib());
        vcpus.saturating_add(lost(all.memory_mib(), kept.memory_mib(), all.vcpu_count()))
    }

    /// The shape with so many vCPUs and the most memory.
    fn most_memory(&mut self, cells: usize, vcpus: u64) -> Option<GuestTopology> {
        let unit = self.granule();
        let memory = self.topology.cells.iter().map(|cell| cell.memory_mib).max().unwrap_or(0);
        let most = memory.div_ceil(unit);
        let least = most.min(1);
        let mut at = |units: u64| {
            let memory_mib = units.saturating_mul(unit);
            self.fitting(cells, Caps { vcpus, memory_mib })
        };
        if let Some(shape) = at(most) {
            return Some(shape);
        }
        if most <= FEW {
            return (least..most).rev().find_map(at);
        }
        let mut best = at(least)?;
        let (mut low, mut high) = (least, most);
        while high.saturating_sub(low) > 1 {
            let middle = low.midpoint(high);
            match at(middle) {
                Some(shape) => (best, low) = (shape, middle),
                None => high = middle,
            }
        }
        Some(best)
    }

    /// The least memory in MiB that pages can hold.
    fn granule(&self) -> u64 {
        let huge = || {
            let cells = self.room.inventory.cells().iter();
            cells.filter_map(|cell| cell.pages.get(1)).map(|page| page.size_kib).min()
        };
        let kib = match self.topology.pages {
            Some(PageWant::Kib(size)) => Some(size),
            Some(PageWant::Large) => huge(),
            _ => None,
        };
        kib.map_or(1, |kib| kib.div_ceil(1024).max(1))
    }

    /// A shape, if it fits without devices.
    fn fitting(&mut self, cells: usize, caps: Caps) -> Option<GuestTopology> {
        self.left = self.left.saturating_sub(1);
        let shape = self.shape(cells, caps);
        let request = self.request.without_devices().reshaped(shape.clone());
        self.fits(&request, &shape).then_some(shape)
    }

    fn fits(&mut self, request: &Request, shape: &GuestTopology) -> bool {
        *self.steps = self.steps.renewed();
        let amounts = amounts::fit(self.room, &request.only_shared());
        amounts && matches!(seat(self.room, request, shape, self.steps), Ok(Some(_)))
    }

    /// The first guest cells, cut down; their vCPUs are numbered anew.
    fn shape(&self, cells: usize, caps: Caps) -> GuestTopology {
        let (unit, mut next) = (self.granule(), 0_u32);
        let cut = self.topology.cells.iter().take(cells).map(|cell| {
            let memory = cell.memory_mib.min(caps.memory_mib);
            let even = memory.checked_div(unit).unwrap_or(0).saturating_mul(unit);
            cell.cut(caps.vcpus, even, &mut next)
        });
        GuestTopology { cells: cut.collect(), ..self.topology.clone() }
    }

    /// As many devices as go with a shape: of each part, in order, the most that goes with those before.
    fn devices_with(&mut self, shape: &GuestTopology) -> Vec<u64> {
        let mut counts = vec![0; self.request.devices().len()];
        for part in 0..counts.len() {
            let most = self.most_devices(shape, &counts, part);
            set(&mut counts, part, most);
        }
        counts
    }

    /// A part that names its providers can only be had whole.
    fn most_devices(&mut self, shape: &GuestTopology, counts: &[u64], part: usize) -> u64 {
        let Some(devices) = self.request.devices().get(part) else { return 0 };
        let whole = !devices.providers.is_empty();
        let (mut low, mut high) = (0, devices.count);
        while low < high {
            let middle = if whole { high } else { low.midpoint(high).max(low.saturating_add(1)) };
            let mut tried = counts.to_vec();
            set(&mut tried, part, middle);
            let request = self.request.with_device_counts(&tried).reshaped(shape.clone());
            if self.fits(&request, shape) {
                low = middle;
            } else {
                high = if whole { 0 } else { middle.saturating_sub(1) };
            }
        }
        low
    }
}

fn set(counts: &mut [u64], part: usize, count: u64) {
    if let Some(place) = counts.get_mut(part) {
        *place = count;
    }
}

impl GuestCell {
    /// The same cell with its lowest vCPUs only, numbered from `next` on.
    fn cut(&self, vcpus: u64, memory_mib: u64, next: &mut u32) -> Self {
        let mut all: Vec<(u32, bool)> = self.shared.iter().map(|vcpu| (vcpu, false)).collect();
        all.extend(self.dedicated.iter().map(|vcpu| (vcpu, true)));
        all.sort_unstable();
        all.truncate(usize::try_from(vcpus).unwrap_or(usize::MAX));
        let first = *next;
        *next = next.saturating_add(u32::try_from(all.len()).unwrap_or(u32::MAX));
        let numbered = |own: bool| -> CpuList {
            let kept = (first..).zip(&all).filter(|(_, it)| it.1 == own);
            kept.map(|(number, _)| number).collect()
        };
        Self { shared: numbered(false), dedicated: numbered(true), memory_mib }
    }
}
