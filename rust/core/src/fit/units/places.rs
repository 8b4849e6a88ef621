//! The places of a host that can hold a unit, and what of each could be part of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::fit::Room;
use crate::fit::draft::what_is_admitted;
use crate::fit::near::{Cells, Nearness, levels};
use crate::pci::{Admits, Catalogue, Device, Slot};
use crate::request::{DeviceRequest, NumaPolicy, Request, Unit, UnitPlace};

/// What the functions of one place have in common.
type PlaceKey = (u64, u64);

/// The functions of one place that a unit could be made of: for each function of the unit its candidates,
/// ascending.
#[derive(Debug)]
pub(super) struct Place {
    functions: Vec<Vec<Slot>>,
}

impl Place {
    /// The candidates for one function of the unit; none after the last function.
    pub(super) fn candidates(&self, function: usize) -> Option<&[Slot]> {
        self.functions.get(function).map(Vec::as_slice)
    }

    /// The most units that it could hold if its functions did not bar each other: no function is of two
    /// units, and members that take the same functions share them.
    pub(super) fn capacity(&self, is_free: impl Fn(Slot) -> bool) -> u64 {
        let free = |slots: &[Slot]| slots.iter().filter(|slot| is_free(**slot)).count();
        let all: BTreeSet<Slot> = self.functions.iter().flatten().copied().collect();
        let all: Vec<Slot> = all.into_iter().collect();
        let together = free(&all).checked_div(self.functions.len()).unwrap_or(0);
        let by_member = self.functions.chunk_by(|one, next| one == next).map(|alike| {
            let candidates = alike.first().map_or(0, |candidates| free(candidates));
            candidates.checked_div(alike.len()).unwrap_or(0)
        });
        u64::try_from(by_member.fold(together, usize::min)).unwrap_or(u64::MAX)
    }
}

pub(super) fn places(
    room: Room<'_>,
    request: &Request,
    devices: &DeviceRequest,
    unit: &Unit,
) -> Vec<Place> {
    let catalogue = room.book.index().catalogue();
    let near = Near::of(room, request, devices);
    let mut found: Vec<((Nearness, Slot), Place)> = Vec::new();
    for slots in by_place(catalogue, unit.place).values() {
        let Some(place) = place_of(catalogue, devices, unit, slots, &near) else { continue };
        let all = place.functions.iter().flatten().copied();
        let farthest = all.clone().map(|slot| near.nearness(slot)).max();
        let lowest = all.min();
        found.extend(farthest.zip(lowest).map(|order| (order, place)));
    }
    found.sort_by_key(|(order, _)| *order);
    found.into_iter().map(|(_, place)| place).collect()
}

/// The functions of each place, ascending.
fn by_place(catalogue: &Catalogue, place: UnitPlace) -> BTreeMap<PlaceKey, Vec<Slot>> {
    let mut places: BTreeMap<PlaceKey, Vec<Slot>> = BTreeMap::new();
    for (slot, entry) in catalogue.entries().iter().enumerate() {
        if let Some(key) = key_of(&entry.device, place) {
            places.entry(key).or_default().push(slot);
        }
    }
    places
}

pub(super) fn key_of(device: &Device, place: UnitPlace) -> Option<PlaceKey> {
    match place {
        UnitPlace::Slot => Some(device.address.without_function()),
        UnitPlace::Switch => device.switch.map(|switch| (switch.number(), 0)),
        UnitPlace::IommuGroup => device.iommu_group.map(|group| (group, 0)),
    }
}

/// Candidates for each function of the unit; none when the place cannot hold one at all.
fn place_of(
    catalogue: &Catalogue,
    devices: &DeviceRequest,
    unit: &Unit,
    slots: &[Slot],
    near: &Near<'_>,
) -> Option<Place> {
    let functions: Vec<Vec<Slot>> = if unit.members.is_empty() {
        whole(catalogue, devices, slots)?
    } else {
        let member = |(matcher, count): &(_, u64)| {
            let as_request = DeviceRequest { matcher: Clone::clone(matcher), ..devices.clone() };
            let fitting =
                slots.iter().copied().filter(|slot| is_admitted(catalogue, &as_request, *slot));
            let times =
                usize::try_from(*count).unwrap_or(usize::MAX).min(slots.len().saturating_add(1));
            vec![fitting.collect::<Vec<Slot>>(); times]
        };
        unit.members.iter().flat_map(member).collect()
    };
    let near_enough = |slot: &Slot| near.takes(*slot);
    let functions: Vec<Vec<Slot>> = functions
        .into_iter()
        .map(|candidates| candidates.into_iter().filter(near_enough).collect())
        .collect();
    let possible =
        !functions.is_empty() && functions.iter().all(|candidates| !candidates.is_empty());
    possible.then_some(Place { functions })
}

/// Every function of a place, VFs left to their PF, if one of them is what the request asks for.
fn whole(catalogue: &Catalogue, devices: &DeviceRequest, slots: &[Slot]) -> Option<Vec<Vec<Slot>>> {
    let with_pf = |slot: &Slot| catalogue.parent_of(*slot).is_some_and(|pf| slots.contains(&pf));
    let all: Vec<Slot> = slots.iter().copied().filter(|slot| !with_pf(slot)).collect();
    let asked_for = all.iter().any(|slot| is_admitted(catalogue, devices, *slot));
    asked_for.then(|| all.into_iter().map(|slot| vec![slot]).collect())
}

fn is_admitted(catalogue: &Catalogue, devices: &DeviceRequest, slot: Slot) -> bool {
    let Some(entry) = catalogue.entry(slot) else { return false };
    let Some(pool) = catalogue.pool(entry.pool) else { return false };
    match what_is_admitted(devices, None, pool) {
        Ok(Admits::All) => true,
        Ok(Admits::Only(named)) => named.contains(&entry.device.address),
        Err(_) => false,
    }
}

/// Which functions a part's NUMA policy takes.
struct Near<'a> {
    catalogue: &'a Catalogue,
    cells: Cells<'a>,
    policy: NumaPolicy,
}

impl<'a> Near<'a> {
    fn of(room: Room<'a>, request: &'a Request, devices: &DeviceRequest) -> Self {
        let cells = Cells::of(room.inventory, request.cells());
        Self { catalogue: room.book.index().catalogue(), cells, policy: devices.policy }
    }

    fn nearness(&self, slot: Slot) -> Nearness {
        self.cells.nearness(self.catalogue.device(slot).and_then(|device| device.cell))
    }

    fn takes(&self, slot: Slot) -> bool {
        let widest = levels(self.policy, self.cells.any()).last();
        widest.is_some_and(|level| level.takes(self.nearness(slot)))
    }
}
