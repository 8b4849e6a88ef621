//! Random small hosts with cells, and guests for them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::amounts::{Quantity, Ratio, Resource};
use crate::cpuset::CpuList;
use crate::inventory::{CellOrder, Inventory};
use crate::properties::strategies::{Host, any_device_request, any_devices};
use crate::request::Request;
use crate::samples::quantity;
use crate::topology::{
    CellPreference, EmulatorThreads, GuestCell, GuestTopology, HostCell, L3Policy, Limit, Limits,
    Networks, PageSize, PageWant, ThreadPolicy,
};

/// A host of which the cells are told in plain sets.
#[derive(Clone, Debug)]
pub(super) struct CellHost {
    /// Amounts, devices and sockets.
    pub(super) plain: Host,
    pub(super) cells: Vec<Cell>,
    pub(super) order: CellOrder,
}

#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) id: i64,
    pub(super) socket: Option<i64>,
    pub(super) memory_mib: u64,
    /// Ascending by size.
    pub(super) pages: Vec<PageSize>,
    pub(super) cores: Vec<Vec<u32>>,
    pub(super) shared: BTreeSet<u32>,
    pub(super) dedicated: BTreeSet<u32>,
    pub(super) caches: Vec<BTreeSet<u32>>,
    pub(super) distances: BTreeMap<i64, u64>,
    pub(super) networks: Networks,
}

fn list(cpus: &BTreeSet<u32>) -> CpuList {
    cpus.iter().copied().collect()
}

impl CellHost {
    pub(super) fn inventory(&self) -> Inventory {
        let cells = self.cells.iter().map(Cell::host_cell).collect();
        self.plain.inventory().with_cells(cells).unwrap().in_cell_order(self.order)
    }

    /// The same host, told the other way round.
    pub(super) fn reversed(&self) -> Self {
        let mut reversed = self.clone();
        reversed.cells.reverse();
        reversed.plain.devices.reverse();
        reversed
    }
}

impl Cell {
    fn host_cell(&self) -> HostCell {
        let cores: Vec<CpuList> =
            self.cores.iter().map(|core| core.iter().copied().collect()).collect();
        let caches: Vec<CpuList> = self.caches.iter().map(list).collect();
        HostCell::new(self.id, self.socket)
            .with_memory(self.memory_mib, self.pages.clone())
            .with_cpus(list(&self.shared), &list(&self.dedicated), &cores)
            .with_l3_groups(&caches)
            .with_distances(self.distances.clone())
            .with_networks(self.networks.clone())
    }
}

/// What a CPU is for: nothing, shared, dedicated.
fn any_use() -> impl Strategy<Value = u8> {
    select(vec![0, 1, 1, 2, 2, 2, 2])
}

/// Cores of one to three threads, and which CPUs are shared and dedicated.
fn any_cpus() -> impl Strategy<Value = (Vec<usize>, Vec<u8>)> {
    (vec(select(vec![1_usize, 2, 2, 3]), 0..5), vec(any_use(), 8)).prop_map(|(mut cores, uses)| {
        while cores.iter().sum::<usize>() > 8 {
            cores.pop();
        }
        (cores, uses)
    })
}

/// (size in KiB, MiB of it, pages that the host keeps), by size.
fn any_pages() -> impl Strategy<Value = Vec<PageSize>> {
    let sizes = select(vec![
        vec![],
        vec![4],
        vec![2048],
        vec![4, 2048],
        vec![4, 2048, 4096],
        vec![64, 4096],
    ]);
    (sizes, vec((0_u64..10, 0_u64..2), 3)).prop_map(|(sizes, amounts)| {
        let page = |(size_kib, (mib, reserved)): (u64, (u64, u64))| PageSize {
            size_kib,
            total: mib * 1024 / size_kib,
            reserved,
        };
        sizes.into_iter().zip(amounts).map(page).collect()
    })
}

pub(super) fn any_networks() -> impl Strategy<Value = Networks> {
    let physnets = btree_set(select(vec!["red", "blue"]), 0..2);
    (physnets, select(vec![false, false, true])).prop_map(|(physnets, tunneled)| Networks {
        physnets: physnets.into_iter().map(Into::into).collect(),
        tunneled,
    })
}

fn any_cell() -> impl Strategy<Value = Cell> {
    let caches = select(vec![0_usize, 1, 2, 2]);
    let distances = vec(select(vec![10_u64, 12, 20, 21]), 4);
    (any_cpus(), any_pages(), 0_u64..12, caches, distances, any_networks()).prop_map(
        |((widths, uses), pages, memory_mib, caches, distances, networks)| {
            let mut cores: Vec<Vec<u32>> = Vec::new();
            for width in widths {
                let first = cores.iter().map(Vec::len).sum::<usize>();
                cores.push((0..8).skip(first).take(width).collect());
            }
            let all = || cores.iter().flatten().copied();
            let used_as = |way: u8| -> BTreeSet<u32> {
                all().zip(&uses).filter(|(_, it)| **it == way).map(|(cpu, _)| cpu).collect()
            };
            let of_cache = |cache: usize| -> BTreeSet<u32> {
                let own = cores.iter().enumerate().filter(|(number, _)| number % caches == cache);
                own.flat_map(|(_, core)| core.iter().copied()).collect()
            };
            Cell {
                id: 0,
                socket: None,
                memory_mib,
                pages,
                shared: used_as(1),
                dedicated: used_as(2),
                caches: (0..caches).map(of_cache).collect(),
                cores,
                distances: (0..).zip(distances).collect(),
                networks,
            }
        },
    )
}

