//! How the devices of a host become fewer until those are left that a request could get.

use std::collections::BTreeMap;

use crate::fit::Room;
use crate::fit::draft::what_is_admitted;
use crate::fit::near::{Cells, levels};
use crate::misfit::{Filtered, PoolFiltered};
use crate::pci::{Admits, Filter, PoolEntry, PoolNumber, Slot, Withheld};
use crate::request::{DeviceRequest, Request};

/// What each filter took away of one pool, or of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Funnel {
    total: u64,
    removed: BTreeMap<Filter, u64>,
}

/// The funnel of a part of a request, over all pools and for each that has what it names.
#[derive(Clone, Debug, Default)]
pub(super) struct Funnels {
    pub(super) all: Funnel,
    pub(super) pools: Vec<PoolFiltered>,
    /// Devices that the request names, whoever has them.
    pub(super) named: u64,
}

impl Funnel {
    fn remove(&mut self, filter: Filter, count: u64) {
        if count > 0 {
            let removed = self.removed.entry(filter).or_default();
            *removed = removed.saturating_add(count);
        }
    }

    fn add(&mut self, other: &Self) {
        self.total = self.total.saturating_add(other.total);
        other.removed.iter().for_each(|(filter, count)| self.remove(*filter, *count));
    }

    pub(super) fn removed_by(&self, filter: Filter) -> u64 {
        self.removed.get(&filter).copied().unwrap_or(0)
    }

    pub(super) fn left(&self) -> u64 {
        self.removed.values().fold(self.total, |left, removed| left.saturating_sub(*removed))
    }

    /// What is left beyond `together` goes to the rest of the request.
    pub(super) fn leave(&mut self, together: u64) {
        self.remove(Filter::RestOfRequest, self.left().saturating_sub(together));
    }

    /// The filters that removed something, in order.
    pub(super) fn filters(&self) -> Vec<Filtered> {
        let mut left = self.total;
        let filtered = |(filter, removed): (&Filter, &u64)| {
            left = left.saturating_sub(*removed);
            Filtered { filter: filter.as_str(), removed: *removed, left }
        };
        self.removed.iter().map(filtered).collect()
    }
}

impl Funnels {
    pub(super) fn of(room: Room<'_>, request: &Request, devices: &DeviceRequest) -> Self {
        let catalogue = room.book.index().catalogue();
        let mut funnels = Self::default();
        for pool in catalogue.pools() {
            let funnel = of_pool(room, request, devices, pool);
            funnels.all.add(&funnel);
            let named = funnel.total.saturating_sub(funnel.removed_by(Filter::Spec));
            if named > 0 {
                funnels.named = funnels.named.saturating_add(named);
                funnels.pools.push(told(pool, &funnel));
            }
        }
        funnels
    }
}

fn told(pool: &PoolEntry, funnel: &Funnel) -> PoolFiltered {
    PoolFiltered {
        product: pool.key.product,
        kind: pool.key.kind,
        cell: pool.key.cell,
        parent: pool.key.parent,
        total: funnel.total,
        filters: funnel.filters(),
    }
}

fn of_pool(room: Room<'_>, request: &Request, devices: &DeviceRequest, pool: &PoolEntry) -> Funnel {
    let mut funnel = Funnel { total: pool.total, removed: BTreeMap::new() };
    match admitted(devices, pool) {
        Err(filter) => funnel.remove(filter, pool.total),
        Ok(admits) => {
            for slot in room.book.index().catalogue().slots_of(pool) {
                let filter = device_filter(room, request, devices, &admits, *slot);
                if let Some(filter) = filter {
                    funnel.remove(filter, 1);
                }
            }
        }
    }
    funnel
}

/// A request that names providers takes what any of them counts.
fn admitted(devices: &DeviceRequest, pool: &PoolEntry) -> Result<Admits, Filter> {
    if devices.providers.is_empty() {
        return by_any_member(devices, pool);
    }
    let of_each = devices.providers.keys().map(|it| what_is_admitted(devices, Some(it), pool));
    of_each.reduce(|best, next| if best.is_ok() { best } else { next }).unwrap_or(Err(Filter::Spec))
}

/// A unit takes what any of its members may be.
fn by_any_member(devices: &DeviceRequest, pool: &PoolEntry) -> Result<Admits, Filter> {
    let members = devices.unit.iter().flat_map(|unit| &unit.members);
    let of_members = members.map(|(matcher, _)| matcher.admits(&pool.key));
    let best = of_members.reduce(|best, next| if best.is_ok() { best } else { next });
    best.unwrap_or_else(|| what_is_admitted(devices, None, pool))
}

fn device_filter(
    room: Room<'_>,
    request: &Request,
    devices: &DeviceRequest,
    admits: &Admits,
    slot: Slot,
) -> Option<Filter> {
    let index = room.book.index();
    let device = index.catalogue().device(slot)?;
    if let Admits::Only(named) = admits
        && !named.contains(&device.address)
    {
        return Some(Filter::Spec);
    }
    if index.is_held(slot) {
        return Some(Filter::Booked);
    }
    if let Some(reason) = device.withheld {
        return Some(withheld_filter(reason));
    }
    if !index.is_free(slot) {
        return Some(Filter::BarredByPfOrVfs);
    }
    let cells = Cells::of(room.inventory, request.cells());
    let widest = levels(devices.policy, cells.any()).last();
    let near = widest.is_some_and(|level| level.takes(cells.nearness(device.cell)));
    (!near).then_some(Filter::Numa)
}

fn withheld_filter(reason: Withheld) -> Filter {
    match reason {
        Withheld::Cordoned => Filter::Cordoned,
        Withheld::Dirty => Filter::Dirty,
        Withheld::Moved => Filter::Moved,
        Withheld::Retired => Filter::Retired,
        Withheld::InUse => Filter::InUse,
    }
}

/// Pools that a request names; used in words.
pub(super) fn offered(room: Room<'_>, most: usize) -> (usize, Vec<String>) {
    let catalogue = room.book.index().catalogue();
    let name = |number: PoolNumber| catalogue.pool(number).map(|pool| pool.key.product.to_string());
    let first_pools =
        catalogue.products().filter_map(|it| catalogue.pools_of(*it).first().copied());
    let products: Vec<String> = first_pools.filter_map(name).collect();
    (products.len(), products.into_iter().take(most).collect())
}
