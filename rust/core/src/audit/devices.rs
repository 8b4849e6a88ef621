//! Devices that are booked twice, or are gone.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::{Difference, joined, only};
use crate::book::Book;
use crate::ids::ClaimId;
use crate::inventory::Inventory;
use crate::pci::PciAddress;

type Holders = BTreeMap<PciAddress, BTreeSet<ClaimId>>;

/// Devices that several claims hold, and PFs that are held while their VFs are.
pub(super) fn contested(book: &Book) -> impl Iterator<Item = Difference> {
    let of_vfs = holders_of_vfs(book);
    holders(book)
        .into_iter()
        .filter_map(move |(address, claims)| contest(address, &claims, of_vfs.get(&address)))
}

pub(super) fn missing(
    inventory: &Inventory,
    book: &Book,
) -> impl Iterator<Item = Difference> + use<> {
    let mut gone = holders(book);
    gone.retain(|address, _| inventory.catalogue().find(*address).is_none());
    gone.into_iter().map(|(address, claims)| Difference {
        kind: "device_missing",
        subject: address.to_string(),
        claim: only(&claims),
        message: format!(
            "device {address} is booked by {} and is not among the devices of this host",
            joined(&claims)
        ),
        booked: Some(joined(&claims)),
        observed: None,
    })
}

/// Who holds what, by device.
fn holders(book: &Book) -> Holders {
    let mut holders = Holders::new();
    for (claim, placement) in book.bookings() {
        for address in placement.devices.addresses() {
            holders.entry(address).or_default().insert(claim.clone());
        }
    }
    holders
}

/// Who holds VFs, by PF.
fn holders_of_vfs(book: &Book) -> Holders {
    let mut holders = Holders::new();
    for (claim, placement) in book.bookings() {
        for (address, placed) in &placement.devices {
            for parent in book.index().parents_of(*address, placed) {
                holders.entry(parent).or_default().insert(claim.clone());
            }
        }
    }
    holders
}

/// What is wrong with these holders of a device and of its VFs, if anything.
fn contest(
    address: PciAddress,
    claims: &BTreeSet<ClaimId>,
    of_vfs: Option<&BTreeSet<ClaimId>>,
) -> Option<Difference> {
    let (message, observed) = match of_vfs {
        Some(of_vfs) => (
            format!(
                "PF {address} is booked by {} while VFs of it are booked by {}",
                joined(claims),
                joined(of_vfs)
            ),
            "either the PF or its VFs",
        ),
        None if claims.len() > 1 => (
            format!("device {address} is booked by {} claims: {}", claims.len(), joined(claims)),
            "one device",
        ),
        None => return None,
    };
    let all: BTreeSet<ClaimId> =
        claims.iter().chain(of_vfs.into_iter().flatten()).cloned().collect();
    Some(Difference {
        kind: "oversubscribed",
        subject: address.to_string(),
        claim: only(&all),
        message,
        booked: Some(joined(&all)),
        observed: Some(observed.to_owned()),
    })
}
