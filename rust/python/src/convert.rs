//! Objects of `innkeeper.objects` into values of the core, and back into the frozen values of this module.

use std::collections::BTreeMap;

use inner::{MAX_AMOUNT, Resource};
use innkeeper_core as inner;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::device_requests::device_request;
use crate::devices::{address, devices, optional_address, optional_text, product};
use crate::errors::bad_request;
use crate::topology::{cell_order, guest_cells, host_cells, placed_cells, with_topology};
use crate::values::{
    Amounts, CellMisfit, CellUsage, Difference, Filtered, Misfit, Nearest, PlacedCell,
    PlacedDevice, Placement, Pool, PoolFiltered, Tally, Usage,
};

/// Every code that a misfit can carry, sorted.
pub(crate) fn misfit_codes() -> Vec<&'static str> {
    let mut codes = inner::MisfitCode::ALL.map(inner::MisfitCode::as_str);
    codes.sort_unstable();
    codes.into()
}

pub(crate) fn claim_id(text: &str) -> PyResult<inner::ClaimId> {
    if text.is_empty() {
        return Err(bad_request("a claim id is empty"));
    }
    Ok(text.into())
}

pub(crate) fn inventory(object: &Bound<'_, PyAny>) -> PyResult<inner::Inventory> {
    let devices = devices(&devices_of(object)?)?;
    without_devices(object)?.with_devices(devices).map_err(bad_request)
}

/// The devices of an inventory as Python holds them.
pub(crate) fn devices_of<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    object.getattr(intern!(object.py(), "devices"))
}

/// An inventory without its devices.
pub(crate) fn without_devices(object: &Bound<'_, PyAny>) -> PyResult<inner::Inventory> {
    let py = object.py();
    let (vcpus, memory_mib) =
        (object.getattr(intern!(py, "vcpus"))?, object.getattr(intern!(py, "memory_mib"))?);
    let mut inventory = inner::Inventory::new(
        quantity(&vcpus, "vcpus")?,
        quantity(&memory_mib, "memory_mib")?,
        quantity(&object.getattr(intern!(py, "disk_mib"))?, "disk_mib")?,
    );
    for (name, counter) in object.getattr(intern!(py, "counters"))?.cast::<PyDict>()? {
        let name: String = name.extract()?;
        inventory = inventory.with_counter(name.as_str().into(), quantity(&counter, &name)?);
    }
    for (resource, quantity) in [(Resource::Vcpus, vcpus), (Resource::MemoryMib, memory_mib)] {
        inventory = without_cordoned(inventory, resource, &quantity)?;
    }
    if let Some(reason) = optional_text(&object.getattr(intern!(py, "cordoned"))?)? {
        inventory = inventory.cordoned(reason);
    }
    let cells = host_cells(&object.getattr(intern!(py, "cells"))?)?;
    let inventory = inventory.with_cells(cells).map_err(bad_request)?;
    Ok(inventory
        .with_shared_cpus(cpus(&object.getattr(intern!(py, "shared_cpus"))?)?)
        .in_cell_order(cell_order(&object.getattr(intern!(py, "cell_order"))?)?))
}

/// The inventory, told what cordons keep off of a quantity.
fn without_cordoned(
    inventory: inner::Inventory,
    resource: Resource,
    quantity: &Bound<'_, PyAny>,
) -> PyResult<inner::Inventory> {
    let py = quantity.py();
    let cordons = quantity.getattr(intern!(py, "cordons"))?;
    let Some(reason) = optional_text(&cordons)? else {
        return Ok(inventory);
    };
    let kept_off = amount(&quantity.getattr(intern!(py, "cordoned"))?, "cordoned", 0)?;
    Ok(inventory.with_kept_off(resource, kept_off, reason))
}

