//! Hosts on which trying every selection of cells would take hours; what each costs in steps.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::amounts::Resource;
use crate::cpuset::CpuList;
use crate::fit::MAX_STEPS;
use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::misfit::{MisfitCode, Refusal};
use crate::pci::{Device, Kind};
use crate::request::{DeviceRequest, NumaPolicy, Request};
use crate::samples::{at, quantity, vf_product};
use crate::topology::{
    CellPreference, GuestCell, GuestTopology, HostCell, Networks, PageSize, PageWant,
};

const GIB: u64 = 1024;

fn cpus(first: u32, count: u32) -> CpuList {
    (first..first + count).collect()
}

/// So many dedicated CPUs in cores of two, and 64 GiB in ordinary pages.
fn cell(number: u32, count: u32) -> HostCell {
    let first = number * count;
    let cores: Vec<CpuList> = (0..count / 2).map(|core| cpus(first + 2 * core, 2)).collect();
    let pages = PageSize { size_kib: 4, total: 64 * GIB * 256, reserved: 0 };
    HostCell::new(i64::from(number), Some(i64::from(number / 4)))
        .with_memory(64 * GIB, vec![pages])
        .with_cpus(CpuList::default(), &cpus(first, count), &cores)
}

fn whole(cells: Vec<HostCell>) -> Inventory {
    let memory = u64::try_from(cells.len()).unwrap() * 64 * GIB;
    Inventory::new(quantity(0), quantity(memory), quantity(0)).with_cells(cells).unwrap()
}

fn host(cells: u32, cpus_of_each: u32) -> Inventory {
    whole((0..cells).map(|number| cell(number, cpus_of_each)).collect())
}

/// Guest cells of so many dedicated vCPUs and so much memory in MiB each.
fn guest(cells: u32, vcpus: u32, memory_mib: u64) -> GuestTopology {
    let cell = |number| GuestCell {
        dedicated: cpus(number * vcpus, vcpus),
        memory_mib,
        ..GuestCell::default()
    };
    GuestTopology { cells: (0..cells).map(cell).collect(), ..GuestTopology::default() }
}

fn request(topology: GuestTopology) -> Request {
    Request::default().with_topology(topology)
}

fn eight_of(vcpus: u32) -> Request {
    request(guest(8, vcpus, GIB))
}

/// The codes of a misfit, and the steps, those to the nearest shape among them.
fn refused(ledger: &mut Ledger, request: &Request) -> (Vec<MisfitCode>, u64) {
    match ledger.fit(request) {
        Err(Refusal::NoFit(no_fit)) => {
            (no_fit.reasons.iter().map(|reason| reason.code).collect(), ledger.steps())
        }
        other => panic!("{other:?}"),
    }
}

fn fits(ledger: &mut Ledger, request: &Request) -> u64 {
    ledger.fit(request).unwrap();
    ledger.steps()
}

/// All but so many cells are taken.
fn with_room_on(cells: u32, of: u32, cpus_of_each: u32) -> Ledger {
    let mut ledger = Ledger::new(host(of, cpus_of_each));
    let filler = request(guest(of - cells, cpus_of_each, GIB));
    ledger.book("filler".into(), &filler).unwrap();
    ledger
}

fn vf(number: u32, cell: u32) -> Device {
    Device {
        cell: Some(i64::from(cell)),
        ..Device::new(at(&format!("0000:{number:02x}:00.0")), vf_product(), Kind::Vf)
    }
}

fn near(request: Request, policy: NumaPolicy, count: u64) -> Request {
    let devices = DeviceRequest::of_product(vf_product(), count);
    request.with_device_request(DeviceRequest { policy, ..devices })
}

/// (host cells, CPUs of each)
const HOSTS: [(u32, u32); 2] = [(16, 64), (32, 32)];

#[test]
fn what_fits_at_once_takes_few_steps() {
    for (cells, cpus) in HOSTS {
        let steps = fits(&mut Ledger::new(host(cells, cpus)), &eight_of(4));
        // A judgement of each host cell, an assignment to begin with, and a step forward for each guest
        // cell, which may push those after it one cell on.
        assert_eq!(steps, u64::from(cells) + 36 + 9 + 28, "{cells} cells");
    }
}

#[test]
fn what_fits_on_no_cell_is_told_without_a_search() {
    for (cells, cpus) in HOSTS {
        let (codes, steps) = refused(&mut Ledger::new(host(cells, cpus)), &eight_of(cpus + 1));
        assert_eq!(codes, [MisfitCode::InsufficientDedicatedCpus]);
        assert!(steps < 5_000, "{steps} steps on {cells} cells");
    }
}

#[test]
fn one_cell_too_few_is_told_without_a_search() {
    for (cells, cpus) in HOSTS {
        let (codes, steps) = refused(&mut with_room_on(7, cells, cpus), &eight_of(4));
        assert_eq!(codes, [MisfitCode::CellsCompete]);
        assert!(steps < 5_000, "{steps} steps on {cells} cells");
    }
}

