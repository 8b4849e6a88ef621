//! PCI functions: their names, what a host offers of them, and which are free.

mod address;
mod catalogue;
mod device;
mod index;

pub use address::{PciAddress, PciError};
pub(crate) use catalogue::{BadDevices, Catalogue, Slot};
pub use device::{Device, Kind, Product};
pub(crate) use index::Index;
pub use index::Pool;
