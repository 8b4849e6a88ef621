//! On which cells a guest fits, by trying every selection of them.

use std::collections::BTreeSet;

use crate::amounts::{Ratio, Resource};
use crate::ids::ClaimId;
use crate::placement::Placement;
use crate::properties::cells::strategies::{Cell, CellHost};
use crate::properties::choice;
use crate::properties::model::Model;
use crate::request::Request;
use crate::topology::{
    CellPreference, GuestCell, GuestTopology, L3Policy, Limit, PageSize, PageWant, PlacedCell,
    ThreadPolicy,
};

pub(super) struct CellModel {
    host: CellHost,
    whole: Model,
}

impl CellModel {
    pub(super) fn of(host: CellHost) -> Self {
        let whole = Model::of(host.plain.clone());
        Self { host, whole }
    }

    pub(super) fn add(&mut self, claim: &ClaimId, placement: Placement) {
        self.whole.add(claim, placement);
    }

    /// Every assignment of host cells to guest cells under which all of it fits.
    pub(super) fn assignments(&self, request: &Request) -> Vec<Vec<usize>> {
        let guests = request.topology().unwrap().cells.len();
        let mut all = selections(self.host.cells.len(), guests);
        all.retain(|hosts| self.fits_on(request, hosts));
        all
    }

    pub(super) fn fits(&self, request: &Request) -> bool {
        !self.assignments(request).is_empty()
    }

    fn fits_on(&self, request: &Request, hosts: &[usize]) -> bool {
        let ids = || hosts.iter().map(|host| self.host.cells[*host].id);
        let near = request.clone().on_cells(ids());
        let devices =
            || choice::first(&self.host.plain, &self.whole.free_devices(), &near).is_some();
        self.has_cells(request, hosts) && self.has_networks(request, hosts) && devices()
    }

    /// vCPUs, memory and pages, of each cell and of the host as a whole.
    fn has_cells(&self, request: &Request, hosts: &[usize]) -> bool {
        let topology = request.topology().unwrap();
        let mut ordinary_mib = 0;
        for (position, host) in hosts.iter().enumerate() {
            let pair =
                Pair { model: self, request, topology, position, cell: &self.host.cells[*host] };
            let Some(more) = pair.least_ordinary_mib().filter(|_| pair.has_cpus()) else {
                return false;
            };
            ordinary_mib += more;
        }
        ordinary_mib <= self.free(request, &Resource::MemoryMib)
            && topology.shared_count() <= self.free(request, &Resource::Vcpus)
    }

    fn free(&self, request: &Request, resource: &Resource) -> u64 {
        let quantity = self.host.plain.quantities[resource];
        let limits = request.limits();
        let limit = if *resource == Resource::Vcpus { limits.vcpus } else { limits.memory };
        match bound(quantity.total, limit, quantity.ratio) {
            Some(bound) => bound.saturating_sub(self.whole.used(resource)),
            None => u64::MAX,
        }
    }

    /// A network that no cell is close to is near everywhere.
    fn has_networks(&self, request: &Request, hosts: &[usize]) -> bool {
        let (wanted, cells) = (request.networks(), &self.host.cells);
        let near = |has: &dyn Fn(&Cell) -> bool| {
            hosts.iter().any(|host| has(&cells[*host])) || !cells.iter().any(has)
        };
        wanted.physnets.iter().all(|name| near(&|it| it.networks.physnets.contains(name)))
            && (!wanted.tunneled || near(&|it| it.networks.tunneled))
    }

    fn held_on(&self, cell: i64) -> impl Iterator<Item = &PlacedCell> {
        let placed = self.whole.bookings().values().flat_map(|placement| &placement.cells);
        placed.filter(move |placed| placed.cell == cell)
    }

    fn charged(&self) -> BTreeSet<u32> {
        let cells = self.whole.bookings().values().flat_map(|placement| &placement.cells);
        cells.flat_map(|cell| cell.charged.iter()).collect()
    }

    /// What a preference counts, of an assignment.
    pub(super) fn cost(&self, preference: CellPreference, hosts: &[usize]) -> u64 {
        let cells: Vec<&Cell> = hosts.iter().map(|host| &self.host.cells[*host]).collect();
        let pairs = cells
            .iter()
            .enumerate()
            .flat_map(|(number, one)| cells[number + 1..].iter().map(move |other| (*one, *other)));
        pairs
            .map(|(one, other)| match preference {
                CellPreference::Closest => one.distances[&other.id] + other.distances[&one.id],
                _ => u64::from(one.socket.is_some() && one.socket == other.socket),
            })
            .sum()
    }
}

/// Ordered selections without repetition.
fn selections(of: usize, length: usize) -> Vec<Vec<usize>> {
    (0..length).fold(vec![vec![]], |shorter, _| {
        let longer = shorter.into_iter().flat_map(|one: Vec<usize>| {
            let rest: Vec<usize> = (0..of).filter(|it| !one.contains(it)).collect();
            rest.into_iter().map(move |next| one.iter().copied().chain([next]).collect())
        });
        longer.collect()
    })
}

/// How much of something may be promised; none: no end.
fn bound(total: u64, limit: Limit, of_host: Ratio) -> Option<u64> {
    let ratio: f64 = match limit {
        Limit::OfHost => of_host.to_string().parse().unwrap(),
        Limit::Ratio(ratio) => ratio.to_string().parse().unwrap(),
        Limit::Unlimited => return None,
    };
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let most = (total as f64 * ratio + 1e-9).floor();
    format!("{most:.0}").parse().ok()
}