#[test]
fn devices_that_no_cells_have_together_are_told_without_a_search() {
    for (cells, cpus) in HOSTS {
        let devices = (0..cells).map(|number| vf(number, number)).collect();
        let mut ledger = Ledger::new(host(cells, cpus).with_devices(devices).unwrap());
        fits(&mut ledger, &near(eight_of(4), NumaPolicy::Required, 8));
        let (codes, steps) = refused(&mut ledger, &near(eight_of(4), NumaPolicy::Required, 9));
        assert_eq!(codes, [MisfitCode::CellsFarFromDevices]);
        assert!(steps < 5_000, "{steps} steps on {cells} cells");
    }
}

#[test]
fn what_no_cell_is_near_is_told_each_by_itself() {
    let net = |name: &str| Networks { physnets: [name.into()].into(), tunneled: false };
    let cells = vec![cell(0, 8).with_networks(net("red")), cell(1, 8).with_networks(net("blue"))];
    let mut ledger = Ledger::new(whole(cells).with_devices(vec![vf(0, 0), vf(1, 1)]).unwrap());
    let both = Networks { physnets: ["red".into(), "blue".into()].into(), tunneled: false };
    let two = near(request(guest(1, 4, GIB)), NumaPolicy::Required, 2);
    let (networks, devices) = (MisfitCode::CellsFarFromNetworks, MisfitCode::CellsFarFromDevices);
    assert_eq!(refused(&mut ledger, &two.clone().close_to(both.clone())).0, [networks, devices]);
    assert_eq!(refused(&mut ledger, &two.clone().close_to(net("red"))).0, [devices]);
    assert_eq!(refused(&mut ledger, &two.without_devices().close_to(both)).0, [networks]);
}

#[test]
fn memory_of_the_host_as_a_whole_is_told_at_the_first_step() {
    for (cells, cpus) in HOSTS {
        let mut ledger = Ledger::new(host(cells, cpus));
        let filler = GuestTopology { cells: vec![], ..guest(0, 0, 0) };
        let full = Request::default()
            .with_topology(filler)
            .with_amount(Resource::MemoryMib, u64::from(cells) * 64 * GIB - 7 * GIB);
        ledger.book("the host itself".into(), &full).unwrap();
        let (codes, steps) = refused(&mut ledger, &eight_of(4));
        assert_eq!(codes, [MisfitCode::InsufficientMemory]);
        assert!(steps < 3_000, "{steps} steps on {cells} cells");
    }
}

/// A few cells have hugepages; the rest of the guest must do with what is left of ordinary memory.
#[test]
fn pages_of_any_size_are_shared_out_without_trying_every_set() {
    let with_hugepages = |number: u32| {
        let huge = PageSize { size_kib: 1024 * 1024, total: 1, reserved: 0 };
        let small = PageSize { size_kib: 4, total: 64 * GIB * 256, reserved: 0 };
        let pages = if number % 4 == 3 { vec![small, huge] } else { vec![small] };
        cell(number, 32).with_memory(64 * GIB, pages)
    };
    let cells: Vec<HostCell> = (0..32).map(with_hugepages).collect();
    let wanted =
        |cells: u32| request(GuestTopology { pages: Some(PageWant::Any), ..guest(cells, 4, GIB) });
    let tight = Inventory::new(quantity(0), quantity(4 * GIB), quantity(0));
    let mut ledger = Ledger::new(tight.with_cells(cells).unwrap());
    assert!(fits(&mut ledger, &wanted(12)) < 5_000);
    let (codes, steps) = refused(&mut ledger, &wanted(13));
    assert_eq!(codes, [MisfitCode::InsufficientMemory]);
    assert!(steps < 20_000, "{steps} steps");
}

/// Sixteen networks, each close to two of 32 cells: whether eight cells have them all is to cover a set.
fn covering(cells: u32, networks: u32) -> (Ledger, Request) {
    let name = |number: u32| -> Arc<str> { format!("net{}", number % networks).as_str().into() };
    let near_two = |number: u32| {
        let physnets: BTreeSet<Arc<str>> = [name(number), name(number * 7 + 3)].into();
        cell(number, 32).with_networks(Networks { physnets, tunneled: false })
    };
    let all: BTreeSet<Arc<str>> = (0..networks).map(name).collect();
    let ledger = Ledger::new(whole((0..cells).map(near_two).collect()));
    (ledger, eight_of(4).close_to(Networks { physnets: all, tunneled: false }))
}

#[test]
fn beyond_the_bound_nothing_is_called_a_misfit() {
    let (mut ledger, wanted) = covering(32, 17);
    let Err(Refusal::Undecided(spent)) = ledger.fit(&wanted) else { panic!("it is decided") };
    assert_eq!((spent.limit, ledger.steps() < 10 * MAX_STEPS), (MAX_STEPS, true));
    assert!(ledger.book("a".into(), &wanted).is_err());
    assert_eq!(ledger.generation(), 0);
}

#[test]
fn the_largest_host_and_guest_are_decided() {
    let mut ledger = Ledger::new(host(1024, 8));
    let wanted = request(guest(128, 4, GIB));
    assert!(fits(&mut ledger, &wanted) < 20_000);
    let closest = GuestTopology {
        preference: Some(CellPreference::Closest),
        ..wanted.topology().unwrap().clone()
    };
    fits(&mut ledger, &request(closest));
    let (codes, _) = refused(&mut ledger, &request(guest(128, 9, GIB)));
    assert_eq!(codes, [MisfitCode::InsufficientDedicatedCpus]);
    assert_eq!(ledger.count(&wanted, 100).unwrap(), 8 * 2);
}
