//! PCI functions that may be handed out.

use std::fmt;

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
}

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
}

impl Product {
    /// Parse a vendor and a product id: four lower-case hex digits each.
    pub fn parse(vendor_id: &str, product_id: &str) -> Result<Self, PciError> {
        Ok(Self { vendor_id: parse_id(vendor_id)?, product_id: parse_id(product_id)? })
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
    /// `pci`, `pf` or `vf`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pci => "pci",
            Self::Pf => "pf",
            Self::Vf => "vf",
        }
    }

    /// The kind that a text names.
    pub fn parse(text: &str) -> Result<Self, PciError> {
        [Self::Pci, Self::Pf, Self::Vf]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| PciError::new(text, "`pci`, `pf` or `vf`"))
    }
}
