//! The answer to a request.

use std::fmt;
use std::sync::Arc;

use crate::amounts::{Amounts, Resource};
use crate::cpuset::CpuList;
use crate::pci::{PciAddress, Product};
use crate::topology::PlacedCell;

/// What a claim holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// So much of each resource, zero left out.
    pub amounts: Amounts,
    /// CPUs that the instance may run on, its emulator's own among them; empty when it has no vCPU.
    pub cpus: CpuList,
    /// Devices by address.
    pub devices: PlacedDevices,
    /// Cells of an instance with a topology, in its order.
    pub cells: Vec<PlacedCell>,
}

/// A device as it was when it was given out; its booking outlives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedDevice {
    /// Vendor and product.
    pub product: Product,
    /// The host cell it hangs on, when the host says.
    pub cell: Option<i64>,
    /// The PF of a VF: barred while this is held, even when the VF is gone from the inventory.
    pub parent: Option<PciAddress>,
    /// Position of the device request that it was given for.
    pub request: Option<u64>,
    /// What stays the same when the card is renumbered.
    pub identity: Option<Arc<str>>,
}

/// Devices by ascending address; in a row, since most claims hold a few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlacedDevices(Vec<(PciAddress, PlacedDevice)>);

impl PlacedDevices {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each device, by ascending address.
    pub fn iter(&self) -> std::slice::Iter<'_, (PciAddress, PlacedDevice)> {
        self.0.iter()
    }

    /// Where they are, ascending.
    pub fn addresses(&self) -> impl Iterator<Item = PciAddress> {
        self.0.iter().map(|(address, _)| *address)
    }
}

impl FromIterator<(PciAddress, PlacedDevice)> for PlacedDevices {
    /// Of two at one address the last one counts.
    fn from_iter<I: IntoIterator<Item = (PciAddress, PlacedDevice)>>(devices: I) -> Self {
        let devices = devices.into_iter();
        let mut sorted = Vec::with_capacity(devices.size_hint().1.unwrap_or_default());
        sorted.extend(devices);
        sorted.reverse();
        sorted.sort_by_key(|(address, _)| *address);
        sorted.dedup_by_key(|(address, _)| *address);
        Self(sorted)
    }
}

impl<'a> IntoIterator for &'a PlacedDevices {
    type Item = &'a (PciAddress, PlacedDevice);
    type IntoIter = std::slice::Iter<'a, (PciAddress, PlacedDevice)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Placement {
    /// How much of a resource it holds.
    pub fn amount(&self, resource: &Resource) -> u64 {
        self.amounts.get(resource).copied().unwrap_or(0)
    }
}

impl Placement {
    /// The most of both: what is held while it is not known yet which of them is stored.
    pub(crate) fn joined(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        for (resource, amount) in &other.amounts {
            let most = joined.amounts.entry(resource.clone()).or_default();
            *most = (*amount).max(*most);
        }
        joined.cpus = self.cpus.iter().chain(other.cpus.iter()).collect();
        joined.devices = self.devices.iter().chain(&other.devices).cloned().collect();
        for (position, cell) in other.cells.iter().enumerate() {
            match joined.cells.get_mut(position) {
                Some(own) => *own = own.joined(cell),
                None => joined.cells.push(cell.clone()),
            }
        }
        joined
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amounts = self.amounts.iter().map(|(resource, amount)| resource.words(*amount));
        let cpus = (!self.cpus.is_empty()).then(|| format!("CPUs {}", self.cpus));
        let devices = self.devices.iter().map(|(at, device)| format!("{} {at}", device.product));
        let cells = self.cells.iter().map(ToString::to_string);
        let parts: Vec<String> = amounts.chain(cpus).chain(cells).chain(devices).collect();
        out.write_str(if parts.is_empty() { "nothing" } else { "" })?;
        out.write_str(&parts.join(", "))
    }
}