fn quantity(object: &Bound<'_, PyAny>, name: &str) -> PyResult<inner::Quantity> {
    let py = object.py();
    let total = amount(&object.getattr(intern!(py, "total"))?, name, 0)?;
    let reserved = amount(&object.getattr(intern!(py, "reserved"))?, name, 0)?;
    let ratio = ratio(object.getattr(intern!(py, "allocation_ratio"))?.extract()?, name)?;
    Ok(inner::Quantity { total, reserved, ratio })
}

/// A ratio, or none.
pub(crate) fn optional_ratio(
    object: &Bound<'_, PyAny>,
    name: &str,
) -> PyResult<Option<inner::Ratio>> {
    let number: Option<f64> = object.extract()?;
    number.map(|number| ratio(number, name)).transpose()
}

fn ratio(number: f64, name: &str) -> PyResult<inner::Ratio> {
    let millionths = (number * 1e6).round();
    let whole = (1.0..=1e12).contains(&millionths);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number up to 10^12 when it is used"
    )]
    let ratio = inner::Ratio::from_parts_per_million(millionths as u64);
    ratio.filter(|_| whole).ok_or_else(|| {
        bad_request(format!(
            "the allocation ratio of {name} is {number}; it is between 0.000001 and 1,000,000"
        ))
    })
}

pub(crate) fn request(object: &Bound<'_, PyAny>) -> PyResult<inner::Request> {
    let py = object.py();
    let mut request = inner::Request::default();
    let has_topology = !object.getattr(intern!(py, "topology"))?.is_none();
    for (resource, name) in [
        (Resource::Vcpus, intern!(py, "vcpus")),
        (Resource::MemoryMib, intern!(py, "memory_mib")),
        (Resource::DiskMib, intern!(py, "disk_mib")),
    ] {
        let asked = object.getattr(name)?;
        // A topology says itself what of both is ordinary.
        let in_cells = has_topology && resource != Resource::DiskMib;
        if !asked.is_none() && !in_cells {
            request = request.with_amount(resource, amount(&asked, text(name.as_any())?, 1)?);
        }
    }
    for (name, asked) in object.getattr(intern!(py, "counters"))?.cast::<PyDict>()? {
        let name = text(&name)?;
        request = request.with_amount(Resource::Counter(name.into()), amount(&asked, name, 1)?);
    }
    for item in object.getattr(intern!(py, "devices"))?.try_iter()? {
        request = request.with_device_request(device_request(&item?)?);
    }
    let cells: Option<Vec<i64>> = object.getattr(intern!(py, "cells"))?.extract()?;
    let request = request.on_cells(cells.into_iter().flatten());
    let request = with_topology(request, object)?;
    require_few_parts(&request)?;
    Ok(request)
}

/// A part that names providers counts once for each.
fn require_few_parts(request: &inner::Request) -> PyResult<()> {
    let parts = request.devices().iter().map(|devices| devices.providers.len().max(1));
    let count: usize = parts.sum();
    if count > inner::MAX_WANTS {
        return Err(bad_request(format!(
            "the request has {count} parts that ask for devices, each provider counted for itself; \
             at most {} are solved together",
            inner::MAX_WANTS
        )));
    }
    Ok(())
}

/// Stored bookings, in their order.
pub(crate) fn bookings(
    items: &Bound<'_, PyAny>,
) -> PyResult<Vec<(inner::ClaimId, inner::Placement)>> {
    let booking = |item: PyResult<Bound<'_, PyAny>>| {
        let (claim, placed): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item?.extract()?;
        Ok((claim_id(text(&claim)?)?, placement(&placed)?))
    };
    items.try_iter()?.map(booking).collect()
}

