//! How long one decision takes, by the number of devices of the host.

#![expect(missing_docs, reason = "criterion's macros make public items")]
#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use innkeeper_core::{
    ClaimId, Device, Inventory, Kind, Ledger, PciAddress, Placement, Product, Quantity, Request,
    Resource,
};

const VFS_OF_EACH: usize = 64;
const SIZES: [usize; 5] = [16, 64, 256, 1024, 4096];

fn pf_product() -> Product {
    Product::parse("8086", "1592").unwrap()
}

fn vf_product() -> Product {
    Product::parse("8086", "1889").unwrap()
}

fn address(domain: usize, number: usize) -> PciAddress {
    let (slot, function) = (number.checked_div(8).unwrap(), number.checked_rem(8).unwrap());
    format!("{domain:04x}:01:{slot:02x}.{function}").parse().unwrap()
}

/// So many VFs, 64 of each PF, over 32 cells.
fn devices(vfs: usize) -> Vec<Device> {
    let mut devices = Vec::new();
    for pf in 0..vfs.div_ceil(VFS_OF_EACH) {
        let (root, cell) = (address(pf, 0), i64::try_from(pf.checked_rem(32).unwrap()).ok());
        devices.push(Device { cell, ..Device::new(root, pf_product(), Kind::Pf) });
        devices.extend((0..VFS_OF_EACH.min(vfs)).map(|vf| Device {
            parent: Some(root),
            cell,
            ..Device::new(address(pf, vf.saturating_add(8)), vf_product(), Kind::Vf)
        }));
    }
    devices
}

fn ledger(vfs: usize) -> Ledger {
    let quantity = |total| Quantity { total, ..Quantity::default() };
    let host = Inventory::new(quantity(1024), quantity(1 << 22), quantity(1 << 24))
        .with_shared_cpus("0-1023".parse().unwrap());
    Ledger::new(host.with_devices(devices(vfs)).unwrap())
}

fn plain() -> Request {
    Request::default().with_amount(Resource::Vcpus, 4).with_amount(Resource::MemoryMib, 8192)
}

fn book_and_unbook(ledger: &mut Ledger, claim: &ClaimId, request: &Request) {
    black_box(ledger.book(claim.clone(), request)).unwrap();
    ledger.unbook(claim);
}

fn claims(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("book_and_unbook");
    let claim = ClaimId::from("bench");
    for vfs in SIZES {
        let mut ledger = ledger(vfs);
        let requests = [
            ("plain", plain()),
            ("8_vfs", plain().with_devices(vf_product(), 8)),
            ("1_pf_and_8_vfs", plain().with_devices(pf_product(), 1).with_devices(vf_product(), 8)),
        ];
        for (name, request) in requests {
            if ledger.fit(&request).is_ok() {
                group.bench_function(BenchmarkId::new(name, vfs), |bench| {
                    bench.iter(|| book_and_unbook(&mut ledger, &claim, &request));
                });
            }
        }
    }
    group.finish();
}

fn refusals(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fit_misfit");
    for vfs in SIZES {
        let mut ledger = ledger(vfs);
        let (pfs, half) = (32, u64::try_from(vfs).unwrap());
        let request = plain().with_devices(pf_product(), pfs).with_devices(vf_product(), half);
        group.bench_function(BenchmarkId::new("pfs_and_vfs", vfs), |bench| {
            bench.iter(|| black_box(ledger.fit(&request)).unwrap_err());
        });
    }
    group.finish();
}

fn restores(criterion: &mut Criterion) {
    let mut empty = ledger(4096);
    let placement = empty.fit(&plain().with_devices(vf_product(), 1)).unwrap();
    let bookings: Vec<(ClaimId, Placement)> = (0..10_000)
        .map(|number: u32| (format!("{number:036}").as_str().into(), placement.clone()))
        .collect();
    criterion.bench_function("restore/10000", |bench| {
        bench.iter(|| empty.clone().restore(bookings.clone()).unwrap());
    });
}

criterion_group!(benches, claims, refusals, restores);
criterion_main!(benches);
