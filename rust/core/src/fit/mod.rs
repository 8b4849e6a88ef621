//! Whether a request fits, where, and if not, why not. Nothing here changes a booking.

mod amounts;
mod cells;
mod count;
mod devices;
mod draft;
mod flow;
mod funnel;
mod near;
mod plan;
mod refit;
mod shortage;
mod steps;
mod supply;
mod trees;
mod trial;
mod units;

use crate::amounts::Resource;
use crate::book::Book;
use crate::cpuset::CpuList;
use crate::fit::cells::Seated;
use crate::fit::devices::Chosen;
use crate::fit::shortage::Shortage;
use crate::fit::trial::Trial;
use crate::inventory::Inventory;
use crate::misfit::{Misfit, MisfitCode, Nearest, NoFit, Refusal, Undecided};
use crate::placement::{PlacedDevice, Placement};
use crate::request::Request;
use crate::topology::PlacedCell;

pub use count::Tally;
pub(crate) use count::{count, tally};
pub use flow::MAX_WANTS;
pub(crate) use refit::refit;
pub use steps::MAX_STEPS;
pub(crate) use steps::Steps;

/// One state of a host to decide on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) book: &'a Book,
}

/// The placement of a request, the first in Nova's order among all that are possible.
pub(crate) fn fit(
    room: Room<'_>,
    request: &Request,
    steps: &mut Steps,
) -> Result<Placement, Refusal> {
    match place_if_it_fits(room, request, steps)? {
        Some(placement) => Ok(placement),
        None => Err(explain(room, request, steps)),
    }
}

/// The same, for whoever does not ask why not.
fn place_if_it_fits(
    room: Room<'_>,
    request: &Request,
    steps: &mut Steps,
) -> Result<Option<Placement>, Undecided> {
    if room.inventory.cordon().is_some() || !amounts::fit(room, request) {
        return Ok(None);
    }
    if let Some(topology) = request.topology() {
        let seated = cells::seat(room, request, topology, steps)?;
        return Ok(seated.map(|seated| place_on_cells(room, request, seated)));
    }
    if request.devices().is_empty() {
        return Ok(Some(place(room, request, &Chosen::new())));
    }
    let mut trial = Trial::of(room.book.index());
    let chosen = devices::choose(room, request, &counts(request), &mut trial, steps)?;
    Ok(chosen.map(|chosen| place(room, request, &chosen)))
}

/// How many devices each part of a request asks for.
fn counts(request: &Request) -> Vec<u64> {
    request.devices().iter().map(|devices| devices.count).collect()
}

fn place(room: Room<'_>, request: &Request, chosen: &Chosen) -> Placement {
    let catalogue = room.book.index().catalogue();
    let devices = chosen.iter().filter_map(|(slot, position)| {
        let device = catalogue.device(*slot)?;
        let placed = PlacedDevice {
            product: device.product,
            cell: device.cell,
            parent: device.parent,
            request: u64::try_from(*position).ok(),
            identity: device.identity.clone(),
        };
        Some((device.address, placed))
    });
    let shared = request.asks_for_vcpus().then(|| room.inventory.shared_cpus().clone());
    Placement {
        amounts: request.amounts().clone(),
        cpus: shared.unwrap_or_default(),
        devices: devices.collect(),
        cells: Vec::new(),
    }
}

fn place_on_cells(room: Room<'_>, request: &Request, seated: Seated) -> Placement {
    let mut placement = place(room, request, &seated.devices);
    if seated.ordinary_mib > 0 {
        placement.amounts.insert(Resource::MemoryMib, seated.ordinary_mib);
    }
    placement.cpus = cpus_of(&seated.cells);
    placement.cells = seated.cells;
    placement
}

/// CPUs that an instance may run on, its emulator's own one among them.
fn cpus_of(cells: &[PlacedCell]) -> CpuList {
    let of_cell = |cell: &PlacedCell| -> Vec<u32> {
        let floating = cell.cpus.iter().chain(cell.emulator.iter());
        cell.pins.values().copied().chain(floating).collect()
    };
    cells.iter().flat_map(of_cell).collect()
}

/// Every constraint that fails, and the nearest request that fits.
fn explain(room: Room<'_>, request: &Request, steps: &mut Steps) -> Refusal {
    if let (Some(topology), None) = (request.topology(), room.inventory.cordon()) {
        return Box::new(cells::explain(room, request, topology, steps)).into();
    }
    let devices = Shortage::of(room, request, steps);
    let cordon = room.inventory.cordon();
    let nearest = match cordon {
        Some(_) => nothing_of(request),
        None => Nearest {
            amounts: amounts::nearest(room, request),
            devices: devices.nearest,
            topology: None,
        },
    };
    let mut reasons: Vec<Misfit> = cordon.map(cordoned).into_iter().collect();
    reasons.extend(amounts::misfits(room, request));
    reasons.extend(devices.misfits);
    Box::new(NoFit { reasons, nearest }).into()
}

fn nothing_of(request: &Request) -> Nearest {
    Nearest {
        amounts: request.amounts().keys().map(|resource| (resource.clone(), 0)).collect(),
        devices: vec![0; request.devices().len()],
        topology: None,
    }
}

fn cordoned(reason: &str) -> Misfit {
    let message = format!("this host takes no new claims: {reason}");
    Misfit::new(MisfitCode::HostCordoned, "host", message, 1, 0)
}
