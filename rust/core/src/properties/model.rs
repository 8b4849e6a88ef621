//! What a ledger means, written to be read and not to be fast.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::amounts::Resource;
use crate::cpuset::CpuList;
use crate::ids::ClaimId;
use crate::ledger::Ledger;
use crate::pci::{Device, PciAddress, PoolKey};
use crate::placement::{PlacedDevice, Placement};
use crate::properties::strategies::Host;
use crate::request::{DeviceRequest, Request};

pub(super) struct Model {
    pub(super) host: Host,
    bookings: BTreeMap<ClaimId, Placement>,
}

impl Model {
    pub(super) fn of(host: Host) -> Self {
        Self { host, bookings: BTreeMap::new() }
    }

    pub(super) fn bookings(&self) -> &BTreeMap<ClaimId, Placement> {
        &self.bookings
    }

    pub(super) fn holds(&self, claim: &ClaimId) -> bool {
        self.bookings.contains_key(claim)
    }

    pub(super) fn add(&mut self, claim: &ClaimId, placement: Placement) {
        assert!(self.bookings.insert(claim.clone(), placement).is_none());
    }

    pub(super) fn remove(&mut self, claim: &ClaimId) -> bool {
        self.bookings.remove(claim).is_some()
    }

    pub(super) fn place(&self, request: &Request) -> Option<Placement> {
        let fits = |(resource, asked): (&Resource, &u64)| *asked <= self.free(resource);
        if !request.amounts().iter().all(fits) {
            return None;
        }
        let chosen = self.first_choice(request.devices())?;
        let asks_cpus = request.amounts().contains_key(&Resource::Vcpus);
        Some(Placement {
            amounts: request.amounts().clone(),
            cpus: if asks_cpus {
                self.host.shared_cpus.parse().unwrap()
            } else {
                CpuList::default()
            },
            devices: chosen.into_iter().map(|(device, request)| placed(device, request)).collect(),
        })
    }

    fn used(&self, resource: &Resource) -> u64 {
        self.bookings.values().map(|placement| placement.amount(resource)).sum()
    }

    fn free(&self, resource: &Resource) -> u64 {
        self.host.capacity(resource).saturating_sub(self.used(resource))
    }

    fn held(&self) -> BTreeMap<PciAddress, PlacedDevice> {
        self.bookings.values().flat_map(|placement| placement.devices.clone()).collect()
    }

    fn free_devices(&self) -> Vec<&Device> {
        let held = self.held();
        let free = |device: &&Device| {
            let parent_held = device.parent.is_some_and(|parent| held.contains_key(&parent));
            let vf_held = held.iter().any(|(address, placed)| {
                let known = self.host.devices.iter().find(|it| it.address == *address);
                placed.parent == Some(device.address)
                    || known.is_some_and(|it| it.parent == Some(device.address))
            });
            !held.contains_key(&device.address) && !parent_held && !vf_held
        };
        let mut free: Vec<&Device> = self.host.devices.iter().filter(free).collect();
        free.sort_by_key(|device| device.address);
        free
    }

    /// Free devices in the order in which they are given out.
    fn in_order(&self) -> Vec<&Device> {
        let lowest_of = |key: &PoolKey| {
            let alike = self.host.devices.iter().filter(|it| PoolKey::of(it) == *key);
            alike.map(|it| it.address).min().unwrap()
        };
        let place = |device: &&Device| {
            let key = PoolKey::of(device);
            let run = device.parent.map(|_| (lowest_of(&key), Reverse(device.address)));
            (key.rank, run.unwrap_or((device.address, Reverse(device.address))))
        };
        let mut devices = self.free_devices();
        devices.sort_by_key(place);
        devices
    }

    /// Devices for each part of the request, tried in order until the rest can be had too.
    fn first_choice(&self, parts: &[DeviceRequest]) -> Option<Vec<(&Device, u64)>> {
        let mut wanted: Vec<(u64, &DeviceRequest)> = Vec::new();
        for (position, part) in parts.iter().enumerate() {
            wanted.extend((0..part.count).map(|_| (position as u64, part)));
        }
        let order = self.in_order();
        if wanted.len() > order.len() {
            return None;
        }
        let mut chosen = Vec::new();
        choose(&order, &wanted, 0, &mut chosen).then_some(chosen)
    }

    pub(super) fn check_usage(&self, ledger: &Ledger) {
        let usage = ledger.usage();
        for (resource, account) in &usage.amounts {
            assert_eq!(account.used, self.used(resource));
            assert_eq!(account.free, self.free(resource));
        }
        assert_eq!(usage.claims, self.bookings.len() as u64);
        assert_eq!(usage.devices.free, self.free_devices().len() as u64);
        let free: u64 = ledger.pools().iter().map(|pool| pool.free).sum();
        assert_eq!(usage.devices.free, free);
    }
}

fn placed(device: &Device, request: u64) -> (PciAddress, PlacedDevice) {
    let Device { address, product, parent, cell, .. } = *device;
    let (request, identity) = (Some(request), device.identity.clone());
    (address, PlacedDevice { product, cell, parent, request, identity })
}

/// Devices of one part go by ascending place, so that no set is tried twice.
fn choose<'a>(
    order: &[&'a Device],
    wanted: &[(u64, &DeviceRequest)],
    from: usize,
    chosen: &mut Vec<(&'a Device, u64)>,
) -> bool {
    let Some(((position, part), rest)) = wanted.split_first() else { return true };
    for (place, device) in order.iter().enumerate().skip(from) {
        let taken = chosen.iter().any(|(it, _)| bars(it, device));
        if taken || part.matcher.admits(&PoolKey::of(device)).is_err() {
            continue;
        }
        chosen.push((device, *position));
        let same = rest.first().is_some_and(|(next, _)| next == position);
        if choose(order, rest, if same { place + 1 } else { 0 }, chosen) {
            return true;
        }
        chosen.pop();
    }
    false
}

fn bars(one: &Device, other: &Device) -> bool {
    one.address == other.address
        || one.parent == Some(other.address)
        || other.parent == Some(one.address)
}
