//! NUMA cells of hosts, requests and placements into those of the core, and back.

use std::collections::BTreeSet;

use innkeeper_core as inner;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert::{amount, cpus, optional_ratio, text};
use crate::devices::optional_text;
use crate::errors::{bad_field, bad_request};
use crate::values::{CellMisfit, CellUsage, GuestCell, PageUsage, PlacedCell};

/// The cells of an inventory.
pub(crate) fn host_cells(objects: &Bound<'_, PyAny>) -> PyResult<Vec<inner::HostCell>> {
    objects.try_iter()?.map(|object| host_cell(&object?)).collect()
}

fn host_cell<'py>(object: &Bound<'py, PyAny>) -> PyResult<inner::HostCell> {
    let py = object.py();
    let field = |name: &Bound<'py, PyString>| object.getattr(name);
    let id = field(intern!(py, "id"))?.extract()?;
    let socket = field(intern!(py, "socket"))?.extract()?;
    let memory = amount(&field(intern!(py, "memory_mib"))?, "memory_mib", 0)?;
    let pages: PyResult<Vec<_>> = field(intern!(py, "pages"))?.try_iter()?.map(page_size).collect();
    let (shared, dedicated) =
        (bounded(&field(intern!(py, "shared"))?)?, bounded(&field(intern!(py, "dedicated"))?)?);
    let cell = inner::HostCell::new(id, socket)
        .with_memory(memory, pages?)
        .with_cpus(shared, &dedicated, &cpu_lists(&field(intern!(py, "cores"))?)?)
        .with_l3_groups(&cpu_lists(&field(intern!(py, "l3_groups"))?)?)
        .with_distances(field(intern!(py, "distances"))?.extract()?)
        .with_networks(networks(&field(intern!(py, "networks"))?)?);
    let cordoned = field(intern!(py, "cordoned"))?;
    Ok(match optional_text(&cordoned)? {
        Some(reason) => cell.cordoned(reason),
        None => cell,
    })
}

fn networks(object: &Bound<'_, PyAny>) -> PyResult<inner::Networks> {
    let py = object.py();
    if object.is_none() {
        return Ok(inner::Networks::default());
    }
    let names = object.getattr(intern!(py, "physnets"))?;
    let physnets: PyResult<_> =
        names.try_iter()?.map(|name| text(&name?).map(Into::into)).collect();
    let tunneled = object.getattr(intern!(py, "tunneled"))?.extract()?;
    Ok(inner::Networks { physnets: physnets?, tunneled })
}

fn page_size(object: PyResult<Bound<'_, PyAny>>) -> PyResult<inner::PageSize> {
    let object = object?;
    let py = object.py();
    Ok(inner::PageSize {
        size_kib: amount(&object.getattr(intern!(py, "size_kib"))?, "size_kib", 1)?,
        total: amount(&object.getattr(intern!(py, "total"))?, "total", 0)?,
        reserved: amount(&object.getattr(intern!(py, "reserved"))?, "reserved", 0)?,
    })
}

fn cpu_lists(objects: &Bound<'_, PyAny>) -> PyResult<Vec<inner::CpuList>> {
    objects.try_iter()?.map(|object| bounded(&object?)).collect()
}

/// CPUs, or vCPUs, of which no number is absurd.
fn bounded(object: &Bound<'_, PyAny>) -> PyResult<inner::CpuList> {
    let list = cpus(object)?;
    if list.last().is_some_and(|last| last > inner::MAX_CPU) {
        return Err(bad_request(format!("`{list}` has a CPU above {}", inner::MAX_CPU)));
    }
    Ok(list)
}

/// The NUMA cells that a request asks for, and its limits.
pub(crate) fn with_topology(
    request: inner::Request,
    object: &Bound<'_, PyAny>,
) -> PyResult<inner::Request> {
    let py = object.py();
    let request = request.within(limits(&object.getattr(intern!(py, "limits"))?)?);
    let topology = object.getattr(intern!(py, "topology"))?;
    if topology.is_none() {
        return Ok(request);
    }
    if !request.cells().is_empty() {
        let message = "a request names host cells, or has a topology, but not both";
        return Err(bad_field(py, "cells", message));
    }
    let request = request.close_to(networks(&object.getattr(intern!(py, "networks"))?)?);
    let topology = guest_topology(&topology)?;
    require_sum(object, "vcpus", vcpu_count(py, &topology)?)?;
    require_sum(object, "memory_mib", memory_mib(&topology))?;
    Ok(request.with_topology(topology))
}

