//! What may be handed out.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::amounts::{Quantity, Resource};
use crate::cpuset::CpuList;
use crate::ids::CounterName;
use crate::pci::{BadDevices, Catalogue, Device};
use crate::topology::{HostCell, HostCells};

/// What of a host may be handed out; always has vCPUs, memory and disk, if only zero of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    quantities: BTreeMap<Resource, Quantity>,
    shared_cpus: CpuList,
    cells: Arc<HostCells>,
    cell_order: CellOrder,
    cordoned: Option<Arc<str>>,
    kept_off: BTreeMap<Resource, KeptOff>,
    catalogue: Arc<Catalogue>,
}

/// So much of a resource is behind cordons, and in no quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptOff {
    pub(crate) amount: u64,
    /// Which cordons, and why.
    pub(crate) reason: Arc<str>,
}

/// Which cells are taken first (Nova's `packing_host_numa_cells_allocation_strategy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CellOrder {
    /// Those with most free.
    #[default]
    Spread,
    /// Those with least free.
    Pack,
}

/// An inventory that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the inventory contradicts itself: {0}")]
pub struct BadInventory(String);

impl Inventory {
    /// An inventory without counters and devices.
    pub fn new(vcpus: Quantity, memory_mib: Quantity, disk_mib: Quantity) -> Self {
        let quantities = [
            (Resource::Vcpus, vcpus),
            (Resource::MemoryMib, memory_mib),
            (Resource::DiskMib, disk_mib),
        ];
        Self {
            quantities: quantities.into(),
            shared_cpus: CpuList::default(),
            cells: Arc::default(),
            cell_order: CellOrder::default(),
            cordoned: None,
            kept_off: BTreeMap::new(),
            catalogue: Arc::default(),
        }
    }

    /// The same inventory with a counter.
    #[must_use]
    pub fn with_counter(mut self, name: CounterName, quantity: Quantity) -> Self {
        self.quantities.insert(Resource::Counter(name), quantity);
        self
    }

    /// The same inventory with other CPUs for instances to float over.
    #[must_use]
    pub fn with_shared_cpus(self, shared_cpus: CpuList) -> Self {
        Self { shared_cpus, ..self }
    }

    /// The same inventory with other cells; their order means nothing.
    ///
    /// Fails when two have one id, or one CPU.
    pub fn with_cells(self, cells: Vec<HostCell>) -> Result<Self, BadInventory> {
        let cells = HostCells::new(cells).map_err(|error| BadInventory(error.to_string()))?;
        Ok(Self { cells, ..self })
    }

    /// The same inventory with another order of its cells.
    #[must_use]
    pub fn in_cell_order(self, cell_order: CellOrder) -> Self {
        Self { cell_order, ..self }
    }

    /// The same inventory of a host that takes no new claims, for this reason.
    #[must_use]
    pub fn cordoned(self, reason: &str) -> Self {
        Self { cordoned: Some(reason.into()), ..self }
    }

    /// The same inventory, told that so much more of a resource is cordoned, for this reason.
    #[must_use]
    pub fn with_kept_off(mut self, resource: Resource, amount: u64, reason: &str) -> Self {
        self.kept_off.insert(resource, KeptOff { amount, reason: reason.into() });
        self
    }

    /// The same inventory with other devices; their order means nothing.
    ///
    /// Fails when an address is listed twice, or when the parent of a VF has a parent itself.
    pub fn with_devices(self, devices: Vec<Device>) -> Result<Self, BadInventory> {
        let refused = |error: BadDevices| BadInventory(error.to_string());
        let catalogue = Catalogue::new(devices).map_err(refused)?;
        Ok(Self { catalogue: Arc::new(catalogue), ..self })
    }

    /// The same inventory with the devices of another one, which are not looked at again.
    #[must_use]
    pub fn with_devices_of(self, other: &Self) -> Self {
        Self { catalogue: Arc::clone(&other.catalogue), ..self }
    }

    /// The same inventory with nothing withheld or cordoned; none when it is so already.
    pub(crate) fn unhindered(&self) -> Option<Self> {
        let cordoned = self.cordoned.is_some()
            || !self.kept_off.is_empty()
            || self.cells.iter().any(HostCell::is_cordoned);
        if !cordoned && !self.catalogue.has_withheld() {
            return None;
        }
        let devices = self.catalogue.entries().iter().map(|entry| entry.device.clone());
        let open = devices.map(|device| Device { withheld: None, ..device });
        let cells = self.cells.iter().cloned().map(HostCell::uncordoned).collect();
        let bare = Self {
            cordoned: None,
            kept_off: BTreeMap::new(),
            quantities: self.whole_quantities(),
            ..self.clone()
        };
        bare.with_cells(cells).ok()?.with_devices(open.collect()).ok()
    }

    fn whole_quantities(&self) -> BTreeMap<Resource, Quantity> {
        let whole = |(resource, quantity): (&Resource, &Quantity)| {
            let more = self.kept_off(resource).map_or(0, |kept| kept.amount);
            (resource.clone(), Quantity { total: quantity.total.saturating_add(more), ..*quantity })
        };
        self.quantities.iter().map(whole).collect()
    }

    /// What of a resource is cordoned.
    pub(crate) fn kept_off(&self, resource: &Resource) -> Option<&KeptOff> {
        self.kept_off.get(resource)
    }

    pub(crate) fn quantity(&self, resource: &Resource) -> Option<&Quantity> {
        self.quantities.get(resource)
    }

    pub(crate) fn quantities(&self) -> &BTreeMap<Resource, Quantity> {
        &self.quantities
    }

    pub(crate) fn shared_cpus(&self) -> &CpuList {
        &self.shared_cpus
    }

    pub(crate) fn cells(&self) -> &Arc<HostCells> {
        &self.cells
    }

    pub(crate) fn cell_order(&self) -> CellOrder {
        self.cell_order
    }

    /// Why nothing new is placed here.
    pub(crate) fn cordon(&self) -> Option<&str> {
        self.cordoned.as_deref()
    }

    pub(crate) fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }
}
