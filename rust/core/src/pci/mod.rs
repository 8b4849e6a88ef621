//! PCI functions: their names, what a host offers of them, what requests match, and which are free.

mod address;
mod bits;
mod catalogue;
mod device;
mod index;
mod matcher;
mod pattern;
mod pool;
mod spec;

pub use address::{PciAddress, PciError};
pub(crate) use catalogue::{BadDevices, Catalogue, PoolNumber, Slot};
pub use device::{Device, Kind, Product, Tags, Withheld};
pub(crate) use index::Index;
pub use matcher::Matcher;
pub(crate) use matcher::{Admits, Filter};
pub use pattern::Pattern;
pub use pool::Pool;
pub(crate) use pool::PoolEntry;
#[cfg(test)]
pub(crate) use pool::PoolKey;
pub use spec::{Function, Spec, SpecProblem, Specs, Word};
