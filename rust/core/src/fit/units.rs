//! Units: several functions that are given and taken back as one.
//!
//! Units go before single devices, since fewer places can hold them: near places first, then those with
//! the lowest address. Each place is tried in turn and left again when the rest of the request cannot be
//! had; functions of one place that are alike are tried once. Every try is a step of the bound.

use std::collections::{BTreeMap, BTreeSet};

use crate::fit::Room;
use crate::fit::devices::{Chosen, is_possible};
use crate::fit::draft::what_is_admitted;
use crate::fit::near::{Cells, Nearness, levels};
use crate::fit::plan::Plan;
use crate::fit::steps::Steps;
use crate::fit::trial::Trial;
use crate::misfit::Undecided;
use crate::pci::{Admits, Catalogue, Device, Matcher, Slot};
use crate::request::{DeviceRequest, Request, Unit, UnitPlace};

/// What the functions of one place have in common.
type PlaceKey = (u64, u64);

/// All units that a request wants.
#[derive(Debug)]
pub(super) struct Units {
    wanted: Vec<Wanted>,
    likeness: Likeness,
    chosen: Chosen,
}

/// The units of one part of a request.
#[derive(Debug)]
struct Wanted {
    request: usize,
    count: u64,
    places: Vec<Place>,
    /// All places before it are used up.
    open_from: usize,
}

/// What tells functions of one pool apart.
#[derive(Debug)]
struct Likeness {
    /// Kinds of places that units of this request are made of.
    places: Vec<UnitPlace>,
    /// Functions that the request names by their addresses.
    named: BTreeSet<Slot>,
}

/// The functions of one place that a unit could be made of: for each function of the unit its candidates,
/// ascending.
#[derive(Debug)]
struct Place {
    functions: Vec<Vec<Slot>>,
}

impl Units {
    pub(super) fn of(room: Room<'_>, request: &Request, counts: &[u64]) -> Self {
        let parts = request.devices().iter().zip(counts).enumerate();
        let wanted = parts.filter_map(|(position, (devices, count))| {
            let unit = devices.unit.as_ref()?;
            let places = places(room, request, devices, unit);
            Some(Wanted { request: position, count: *count, places, open_from: 0 })
        });
        let likeness = Likeness::of(room.inventory.catalogue(), request);
        Self { wanted: wanted.collect(), likeness, chosen: Vec::new() }
    }

    pub(super) fn take_chosen(&mut self) -> Chosen {
        std::mem::take(&mut self.chosen)
    }

    /// Look no more at the first places, where these are used up in a trial that only takes.
    pub(super) fn skip_used(&mut self, trial: &Trial<'_>) {
        for wanted in &mut self.wanted {
            let places = wanted.places.iter().skip(wanted.open_from);
            let used = places.take_while(|place| !place.is_open(trial)).count();
            wanted.open_from = wanted.open_from.saturating_add(used);
        }
    }

    /// Find a place for each unit so that the rest of the request can be had too; taken in the trial then.
    pub(super) fn place(
        &mut self,
        plan: &Plan<'_>,
        trial: &mut Trial<'_>,
        steps: &mut Steps,
    ) -> Result<bool, Undecided> {
        let wanted = std::mem::take(&mut self.wanted);
        let likeness = &self.likeness;
        let mut search =
            Search { wanted: &wanted, likeness, plan, trial, steps, chosen: Vec::new() };
        let found = search.next_unit(Position::default())?;
        self.chosen = search.chosen;
        self.wanted = wanted;
        Ok(found)
    }
}

struct Search<'a, 'b, 'c> {
    wanted: &'a [Wanted],
    likeness: &'a Likeness,
    plan: &'a Plan<'b>,
    trial: &'a mut Trial<'c>,
    steps: &'a mut Steps,
    chosen: Chosen,
}

/// Where a search is: which part, how many of its units are placed, which place, which function of it.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    part: usize,
    done: u64,
    place: usize,
    function: usize,
}

