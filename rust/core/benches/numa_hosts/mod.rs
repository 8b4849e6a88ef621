//! Hosts of many cells, and guests for them.

use std::collections::BTreeSet;
use std::sync::Arc;

use innkeeper_core::{
    CpuList, Device, DeviceRequest, GuestCell, GuestTopology, HostCell, Inventory, Kind, Ledger,
    Networks, NumaPolicy, PageSize, PageWant, Product, Quantity, Request,
};

const GIB: u64 = 1024;
/// KiB of the pages that guests ask for.
const HUGE: u64 = 2048;

fn cpus(first: u32, count: u32) -> CpuList {
    (first..first.saturating_add(count)).collect()
}

/// So many dedicated CPUs in cores of two; 8 GiB of ordinary memory, and 64 GiB in pages of 2 MiB.
fn cell(number: u32, count: u32) -> HostCell {
    let first = number.saturating_mul(count);
    let core = |core: u32| cpus(first.saturating_add(core.saturating_mul(2)), 2);
    let cores: Vec<CpuList> = (0..count.div_ceil(2)).map(core).collect();
    let pages = |size_kib: u64, gib: u64| PageSize {
        size_kib,
        total: gib.saturating_mul(GIB).saturating_mul(1024).checked_div(size_kib).unwrap_or(0),
        reserved: 0,
    };
    HostCell::new(i64::from(number), Some(i64::from(number / 4)))
        .with_memory(GIB.saturating_mul(72), vec![pages(4, 8), pages(HUGE, 64)])
        .with_cpus(CpuList::default(), &cpus(first, count), &cores)
}

fn whole(cells: Vec<HostCell>) -> Inventory {
    let quantity = |total| Quantity { total, ..Quantity::default() };
    Inventory::new(quantity(0), quantity(1 << 30), quantity(1 << 24)).with_cells(cells).unwrap()
}

pub(crate) fn host(cells: u32, cpus_of_each: u32) -> Inventory {
    whole((0..cells).map(|number| cell(number, cpus_of_each)).collect())
}

/// Guest cells of so many dedicated vCPUs and 256 MiB in pages of 2 MiB each.
pub(crate) fn guest(cells: u32, vcpus: u32) -> Request {
    let cell = |number: u32| GuestCell {
        dedicated: cpus(number.saturating_mul(vcpus), vcpus),
        memory_mib: 256,
        ..GuestCell::default()
    };
    Request::default().with_topology(GuestTopology {
        cells: (0..cells).map(cell).collect(),
        pages: Some(PageWant::Kib(HUGE)),
        ..GuestTopology::default()
    })
}

/// All cells but so many are taken.
pub(crate) fn with_room_on(free: u32, cells: u32, cpus_of_each: u32) -> Ledger {
    let mut ledger = Ledger::new(host(cells, cpus_of_each));
    let filler = guest(cells.saturating_sub(free), cpus_of_each);
    ledger.book("filler".into(), &filler).unwrap();
    ledger
}

fn vf_product() -> Product {
    Product::parse("8086", "1889").unwrap()
}

/// A VF on each cell.
pub(crate) fn with_vfs(cells: u32, cpus_of_each: u32) -> Ledger {
    let device = |number: u32| {
        let address = format!("0000:{number:02x}:00.0").parse().unwrap();
        let cell = Some(i64::from(number));
        Device { cell, ..Device::new(address, vf_product(), Kind::Vf) }
    };
    Ledger::new(host(cells, cpus_of_each).with_devices((0..cells).map(device).collect()).unwrap())
}

pub(crate) fn near_vfs(request: Request, policy: NumaPolicy, count: u64) -> Request {
    let devices = DeviceRequest::of_product(vf_product(), count);
    request.with_device_request(DeviceRequest { policy, ..devices })
}

/// Each cell is close to two of the networks that a guest of eight cells wants all: to choose the cells is
/// to cover a set.
pub(crate) fn covering(cells: u32, networks: u32) -> (Ledger, Request) {
    let name = |number: u32| -> Arc<str> {
        format!("net{}", number.checked_rem(networks).unwrap_or(0)).as_str().into()
    };
    let near_two = |number: u32| {
        let other = number.saturating_mul(7).saturating_add(3);
        let physnets: BTreeSet<Arc<str>> = [name(number), name(other)].into();
        cell(number, 32).with_networks(Networks { physnets, tunneled: false })
    };
    let physnets = (0..networks).map(name).collect();
    let ledger = Ledger::new(whole((0..cells).map(near_two).collect()));
    (ledger, guest(8, 4).close_to(Networks { physnets, tunneled: false }))
}
