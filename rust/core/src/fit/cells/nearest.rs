//! The nearest shape that fits.
//!
//! A shape has the same policies and pages, the first guest cells of the request, and in each of them at
//! most so many vCPUs and so much memory, the same bounds for all; none is without vCPUs or memory that
//! was asked to have some. It has as many guest cells as can be; of such shapes it gives up the least, the
//! shares of vCPUs and of memory that are given up being added. Then it has as many devices as go with it,
//! part by part.
//!
//! It is found by trying; bounds of more than [`FEW`] values are bisected, and all shapes together have
//! the bound of steps of one search. Where that, or the number of shapes, is too small, what is found
//! fits, and there may be something nearer.

use crate::amounts::Resource;
use crate::fit::cells::seat;
use crate::fit::cells::shape::{Cut, loss, units};
use crate::fit::steps::Steps;
use crate::fit::{Room, amounts};
use crate::misfit::Nearest;
use crate::request::Request;
use crate::topology::{GuestCell, GuestTopology, HostCell, L3Policy, ThreadPolicy};

/// Values of a bound that are tried one by one.
const FEW: u64 = 32;
/// Shapes that are tried at most.
const MAX_SHAPES: u64 = 400;
/// Fewer on a host of so many cells that more would take long: of pairs of guest and host cell so many.
const MAX_PAIRS: u64 = 100_000;
/// And at least so many shapes.
const MIN_SHAPES: u64 = 24;

pub(super) fn of(
    room: Room<'_>,
    request: &Request,
    topology: &GuestTopology,
    steps: &mut Steps,
) -> Nearest {
    let mut nearest = Nearest {
        amounts: amounts::nearest(room, request),
        devices: vec![0; request.devices().len()],
        topology: None,
    };
    let mut tailor = Tailor::of(room, request, topology, steps);
    let shape = tailor.best();
    let of_shape = |of: fn(&GuestTopology) -> u64| shape.as_ref().map_or(0, of);
    nearest.amounts.insert(Resource::Vcpus, of_shape(GuestTopology::vcpu_count));
    nearest.amounts.insert(Resource::MemoryMib, of_shape(GuestTopology::memory_mib));
    if let Some(shape) = shape {
        nearest.devices = tailor.devices_with(&shape);
        let GuestTopology { l3, preference, .. } = topology;
        nearest.topology = Some(GuestTopology { l3: *l3, preference: *preference, ..shape });
    }
    nearest
}

struct Tailor<'a, 'b> {
    room: Room<'a>,
    request: &'b Request,
    /// Without what is only preferred: it bars nothing.
    topology: GuestTopology,
    steps: &'b mut Steps,
    /// Shapes that may still be tried.
    left: u64,
}

impl<'a, 'b> Tailor<'a, 'b> {
    fn of(
        room: Room<'a>,
        request: &'b Request,
        topology: &GuestTopology,
        steps: &'b mut Steps,
    ) -> Self {
        let l3 = topology.l3.filter(|policy| *policy == L3Policy::Require);
        let topology = GuestTopology { l3, preference: None, ..topology.clone() };
        let pairs = topology.cells.len().saturating_mul(room.inventory.cells().iter().len());
        let most = MAX_PAIRS.checked_div(u64::try_from(pairs).unwrap_or(u64::MAX));
        let left = most.map_or(MAX_SHAPES, |most| most.clamp(MIN_SHAPES, MAX_SHAPES));
        *steps = steps.renewed();
        Self { room, request, topology, steps, left }
    }

    /// Of as many guest cells as can be; where so many fit, fewer do.
    fn best(&mut self) -> Option<GuestTopology> {
        let mut high = self.topology.cells.len().min(self.room.inventory.cells().iter().len());
        if high == 0 {
            return None;
        }
        if let Some(shape) = self.best_of(high) {
            return Some(shape);
        }
        let (mut best, mut low) = (None, 0);
        high = high.saturating_sub(1);
        while low < high {
            let middle = low.midpoint(high).max(low.saturating_add(1));
            match self.best_of(middle) {
                Some(shape) => (best, low) = (Some(shape), middle),
                None => high = middle.saturating_sub(1),
            }
        }
        best
    }

