//! What an instance asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::amounts::{Amounts, Resource};
use crate::pci::{Matcher, PciError, Product};
use crate::topology::{GuestTopology, Limits, Networks};

/// Amounts and devices that are wanted together; asking twice for an amount adds up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    amounts: Amounts,
    devices: Vec<DeviceRequest>,
    cells: BTreeSet<i64>,
    topology: Option<GuestTopology>,
    limits: Limits,
    networks: Networks,
}

/// So many devices of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRequest {
    /// The alias, the product or the port, for words.
    pub name: Arc<str>,
    /// How many devices, or units.
    pub count: u64,
    /// Which devices.
    pub matcher: Matcher,
    /// How near they must be to the cells of the request.
    pub policy: NumaPolicy,
    /// How many of them each provider gives; empty: any gives any.
    pub providers: BTreeMap<Arc<str>, u64>,
    /// Each is several functions, given and taken back as one.
    pub unit: Option<Unit>,
}

/// How near a device must be to the instance's cells; without cells every device is near (Nova since
/// Stein; `socket` since 2023.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumaPolicy {
    /// On one of the cells.
    Required,
    /// On one of the cells, or on a cell that the host does not tell.
    #[default]
    Legacy,
    /// Anywhere, near ones first.
    Preferred,
    /// On a cell of the same sockets.
    Socket,
}

/// Functions that are given and taken back as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// What they share.
    pub place: UnitPlace,
    /// What one unit is made of; empty: every function of the place, one of which matches the request.
    /// VFs whose PF is among them go with it.
    pub members: Vec<(Matcher, u64)>,
}

/// What the functions of a unit share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitPlace {
    /// Domain, bus and device number.
    Slot,
    /// The nearest `PCIe` switch above them.
    Switch,
    /// The kernel's IOMMU group.
    IommuGroup,
}

impl Request {
    /// The same request with so much more of a resource.
    #[must_use]
    pub fn with_amount(mut self, resource: Resource, amount: u64) -> Self {
        if amount > 0 {
            let sum = self.amounts.entry(resource).or_default();
            *sum = sum.saturating_add(amount);
        }
        self
    }

    /// The same request with so many devices of a product more, whatever their kind.
    #[must_use]
    pub fn with_devices(self, product: Product, count: u64) -> Self {
        self.with_device_request(DeviceRequest::of_product(product, count))
    }

    /// The same request with one more part; its position is how many there were before.
    #[must_use]
    pub fn with_device_request(mut self, devices: DeviceRequest) -> Self {
        self.devices.push(devices);
        self
    }

    /// The same request of an instance that is on these host cells.
    #[must_use]
    pub fn on_cells(mut self, cells: impl IntoIterator<Item = i64>) -> Self {
        self.cells.extend(cells);
        self
    }

    /// The same request with NUMA cells, whose shared vCPUs and memory are asked besides the amounts.
    #[must_use]
    pub fn with_topology(self, topology: GuestTopology) -> Self {
        let shared = topology.shared_count();
        Self { topology: Some(topology), ..self }.with_amount(Resource::Vcpus, shared)
    }

    /// The same request with ratios of the caller.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same request of an instance whose cells are to be close to networks.
    #[must_use]
    pub fn close_to(self, networks: Networks) -> Self {
        Self { networks, ..self }
    }

    /// The same request of an instance that is on exactly these host cells.
    pub(crate) fn move_to_cells(&mut self, cells: impl Iterator<Item = i64>) {
        self.cells = cells.collect();
    }

    /// What is asked of each resource, zero left out.
    pub fn amounts(&self) -> &Amounts {
        &self.amounts
    }

    /// The parts that ask for devices.
    pub fn devices(&self) -> &[DeviceRequest] {
        &self.devices
    }

    /// The host cells that devices are near to; empty: no policy applies.
    pub fn cells(&self) -> &BTreeSet<i64> {
        &self.cells
    }

    /// The same request without its devices.
    pub(crate) fn without_devices(&self) -> Self {
        Self { devices: Vec::new(), ..self.clone() }
    }

    /// The same request with other numbers of devices; parts of which none is left stay, with none.
    pub(crate) fn with_device_counts(&self, counts: &[u64]) -> Self {
        let mut request = self.clone();
        for (devices, count) in request.devices.iter_mut().zip(counts) {
            devices.count = *count;
        }
        request
    }

    /// So many of this request together; not of one with a topology.
    pub(crate) fn times(&self, times: u64) -> Self {
        let mut all = self.clone();
        all.amounts.values_mut().for_each(|amount| *amount = amount.saturating_mul(times));
        for devices in &mut all.devices {
            devices.count = devices.count.saturating_mul(times);
            devices.providers.values_mut().for_each(|one| *one = one.saturating_mul(times));
        }
        all
    }

    /// The same request with other NUMA cells.
    pub(crate) fn reshaped(mut self, topology: GuestTopology) -> Self {
        self.amounts.remove(&Resource::Vcpus);
        self.with_topology(topology)
    }

    /// The same request without the amounts that a smaller shape does not change.
    pub(crate) fn only_shared(&self) -> Self {
        let mut shared = self.clone();
        shared.amounts.retain(|resource, _| *resource == Resource::Vcpus);
        shared
    }

    /// The NUMA cells of the instance.
    pub fn topology(&self) -> Option<&GuestTopology> {
        self.topology.as_ref()
    }

    /// Networks that the cells of the instance are to be close to.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// Ratios in place of the host's.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn asks_for_vcpus(&self) -> bool {
        self.amounts.contains_key(&Resource::Vcpus)
    }
}

impl DeviceRequest {
    /// So many devices that a matcher admits.
    pub fn new(name: &str, matcher: Matcher, count: u64) -> Self {
        Self {
            name: name.into(),
            count,
            matcher,
            policy: NumaPolicy::default(),
            providers: BTreeMap::new(),
            unit: None,
        }
    }

    /// So many devices of a product, whatever their kind.
    pub fn of_product(product: Product, count: u64) -> Self {
        Self::new(&product.to_string(), Matcher::of_product(product), count)
    }
}

impl NumaPolicy {
    /// The policy that a text names: `required`, `legacy`, `preferred` or `socket`.
    pub fn parse(text: &str) -> Result<Self, PciError> {
        match text {
            "required" => Ok(Self::Required),
            "legacy" => Ok(Self::Legacy),
            "preferred" => Ok(Self::Preferred),
            "socket" => Ok(Self::Socket),
            other => Err(PciError::new(other, "`required`, `legacy`, `preferred` or `socket`")),
        }
    }
}

impl UnitPlace {
    /// The place that a text names: `slot`, `switch` or `iommu_group`.
    pub fn parse(text: &str) -> Result<Self, PciError> {
        match text {
            "slot" => Ok(Self::Slot),
            "switch" => Ok(Self::Switch),
            "iommu_group" => Ok(Self::IommuGroup),
            other => Err(PciError::new(other, "`slot`, `switch` or `iommu_group`")),
        }
    }
}