impl<'a> Search<'a, '_, '_> {
    /// Units of one part are alike, so that each goes to the place of the one before or a later one.
    /// What cannot be had beside the units that are placed cannot be had beside more of them either.
    fn next_unit(&mut self, at: Position) -> Result<bool, Undecided> {
        if !is_possible(self.plan, self.trial, self.steps)? {
            return Ok(false);
        }
        let Some(wanted) = self.wanted.get(at.part) else { return Ok(true) };
        if at.done >= wanted.count {
            return self
                .next_unit(Position { part: at.part.saturating_add(1), ..Position::default() });
        }
        for place in at.place.max(wanted.open_from)..wanted.places.len() {
            if self.next_function(Position { place, function: 0, ..at })? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn next_function(&mut self, at: Position) -> Result<bool, Undecided> {
        self.steps.search()?;
        let Some(candidates) = self.candidates(at) else {
            return self.next_unit(Position { done: at.done.saturating_add(1), ..at });
        };
        let mut tried: Vec<Slot> = Vec::new();
        let after = self.last_of_same_member(at);
        for slot in candidates.iter().filter(|slot| Some(**slot) > after) {
            if !self.trial.is_free(*slot) || self.is_like_one_of(*slot, &tried) {
                continue;
            }
            tried.push(*slot);
            if self.with_function(at, *slot)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn candidates(&self, at: Position) -> Option<&'a [Slot]> {
        let place = self.wanted.get(at.part)?.places.get(at.place)?;
        place.functions.get(at.function).map(Vec::as_slice)
    }

    fn with_function(&mut self, at: Position, slot: Slot) -> Result<bool, Undecided> {
        let taken = self.trial.take(slot);
        let request = self.wanted.get(at.part).map_or(0, |wanted| wanted.request);
        self.chosen.push((slot, request));
        if self.next_function(Position { function: at.function.saturating_add(1), ..at })? {
            return Ok(true);
        }
        self.chosen.pop();
        self.trial.give_back(taken);
        Ok(false)
    }

    /// The functions of one member are alike, so that each comes after the one before.
    fn last_of_same_member(&self, at: Position) -> Option<Slot> {
        let before = Position { function: at.function.checked_sub(1)?, ..at };
        let same = self.candidates(before) == self.candidates(at);
        self.chosen.last().filter(|_| same).map(|(slot, _)| *slot)
    }

    fn is_like_one_of(&self, slot: Slot, tried: &[Slot]) -> bool {
        let catalogue = self.trial.index().catalogue();
        tried.iter().any(|other| self.likeness.same(catalogue, *other, slot))
    }
}

impl Place {
    fn is_open(&self, trial: &Trial<'_>) -> bool {
        let has_free = |candidates: &Vec<Slot>| candidates.iter().any(|it| trial.is_free(*it));
        self.functions.iter().all(has_free)
    }
}

impl Likeness {
    fn of(catalogue: &Catalogue, request: &Request) -> Self {
        let units = request.devices().iter().filter_map(|devices| devices.unit.as_ref());
        let places: Vec<UnitPlace> = units.clone().map(|unit| unit.place).collect();
        if places.is_empty() {
            return Self { places, named: BTreeSet::new() };
        }
        let members = units.flat_map(|unit| unit.members.iter().map(|(matcher, _)| matcher));
        let matchers = request.devices().iter().map(|devices| &devices.matcher).chain(members);
        let named = matchers.flat_map(Matcher::named).filter_map(|it| catalogue.find(it)).collect();
        Self { places, named }
    }

    /// Whether one of two functions does for everything that the other does for: of one pool, at the
    /// same places, and nobody asks for either by its address. PFs with VFs are never alike.
    fn same(&self, catalogue: &Catalogue, one: Slot, other: Slot) -> bool {
        let (Some(a), Some(b)) = (catalogue.entry(one), catalogue.entry(other)) else {
            return false;
        };
        let is_special =
            |slot: &Slot| self.named.contains(slot) || !catalogue.vfs_of(*slot).is_empty();
        let same_place = |place: &UnitPlace| key_of(&a.device, *place) == key_of(&b.device, *place);
        a.pool == b.pool
            && ![one, other].iter().any(is_special)
            && self.places.iter().all(same_place)
    }
}

fn places(room: Room<'_>, request: &Request, devices: &DeviceRequest, unit: &Unit) -> Vec<Place> {
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

fn key_of(device: &Device, place: UnitPlace) -> Option<PlaceKey> {
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
    policy: crate::request::NumaPolicy,
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