fn require_sum(object: &Bound<'_, PyAny>, name: &str, sum: u64) -> PyResult<()> {
    let asked: Option<u64> = object.getattr(name)?.extract()?;
    if asked.unwrap_or(0) == sum {
        return Ok(());
    }
    let asked = asked.unwrap_or(0);
    let message = format!("{name} is {asked}, but its guest cells have {sum} together");
    Err(bad_field(object.py(), name, &message))
}

fn memory_mib(topology: &inner::GuestTopology) -> u64 {
    topology.cells.iter().map(|cell| cell.memory_mib).fold(0, u64::saturating_add)
}

fn vcpu_count(py: Python<'_>, topology: &inner::GuestTopology) -> PyResult<u64> {
    let mut seen = BTreeSet::new();
    for cell in &topology.cells {
        if let Some(twin) =
            cell.shared.iter().chain(cell.dedicated.iter()).find(|it| !seen.insert(*it))
        {
            let message = format!("vCPU {twin} is in two guest cells, or twice in one");
            return Err(bad_field(py, "topology.cells", &message));
        }
    }
    Ok(u64::try_from(seen.len()).unwrap_or(u64::MAX))
}

fn guest_topology(object: &Bound<'_, PyAny>) -> PyResult<inner::GuestTopology> {
    let py = object.py();
    let word = |name: &Bound<'_, PyString>| -> PyResult<Option<String>> {
        Ok(optional_text(&object.getattr(name)?)?.map(ToOwned::to_owned))
    };
    let cells: PyResult<Vec<_>> =
        object.getattr(intern!(py, "cells"))?.try_iter()?.map(guest_cell).collect();
    Ok(inner::GuestTopology {
        cells: cells?,
        pages: page_want(&object.getattr(intern!(py, "pages"))?)?,
        threads: match word(intern!(py, "threads"))?.as_deref() {
            None | Some("prefer") => inner::ThreadPolicy::Prefer,
            Some("require") => inner::ThreadPolicy::Require,
            Some("isolate") => inner::ThreadPolicy::Isolate,
            Some("full_cores") => inner::ThreadPolicy::FullCores,
            Some(other) => return Err(unknown("thread policy", other)),
        },
        emulator_threads: match word(intern!(py, "emulator_threads"))?.as_deref() {
            None | Some("share") => inner::EmulatorThreads::Share,
            Some("isolate") => inner::EmulatorThreads::Isolate,
            Some(other) => return Err(unknown("policy of emulator threads", other)),
        },
        l3: match word(intern!(py, "l3"))?.as_deref() {
            None => None,
            Some("prefer") => Some(inner::L3Policy::Prefer),
            Some("require") => Some(inner::L3Policy::Require),
            Some(other) => return Err(unknown("L3 policy", other)),
        },
        preference: match word(intern!(py, "preference"))?.as_deref() {
            None => None,
            Some("closest") => Some(inner::CellPreference::Closest),
            Some("spread_sockets") => Some(inner::CellPreference::SpreadSockets),
            Some("pack") => Some(inner::CellPreference::Pack),
            Some("spread") => Some(inner::CellPreference::Spread),
            Some(other) => return Err(unknown("preference of cells", other)),
        },
    })
}

fn unknown(what: &str, word: &str) -> PyErr {
    bad_request(format!("`{word}` is no {what}"))
}

fn guest_cell(object: PyResult<Bound<'_, PyAny>>) -> PyResult<inner::GuestCell> {
    let object = object?;
    let py = object.py();
    Ok(inner::GuestCell {
        shared: bounded(&object.getattr(intern!(py, "shared"))?)?,
        dedicated: bounded(&object.getattr(intern!(py, "dedicated"))?)?,
        memory_mib: amount(&object.getattr(intern!(py, "memory_mib"))?, "memory_mib", 0)?,
    })
}

fn page_want(object: &Bound<'_, PyAny>) -> PyResult<Option<inner::PageWant>> {
    if object.is_none() {
        return Ok(None);
    }
    let Ok(word) = object.cast::<PyString>() else {
        return Ok(Some(inner::PageWant::Kib(amount(object, "pages", 1)?)));
    };
    match word.to_str()? {
        "small" => Ok(Some(inner::PageWant::Small)),
        "large" => Ok(Some(inner::PageWant::Large)),
        "any" => Ok(Some(inner::PageWant::Any)),
        other => Err(unknown("size of pages", other)),
    }
}