/// One guest cell on one host cell.
struct Pair<'a> {
    model: &'a CellModel,
    request: &'a Request,
    topology: &'a GuestTopology,
    position: usize,
    cell: &'a Cell,
}

impl Pair<'_> {
    fn guest(&self) -> &GuestCell {
        &self.topology.cells[self.position]
    }

    /// The least ordinary memory with which its memory can be had, of one size of pages.
    fn least_ordinary_mib(&self) -> Option<u64> {
        let memory_mib = self.guest().memory_mib;
        let pages = &self.cell.pages;
        let Some(smallest) = pages.first().copied() else {
            return self.has_unlisted_memory().then_some(memory_mib);
        };
        let ordinary = |page: &PageSize| if *page == smallest { memory_mib } else { 0 };
        let wanted = |page: &PageSize| match self.topology.pages {
            None | Some(PageWant::Small) => *page == smallest,
            Some(PageWant::Large) => *page != smallest,
            Some(PageWant::Any) => true,
            Some(PageWant::Kib(size)) => page.size_kib == size,
        };
        let whole = |page: &&PageSize| memory_mib * 1024 % page.size_kib == 0;
        let enough = |page: &&PageSize| memory_mib * 1024 / page.size_kib <= self.free_pages(page);
        pages.iter().filter(|it| wanted(it)).filter(whole).filter(enough).map(ordinary).min()
    }

    fn is_overcommitted(&self) -> bool {
        self.topology.pages.is_none() && !self.topology.has_dedicated()
    }

    fn free_pages(&self, page: &PageSize) -> u64 {
        let offered = page.total.saturating_sub(page.reserved);
        let placed = self.model.held_on(self.cell.id);
        let used = placed.filter(|it| it.page_kib == Some(page.size_kib)).map(|it| it.pages).sum();
        self.left_of(offered, used, if self.is_overcommitted() { None } else { Some(1) })
    }

    /// A cell that lists no pages has no pages to ask for.
    fn has_unlisted_memory(&self) -> bool {
        let used = self.model.held_on(self.cell.id).map(|it| it.memory_mib).sum();
        let ratio = if self.topology.has_dedicated() { Some(1) } else { None };
        self.topology.pages.is_none()
            && self.guest().memory_mib <= self.left_of(self.cell.memory_mib, used, ratio)
    }

    /// What one guest may have of memory, without a ratio of its own under that of the request.
    fn left_of(&self, total: u64, used: u64, ratio: Option<u64>) -> u64 {
        let of_host = self.model.host.plain.quantities[&Resource::MemoryMib].ratio;
        let most = match ratio {
            Some(_) => Some(total),
            None => bound(total, self.request.limits().memory, of_host),
        };
        most.map_or(total, |most| most.saturating_sub(used).min(total))
    }

    fn has_cpus(&self) -> bool {
        let (shared, all) = (self.guest().shared.count(), self.cell.shared.len() as u64);
        let used: u64 = self.model.held_on(self.cell.id).map(|it| it.shared.count()).sum();
        let of_host = self.model.host.plain.quantities[&Resource::Vcpus].ratio;
        let most = bound(all, self.request.limits().vcpus, of_host);
        let left = most.map_or(all, |most| most.saturating_sub(used));
        shared <= all && shared <= left && self.has_seats()
    }

    fn has_seats(&self) -> bool {
        let vcpus = self.guest().dedicated.iter().count();
        let with_emulator = self.topology.emulator_cell() == Some(self.position);
        let within_cache = self.topology.l3 == Some(L3Policy::Require);
        let all: BTreeSet<u32> = self.cell.cores.iter().flatten().copied().collect();
        let scopes = if within_cache { self.cell.caches.clone() } else { vec![all] };
        vcpus == 0 || scopes.iter().any(|scope| self.seats_within(scope, vcpus, with_emulator))
    }

    /// Whether so many find a place among these CPUs, and the emulator one anywhere on the cell.
    fn seats_within(&self, scope: &BTreeSet<u32>, vcpus: usize, with_emulator: bool) -> bool {
        let charged = self.model.charged();
        let is_free = |cpu: &&u32| self.cell.dedicated.contains(cpu) && !charged.contains(cpu);
        let widest = self.cell.cores.iter().map(Vec::len).max().unwrap_or(0);
        let free_of = |core: &Vec<u32>| core.iter().filter(is_free).count();
        let all: Vec<usize> = self.cell.cores.iter().map(free_of).collect();
        let inside = self.cell.cores.iter().filter(|core| core.iter().all(|it| scope.contains(it)));
        let inside: Vec<usize> = inside.map(free_of).collect();
        let whole = |cores: &[usize]| cores.iter().filter(|free| **free == widest).count();
        let free: usize = all.iter().sum();
        let emulator = usize::from(with_emulator);
        match self.topology.threads {
            ThreadPolicy::Prefer => {
                inside.iter().sum::<usize>() >= vcpus && free >= vcpus + emulator
            }
            ThreadPolicy::Require => {
                let at = |threads: usize| inside.iter().filter(|free| **free >= threads).count();
                (2..=widest).any(|threads| at(threads) * threads >= vcpus)
                    && free >= vcpus + emulator
            }
            ThreadPolicy::Isolate => whole(&inside) >= vcpus && whole(&all) >= vcpus + emulator,
            ThreadPolicy::FullCores => {
                let cores = vcpus / widest.max(1);
                vcpus % widest.max(1) == 0
                    && whole(&inside) >= cores
                    && whole(&all) >= cores + emulator
            }
        }
    }
}
