//! What a host offers of PCI functions, indexed once and then only read.

use std::collections::BTreeMap;

use crate::pci::address::PciAddress;
use crate::pci::device::{Device, Kind, Product};

/// A device by its place in the catalogue; ascending slots are ascending addresses.
pub(crate) type Slot = usize;

/// A pool by its place in the catalogue.
pub(crate) type PoolNumber = usize;

/// Devices that cannot be told apart or that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadDevices {
    #[error("device {0} is listed twice")]
    Twice(PciAddress),
    #[error("device {0} is named as the parent of a VF and has a parent itself")]
    NestedParent(PciAddress),
}

/// What devices of one pool have in common, in the order of pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PoolKey {
    pub(crate) product: Product,
    pub(crate) cell: Option<i64>,
    pub(crate) kind: Kind,
}

/// A device and where the index finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) device: Device,
    pub(crate) pool: PoolNumber,
}

/// What is offered of one product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) pools: Vec<PoolNumber>,
    pub(crate) total: u64,
    /// Devices that have VFs in the catalogue.
    pub(crate) parents: Vec<Slot>,
}

/// The VFs of one PF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) vfs: Vec<Slot>,
    pub(crate) products: BTreeMap<Product, u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Catalogue {
    entries: Vec<Entry>,
    /// With how many devices each has, by key.
    pools: Vec<(PoolKey, u64)>,
    offers: BTreeMap<Product, Offer>,
    families: BTreeMap<PciAddress, Family>,
}

impl Catalogue {
    pub(crate) fn new(mut devices: Vec<Device>) -> Result<Self, BadDevices> {
        devices.sort_by_key(|device| device.address);
        require_distinct(&devices)?;
        let mut catalogue = Self { pools: empty_pools(&devices), ..Self::default() };
        for device in devices {
            catalogue.add(device);
        }
        catalogue.require_flat()?;
        catalogue.list_parents();
        Ok(catalogue)
    }

    fn add(&mut self, device: Device) {
        let slot = self.entries.len();
        let key = key_of(&device);
        let pool = self.pools.partition_point(|(before, _)| *before < key);
        if let Some((_, size)) = self.pools.get_mut(pool) {
            *size = size.saturating_add(1);
        }
        let offer = self.offers.entry(device.product).or_default();
        offer.total = offer.total.saturating_add(1);
        if !offer.pools.contains(&pool) {
            offer.pools.push(pool);
        }
        if let Some(parent) = device.parent {
            self.families.entry(parent).or_default().add(slot, device.product);
        }
        self.entries.push(Entry { device, pool });
    }

    fn require_flat(&self) -> Result<(), BadDevices> {
        let nested = |address: &&PciAddress| {
            let slot = self.find(**address);
            slot.and_then(|slot| self.entry(slot))
                .is_some_and(|entry| entry.device.parent.is_some())
        };
        match self.families.keys().find(nested) {
            Some(address) => Err(BadDevices::NestedParent(*address)),
            None => Ok(()),
        }
    }

    fn list_parents(&mut self) {
        for address in self.families.keys() {
            let Some(slot) = self.find(*address) else { continue };
            let Some(entry) = self.entries.get(slot) else { continue };
            if let Some(offer) = self.offers.get_mut(&entry.device.product) {
                offer.parents.push(slot);
            }
        }
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

    pub(crate) fn pools(&self) -> &[(PoolKey, u64)] {
        &self.pools
    }

    pub(crate) fn offer(&self, product: Product) -> Option<&Offer> {
        self.offers.get(&product)
    }

    pub(crate) fn products(&self) -> impl Iterator<Item = &Product> {
        self.offers.keys()
    }

    pub(crate) fn family(&self, parent: PciAddress) -> Option<&Family> {
        self.families.get(&parent)
    }
}

impl Family {
    fn add(&mut self, slot: Slot, product: Product) {
        self.vfs.push(slot);
        let count = self.products.entry(product).or_default();
        *count = count.saturating_add(1);
    }
}

fn key_of(device: &Device) -> PoolKey {
    PoolKey { product: device.product, cell: device.cell, kind: device.kind }
}

fn empty_pools(devices: &[Device]) -> Vec<(PoolKey, u64)> {
    let mut keys: Vec<PoolKey> = devices.iter().map(key_of).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter().map(|key| (key, 0)).collect()
}

fn require_distinct(sorted: &[Device]) -> Result<(), BadDevices> {
    let twice = sorted.iter().zip(sorted.iter().skip(1)).find(|(a, b)| a.address == b.address);
    twice.map_or(Ok(()), |(device, _)| Err(BadDevices::Twice(device.address)))
}

#[cfg(test)]
mod tests {
    use super::{BadDevices, Catalogue};
    use crate::samples::{at, pf_with_vfs, plain, vf_product};

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
}
