//! Whether a request fits, where, and if not, why not. Nothing here changes a booking.

mod amounts;
mod count;
mod devices;
mod shortage;
mod steps;
mod trees;

use crate::book::Book;
use crate::fit::shortage::Shortage;
use crate::inventory::Inventory;
use crate::misfit::{Nearest, NoFit, Refusal};
use crate::pci::Slot;
use crate::placement::{PlacedDevice, Placement};
use crate::request::Request;

pub(crate) use count::count;
pub use steps::MAX_STEPS;
pub(crate) use steps::Steps;

/// One state of a host to decide on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) book: &'a Book,
}

/// The placement of a request, first by address among all that are possible.
pub(crate) fn fit(
    room: Room<'_>,
    request: &Request,
    steps: &mut Steps,
) -> Result<Placement, Refusal> {
    if !amounts::fit(room, request) {
        return Err(explain(room, request, steps));
    }
    match devices::choose(room.book.index(), request.devices(), steps)? {
        Some(slots) => Ok(place(room, request, &slots)),
        None => Err(explain(room, request, steps)),
    }
}

fn place(room: Room<'_>, request: &Request, slots: &[Slot]) -> Placement {
    let catalogue = room.book.index().catalogue();
    let devices = slots.iter().filter_map(|slot| catalogue.device(*slot)).map(|device| {
        let placed =
            PlacedDevice { product: device.product, cell: device.cell, parent: device.parent };
        (device.address, placed)
    });
    let shared = request.asks_for_vcpus().then(|| room.inventory.shared_cpus().clone());
    Placement {
        amounts: request.amounts().clone(),
        cpus: shared.unwrap_or_default(),
        devices: devices.collect(),
    }
}

/// Every constraint that fails, and the nearest request that fits.
fn explain(room: Room<'_>, request: &Request, steps: &mut Steps) -> Refusal {
    let devices = Shortage::of(room.book.index(), request.devices(), steps);
    let nearest = Nearest { amounts: amounts::nearest(room, request), devices: devices.nearest };
    let mut reasons = amounts::misfits(room, request);
    reasons.extend(devices.misfits);
    Box::new(NoFit { reasons, nearest }).into()
}
