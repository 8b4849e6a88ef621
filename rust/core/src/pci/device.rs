//! PCI functions that may be handed out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::pci::address::{PciAddress, PciError, parse_hex};

/// Vendor and product id, such as `8086:1889`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Product {
    vendor_id: u16,
    product_id: u16,
}

/// A function's place in SR-IOV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A plain function.
    Pci,
    /// A physical function.
    Pf,
    /// A virtual function.
    Vf,
    /// A virtual function that carries a vDPA device.
    Vdpa,
}

/// Why a device is not handed out for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Withheld {
    /// An operator said so.
    Cordoned,
    /// It is not clean after its last holder.
    Dirty,
    /// A claim holds this hardware under another address.
    Moved,
    /// No device spec admits it any more.
    Retired,
    /// A program has it open.
    InUse,
}

/// The operator's tags; a null value is a value.
pub type Tags = BTreeMap<Arc<str>, Option<Arc<str>>>;

/// One function that the operator admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Where it is.
    pub address: PciAddress,
    /// What it is.
    pub product: Product,
    /// Plain, PF or VF.
    pub kind: Kind,
    /// The PF of a VF: the two are never handed out at the same time.
    pub parent: Option<PciAddress>,
    /// The host cell it hangs on, when the host says.
    pub cell: Option<i64>,
    /// Of the device spec that admits it.
    pub tags: Arc<Tags>,
    /// The network device of a VF's PF.
    pub parent_netdev: Option<Arc<str>>,
    /// The kernel's IOMMU group.
    pub iommu_group: Option<u64>,
    /// The upstream port of the nearest `PCIe` switch above it.
    pub switch: Option<PciAddress>,
    /// What stays the same when the card is renumbered.
    pub identity: Option<Arc<str>>,
    /// The resource provider in Placement that counts it.
    pub provider: Option<Arc<str>>,
    /// Why it is not handed out for now; this bars its PF and VFs too.
    pub withheld: Option<Withheld>,
}

impl Device {
    /// A function of which nothing more is known.
    pub fn new(address: PciAddress, product: Product, kind: Kind) -> Self {
        Self {
            address,
            product,
            kind,
            parent: None,
            cell: None,
            tags: Arc::default(),
            parent_netdev: None,
            iommu_group: None,
            switch: None,
            identity: None,
            provider: None,
            withheld: None,
        }
    }
}

impl Product {
    /// Parse a vendor and a product id: four lower-case hex digits each.
    pub fn parse(vendor_id: &str, product_id: &str) -> Result<Self, PciError> {
        Ok(Self { vendor_id: parse_id(vendor_id)?, product_id: parse_id(product_id)? })
    }

    pub(crate) fn ids(self) -> (u16, u16) {
        (self.vendor_id, self.product_id)
    }

    /// The vendor id as text.
    pub fn vendor_id(&self) -> String {
        format!("{:04x}", self.vendor_id)
    }

    /// The product id as text.
    pub fn product_id(&self) -> String {
        format!("{:04x}", self.product_id)
    }
}

fn parse_id(text: &str) -> Result<u16, PciError> {
    parse_hex(text, 4..=4)
        .and_then(|id| u16::try_from(id).ok())
        .ok_or_else(|| PciError::new(text, "a PCI id of four lower-case hex digits such as `8086`"))
}

impl fmt::Display for Product {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04x}:{:04x}", self.vendor_id, self.product_id)
    }
}

impl Kind {
    const ALL: [Self; 4] = [Self::Pci, Self::Pf, Self::Vf, Self::Vdpa];

    /// `pci`, `pf`, `vf` or `vdpa`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pci => "pci",
            Self::Pf => "pf",
            Self::Vf => "vf",
            Self::Vdpa => "vdpa",
        }
    }

    /// Nova's name of it (`PciDeviceType`); vDPA alone goes without `type-`.
    pub(crate) fn dev_type(self) -> &'static str {
        match self {
            Self::Pci => "type-PCI",
            Self::Pf => "type-PF",
            Self::Vf => "type-VF",
            Self::Vdpa => "vdpa",
        }
    }

    /// The kind that Nova calls so, without regard to case.
    pub(crate) fn of_dev_type(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.dev_type().eq_ignore_ascii_case(text))
    }

    /// The kind that a text names.
    pub fn parse(text: &str) -> Result<Self, PciError> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| PciError::new(text, "`pci`, `pf`, `vf` or `vdpa`"))
    }
}

impl Withheld {
    const ALL: [Self; 5] = [Self::Cordoned, Self::Dirty, Self::Moved, Self::Retired, Self::InUse];

    /// The stable text: `cordoned`, `dirty`, `moved`, `retired` or `in_use`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cordoned => "cordoned",
            Self::Dirty => "dirty",
            Self::Moved => "moved",
            Self::Retired => "retired",
            Self::InUse => "in_use",
        }
    }

    /// The reason that a text names.
    pub fn parse(text: &str) -> Result<Self, PciError> {
        let found = Self::ALL.into_iter().find(|reason| reason.as_str() == text);
        found.ok_or_else(|| {
            PciError::new(text, "`cordoned`, `dirty`, `moved`, `retired` or `in_use`")
        })
    }
}
