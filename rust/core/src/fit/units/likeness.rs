//! Which functions do for the same units.

use std::collections::BTreeSet;

use crate::fit::units::places::key_of;
use crate::pci::{Catalogue, Matcher, Slot};
use crate::request::{Request, UnitPlace};

/// What tells functions of one pool apart.
#[derive(Debug)]
pub(super) struct Likeness {
    /// Kinds of places that units of this request are made of.
    places: Vec<UnitPlace>,
    /// Functions that the request names by their addresses.
    named: BTreeSet<Slot>,
}

impl Likeness {
    pub(super) fn of(catalogue: &Catalogue, request: &Request) -> Self {
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
    pub(super) fn same(&self, catalogue: &Catalogue, one: Slot, other: Slot) -> bool {
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
