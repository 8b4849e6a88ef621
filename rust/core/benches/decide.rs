//! How long one decision takes, by the number of devices of the host.

#![expect(missing_docs, reason = "criterion's macros make public items")]
#![expect(clippy::unwrap_used, reason = "a bench may panic")]

mod hosts;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use innkeeper_core::{ClaimId, Ledger, Placement, Request, Resource};

use crate::hosts::{pf_product, pfs_with_vfs, vf_product};

const VFS_OF_EACH: usize = 64;
const SIZES: [usize; 5] = [16, 64, 256, 1024, 4096];

/// So many VFs, 64 of each PF, over 32 cells.
fn ledger(vfs: usize) -> Ledger {
    hosts::ledger(pfs_with_vfs(vfs.div_ceil(VFS_OF_EACH), VFS_OF_EACH.min(vfs), 32))
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
