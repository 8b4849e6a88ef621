//! What a host offers of PCI functions, indexed once and then only read.

use std::collections::BTreeMap;

use crate::pci::address::PciAddress;
use crate::pci::device::Device;
use crate::pci::pool::{PoolEntry, PoolKey};

/// A device by its place in the catalogue; ascending slots are ascending addresses.
pub(crate) type Slot = usize;

/// A pool by its place in the catalogue; pools with lower numbers are given out first.
pub(crate) type PoolNumber = usize;

/// Devices that cannot be told apart or that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadDevices {
    #[error("device {0} is listed twice")]
    Twice(PciAddress),
    #[error("device {0} is named as the parent of a VF and has a parent itself")]
    NestedParent(PciAddress),
}

/// A device and where the index finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) device: Device,
    pub(crate) pool: PoolNumber,
    /// Where it is among the devices of all pools, pool by pool.
    pub(crate) place: usize,
    /// Its parent, if the host lists that too.
    pub(crate) parent: Option<Slot>,
    /// Ascending.
    pub(crate) vfs: Box<[Slot]>,
    /// It, its PF or one of its VFs is withheld.
    pub(crate) shut: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Catalogue {
    entries: Vec<Entry>,
    /// By slot; close together, since every booking looks for its addresses.
    addresses: Vec<PciAddress>,
    pools: Vec<PoolEntry>,
    /// By place.
    slots: Vec<Slot>,
    /// Pools by product, ascending.
    offers: BTreeMap<(u16, u16), Vec<PoolNumber>>,
    /// VFs whose PF is not listed, by its address.
    orphans: BTreeMap<PciAddress, Vec<Slot>>,
}

impl Catalogue {
    pub(crate) fn new(mut devices: Vec<Device>) -> Result<Self, BadDevices> {
        devices.sort_by_key(|device| device.address);
        require_distinct(&devices)?;
        let (pools, numbers) = pools_of(&devices);
        let mut catalogue = Self { pools, ..Self::default() };
        catalogue.addresses = devices.iter().map(|device| device.address).collect();
        catalogue.entries = devices.into_iter().zip(numbers).map(Entry::alone).collect();
        catalogue.index_products();
        catalogue.index_places();
        catalogue.index_families()?;
        catalogue.shut_withheld();
        Ok(catalogue)
    }

    fn index_products(&mut self) {
        for (number, pool) in self.pools.iter().enumerate() {
            self.offers.entry(pool.key.product.ids()).or_default().push(number);
        }
    }

    /// Give each device its place, pool by pool.
    fn index_places(&mut self) {
        let mut order: Vec<Slot> = (0..self.entries.len()).collect();
        order.sort_by_key(|slot| self.entries.get(*slot).map(|entry| entry.pool));
        for (place, slot) in order.iter().enumerate() {
            let Some(entry) = self.entries.get_mut(*slot) else { continue };
            entry.place = place;
            if let Some(pool) = self.pools.get_mut(entry.pool) {
                pool.extend_to(place);
            }
        }
        self.slots = order;
    }

    fn index_families(&mut self) -> Result<(), BadDevices> {
        for (parent, vfs) in families(&self.entries) {
            let Some(root) = self.find(parent) else {
                self.orphans.insert(parent, vfs);
                continue;
            };
            for slot in &vfs {
                self.adopt(*slot, root);
            }
            let Some(entry) = self.entries.get_mut(root) else { continue };
            if entry.device.parent.is_some() {
                return Err(BadDevices::NestedParent(parent));
            }
            entry.vfs = vfs.into();
        }
        Ok(())
    }

    fn adopt(&mut self, vf: Slot, root: Slot) {
        let Some(entry) = self.entries.get_mut(vf) else { return };
        entry.parent = Some(root);
        if let Some(pool) = self.pools.get_mut(entry.pool) {
            pool.parent = Some(root);
        }
    }

    /// A withheld device bars its relatives like a booked one: they are one piece of hardware.
    fn shut_withheld(&mut self) {
        let withheld = self.pools.iter().flat_map(|pool| pool.withheld.iter().copied());
        let shut: Vec<Slot> = withheld.flat_map(|slot| self.with_relatives(slot)).collect();
        for slot in shut {
            if let Some(entry) = self.entries.get_mut(slot) {
                entry.shut = true;
            }
        }
    }

    fn with_relatives(&self, slot: Slot) -> impl Iterator<Item = Slot> {
        std::iter::once(slot).chain(self.parent_of(slot)).chain(self.vfs_of(slot).iter().copied())
    }

    pub(crate) fn find(&self, address: PciAddress) -> Option<Slot> {
        let number = address.number();
        self.addresses.binary_search_by_key(&number, |address| address.number()).ok()
    }