pub(crate) fn placement(object: &Bound<'_, PyAny>) -> PyResult<inner::Placement> {
    let py = object.py();
    let mut amounts = inner::Amounts::new();
    for (resource, name) in [
        (Resource::Vcpus, intern!(py, "vcpus")),
        (Resource::MemoryMib, intern!(py, "memory_mib")),
        (Resource::DiskMib, intern!(py, "disk_mib")),
    ] {
        amounts.insert(resource, amount(&object.getattr(name)?, text(name.as_any())?, 0)?);
    }
    for (name, held) in object.getattr(intern!(py, "counters"))?.cast::<PyDict>()? {
        let name = text(&name)?;
        amounts.insert(Resource::Counter(name.into()), amount(&held, name, 0)?);
    }
    amounts.retain(|_, held| *held > 0);
    let devices: PyResult<inner::PlacedDevices> = object
        .getattr(intern!(py, "devices"))?
        .try_iter()?
        .map(|item| placed_device(&item?))
        .collect();
    let cpus = cpus(&object.getattr(intern!(py, "cpus"))?)?;
    let cells = placed_cells(&object.getattr(intern!(py, "cells"))?)?;
    Ok(inner::Placement { amounts, cpus, devices: devices?, cells })
}

fn placed_device(object: &Bound<'_, PyAny>) -> PyResult<(inner::PciAddress, inner::PlacedDevice)> {
    let py = object.py();
    let placed = inner::PlacedDevice {
        product: product(object)?,
        cell: object.getattr(intern!(py, "cell"))?.extract()?,
        parent: optional_address(&object.getattr(intern!(py, "parent"))?)?,
        request: object.getattr(intern!(py, "request"))?.extract()?,
        identity: optional_text(&object.getattr(intern!(py, "identity"))?)?.map(Into::into),
    };
    Ok((address(&object.getattr(intern!(py, "address"))?)?, placed))
}

/// A whole number from `least` to [`MAX_AMOUNT`].
pub(crate) fn amount(object: &Bound<'_, PyAny>, name: &str, least: u64) -> PyResult<u64> {
    let number: Option<u64> = object.extract().ok();
    number.filter(|number| (least..=MAX_AMOUNT).contains(number)).ok_or_else(|| {
        bad_request(format!(
            "{name} is {}; it must be a whole number from {least} to {MAX_AMOUNT}",
            object.repr().map_or_else(|_| "unreadable".to_owned(), |repr| repr.to_string())
        ))
    })
}

pub(crate) fn cpus(object: &Bound<'_, PyAny>) -> PyResult<inner::CpuList> {
    text(object)?.parse().map_err(|error: inner::CpuListError| bad_request(error))
}

pub(crate) fn text<'a>(object: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    object.cast::<PyString>()?.to_str()
}

impl From<&inner::Placement> for Placement {
    fn from(placement: &inner::Placement) -> Self {
        let devices = placement.devices.iter().map(|(address, device)| PlacedDevice {
            address: address.to_string(),
            vendor_id: device.product.vendor_id(),
            product_id: device.product.product_id(),
            cell: device.cell,
            parent: device.parent.map(|parent| parent.to_string()),
            request: device.request,
            identity: device.identity.as_ref().map(ToString::to_string),
        });
        Self {
            vcpus: placement.amount(&Resource::Vcpus),
            memory_mib: placement.amount(&Resource::MemoryMib),
            disk_mib: placement.amount(&Resource::DiskMib),
            cpus: placement.cpus.to_string(),
            devices: devices.collect(),
            counters: counters(&placement.amounts),
            cells: placement.cells.iter().map(PlacedCell::from).collect(),
        }
    }
}

impl From<&inner::Misfit> for Misfit {
    fn from(misfit: &inner::Misfit) -> Self {
        Self {
            code: misfit.code.as_str().to_owned(),
            resource: misfit.resource.clone(),
            message: misfit.message.clone(),
            asked: misfit.asked,
            free: misfit.free,
            capacity: misfit.capacity,
            used: misfit.used,
            filters: misfit.filters.iter().map(Filtered::from).collect(),
            request: misfit.request,
            pools: misfit.pools.iter().map(PoolFiltered::from).collect(),
            guest_cell: misfit.guest_cell,
            cells: misfit.cells.iter().map(CellMisfit::from).collect(),
        }
    }
}

