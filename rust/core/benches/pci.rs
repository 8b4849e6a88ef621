//! What the devices of a large host cost, in the core alone: 128 VFs of each PF, over 4 cells.
//!
//! `benches/bench_pci.py` reads these figures and compares them with what they must be.

#![expect(missing_docs, reason = "criterion's macros make public items")]
#![expect(clippy::unwrap_used, reason = "a bench may panic")]

mod hosts;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main,
};
use innkeeper_core::{
    ClaimId, Device, DeviceRequest, Kind, Ledger, Matcher, Pattern, Product, Request,
};

use crate::hosts::{address, cell_of, inventory, ledger, pf_product, pfs_with_vfs, vf_product};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

const VFS_OF_EACH: usize = 128;
const SIZES: [usize; 4] = [256, 1024, 4096, 16384];

fn devices(vfs: usize) -> Vec<Device> {
    pfs_with_vfs(vfs.checked_div(VFS_OF_EACH).unwrap(), VFS_OF_EACH, 4)
}

/// Functions without VFs, each with a tag of its own, so that each is a pool.
fn plain_functions(count: usize) -> Vec<Device> {
    let device = |number: usize| {
        let name = Some(number.to_string().as_str().into());
        Device {
            cell: cell_of(number, 4),
            tags: Arc::new([("card".into(), name)].into()),
            ..Device::new(address(number, 0), vf_product(), Kind::Pci)
        }
    };
    (0..count).map(device).collect()
}

/// As an alias asks for them.
fn pattern(product: Product, dev_type: &str) -> Pattern {
    Pattern::of_product(product).with("dev_type", Some(dev_type))
}

fn part(alternatives: Vec<Pattern>, count: u64) -> DeviceRequest {
    DeviceRequest::new("bench", Matcher::new(alternatives), count)
}

fn vfs(count: u64) -> DeviceRequest {
    part(vec![pattern(vf_product(), "type-VF")], count)
}

fn pfs(count: u64) -> DeviceRequest {
    part(vec![pattern(pf_product(), "type-PF")], count)
}

fn near(parts: impl IntoIterator<Item = DeviceRequest>) -> Request {
    parts.into_iter().fold(Request::default().on_cells([0]), Request::with_device_request)
}

fn anywhere(parts: impl IntoIterator<Item = DeviceRequest>) -> Request {
    parts.into_iter().fold(Request::default(), Request::with_device_request)
}

fn fit(group: &mut Group<'_>, id: BenchmarkId, ledger: &mut Ledger, request: &Request) {
    group.bench_function(id, |bench| bench.iter(|| black_box(ledger.fit(request)).is_ok()));
}

fn claim_and_free(group: &mut Group<'_>, id: BenchmarkId, ledger: &mut Ledger, request: &Request) {
    let claim = ClaimId::from("bench");
    group.bench_function(id, |bench| {
        bench.iter(|| {
            black_box(ledger.book(claim.clone(), request)).unwrap();
            ledger.unbook(&claim)
        });
    });
}

const PLAIN: &str = "type-PCI";

fn hosts_by_name() -> impl Iterator<Item = (String, Vec<Device>, &'static str)> {
    let of_vfs = SIZES.map(|size| (size.to_string(), devices(size), "type-VF"));
    of_vfs.into_iter().chain([("1024_plain".to_owned(), plain_functions(1024), PLAIN)])
}

fn fits_and_claims(criterion: &mut Criterion) {
    for (name, devices, kind) in hosts_by_name() {
        let mut ledger = ledger(devices);
        for count in [1, 8] {
            let request = near([part(vec![pattern(vf_product(), kind)], count)]);
            let id = || BenchmarkId::new(count.to_string(), &name);
            fit(&mut criterion.benchmark_group("pci_fit"), id(), &mut ledger, &request);
            let mut claims = criterion.benchmark_group("pci_claim_and_free");
            claim_and_free(&mut claims, id(), &mut ledger, &request);
        }
    }
}

fn syncs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pci_sync");
    for size in SIZES {
        let devices = devices(size);
        group.bench_function(BenchmarkId::new("first", size), |bench| {
            bench.iter_batched(|| devices.clone(), ledger, BatchSize::LargeInput);
        });
        let mut known = ledger(devices.clone());
        group.bench_function(BenchmarkId::new("unchanged", size), |bench| {
            bench.iter_batched(
                || inventory(devices.clone()),
                |same| assert!(!known.observe(same)),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn fills(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pci_fill");
    for (name, devices, kind) in hosts_by_name() {
        let empty = ledger(devices);
        let request = anywhere([part(vec![pattern(vf_product(), kind)], 1)]);
        let size = if kind == PLAIN { 1024 } else { name.parse().unwrap() };
        let claims: Vec<ClaimId> =
            (0..size).map(|number| format!("{number:036}").as_str().into()).collect();
        group.bench_function(BenchmarkId::new("one_by_one", name), |bench| {
            bench.iter_batched(
                || (empty.clone(), claims.clone()),
                |(mut ledger, claims)| {
                    for claim in claims {
                        ledger.book(claim, &request).unwrap();
                    }
                    ledger
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// Eight kinds of functions; the request for kind n takes any kind up to n. Whoever takes the first that
/// it meets starves a later one.
fn eight_by_eight(of_each: usize, count: u64) -> (Ledger, Request) {
    let kind = |number: usize| number.to_string();
    let mut all = plain_functions(of_each.checked_mul(8).unwrap());
    for (number, device) in all.iter_mut().enumerate() {
        let of = kind(number.checked_rem(8).unwrap());
        device.tags = Arc::new([("kind".into(), Some(of.as_str().into()))].into());
    }
    let any_up_to = |most: usize| {
        let of = |number| pattern(vf_product(), "type-PCI").with("kind", Some(&kind(number)));
        part((0..=most).rev().map(of).collect(), count)
    };
    (ledger(all), anywhere((0..8).rev().map(any_up_to)))
}

/// Half of the PFs, and all the VFs that the others can give.
fn mixed(size: usize) -> Request {
    let half = size.checked_div(VFS_OF_EACH).and_then(|pfs| pfs.checked_div(2)).unwrap();
    let rest = half.checked_mul(VFS_OF_EACH).unwrap();
    anywhere([pfs(u64::try_from(half).unwrap()), vfs(u64::try_from(rest).unwrap())])
}

fn traps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pci_traps");
    for of_each in [1, 64] {
        let (mut ledger, request) = eight_by_eight(of_each, u64::try_from(of_each).unwrap());
        assert!(ledger.fit(&request).is_ok());
        let name = BenchmarkId::new("8_kinds_x_8_requests", of_each);
        fit(&mut group, name, &mut ledger, &request);
    }
    for size in SIZES {
        let mut ledger = ledger(devices(size));
        assert!(ledger.fit(&mixed(size)).is_ok());
        fit(&mut group, BenchmarkId::new("pfs_and_vfs", size), &mut ledger, &mixed(size));
        let one_more = mixed(size).with_device_request(vfs(1));
        assert!(ledger.fit(&one_more).is_err());
        fit(&mut group, BenchmarkId::new("one_vf_too_many", size), &mut ledger, &one_more);
    }
    group.finish();
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group!(name = benches; config = short(); targets = fits_and_claims, syncs, fills, traps);
criterion_main!(benches);