impl Cell {
    /// The same cell as number so much of a host.
    fn numbered(self, number: u32, socket: Option<i64>) -> Self {
        let moved = |cpus: BTreeSet<u32>| -> BTreeSet<u32> {
            cpus.iter().map(|it| it + 8 * number).collect()
        };
        let core = |core: Vec<u32>| core.into_iter().map(|it| it + 8 * number).collect();
        Self {
            id: i64::from(number),
            socket,
            cores: self.cores.into_iter().map(core).collect(),
            shared: moved(self.shared),
            dedicated: moved(self.dedicated),
            caches: self.caches.into_iter().map(moved).collect(),
            ..self
        }
    }
}

/// As a whole it may have less of vCPUs and of ordinary memory than its cells.
pub(super) fn any_cell_host() -> impl Strategy<Value = CellHost> {
    let ratio = select(vec![1_000_000, 1_000_000, 1_500_000, 4_000_000]);
    let amount = (select(vec![2_u64, 9, 40, 40, 40]), ratio).prop_map(|(total, ratio)| Quantity {
        ratio: Ratio::from_parts_per_million(ratio).unwrap(),
        ..quantity(total)
    });
    let sockets =
        select(vec![[Some(0), Some(0), Some(1), Some(1)], [Some(0), None, Some(0), None]]);
    let order = select(vec![CellOrder::Spread, CellOrder::Pack]);
    (vec(any_cell(), 0..5), vec(amount, 2), sockets, any_devices(), order).prop_map(
        |(cells, amounts, sockets, devices, order)| {
            let cells: Vec<Cell> = (0..)
                .zip(cells)
                .zip(sockets)
                .map(|((number, cell), socket)| cell.numbered(number, socket))
                .collect();
            let disk = (Resource::DiskMib, quantity(9));
            let names = [Resource::Vcpus, Resource::MemoryMib];
            let plain = Host {
                quantities: names.into_iter().zip(amounts).chain([disk]).collect(),
                devices,
                shared_cpus: "",
                cells: cells.iter().map(|cell| (cell.id, cell.socket)).collect(),
            };
            CellHost { plain, cells, order }
        },
    )
}

fn any_guest_cells() -> impl Strategy<Value = Vec<GuestCell>> {
    let cell =
        (0_u32..3, select(vec![0_u32, 0, 1, 1, 2, 3, 4]), select(vec![0_u64, 1, 2, 2, 4, 6]));
    vec(cell, 1..4).prop_map(|cells| {
        let mut next = 0..;
        let mut vcpus =
            |count: u32| -> CpuList { (0..count).filter_map(|_| next.next()).collect() };
        let cell = |(shared, dedicated, memory_mib)| GuestCell {
            shared: vcpus(shared),
            dedicated: vcpus(dedicated),
            memory_mib,
        };
        cells.into_iter().map(cell).collect()
    })
}

pub(super) fn any_topology() -> impl Strategy<Value = GuestTopology> {
    let pages = select(vec![
        None,
        None,
        Some(PageWant::Small),
        Some(PageWant::Large),
        Some(PageWant::Any),
        Some(PageWant::Any),
        Some(PageWant::Kib(2048)),
    ]);
    let threads = select(vec![
        ThreadPolicy::Prefer,
        ThreadPolicy::Require,
        ThreadPolicy::Isolate,
        ThreadPolicy::FullCores,
    ]);
    let emulator = select(vec![EmulatorThreads::Share, EmulatorThreads::Isolate]);
    let l3 = select(vec![None, None, Some(L3Policy::Prefer), Some(L3Policy::Require)]);
    let preference = select(vec![
        None,
        None,
        Some(CellPreference::Closest),
        Some(CellPreference::SpreadSockets),
        Some(CellPreference::Pack),
    ]);
    (any_guest_cells(), pages, threads, emulator, l3, preference).prop_map(
        |(cells, pages, threads, emulator_threads, l3, preference)| GuestTopology {
            cells,
            pages,
            threads,
            emulator_threads,
            l3,
            preference,
        },
    )
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let ratio = |ppm| Limit::Ratio(Ratio::from_parts_per_million(ppm).unwrap());
    let limit = select(vec![
        Limit::OfHost,
        Limit::OfHost,
        ratio(1_000_000),
        ratio(2_500_000),
        Limit::Unlimited,
    ]);
    (limit.clone(), limit).prop_map(|(vcpus, memory)| Limits { vcpus, memory })
}

/// Without devices and networks.
pub(super) fn any_plain_guest() -> impl Strategy<Value = Request> {
    (any_topology(), any_limits())
        .prop_map(|(topology, limits)| Request::default().with_topology(topology).within(limits))
}

pub(super) fn any_guest() -> impl Strategy<Value = Request> {
    let devices = prop_oneof![2 => Just(vec![]), 3 => vec(any_device_request(), 1..3)];
    let networks = prop_oneof![2 => Just(Networks::default()), 1 => any_networks()];
    (any_plain_guest(), devices, networks).prop_map(|(request, devices, networks)| {
        devices.into_iter().fold(request.close_to(networks), Request::with_device_request)
    })
}
