//! Devices alike.

use std::ops::Range;
use std::sync::Arc;

use crate::pci::address::PciAddress;
use crate::pci::catalogue::Slot;
use crate::pci::device::{Device, Kind, Product, Tags};

/// What a pool of Nova 34 has beside tags: product, vendor, cell, type, address, count and devices.
const ENTRIES: usize = 7;

/// Devices alike in product, cell, kind, parent, tags and provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// What they are.
    pub product: Product,
    /// Plain, PF, VF or vDPA.
    pub kind: Kind,
    /// The host cell they hang on, when the host says.
    pub cell: Option<i64>,
    /// The PF of VFs; plain functions and PFs that are alike share a pool.
    pub parent: Option<PciAddress>,
    /// The network device of that PF.
    pub parent_netdev: Option<Arc<str>>,
    /// Of the device spec that admits them.
    pub tags: Arc<Tags>,
    /// The resource provider in Placement that counts them.
    pub provider: Option<Arc<str>>,
    /// All of them.
    pub total: u64,
    /// Those that are booked.
    pub used: u64,
    /// Those that nobody holds and that are not handed out for now.
    pub withheld: u64,
    /// Those that could be booked now, one at a time: neither booked, withheld, nor barred by their PF
    /// or VFs.
    pub free: u64,
}

/// What the devices of one pool have in common.
///
/// `rank` comes first: the pool with the fewest properties is given out first, so that those with
/// more are left for requests that need them (Nova since 2013).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PoolKey {
    pub(crate) rank: usize,
    pub(crate) product: Product,
    pub(crate) kind: Kind,
    pub(crate) cell: Option<i64>,
    pub(crate) parent: Option<PciAddress>,
    pub(crate) parent_netdev: Option<Arc<str>>,
    pub(crate) provider: Option<Arc<str>>,
    pub(crate) tags: Arc<Tags>,
}

/// A pool in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolEntry {
    pub(crate) key: PoolKey,
    pub(crate) total: u64,
    /// Its lowest device, whoever holds it: the place of a pool of VFs among its equals.
    pub(crate) first: Slot,
    /// Devices of it that are withheld themselves.
    pub(crate) withheld: Vec<Slot>,
    /// Those of its devices.
    pub(crate) places: Range<usize>,
    /// The PF of its VFs, if the host lists that too.
    pub(crate) parent: Option<Slot>,
}

impl PoolEntry {
    pub(crate) fn of(key: PoolKey, first: Slot) -> Self {
        Self { key, total: 0, first, withheld: Vec::new(), places: 0..0, parent: None }
    }

    /// One more place, right after those before.
    pub(crate) fn extend_to(&mut self, place: usize) {
        if self.places.is_empty() {
            self.places.start = place;
        }
        self.places.end = place.saturating_add(1);
    }
}

impl PoolKey {
    pub(crate) fn of(device: &Device) -> Self {
        Self {
            rank: rank(device),
            product: device.product,
            kind: device.kind,
            cell: device.cell,
            parent: device.parent,
            parent_netdev: device.parent_netdev.clone(),
            provider: device.provider.clone(),
            tags: Arc::clone(&device.tags),
        }
    }

    /// Whether a device belongs here, without making a key of it.
    pub(crate) fn is_of(&self, device: &Device) -> bool {
        self.product == device.product
            && self.kind == device.kind
            && self.cell == device.cell
            && self.parent == device.parent
            && self.parent_netdev == device.parent_netdev
            && self.provider == device.provider
            && (Arc::ptr_eq(&self.tags, &device.tags) || self.tags == device.tags)
    }

    /// Whether these are taken together, from the highest address down, before the next pool's turn;
    /// others are pools of one device each to Nova, and go by ascending address.
    pub(crate) fn is_run(&self) -> bool {
        self.parent.is_some()
    }

    /// `remote_managed` as Nova's pools have it: every function of SR-IOV has one.
    pub(crate) fn remote_managed(&self) -> Option<&str> {
        let tag = self.tag("remote_managed");
        tag.or_else(|| (self.kind != Kind::Pci).then_some("false"))
    }

    pub(crate) fn tag(&self, name: &str) -> Option<&str> {
        self.tags.get(name)?.as_deref()
    }
}

fn rank(device: &Device) -> usize {
    let tagged = device.tags.keys().filter(|name| name.as_ref() != "remote_managed").count();
    let has_remote = device.kind != Kind::Pci || device.tags.contains_key("remote_managed");
    let more = [has_remote, device.parent_netdev.is_some(), device.provider.is_some()];
    let more = more.into_iter().filter(|has| *has).count();
    ENTRIES.saturating_add(tagged).saturating_add(more)
}
