//! Hosts to decide on.

use std::sync::Arc;

use innkeeper_core::{Device, Inventory, Kind, Ledger, PciAddress, Product, Quantity};

pub(crate) fn pf_product() -> Product {
    Product::parse("8086", "1592").unwrap()
}

pub(crate) fn vf_product() -> Product {
    Product::parse("8086", "1889").unwrap()
}

pub(crate) fn address(domain: usize, number: usize) -> PciAddress {
    let (slot, function) = (number.checked_div(8).unwrap(), number.checked_rem(8).unwrap());
    format!("{domain:04x}:01:{slot:02x}.{function}").parse().unwrap()
}

pub(crate) fn cell_of(number: usize, cells: usize) -> Option<i64> {
    i64::try_from(number.checked_rem(cells).unwrap()).ok()
}

/// PFs with so many VFs each, over so many cells.
pub(crate) fn pfs_with_vfs(pfs: usize, vfs: usize, cells: usize) -> Vec<Device> {
    let mut devices = Vec::new();
    for pf in 0..pfs {
        let (root, cell) = (address(pf, 0), cell_of(pf, cells));
        let netdev: Arc<str> = format!("ens{pf}f0").into();
        devices.push(Device { cell, ..Device::new(root, pf_product(), Kind::Pf) });
        devices.extend((0..vfs).map(|vf| Device {
            parent: Some(root),
            parent_netdev: Some(Arc::clone(&netdev)),
            cell,
            ..Device::new(address(pf, vf.saturating_add(8)), vf_product(), Kind::Vf)
        }));
    }
    devices
}

pub(crate) fn inventory(devices: Vec<Device>) -> Inventory {
    let quantity = |total| Quantity { total, ..Quantity::default() };
    Inventory::new(quantity(1024), quantity(1 << 22), quantity(1 << 24))
        .with_shared_cpus("0-1023".parse().unwrap())
        .with_devices(devices)
        .unwrap()
}

pub(crate) fn ledger(devices: Vec<Device>) -> Ledger {
    Ledger::new(inventory(devices))
}