fn limits(object: &Bound<'_, PyAny>) -> PyResult<inner::Limits> {
    if object.is_none() {
        return Ok(inner::Limits::default());
    }
    let limit = |name: &str| -> PyResult<inner::Limit> {
        let ratio = optional_ratio(&object.getattr(name)?, name)?;
        Ok(ratio.map_or(inner::Limit::Unlimited, inner::Limit::Ratio))
    };
    Ok(inner::Limits { vcpus: limit("vcpus")?, memory: limit("memory")? })
}

/// The cells of a stored placement.
pub(crate) fn placed_cells(objects: &Bound<'_, PyAny>) -> PyResult<Vec<inner::PlacedCell>> {
    objects.try_iter()?.map(|object| placed_cell(&object?)).collect()
}

fn placed_cell<'py>(object: &Bound<'py, PyAny>) -> PyResult<inner::PlacedCell> {
    let py = object.py();
    let field = |name: &Bound<'py, PyString>| object.getattr(name);
    let size = field(intern!(py, "page_kib"))?;
    Ok(inner::PlacedCell {
        cell: field(intern!(py, "cell"))?.extract()?,
        shared: bounded(&field(intern!(py, "shared"))?)?,
        cpus: bounded(&field(intern!(py, "cpus"))?)?,
        pins: field(intern!(py, "pins"))?.extract()?,
        emulator: bounded(&field(intern!(py, "emulator"))?)?,
        charged: bounded(&field(intern!(py, "charged"))?)?,
        memory_mib: amount(&field(intern!(py, "memory_mib"))?, "memory_mib", 0)?,
        page_kib: if size.is_none() { None } else { Some(amount(&size, "page_kib", 1)?) },
        pages: amount(&field(intern!(py, "pages"))?, "pages", 0)?,
    })
}

impl From<&inner::PlacedCell> for PlacedCell {
    fn from(placed: &inner::PlacedCell) -> Self {
        Self {
            cell: placed.cell,
            shared: placed.shared.to_string(),
            cpus: placed.cpus.to_string(),
            pins: placed.pins.clone(),
            emulator: placed.emulator.to_string(),
            charged: placed.charged.to_string(),
            memory_mib: placed.memory_mib,
            page_kib: placed.page_kib,
            pages: placed.pages,
        }
    }
}

impl From<&inner::CellMisfit> for CellMisfit {
    fn from(misfit: &inner::CellMisfit) -> Self {
        let inner::CellMisfit { guest_cell, cell, code, asked, free } = *misfit;
        Self { guest_cell, cell, code: code.as_str().to_owned(), asked, free }
    }
}

impl From<&inner::GuestCell> for GuestCell {
    fn from(cell: &inner::GuestCell) -> Self {
        Self {
            shared: cell.shared.to_string(),
            dedicated: cell.dedicated.to_string(),
            memory_mib: cell.memory_mib,
        }
    }
}

impl From<inner::CellAccount> for CellUsage {
    fn from(account: inner::CellAccount) -> Self {
        let pages = account.pages.into_iter().map(|(size_kib, pages)| PageUsage {
            size_kib,
            total: pages.total,
            reserved: pages.reserved,
            used: pages.used,
            free: pages.free,
        });
        Self {
            cell: account.cell,
            shared_vcpus: account.shared_vcpus,
            dedicated_vcpus: account.dedicated_vcpus,
            dedicated_cpus: account.dedicated_cpus.into(),
            charged: account.charged.to_string(),
            memory_mib: account.memory_mib,
            pages: pages.collect(),
        }
    }
}

/// Guest cells of a suggested topology.
pub(crate) fn guest_cells(topology: &inner::GuestTopology) -> Vec<GuestCell> {
    topology.cells.iter().map(GuestCell::from).collect()
}

/// What an inventory says of the order of its cells.
pub(crate) fn cell_order(object: &Bound<'_, PyAny>) -> PyResult<inner::CellOrder> {
    match text(object)? {
        "spread" => Ok(inner::CellOrder::Spread),
        "pack" => Ok(inner::CellOrder::Pack),
        other => Err(unknown("order of cells", other)),
    }
}