    /// The best shape of so many guest cells.
    fn best_of(&mut self, cells: usize) -> Option<GuestTopology> {
        let all = self.memory_of_largest();
        let mut best: Option<(u128, GuestTopology)> = None;
        for vcpus in self.bounds_of_vcpus(cells) {
            let whole = Cut { cells, vcpus, memory_mib: all, unit_mib: 1 }.of(&self.topology);
            let least = whole.map_or(u128::MAX, |whole| loss(&self.topology, &whole));
            if self.left == 0 || best.as_ref().is_some_and(|(loss, _)| *loss <= least) {
                break;
            }
            for unit_mib in units(self.room.inventory, self.topology.pages) {
                let cut = Cut { cells, vcpus, memory_mib: all, unit_mib };
                let Some(shape) = self.most_memory(cut) else { continue };
                let loss = loss(&self.topology, &shape);
                if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                    best = Some((loss, shape));
                }
            }
        }
        best.map(|(_, shape)| shape)
    }

    fn memory_of_largest(&self) -> u64 {
        self.topology.cells.iter().map(|cell| cell.memory_mib).max().unwrap_or(0)
    }

    /// The most first. Of many, those up to the highest under which it fits with little memory; where
    /// cores are only taken whole, those that leave none in half.
    fn bounds_of_vcpus(&mut self, cells: usize) -> Vec<u64> {
        let asked = self.topology.cells.iter().map(GuestCell::vcpu_count).max().unwrap_or(0);
        let host = self.room.inventory.cells();
        let cpus = |cell: &HostCell| cell.shared_count().saturating_add(cell.dedicated_count());
        let most = asked.min(host.iter().map(cpus).max().unwrap_or(0));
        let all = || (most.min(1)..=most).rev();
        if most <= FEW {
            return all().collect();
        }
        if self.topology.threads == ThreadPolicy::FullCores {
            let widths: Vec<u64> =
                host.iter().filter_map(|cell| u64::try_from(cell.widest()).ok()).collect();
            let is_even = |vcpus: &u64| widths.iter().any(|it| vcpus.checked_rem(*it) == Some(0));
            return all().filter(is_even).collect();
        }
        let highest = self.highest_bound(cells, most);
        all().skip_while(|vcpus| *vcpus > highest).collect()
    }

    fn highest_bound(&mut self, cells: usize, most: u64) -> u64 {
        let units = units(self.room.inventory, self.topology.pages);
        let mut fits = |vcpus| {
            let cut =
                |unit_mib: &u64| Cut { cells, vcpus, memory_mib: *unit_mib, unit_mib: *unit_mib };
            units.iter().any(|unit_mib| self.fitting(cut(unit_mib)).is_some())
        };
        if fits(most) {
            return most;
        }
        let (mut low, mut high) = (0, most.saturating_sub(1));
        while low < high {
            let middle = low.midpoint(high).max(low.saturating_add(1));
            if fits(middle) {
                low = middle;
            } else {
                high = middle.saturating_sub(1);
            }
        }
        low
    }

    /// The shape with so many vCPUs and the most memory.
    fn most_memory(&mut self, cut: Cut) -> Option<GuestTopology> {
        let most = self.memory_of_largest().checked_div(cut.unit_mib).unwrap_or(0);
        let least = most.min(1);
        let mut at = |units: u64| {
            self.fitting(Cut { memory_mib: units.saturating_mul(cut.unit_mib), ..cut })
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

    /// A shape, if it fits without devices.
    fn fitting(&mut self, cut: Cut) -> Option<GuestTopology> {
        let shape = cut.of(&self.topology).filter(|_| self.left > 0)?;
        self.left = self.left.saturating_sub(1);
        let request = self.request.without_devices().reshaped(shape.clone());
        self.fits(&request, &shape).then_some(shape)
    }

    fn fits(&mut self, request: &Request, shape: &GuestTopology) -> bool {
        let amounts = amounts::fit(self.room, &request.only_shared());
        amounts && matches!(seat(self.room, request, shape, self.steps), Ok(Some(_)))
    }

    /// As many devices as go with a shape: of each part, in order, the most that goes with those before.
    fn devices_with(&mut self, shape: &GuestTopology) -> Vec<u64> {
        let mut counts = vec![0; self.request.devices().len()];
        for part in 0..counts.len() {
            *self.steps = self.steps.renewed();
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
