//! The order in which host cells are tried (Nova 34).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::fit::Room;
use crate::inventory::CellOrder;
use crate::request::Request;
use crate::topology::{CellHeld, CellPreference, GuestTopology, HostCell};

/// Cells by their place in the inventory. Where every cell is needed, their own order; else by free
/// memory, then by what vCPUs take, then by free devices: most of them first for a request that asks
/// for devices, fewest first for others. Each sort keeps the order of the one before among equals.
pub(super) fn order(room: Room<'_>, request: &Request, topology: &GuestTopology) -> Vec<usize> {
    let cells: Vec<(&HostCell, &CellHeld)> = room.book.held().cells().collect();
    let mut order: Vec<usize> = (0..cells.len()).collect();
    if cells.len() == topology.cells.len() {
        return order;
    }
    let fullness = |number: &usize| {
        cells.get(*number).map(|(cell, held)| fullness(cell, held, topology)).unwrap_or_default()
    };
    match packing(room, topology) {
        CellOrder::Pack => order.sort_by_key(|number| Reverse(fullness(number))),
        CellOrder::Spread => order.sort_by_key(fullness),
    }
    let devices = free_devices(room);
    if !devices.is_empty() {
        let free = |number: &usize| {
            let id = cells.get(*number).map(|(cell, _)| cell.id);
            id.and_then(|id| devices.get(&id)).copied().unwrap_or(0)
        };
        if request.devices().is_empty() {
            order.sort_by_key(free);
        } else {
            order.sort_by_key(|number| Reverse(free(number)));
        }
    }
    order
}

/// By vCPUs first, then by memory.
fn fullness(cell: &HostCell, held: &CellHeld, topology: &GuestTopology) -> (i128, i128) {
    let signed = |amount: u128| i128::try_from(amount).unwrap_or(i128::MAX);
    let free_memory = i128::from(cell.memory_mib).saturating_sub(signed(held.memory_mib));
    let vcpus = if topology.has_dedicated() {
        i128::from(held.free_cpus()).saturating_neg()
    } else {
        signed(held.shared_vcpus)
    };
    (vcpus, free_memory.saturating_neg())
}

fn packing(room: Room<'_>, topology: &GuestTopology) -> CellOrder {
    match topology.preference {
        Some(CellPreference::Pack) => CellOrder::Pack,
        Some(CellPreference::Spread) => CellOrder::Spread,
        _ => room.inventory.cell_order(),
    }
}

/// By cell.
fn free_devices(room: Room<'_>) -> BTreeMap<i64, u64> {
    let mut free = BTreeMap::new();
    let index = room.book.index();
    for (number, pool) in index.catalogue().pools().iter().enumerate() {
        if let Some(cell) = pool.key.cell {
            let count: &mut u64 = free.entry(cell).or_default();
            *count = count.saturating_add(index.free_count(number));
        }
    }
    free
}