impl From<&inner::PoolFiltered> for PoolFiltered {
    fn from(pool: &inner::PoolFiltered) -> Self {
        Self {
            vendor_id: pool.product.vendor_id(),
            product_id: pool.product.product_id(),
            kind: pool.kind.as_str().to_owned(),
            cell: pool.cell,
            parent: pool.parent.map(|parent| parent.to_string()),
            total: pool.total,
            filters: pool.filters.iter().map(Filtered::from).collect(),
        }
    }
}

impl From<&inner::Filtered> for Filtered {
    fn from(filtered: &inner::Filtered) -> Self {
        Self { filter: filtered.filter.to_owned(), removed: filtered.removed, left: filtered.left }
    }
}

impl From<&inner::Nearest> for Nearest {
    fn from(nearest: &inner::Nearest) -> Self {
        let amount = |resource: Resource| nearest.amounts.get(&resource).copied();
        Self {
            vcpus: amount(Resource::Vcpus),
            memory_mib: amount(Resource::MemoryMib),
            disk_mib: amount(Resource::DiskMib),
            device_counts: nearest.devices.clone(),
            counters: counters(&nearest.amounts),
            cells: nearest.topology.as_ref().map(guest_cells).unwrap_or_default(),
        }
    }
}

impl From<inner::Tally> for Tally {
    fn from(tally: inner::Tally) -> Self {
        let stopped_by = tally.stopped_by.iter().map(Misfit::from).collect();
        Self { times: tally.times, stopped_by }
    }
}

impl From<inner::Account> for Amounts {
    fn from(account: inner::Account) -> Self {
        let inner::Account { total, reserved, capacity, used, free } = account;
        Self { total, reserved, capacity, used, free }
    }
}

impl From<inner::Usage> for Usage {
    fn from(usage: inner::Usage) -> Self {
        let account =
            |resource| Amounts::from(usage.amounts.get(&resource).copied().unwrap_or_default());
        Self {
            vcpus: account(Resource::Vcpus),
            memory_mib: account(Resource::MemoryMib),
            disk_mib: account(Resource::DiskMib),
            counters: counters(&usage.amounts),
            devices: usage.devices.into(),
            cells: usage.cells.into_iter().map(CellUsage::from).collect(),
            claims: usage.claims,
            generation: usage.generation,
        }
    }
}

impl From<inner::Pool> for Pool {
    fn from(pool: inner::Pool) -> Self {
        Self {
            vendor_id: pool.product.vendor_id(),
            product_id: pool.product.product_id(),
            kind: pool.kind.as_str().to_owned(),
            cell: pool.cell,
            parent: pool.parent.map(|parent| parent.to_string()),
            parent_netdev: pool.parent_netdev.as_deref().map(ToOwned::to_owned),
            tags: tags(&pool.tags),
            provider: pool.provider.as_deref().map(ToOwned::to_owned),
            total: pool.total,
            used: pool.used,
            withheld: pool.withheld,
            free: pool.free,
        }
    }
}

impl From<inner::Difference> for Difference {
    fn from(difference: inner::Difference) -> Self {
        Self {
            kind: difference.kind.to_owned(),
            subject: difference.subject,
            claim_id: difference.claim.map(|claim| claim.to_string()),
            message: difference.message,
            booked: difference.booked,
            observed: difference.observed,
        }
    }
}

fn tags(tags: &inner::Tags) -> BTreeMap<String, Option<String>> {
    let owned = |value: &std::sync::Arc<str>| value.as_ref().to_owned();
    tags.iter().map(|(name, value)| (owned(name), value.as_ref().map(owned))).collect()
}

fn counters<T: Copy, U: From<T>>(amounts: &BTreeMap<Resource, T>) -> BTreeMap<String, U> {
    let counter = |(resource, amount): (&Resource, &T)| match resource {
        Resource::Counter(name) => Some((name.to_string(), U::from(*amount))),
        Resource::Vcpus | Resource::MemoryMib | Resource::DiskMib => None,
    };
    amounts.iter().filter_map(counter).collect()
}
