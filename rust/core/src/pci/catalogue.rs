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
    /// It, its PF or one of its VFs is withheld.
    pub(crate) shut: bool,
}

/// The VFs of one PF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) vfs: Vec<Slot>,
    /// Ascending.
    pub(crate) pools: Vec<PoolNumber>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Catalogue {
    entries: Vec<Entry>,
    pools: Vec<PoolEntry>,
    /// Pools by product, ascending.
    offers: BTreeMap<(u16, u16), Vec<PoolNumber>>,
    families: BTreeMap<PciAddress, Family>,
}

impl Catalogue {
    pub(crate) fn new(mut devices: Vec<Device>) -> Result<Self, BadDevices> {
        devices.sort_by_key(|device| device.address);
        require_distinct(&devices)?;
        let (pools, numbers) = pools_of(&devices);
        let mut catalogue = Self { pools, ..Self::default() };
        let entry = |(device, pool)| Entry { device, pool, shut: false };
        catalogue.entries = devices.into_iter().zip(numbers).map(entry).collect();
        catalogue.index_products();
        catalogue.index_families();
        catalogue.require_flat()?;
        catalogue.shut_withheld();
        Ok(catalogue)
    }

    fn index_products(&mut self) {
        for (number, pool) in self.pools.iter().enumerate() {
            self.offers.entry(pool.key.product.ids()).or_default().push(number);
        }
    }

    fn index_families(&mut self) {
        for (slot, entry) in self.entries.iter().enumerate() {
            let Some(parent) = entry.device.parent else { continue };
            let family = self.families.entry(parent).or_default();
            family.vfs.push(slot);
            if !family.pools.contains(&entry.pool) {
                family.pools.push(entry.pool);
            }
        }
        self.families.values_mut().for_each(|family| family.pools.sort_unstable());
    }

    fn require_flat(&self) -> Result<(), BadDevices> {
        let nested = |address: &&PciAddress| {
            let device = self.find(**address).and_then(|slot| self.device(slot));
            device.is_some_and(|device| device.parent.is_some())
        };
        match self.families.keys().find(nested) {
            Some(address) => Err(BadDevices::NestedParent(*address)),
            None => Ok(()),
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
        let parent = self.device(slot).and_then(|device| device.parent);
        let parent = parent.and_then(|parent| self.find(parent));
        std::iter::once(slot).chain(parent).chain(self.vfs_of(slot).iter().copied())
    }

    pub(crate) fn find(&self, address: PciAddress) -> Option<Slot> {
        self.entries.binary_search_by_key(&address, |entry| entry.device.address).ok()
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

    pub(crate) fn family(&self, parent: PciAddress) -> Option<&Family> {
        self.families.get(&parent)
    }

    /// The VFs of a PF; none of anything else.
    pub(crate) fn vfs_of(&self, slot: Slot) -> &[Slot] {
        let family = self.device(slot).and_then(|device| self.family(device.address));
        family.map(|family| family.vfs.as_slice()).unwrap_or_default()
    }

    pub(crate) fn has_withheld(&self) -> bool {
        self.pools.iter().any(|pool| !pool.withheld.is_empty())
    }
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
                pools.push(PoolEntry {
                    key: key.clone(),
                    total: 0,
                    first: slot,
                    withheld: Vec::new(),
                });
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
