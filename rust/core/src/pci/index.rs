//! Which devices are held and which are free, kept up to date by each booking.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ids::ClaimId;
use crate::pci::address::PciAddress;
use crate::pci::catalogue::{Catalogue, Entry, PoolNumber, Slot};
use crate::pci::pool::{Pool, PoolEntry};
use crate::placement::{PlacedDevice, Placement};

/// A device is free when nobody holds it, nor its parent, nor any of its VFs, and none of these is
/// withheld.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    catalogue: Arc<Catalogue>,
    holders: BTreeMap<PciAddress, BTreeSet<ClaimId>>,
    /// How often VFs of a PF are held; keyed by the PF, whether or not it is in the catalogue.
    held_vfs: BTreeMap<PciAddress, u64>,
    /// By pool.
    free: Vec<BTreeSet<Slot>>,
    /// By pool; a device that two claims hold counts once.
    held: Vec<u64>,
}

impl Index {
    pub(crate) fn new(catalogue: Arc<Catalogue>) -> Self {
        let mut free = vec![BTreeSet::new(); catalogue.pools().len()];
        for (slot, entry) in catalogue.entries().iter().enumerate().filter(|(_, it)| !it.shut) {
            if let Some(pool) = free.get_mut(entry.pool) {
                pool.insert(slot);
            }
        }
        let held = vec![0; free.len()];
        Self { catalogue, free, held, ..Self::default() }
    }

    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Devices of a pool that could be booked now, one at a time.
    pub(crate) fn free(&self, pool: PoolNumber) -> Option<&BTreeSet<Slot>> {
        self.free.get(pool)
    }

    pub(crate) fn free_count(&self, pool: PoolNumber) -> u64 {
        self.free(pool).map_or(0, count)
    }

    pub(crate) fn is_free(&self, slot: Slot) -> bool {
        let pool = self.catalogue.entry(slot).and_then(|entry| self.free.get(entry.pool));
        pool.is_some_and(|pool| pool.contains(&slot))
    }

    /// Everybody who holds something, by address.
    pub(crate) fn holders(&self) -> &BTreeMap<PciAddress, BTreeSet<ClaimId>> {
        &self.holders
    }

    pub(crate) fn is_held(&self, slot: Slot) -> bool {
        let device = self.catalogue.device(slot);
        device.is_some_and(|device| self.holders.contains_key(&device.address))
    }

    pub(crate) fn pools(&self) -> impl Iterator<Item = Pool> {
        let counts = self.held.iter().zip(self.free.iter().map(count));
        self.catalogue.pools().iter().zip(counts).map(|(pool, (used, free))| Pool {
            product: pool.key.product,
            kind: pool.key.kind,
            cell: pool.key.cell,
            parent: pool.key.parent,
            parent_netdev: pool.key.parent_netdev.clone(),
            tags: Arc::clone(&pool.key.tags),
            provider: pool.key.provider.clone(),
            total: pool.total,
            used: *used,
            withheld: self.withheld_count(pool),
            free,
        })
    }

    fn withheld_count(&self, pool: &PoolEntry) -> u64 {
        let withheld = pool.withheld.iter().filter(|slot| !self.is_held(**slot));
        u64::try_from(withheld.count()).unwrap_or(u64::MAX)
    }

    pub(crate) fn hold(&mut self, claim: &ClaimId, placement: &Placement) {
        for (address, placed) in &placement.devices {
            self.add_holder(*address, claim);
            for parent in self.parents_of(*address, placed) {
                let held = self.held_vfs.entry(parent).or_default();
                *held = held.saturating_add(1);
                self.refresh(parent);
            }
            self.refresh_family(*address);
        }
    }

    pub(crate) fn let_go(&mut self, claim: &ClaimId, placement: &Placement) {
        for (address, placed) in &placement.devices {
            self.drop_holder(*address, claim);
            for parent in self.parents_of(*address, placed) {
                self.drop_held_vf(parent);
                self.refresh(parent);
            }
            self.refresh_family(*address);
        }
    }

    fn add_holder(&mut self, address: PciAddress, claim: &ClaimId) {
        let claims = self.holders.entry(address).or_default();
        let first = claims.is_empty();
        claims.insert(claim.clone());
        if first && let Some(held) = self.held_beside(address) {
            *held = held.saturating_add(1);
        }
    }

    fn drop_holder(&mut self, address: PciAddress, claim: &ClaimId) {
        let Some(claims) = self.holders.get_mut(&address) else { return };
        claims.remove(claim);
        if claims.is_empty() {
            self.holders.remove(&address);
            if let Some(held) = self.held_beside(address) {
                *held = held.saturating_sub(1);
            }
        }
    }

    fn held_beside(&mut self, address: PciAddress) -> Option<&mut u64> {
        let entry = self.catalogue.entry(self.catalogue.find(address)?)?;
        self.held.get_mut(entry.pool)
    }

    fn drop_held_vf(&mut self, parent: PciAddress) {
        let Some(held) = self.held_vfs.get_mut(&parent) else { return };
        *held = held.saturating_sub(1);
        if *held == 0 {
            self.held_vfs.remove(&parent);
        }
    }

    /// The PF that the host names now, and the one that the booking names, if another.
    pub(crate) fn parents_of(
        &self,
        address: PciAddress,
        placed: &PlacedDevice,
    ) -> impl Iterator<Item = PciAddress> + use<> {
        let slot = self.catalogue.find(address);
        let known = slot.and_then(|slot| self.catalogue.device(slot)).and_then(|it| it.parent);
        let booked = placed.parent.filter(|parent| known != Some(*parent));
        known.into_iter().chain(booked)
    }

    fn refresh_family(&mut self, address: PciAddress) {
        self.refresh(address);
        let catalogue = Arc::clone(&self.catalogue);
        if let Some(family) = catalogue.family(address) {
            for slot in &family.vfs {
                self.refresh_slot(&catalogue, *slot);
            }
        }
    }

    fn refresh(&mut self, address: PciAddress) {
        let catalogue = Arc::clone(&self.catalogue);
        if let Some(slot) = catalogue.find(address) {
            self.refresh_slot(&catalogue, slot);
        }
    }

    fn refresh_slot(&mut self, catalogue: &Catalogue, slot: Slot) {
        let Some(entry) = catalogue.entry(slot) else { return };
        let barred = self.is_barred(entry);
        if let Some(pool) = self.free.get_mut(entry.pool) {
            if barred {
                pool.remove(&slot);
            } else {
                pool.insert(slot);
            }
        }
    }

    fn is_barred(&self, entry: &Entry) -> bool {
        let address = entry.device.address;
        entry.shut
            || self.holders.contains_key(&address)
            || self.held_vfs.contains_key(&address)
            || entry.device.parent.is_some_and(|parent| self.holders.contains_key(&parent))
    }
}

fn count(slots: &BTreeSet<Slot>) -> u64 {
    u64::try_from(slots.len()).unwrap_or(u64::MAX)
}