    pub(crate) fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot)
    }

    pub(crate) fn device(&self, slot: Slot) -> Option<&Device> {
        self.entry(slot).map(|entry| &entry.device)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn pools(&self) -> &[PoolEntry] {
        &self.pools
    }

    pub(crate) fn pool(&self, number: PoolNumber) -> Option<&PoolEntry> {
        self.pools.get(number)
    }

    pub(crate) fn pools_of(&self, product: (u16, u16)) -> &[PoolNumber] {
        self.offers.get(&product).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn products(&self) -> impl Iterator<Item = &(u16, u16)> {
        self.offers.keys()
    }

    /// The devices of a pool, ascending.
    pub(crate) fn slots_of(&self, pool: &PoolEntry) -> &[Slot] {
        self.slots.get(pool.places.clone()).unwrap_or_default()
    }

    /// The device at a place.
    pub(crate) fn slot_at(&self, place: usize) -> Option<Slot> {
        self.slots.get(place).copied()
    }

    /// The listed parent of a VF.
    pub(crate) fn parent_of(&self, slot: Slot) -> Option<Slot> {
        self.entry(slot)?.parent
    }

    /// The VFs of a PF; none of anything else.
    pub(crate) fn vfs_of(&self, slot: Slot) -> &[Slot] {
        self.entry(slot).map(|entry| &*entry.vfs).unwrap_or_default()
    }

    /// The VFs that name a parent that is not listed.
    pub(crate) fn orphans_of(&self, parent: PciAddress) -> &[Slot] {
        self.orphans.get(&parent).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn has_withheld(&self) -> bool {
        self.pools.iter().any(|pool| !pool.withheld.is_empty())
    }
}

impl Entry {
    fn alone((device, pool): (Device, PoolNumber)) -> Self {
        Self { device, pool, place: 0, parent: None, vfs: Box::default(), shut: false }
    }
}

/// VFs by the address of their PF; both ascending.
fn families(entries: &[Entry]) -> BTreeMap<PciAddress, Vec<Slot>> {
    let mut families: BTreeMap<PciAddress, Vec<Slot>> = BTreeMap::new();
    for (slot, entry) in entries.iter().enumerate() {
        if let Some(parent) = entry.device.parent {
            families.entry(parent).or_default().push(slot);
        }
    }
    families
}

/// The pools in the order in which they are given out, and the number of each device's.
fn pools_of(devices: &[Device]) -> (Vec<PoolEntry>, Vec<PoolNumber>) {
    let (pools, found) = pools_by_first_device(devices);
    let mut order: Vec<PoolNumber> = (0..pools.len()).collect();
    let rank = |number: PoolNumber| pools.get(number).map(|pool| pool.key.rank);
    order.sort_by_key(|number| rank(*number));
    let mut renumbered = vec![0; pools.len()];
    for (after, before) in order.iter().enumerate() {
        if let Some(number) = renumbered.get_mut(*before) {
            *number = after;
        }
    }
    let numbers = found.into_iter().filter_map(|before| renumbered.get(before).copied()).collect();
    let mut pools: Vec<_> = pools.into_iter().zip(renumbered).collect();
    pools.sort_by_key(|(_, number)| *number);
    (pools.into_iter().map(|(pool, _)| pool).collect(), numbers)
}

/// Neighbours are mostly of one pool, so that few keys are made and compared.
fn pools_by_first_device(devices: &[Device]) -> (Vec<PoolEntry>, Vec<PoolNumber>) {
    let mut numbers: BTreeMap<PoolKey, PoolNumber> = BTreeMap::new();
    let mut pools: Vec<PoolEntry> = Vec::new();
    let mut found: Vec<PoolNumber> = Vec::with_capacity(devices.len());
    for (slot, device) in devices.iter().enumerate() {
        let last = found
            .last()
            .copied()
            .filter(|last| pools.get(*last).is_some_and(|pool| pool.key.is_of(device)));
        let number = last.unwrap_or_else(|| {
            *numbers.entry(PoolKey::of(device)).or_insert_with_key(|key| {
                pools.push(PoolEntry::of(key.clone(), slot));
                pools.len().saturating_sub(1)
            })
        });
        if let Some(pool) = pools.get_mut(number) {
            pool.total = pool.total.saturating_add(1);
            pool.withheld.extend(device.withheld.map(|_| slot));
        }
        found.push(number);
    }
    (pools, found)
}

fn require_distinct(sorted: &[Device]) -> Result<(), BadDevices> {
    let twice = sorted.iter().zip(sorted.iter().skip(1)).find(|(a, b)| a.address == b.address);
    twice.map_or(Ok(()), |(device, _)| Err(BadDevices::Twice(device.address)))
}

#[cfg(test)]
mod tests {
    use super::{BadDevices, Catalogue};
    use crate::pci::Kind;
    use crate::samples::{at, pf_with_vfs, plain, tagged, vf_product};

    #[test]
    fn one_address_is_one_device() {
        let device = plain("0000:01:00.0", vf_product());
        let refused = Catalogue::new(vec![device.clone(), device]);
        assert_eq!(refused, Err(BadDevices::Twice(at("0000:01:00.0"))));
    }

    #[test]
    fn a_vf_has_no_vfs() {
        let mut devices = pf_with_vfs(0, 2);
        devices[2].parent = Some(devices[1].address);
        assert_eq!(Catalogue::new(devices), Err(BadDevices::NestedParent(at("0000:00:01.0"))));
        let mut own = plain("0000:01:00.0", vf_product());
        own.parent = Some(own.address);
        assert_eq!(Catalogue::new(vec![own]), Err(BadDevices::NestedParent(at("0000:01:00.0"))));
    }

    #[test]
    fn pools_with_fewer_properties_come_first_then_those_with_lower_addresses() {
        let mut devices = pf_with_vfs(0, 2);
        devices.extend(pf_with_vfs(1, 2));
        devices.push(tagged(plain("0002:00:00.0", vf_product()), &[("net", None)]));
        devices.push(plain("0003:00:00.0", vf_product()));
        let catalogue = Catalogue::new(devices).unwrap();
        let pools: Vec<_> = catalogue
            .pools()
            .iter()
            .map(|it| (it.key.rank, it.key.kind, it.first, it.total))
            .collect();
        let (pci, pf, vf) = (Kind::Pci, Kind::Pf, Kind::Vf);
        assert_eq!(
            pools,
            [(7, pci, 7, 1), (8, pf, 0, 2), (8, vf, 1, 2), (8, vf, 4, 2), (8, pci, 6, 1)]
        );
    }
}
