//! Units: several functions that are given and taken back as one.
//!
//! Units go before single devices, since fewer places can hold them: near places first, then those with
//! the lowest address. Each place is tried in turn and left again when the rest of the request cannot be
//! had; functions of one place that are alike are tried once. Every try after the first way back is a step
//! of the bound; what places could hold at most is summed before, so that equal units over places of their
//! own need no search, however many they are.

mod likeness;
mod places;
mod search;

use crate::fit::Room;
use crate::fit::devices::Chosen;
use crate::fit::plan::Plan;
use crate::fit::steps::Steps;
use crate::fit::trial::Trial;
use crate::fit::units::likeness::Likeness;
use crate::fit::units::places::{Place, places};
use crate::fit::units::search::Search;
use crate::misfit::Undecided;
use crate::request::Request;

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
    /// By place: the most units that it and all places after it could hold.
    room_from: Vec<u64>,
    /// All places before it are used up.
    open_from: usize,
}

impl Units {
    pub(super) fn of(room: Room<'_>, request: &Request, counts: &[u64]) -> Self {
        let index = room.book.index();
        let parts = request.devices().iter().zip(counts).enumerate();
        let wanted = parts.filter_map(|(position, (devices, count))| {
            let unit = devices.unit.as_ref()?;
            let places = places(room, request, devices, unit);
            let capacities = places.iter().map(|place| place.capacity(|slot| index.is_free(slot)));
            let room_from = sums_from(capacities);
            Some(Wanted { request: position, count: *count, places, room_from, open_from: 0 })
        });
        let likeness = Likeness::of(index.catalogue(), request);
        Self { wanted: wanted.collect(), likeness, chosen: Chosen::new() }
    }

    pub(super) fn take_chosen(&mut self) -> Chosen {
        std::mem::take(&mut self.chosen)
    }

    /// Look no more at the first places, where these are used up in a trial that only takes.
    pub(super) fn skip_used(&mut self, trial: &Trial<'_>) {
        for wanted in &mut self.wanted {
            let places = wanted.places.iter().skip(wanted.open_from);
            let is_used = |place: &&Place| place.capacity(|slot| trial.is_free(slot)) == 0;
            let used = places.take_while(is_used).count();
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
        let found = Search::new((&self.wanted, &self.likeness), plan, trial, steps).all()?;
        let is_found = found.is_some();
        self.chosen = found.unwrap_or_default();
        Ok(is_found)
    }
}

impl Wanted {
    fn room_from(&self, place: usize) -> u64 {
        self.room_from.get(place).copied().unwrap_or(0)
    }
}

/// For each number the sum of it and all after it.
fn sums_from(numbers: impl DoubleEndedIterator<Item = u64>) -> Vec<u64> {
    let add = |sum: &mut u64, number| {
        *sum = sum.saturating_add(number);
        Some(*sum)
    };
    let mut sums: Vec<u64> = numbers.rev().scan(0, add).collect();
    sums.reverse();
    sums
}

#[cfg(test)]
mod tests {
    use crate::ledger::{BookError, Ledger};
    use crate::pci::{Device, Matcher};
    use crate::request::{DeviceRequest, Request, Unit, UnitPlace};
    use crate::samples::{booked, id, pf_product, plain, plain_host, vf_product};

    /// Cards of two functions each: one of either product.
    fn host_of_cards(count: usize) -> Ledger {
        let cards = (0..count).flat_map(|card| {
            let function = |number, product| Device {
                iommu_group: Some(card as u64),
                ..plain(&format!("{card:04x}:00:00.{number}"), product)
            };
            [function(0, vf_product()), function(1, pf_product())]
        });
        Ledger::new(plain_host().with_devices(cards.collect()).unwrap())
    }

    fn units(count: u64) -> DeviceRequest {
        let both = [vf_product(), pf_product()].map(|it| (Matcher::of_product(it), 1));
        let unit = Unit { place: UnitPlace::IommuGroup, members: both.into() };
        let any = Matcher::of_product(vf_product());
        DeviceRequest { unit: Some(unit), ..DeviceRequest::new("cards", any, count) }
    }

    fn of(parts: impl IntoIterator<Item = DeviceRequest>) -> Request {
        parts.into_iter().fold(Request::default(), Request::with_device_request)
    }

    #[test]
    fn thousands_of_units_are_placed_without_a_search() {
        let mut ledger = host_of_cards(5000);
        let devices = booked(&mut ledger, "a", &of([units(5000)]));
        assert_eq!(devices.len(), 10_000);
        assert!(ledger.steps() < 5000 * 4, "{} steps", ledger.steps());
        assert!(ledger.unbook(&id("a")));
        assert!(ledger.fit(&of([units(2500), units(2500)])).is_ok());
    }

    #[test]
    fn one_unit_more_than_there_are_is_refused_and_the_most_is_told() {
        let mut ledger = host_of_cards(2000);
        let Err(BookError::NoFit(no_fit)) = ledger.book(id("a"), &of([units(2001)])) else {
            panic!("2000 cards are no 2001")
        };
        assert_eq!(no_fit.nearest.devices, [2000]);
        assert_eq!(no_fit.reasons.len(), 1);
    }

    #[test]
    fn units_leave_what_single_devices_need() {
        let mut ledger = host_of_cards(3000);
        let one = DeviceRequest::new("one", Matcher::of_product(pf_product()), 1000);
        let devices = booked(&mut ledger, "a", &of([units(2000), one.clone()]));
        assert_eq!(devices.len(), 5000);
        assert!(ledger.unbook(&id("a")));
        ledger.book(id("a"), &of([units(2001), one])).unwrap_err();
    }
}
