//! What guest cells on the cells of a host cost, in the core alone.
//!
//! `benches/bench_numa.py` reads these figures and compares them with what they must be.

#![expect(missing_docs, reason = "criterion's macros make public items")]
#![expect(clippy::unwrap_used, reason = "a bench may panic")]

mod numa_hosts;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use innkeeper_core::{ClaimId, Ledger, NumaPolicy, Refusal, Request};

use crate::numa_hosts::{covering, guest, host, near_vfs, with_room_on, with_vfs};

const VCPUS: u32 = 4;
/// (host cells, CPUs of each)
const TRAPS: [(u32, u32); 2] = [(16, 64), (32, 32)];

fn name_of(cells: u32, cpus: u32) -> String {
    format!("{cells}x{cpus}")
}

fn traps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("numa_traps");
    for (cells, cpus) in TRAPS {
        let wanted = guest(8, VCPUS);
        let far = near_vfs(wanted.clone(), NumaPolicy::Required, 9);
        let cases = [
            ("fits", Ledger::new(host(cells, cpus)), wanted.clone()),
            ("none_fits", Ledger::new(host(cells, cpus)), guest(8, cpus.saturating_add(1))),
            ("one_short", with_room_on(7, cells, cpus), wanted),
            ("pci_never", with_vfs(cells, cpus), far),
        ];
        for (name, mut ledger, request) in cases {
            assert_eq!(ledger.fit(&request).is_ok(), name == "fits", "{name}");
            group.bench_function(BenchmarkId::new(name, name_of(cells, cpus)), |bench| {
                bench.iter(|| black_box(ledger.fit(&request)).is_ok());
            });
        }
    }
    let (mut ledger, request) = covering(32, 17);
    assert!(matches!(ledger.fit(&request), Err(Refusal::Undecided(_))));
    group.bench_function(BenchmarkId::new("undecided", "32x32"), |bench| {
        bench.iter(|| black_box(ledger.fit(&request)).is_ok());
    });
    group.finish();
}

fn book_and_unbook(ledger: &mut Ledger, claim: &ClaimId, request: &Request) {
    black_box(ledger.book(claim.clone(), request)).unwrap();
    ledger.unbook(claim);
}

/// A host of two cells, and what it costs on larger ones.
fn everyday(criterion: &mut Criterion) {
    let claim = ClaimId::from("bench");
    for cells in [2, 4, 8, 16, 32, 64] {
        let mut ledger = Ledger::new(host(cells, 64));
        let request = guest(1, 8);
        let mut fits = criterion.benchmark_group("numa_fit");
        fits.bench_function(BenchmarkId::new("1", cells), |bench| {
            bench.iter(|| black_box(ledger.fit(&request)).is_ok());
        });
        fits.finish();
        let mut books = criterion.benchmark_group("numa_claim_and_free");
        books.bench_function(BenchmarkId::new("1", cells), |bench| {
            bench.iter(|| book_and_unbook(&mut ledger, &claim, &request));
        });
        books.finish();
    }
}

fn counts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("numa_count");
    for (cells, cpus) in TRAPS {
        let mut ledger = Ledger::new(host(cells, cpus));
        for guest_cells in [1, 8] {
            let id = BenchmarkId::new(guest_cells.to_string(), name_of(cells, cpus));
            let request = guest(guest_cells, VCPUS);
            let each = u64::from(guest_cells.saturating_mul(VCPUS));
            let all = u64::from(cells.saturating_mul(cpus)).checked_div(each);
            assert_eq!(ledger.tally(&request, 10_000).unwrap().times, all.unwrap());
            group.bench_function(id, |bench| {
                bench.iter(|| black_box(ledger.tally(&request, 10_000)).is_ok());
            });
        }
    }
    group.finish();
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group!(name = benches; config = short(); targets = traps, everyday, counts);
criterion_main!(benches);
