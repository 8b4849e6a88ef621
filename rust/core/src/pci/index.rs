//! Which devices are held and which are free, kept up to date by each booking.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::pci::address::PciAddress;
use crate::pci::bits::Bits;
use crate::pci::catalogue::{Catalogue, Entry, PoolNumber, Slot};
use crate::pci::pool::{Pool, PoolEntry};
use crate::placement::{PlacedDevice, Placement};

/// A device is free when nobody holds it, nor its parent, nor any of its VFs, and none of these is
/// withheld.
///
/// What a booking touches is kept in rows of small numbers, so that one on a large host costs what it
/// costs on a small one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    catalogue: Arc<Catalogue>,
    /// By slot.
    holds: Vec<Holds>,
    /// How many claims hold a device that is not listed.
    unlisted: BTreeMap<PciAddress, u32>,
    /// By place.
    free: Bits,
    /// Pools that have a free device.
    open: Bits,
    /// By pool.
    counts: Vec<Counts>,
}

/// How many claims hold a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Holds {
    own: u32,
    /// How often VFs of it are held, whether or not they are listed.
    of_vfs: u32,
}

/// How many devices of a pool are so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    free: u64,
    /// One that two claims hold counts once.
    held: u64,
}

impl Index {
    pub(crate) fn new(catalogue: Arc<Catalogue>) -> Self {
        let (devices, pools) = (catalogue.entries().len(), catalogue.pools().len());
        let mut index = Self {
            holds: vec![Holds::default(); devices],
            free: Bits::none_of(devices),
            open: Bits::none_of(pools),
            counts: vec![Counts::default(); pools],
            unlisted: BTreeMap::new(),
            catalogue,
        };
        let catalogue = Arc::clone(&index.catalogue);
        for slot in 0..devices {
            index.refresh(&catalogue, slot);
        }
        index
    }

    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Devices of a pool that could be booked now, one at a time; ascending.
    pub(crate) fn free(&self, pool: PoolNumber) -> impl DoubleEndedIterator<Item = Slot> + use<'_> {
        let places = self.catalogue.pool(pool).map(|pool| pool.places.clone()).unwrap_or_default();
        self.free.within(places).filter_map(|place| self.catalogue.slot_at(place))
    }

    /// Those of them that come after a device of the pool.
    pub(crate) fn free_after(
        &self,
        pool: PoolNumber,
        slot: Slot,
    ) -> impl Iterator<Item = Slot> + use<'_> {
        let end = self.catalogue.pool(pool).map_or(0, |pool| pool.places.end);
        let place = self.catalogue.entry(slot).map_or(end, |entry| entry.place);
        let places = place.saturating_add(1)..end;
        self.free.within(places).filter_map(|place| self.catalogue.slot_at(place))
    }

    pub(crate) fn free_count(&self, pool: PoolNumber) -> u64 {
        self.counts.get(pool).map_or(0, |counts| counts.free)
    }

    /// Pools that have a free device, ascending.
    pub(crate) fn open_pools(&self) -> impl Iterator<Item = PoolNumber> {
        self.open.within(0..self.counts.len())
    }

    /// Those of these pools, ascending, that have a free device; it costs nothing to pass over others.
    pub(crate) fn open_among<'a>(
        &'a self,
        pools: &'a [PoolNumber],
    ) -> impl Iterator<Item = PoolNumber> + use<'a> {
        let mut rest = pools;
        std::iter::from_fn(move || {
            loop {
                let open = self.open.next_from(*rest.first()?)?;
                rest = rest.get(rest.partition_point(|pool| *pool < open)..)?;
                if let Some(after) = rest.strip_prefix(&[open]) {
                    rest = after;
                    return Some(open);
                }
            }
        })
    }

    pub(crate) fn is_free(&self, slot: Slot) -> bool {
        self.catalogue.entry(slot).is_some_and(|entry| self.free.contains(entry.place))
    }

    pub(crate) fn is_held(&self, slot: Slot) -> bool {
        self.holds.get(slot).is_some_and(|holds| holds.own > 0)
    }

    pub(crate) fn pools(&self) -> impl Iterator<Item = Pool> {
        self.catalogue.pools().iter().zip(&self.counts).map(|(pool, counts)| Pool {
            product: pool.key.product,
            kind: pool.key.kind,
            cell: pool.key.cell,
            parent: pool.key.parent,
            parent_netdev: pool.key.parent_netdev.clone(),
            tags: Arc::clone(&pool.key.tags),
            provider: pool.key.provider.clone(),
            total: pool.total,
            used: counts.held,
            withheld: self.withheld_count(pool),
            free: counts.free,
        })
    }

    fn withheld_count(&self, pool: &PoolEntry) -> u64 {
        let withheld = pool.withheld.iter().filter(|slot| !self.is_held(**slot));
        u64::try_from(withheld.count()).unwrap_or(u64::MAX)
    }

    /// The claim that gets a placement holds nothing yet.
    pub(crate) fn hold(&mut self, placement: &Placement) {
        self.change(placement, |holds| holds.saturating_add(1));
    }

    pub(crate) fn let_go(&mut self, placement: &Placement) {
        self.change(placement, |holds| holds.saturating_sub(1));
    }

    fn change(&mut self, placement: &Placement, change: fn(u32) -> u32) {
        let catalogue = Arc::clone(&self.catalogue);
        for (address, placed) in &placement.devices {
            let slot = catalogue.find(*address);
            match slot {
                Some(slot) => self.change_listed(&catalogue, slot, change),
                None => self.change_unlisted(&catalogue, *address, change),
            }
            let known = slot.and_then(|slot| catalogue.entry(slot));
            let booked = booked_parent(known, placed).and_then(|it| catalogue.find(it));
            let listed = known.and_then(|entry| entry.parent);
            for parent in listed.into_iter().chain(booked) {
                self.change_of_vfs(&catalogue, parent, change);
            }
        }
    }

    fn change_listed(&mut self, catalogue: &Catalogue, slot: Slot, change: fn(u32) -> u32) {
        let Some(holds) = self.holds.get_mut(slot) else { return };
        let before = holds.own;
        holds.own = change(before);
        self.count_held(catalogue, slot, before);
        self.refresh(catalogue, slot);
        for vf in catalogue.vfs_of(slot) {
            self.refresh(catalogue, *vf);
        }
    }

    fn count_held(&mut self, catalogue: &Catalogue, slot: Slot, before: u32) {
        let pool = catalogue.entry(slot).map(|entry| entry.pool);
        let Some(counts) = pool.and_then(|pool| self.counts.get_mut(pool)) else { return };
        let now = self.holds.get(slot).map_or(0, |holds| holds.own);
        match (before, now) {
            (0, 1..) => counts.held = counts.held.saturating_add(1),
            (1.., 0) => counts.held = counts.held.saturating_sub(1),
            _ => {}
        }
    }

    fn change_unlisted(
        &mut self,
        catalogue: &Catalogue,
        address: PciAddress,
        change: fn(u32) -> u32,
    ) {
        let holds = self.unlisted.entry(address).or_default();
        *holds = change(*holds);
        if *holds == 0 {
            self.unlisted.remove(&address);
        }
        for vf in catalogue.orphans_of(address) {
            self.refresh(catalogue, *vf);
        }
    }

    fn change_of_vfs(&mut self, catalogue: &Catalogue, parent: Slot, change: fn(u32) -> u32) {
        if let Some(holds) = self.holds.get_mut(parent) {
            holds.of_vfs = change(holds.of_vfs);
        }
        self.refresh(catalogue, parent);
    }

    /// The PF that the host names now, and the one that the booking names, if another.
    pub(crate) fn parents_of(
        &self,
        address: PciAddress,
        placed: &PlacedDevice,
    ) -> impl Iterator<Item = PciAddress> + use<> {
        let known = self.catalogue.find(address).and_then(|slot| self.catalogue.entry(slot));
        let observed = known.and_then(|entry| entry.device.parent);
        observed.into_iter().chain(booked_parent(known, placed))
    }

    fn refresh(&mut self, catalogue: &Catalogue, slot: Slot) {
        let Some(entry) = catalogue.entry(slot) else { return };
        let is_free = !self.is_barred(slot, entry);
        if is_free == self.free.contains(entry.place) {
            return;
        }
        let Some(counts) = self.counts.get_mut(entry.pool) else { return };
        if is_free {
            self.free.insert(entry.place);
            self.open.insert(entry.pool);
            counts.free = counts.free.saturating_add(1);
        } else {
            self.free.remove(entry.place);
            counts.free = counts.free.saturating_sub(1);
            if counts.free == 0 {
                self.open.remove(entry.pool);
            }
        }
    }

    fn is_barred(&self, slot: Slot, entry: &Entry) -> bool {
        entry.shut
            || self.holds.get(slot).is_some_and(|holds| holds.own > 0 || holds.of_vfs > 0)
            || self.is_parent_held(entry)
    }

    fn is_parent_held(&self, entry: &Entry) -> bool {
        match (entry.parent, entry.device.parent) {
            (Some(listed), _) => self.is_held(listed),
            (None, Some(gone)) => self.unlisted.contains_key(&gone),
            (None, None) => false,
        }
    }
}

/// The PF that a booking names, where the host does not name the same.
fn booked_parent(known: Option<&Entry>, placed: &PlacedDevice) -> Option<PciAddress> {
    let observed = known.and_then(|entry| entry.device.parent);
    placed.parent.filter(|parent| observed != Some(*parent))
}
