//! Random small hosts, requests and histories.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::amounts::{Quantity, Ratio, Resource};
use crate::ids::ClaimId;
use crate::inventory::Inventory;
use crate::pci::{Device, Kind, Matcher, Pattern, Product, Withheld};
use crate::request::{DeviceRequest, NumaPolicy, Request, Unit, UnitPlace};
use crate::samples::{at, tagged};
use crate::topology::HostCell;

#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) quantities: BTreeMap<Resource, Quantity>,
    pub(super) devices: Vec<Device>,
    pub(super) shared_cpus: &'static str,
    /// The socket of each cell.
    pub(super) cells: BTreeMap<i64, Option<i64>>,
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
        let cells = self.cells.iter().map(|(id, socket)| HostCell::new(*id, *socket)).collect();
        let inventory = inventory.with_cells(cells).unwrap();
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

/// What a card has that its functions share.
fn any_card() -> impl Strategy<Value = Device> {
    let cell = select(vec![None, Some(0_i64), Some(1), Some(2)]);
    let tags =
        select(vec![vec![], vec![("net", Some("a"))], vec![("net", Some("b")), ("fast", None)]]);
    let provider = select(vec![None, None, Some("p"), Some("q")]);
    let switch = select(vec![None, Some("0000:f0:00.0"), Some("0000:f1:00.0")]);
    let withheld = select(vec![None, None, None, Some(Withheld::Cordoned)]);
    (any_product(), cell, tags, provider, switch, withheld).prop_map(
        |(product, cell, tags, provider, switch, withheld)| Device {
            cell,
            provider: provider.map(Into::into),
            switch: switch.map(at),
            iommu_group: cell.map(|cell| u64::try_from(cell).unwrap()),
            withheld,
            ..tagged(Device::new(at("0000:00:00.0"), product, Kind::Pci), &tags)
        },
    )
}

/// Up to ten functions; the PF of some VFs is not among them.
pub(super) fn any_devices() -> impl Strategy<Value = Vec<Device>> {
    let family = (any_card(), vec(any_product(), 0..5), any::<bool>(), any::<bool>());
    vec(family, 0..4).prop_map(|families| {
        let mut devices = Vec::new();
        for (number, (card, vfs, with_pf, told)) in families.into_iter().enumerate() {
            let root = at(&format!("0000:{number:02x}:00.0"));
            // A function may have VFs although the host does not call it a PF.
            let kind = if vfs.is_empty() || !told { Kind::Pci } else { Kind::Pf };
            if with_pf {
                devices.push(Device { address: root, kind, ..card.clone() });
            }
            devices.extend(vfs.into_iter().enumerate().map(|(vf, product)| Device {
                address: at(&format!("0000:{number:02x}:01.{vf}")),
                product,
                kind: Kind::Vf,
                parent: Some(root),
                withheld: None,
                ..card.clone()
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
    let sockets =
        select(vec![vec![Some(0), Some(0), Some(1)], vec![Some(0), None, Some(0)], vec![]]);
    (amounts, counters, any_devices(), cpus, sockets).prop_map(
        |(amounts, counters, devices, shared_cpus, sockets)| {
            let names = [Resource::Vcpus, Resource::MemoryMib, Resource::DiskMib];
            let quantities = names.into_iter().zip(amounts).chain(counters).collect();
            let cells = (0..).zip(sockets).collect();
            Host { quantities, devices, shared_cpus, cells }
        },
    )
}

fn any_matcher() -> impl Strategy<Value = Matcher> {
    let property = select(vec![
        ("product_id", Some("1889")),
        ("product_id", Some("10fb")),
        ("dev_type", Some("type-PF")),
        ("dev_type", Some("type-VF")),
        ("net", Some("A")),
        ("net", None),
        ("address", Some("0000:01:00.0")),
    ]);
    let pattern = vec(property, 0..3).prop_map(|properties| {
        let add = |pattern: Pattern, (key, value): (&str, Option<&str>)| pattern.with(key, value);
        properties.into_iter().fold(Pattern::default(), add)
    });
    prop_oneof![
        any_product().prop_map(Matcher::of_product),
        vec(pattern, 1..3).prop_map(Matcher::new),
    ]
}

fn any_unit() -> impl Strategy<Value = Unit> {
    let place = select(vec![UnitPlace::Slot, UnitPlace::Switch, UnitPlace::IommuGroup]);
    let members = vec((any_matcher(), 1_u64..3), 0..3);
    (place, members).prop_map(|(place, members)| Unit { place, members })
}

pub(super) fn any_device_request() -> impl Strategy<Value = DeviceRequest> {
    let policy = select(vec![
        NumaPolicy::Required,
        NumaPolicy::Legacy,
        NumaPolicy::Preferred,
        NumaPolicy::Socket,
    ]);
    let plain = || (any_matcher(), 1_u64..4, policy.clone());
    let plain_one = plain().prop_map(|(matcher, count, policy)| DeviceRequest {
        policy,
        ..DeviceRequest::new("some", matcher, count)
    });
    let provided = (plain(), btree_map(select(vec!["p", "q"]), 1_u64..3, 1..3)).prop_map(
        |((matcher, _, policy), providers)| DeviceRequest {
            policy,
            count: providers.values().sum(),
            providers: providers.into_iter().map(|(name, count)| (name.into(), count)).collect(),
            ..DeviceRequest::new("provided", matcher, 0)
        },
    );
    let united = (any_matcher(), 1_u64..3, policy.clone(), any_unit()).prop_map(
        |(matcher, count, policy, unit)| DeviceRequest {
            policy,
            unit: Some(unit),
            ..DeviceRequest::new("units", matcher, count)
        },
    );
    prop_oneof![4 => plain_one, 1 => provided, 1 => united]
}

pub(super) fn any_request() -> impl Strategy<Value = Request> {
    let resource = prop_oneof![
        Just(Resource::Vcpus),
        Just(Resource::MemoryMib),
        Just(Resource::DiskMib),
        any_counter()
    ];
    let amounts = vec((resource, 0_u64..6), 0..3);
    let devices = vec(any_device_request(), 0..4);
    let cells = select(vec![vec![], vec![], vec![0_i64], vec![1], vec![0, 2]]);
    (amounts, devices, cells).prop_map(|(amounts, devices, cells)| {
        let add = |request: Request, (resource, amount)| request.with_amount(resource, amount);
        let request = amounts.into_iter().fold(Request::default(), add);
        devices.into_iter().fold(request, Request::with_device_request).on_cells(cells)
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
