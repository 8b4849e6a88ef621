//! Which pools serve which wants, before nearness and bookings are looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fit::flow::{Mask, bit};
use crate::fit::near::{Cells, Nearness};
use crate::fit::plan::Part;
use crate::fit::trial::Trial;
use crate::pci::{Admits, Catalogue, Filter, Index, PoolEntry, PoolNumber, Slot};
use crate::request::DeviceRequest;

/// A part of a request by provider; the whole of it when it names none.
pub(super) fn shares(devices: &DeviceRequest, count: u64) -> Vec<(Option<&Arc<str>>, u64)> {
    if devices.providers.is_empty() {
        return vec![(None, count)];
    }
    let named = count > 0 && count >= devices.count;
    devices.providers.iter().filter(|_| named).map(|(name, share)| (Some(name), *share)).collect()
}

/// Which wants a pool serves, as a whole and device by device.
#[derive(Default)]
struct Admitted {
    whole: Mask,
    single: BTreeMap<Slot, Mask>,
}

/// Parts that are being made.
pub(super) struct Draft<'a> {
    catalogue: &'a Catalogue,
    pools: BTreeMap<PoolNumber, Admitted>,
    /// For a request of one part, when it may stop at the pools that have enough.
    enough: Option<Enough<'a>>,
}

/// What a request of one part finds in the pools that it comes to first.
struct Enough<'a> {
    trial: &'a Trial<'a>,
    cells: &'a Cells<'a>,
    runs: Option<bool>,
    left: u64,
}

impl Enough<'_> {
    /// Whether this pool, after those before it, leaves nothing to be looked for. Runs do not bar each
    /// other, nor do functions without a parent; where both are met, or single devices are named, nothing
    /// is ever enough. The place of a run, or of a single function, does not depend on who holds what, so
    /// that pools after it come after it.
    fn is_in(&mut self, number: PoolNumber, pool: &PoolEntry, whole: bool) -> bool {
        let is_run = pool.key.is_run();
        if !whole || *self.runs.get_or_insert(is_run) != is_run {
            self.left = u64::MAX;
        } else if (is_run || pool.total == 1)
            && self.cells.nearness(pool.key.cell) == Nearness::Near
        {
            self.left = self.left.saturating_sub(self.trial.free_count(number));
        }
        self.left == 0
    }
}

impl<'a> Draft<'a> {
    pub(super) fn of(catalogue: &'a Catalogue) -> Self {
        Self { catalogue, pools: BTreeMap::new(), enough: None }
    }

    /// Stop at the pools that have `left` devices; of a request of one part only.
    pub(super) fn stop_at(self, left: u64, cells: &'a Cells<'a>, trial: &'a Trial<'a>) -> Self {
        Self { enough: Some(Enough { trial, cells, runs: None, left }), ..self }
    }

    pub(super) fn admit(
        &mut self,
        devices: &DeviceRequest,
        provider: Option<&Arc<str>>,
        want: usize,
    ) {
        let trial = self.enough.as_ref().map(|enough| enough.trial);
        for_each_candidate(self.catalogue, devices, trial.map(Trial::index), |number, pool| {
            if trial.is_some_and(|trial| trial.free_count(number) == 0) {
                return false;
            }
            let Ok(admits) = what_is_admitted(devices, provider, pool) else { return false };
            let whole = admits == Admits::All;
            let admitted = self.pools.entry(number).or_default();
            match admits {
                Admits::All => admitted.whole |= bit(want),
                Admits::Only(named) => {
                    let slots = named.iter().filter_map(|address| self.catalogue.find(*address));
                    let here = slots.filter(|slot| {
                        self.catalogue.entry(*slot).is_some_and(|entry| entry.pool == number)
                    });
                    here.for_each(|slot| *admitted.single.entry(slot).or_default() |= bit(want));
                }
            }
            self.enough.as_mut().is_some_and(|enough| enough.is_in(number, pool, whole))
        });
    }

    pub(super) fn parts(self, cells: &Cells<'_>) -> Vec<Part> {
        let mut parts = Vec::with_capacity(self.pools.len());
        for (pool, admitted) in self.pools {
            let cell = self.catalogue.pool(pool).and_then(|pool| pool.key.cell);
            let nearness = cells.nearness(cell);
            let whole = admitted.whole;
            let except: Vec<Slot> = admitted.single.keys().copied().collect();
            let single = admitted.single.into_iter().map(|(slot, mask)| Part {
                pool,
                only: Some(slot),
                except: Vec::new(),
                admits: mask | whole,
                nearness,
            });
            parts.extend(single);
            if whole != 0 {
                parts.push(Part { pool, only: None, except, admits: whole, nearness });
            }
        }
        parts
    }
}

/// The pools that can matter to a request; all, unless it insists on products. With an index only those
/// that have a free device.
fn for_each_candidate(
    catalogue: &Catalogue,
    devices: &DeviceRequest,
    open_in: Option<&Index>,
    mut each: impl FnMut(PoolNumber, &PoolEntry) -> bool,
) {
    let mut is_last = |number| catalogue.pool(number).is_some_and(|pool| each(number, pool));
    let Some(products) = devices.matcher.products() else {
        match open_in {
            Some(index) => index.open_pools().any(is_last),
            None => (0..catalogue.pools().len()).any(is_last),
        };
        return;
    };
    for product in products {
        let pools = catalogue.pools_of(product);
        let stopped = match open_in {
            Some(index) => index.open_among(pools).any(&mut is_last),
            None => pools.iter().copied().any(&mut is_last),
        };
        if stopped {
            return;
        }
    }
}

/// What of a pool may be given for a request, or the first filter that takes it away.
pub(super) fn what_is_admitted(
    devices: &DeviceRequest,
    provider: Option<&Arc<str>>,
    pool: &PoolEntry,
) -> Result<Admits, Filter> {
    let admits = devices.matcher.admits(&pool.key)?;
    if provider.is_some() && pool.key.provider.as_ref() != provider {
        return Err(Filter::Provider);
    }
    Ok(admits)
}
