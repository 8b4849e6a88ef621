//! What a ledger means, written to be read and not to be fast.

use std::collections::BTreeMap;

use crate::amounts::Resource;
use crate::cpuset::CpuList;
use crate::ids::ClaimId;
use crate::ledger::Ledger;
use crate::pci::{Device, PciAddress};
use crate::placement::{PlacedDevice, Placement};
use crate::properties::choice;
use crate::properties::strategies::Host;
use crate::request::Request;

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
        let chosen = choice::first(&self.host, &self.free_devices(), request)?;
        let asks_cpus = request.amounts().contains_key(&Resource::Vcpus);
        Some(Placement {
            cells: Vec::new(),
            amounts: request.amounts().clone(),
            cpus: if asks_cpus {
                self.host.shared_cpus.parse().unwrap()
            } else {
                CpuList::default()
            },
            devices: chosen.into_iter().map(|(device, request)| placed(device, request)).collect(),
        })
    }

    pub(super) fn used(&self, resource: &Resource) -> u64 {
        self.bookings.values().map(|placement| placement.amount(resource)).sum()
    }

    pub(super) fn free(&self, resource: &Resource) -> u64 {
        self.host.capacity(resource).saturating_sub(self.used(resource))
    }

    fn held(&self) -> BTreeMap<PciAddress, PlacedDevice> {
        self.bookings.values().flat_map(|placement| &placement.devices).cloned().collect()
    }

    pub(super) fn free_devices(&self) -> Vec<&Device> {
        let held = self.held();
        let free = |device: &&Device| {
            let parent_held = device.parent.is_some_and(|parent| held.contains_key(&parent));
            let withheld = self.host.devices.iter().any(|other| {
                other.withheld.is_some()
                    && (other.address == device.address
                        || other.parent == Some(device.address)
                        || device.parent == Some(other.address))
            });
            let vf_held = held.iter().any(|(address, placed)| {
                let known = self.host.devices.iter().find(|it| it.address == *address);
                placed.parent == Some(device.address)
                    || known.is_some_and(|it| it.parent == Some(device.address))
            });
            !held.contains_key(&device.address) && !parent_held && !vf_held && !withheld
        };
        let mut free: Vec<&Device> = self.host.devices.iter().filter(free).collect();
        free.sort_by_key(|device| device.address);
        free
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
