//! Random small hosts, requests and histories.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::amounts::{Quantity, Ratio, Resource};
use crate::ids::ClaimId;
use crate::inventory::Inventory;
use crate::pci::{Device, Kind, Product};
use crate::request::Request;
use crate::samples::at;

#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) quantities: BTreeMap<Resource, Quantity>,
    pub(super) devices: Vec<Device>,
    pub(super) shared_cpus: &'static str,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Book(ClaimId, Request),
    Unbook(ClaimId),
    Observe(Host),
}

impl Host {
    pub(super) fn inventory(&self) -> Inventory {
        let quantity = |resource| self.quantities[&resource];
        let [vcpus, memory, disk] = [Resource::Vcpus, Resource::MemoryMib, Resource::DiskMib];
        let mut inventory = Inventory::new(quantity(vcpus), quantity(memory), quantity(disk));
        for (resource, quantity) in &self.quantities {
            if let Resource::Counter(name) = resource {
                inventory = inventory.with_counter(name.clone(), *quantity);
            }
        }
        let cpus = self.shared_cpus.parse().unwrap();
        inventory.with_shared_cpus(cpus).with_devices(self.devices.clone()).unwrap()
    }

    /// By floating point, which is exact for numbers this small.
    pub(super) fn capacity(&self, resource: &Resource) -> u64 {
        let Some(quantity) = self.quantities.get(resource) else { return 0 };
        let offered = quantity.total.saturating_sub(quantity.reserved);
        let ratio: f64 = quantity.ratio.to_string().parse().unwrap();
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let capacity = (offered as f64 * ratio + 1e-9).floor();
        format!("{capacity:.0}").parse().unwrap()
    }
}

/// Few products, so that PFs and VFs of one product and VFs of several happen.
fn any_product() -> impl Strategy<Value = Product> {
    select(vec!["1592", "1889", "10fb"]).prop_map(|id| Product::parse("8086", id).unwrap())
}

fn any_quantity() -> impl Strategy<Value = Quantity> {
    let ratio = select(vec![500_000, 1_000_000, 1_150_000, 4_000_000]);
    (0_u64..20, 0_u64..4, ratio).prop_map(|(total, reserved, ratio)| Quantity {
        total,
        reserved,
        ratio: Ratio::from_parts_per_million(ratio).unwrap(),
    })
}

fn any_counter() -> impl Strategy<Value = Resource> {
    select(vec!["slots", "asids"]).prop_map(|name| Resource::Counter(name.into()))
}

/// Up to ten functions; the PF of some VFs is not among them.
fn any_devices() -> impl Strategy<Value = Vec<Device>> {
    let family = (any_product(), vec(any_product(), 0..5), any::<bool>(), 0_i64..2);
    vec(family, 0..4).prop_map(|families| {
        let mut devices = Vec::new();
        for (number, (product, vfs, with_pf, cell)) in families.into_iter().enumerate() {
            let root = at(&format!("0000:{number:02x}:00.0"));
            let kind = if vfs.is_empty() { Kind::Pci } else { Kind::Pf };
            if with_pf {
                devices.push(Device { cell: Some(cell), ..Device::new(root, product, kind) });
            }
            devices.extend(vfs.into_iter().enumerate().map(|(vf, product)| {
                let own = at(&format!("0000:{number:02x}:01.{vf}"));
                Device { parent: Some(root), ..Device::new(own, product, Kind::Vf) }
            }));
        }
        devices.truncate(10);
        devices
    })
}

pub(super) fn any_host() -> impl Strategy<Value = Host> {
    let amounts = [any_quantity(), any_quantity(), any_quantity()];
    let counters = btree_map(any_counter(), any_quantity(), 0..3);
    let cpus = select(vec!["", "0-15", "0-3,8"]);
    (amounts, counters, any_devices(), cpus).prop_map(
        |(amounts, counters, devices, shared_cpus)| {
            let names = [Resource::Vcpus, Resource::MemoryMib, Resource::DiskMib];
            let quantities = names.into_iter().zip(amounts).chain(counters).collect();
            Host { quantities, devices, shared_cpus }
        },
    )
}

pub(super) fn any_request() -> impl Strategy<Value = Request> {
    let resource = prop_oneof![
        Just(Resource::Vcpus),
        Just(Resource::MemoryMib),
        Just(Resource::DiskMib),
        any_counter()
    ];
    let amounts = vec((resource, 0_u64..6), 0..3);
    let devices = vec((any_product(), 1_u64..4), 0..3);
    (amounts, devices).prop_map(|(amounts, devices)| {
        let request = Request::default();
        let request = amounts
            .into_iter()
            .fold(request, |request, (resource, amount)| request.with_amount(resource, amount));
        devices
            .into_iter()
            .fold(request, |request, (product, count)| request.with_devices(product, count))
    })
}

pub(super) fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let claim = || select(vec!["a", "b", "c", "d", "e"]).prop_map(ClaimId::from);
    let step = prop_oneof![
        6 => (claim(), any_request()).prop_map(|(claim, request)| Step::Book(claim, request)),
        3 => claim().prop_map(Step::Unbook),
        1 => any_host().prop_map(Step::Observe),
    ];
    vec(step, 1..12)
}
