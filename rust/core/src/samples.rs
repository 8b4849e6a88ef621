//! Hosts and requests for tests.

use std::sync::Arc;

use crate::amounts::{Quantity, Resource};
use crate::ids::ClaimId;
use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::pci::{Device, Kind, PciAddress, Product};
use crate::request::Request;

pub(crate) fn at(text: &str) -> PciAddress {
    text.parse().unwrap()
}

pub(crate) fn id(name: &str) -> ClaimId {
    name.into()
}

/// The product of the PFs of [`pf_with_vfs`].
pub(crate) fn pf_product() -> Product {
    Product::parse("8086", "1592").unwrap()
}

/// The product of the VFs of [`pf_with_vfs`].
pub(crate) fn vf_product() -> Product {
    Product::parse("8086", "1889").unwrap()
}

pub(crate) fn quantity(total: u64) -> Quantity {
    Quantity { total, ..Quantity::default() }
}

/// 16 vCPUs, 1024 MiB of memory, 4096 MiB of disk.
pub(crate) fn plain_host() -> Inventory {
    Inventory::new(quantity(16), quantity(1024), quantity(4096))
}

pub(crate) fn plain(address: &str, product: Product) -> Device {
    Device::new(at(address), product, Kind::Pci)
}

/// The same device with tags.
pub(crate) fn tagged(device: Device, tags: &[(&str, Option<&str>)]) -> Device {
    let tags = tags.iter().map(|(name, value)| ((*name).into(), value.map(Into::into)));
    Device { tags: Arc::new(tags.collect()), ..device }
}

/// A PF at `domain:00:00.0` and its VFs from `domain:00:01.0` on.
pub(crate) fn pf_with_vfs(domain: usize, vfs: usize) -> Vec<Device> {
    let address = at(&format!("{domain:04x}:00:00.0"));
    let (product, cell) = (pf_product(), Some(0));
    let pf = Device { cell, ..Device::new(address, product, Kind::Pf) };
    let vfs = (8..8 + vfs).map(|number| {
        let (bus, slot, function) = (number / 256, number / 8 % 32, number % 8);
        let own = at(&format!("{domain:04x}:{bus:02x}:{slot:02x}.{function}"));
        Device { parent: Some(address), cell, ..Device::new(own, vf_product(), Kind::Vf) }
    });
    std::iter::once(pf).chain(vfs).collect()
}

/// A host with PFs that have so many VFs each, in domains from 0 on.
pub(crate) fn host_of_pfs(vfs_of_each: &[usize]) -> Inventory {
    let pfs = vfs_of_each.iter().enumerate().flat_map(|(number, vfs)| pf_with_vfs(number, *vfs));
    plain_host().with_devices(pfs.collect()).unwrap()
}

pub(crate) fn vcpus(count: u64) -> Request {
    Request::default().with_amount(Resource::Vcpus, count)
}

pub(crate) fn pfs_and_vfs(pfs: u64, vfs: u64) -> Request {
    Request::default().with_devices(pf_product(), pfs).with_devices(vf_product(), vfs)
}

/// Book and say which devices it got.
pub(crate) fn booked(ledger: &mut Ledger, claim: &str, request: &Request) -> Vec<String> {
    let placement = ledger.book(id(claim), request).unwrap();
    placement.devices.addresses().map(|address| address.to_string()).collect()
}
