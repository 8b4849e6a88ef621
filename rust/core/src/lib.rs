//! What fits on a host, who holds it, and why not.
//!
//! Pure and deterministic: no I/O, no clock, no hash order. A [`Ledger`] takes an [`Inventory`] and books
//! [`Request`]s; the answer is a [`Placement`] or every reason against it ([`NoFit`]). Decisions that
//! need a search count their steps and end as [`Undecided`] at a stated bound, never as a misfit.

mod amounts;
mod audit;
mod book;
mod cpuset;
mod fit;
mod ids;
mod inventory;
mod ledger;
mod misfit;
mod pci;
mod placement;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may panic")]
mod properties;
mod request;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may panic")]
mod samples;
mod topology;
mod usage;

pub use amounts::{Amounts, MAX_AMOUNT, Quantity, Ratio, Resource};
pub use audit::{Difference, Snapshot, TotalsBroken};
pub use cpuset::{CpuList, CpuListError};
pub use fit::{MAX_STEPS, MAX_WANTS, Tally};
pub use ids::{ClaimId, CounterName};
pub use inventory::{BadInventory, CellOrder, Inventory};
pub use ledger::{BookError, ClaimConflict, Ledger, UpdateError};
pub use misfit::{
    CellMisfit, Filtered, Misfit, MisfitCode, Nearest, NoFit, PoolFiltered, Refusal, Undecided,
};
pub use pci::{
    Device, Function, Kind, Matcher, Pattern, PciAddress, PciError, Pool, Product, Spec,
    SpecProblem, Specs, Tags, Withheld, Word,
};
pub use placement::{PlacedDevice, PlacedDevices, Placement};
pub use request::{DeviceRequest, NumaPolicy, Request, Unit, UnitPlace};
pub use topology::{
    BadCells, CellAccount, CellPreference, EmulatorThreads, GuestCell, GuestTopology, HostCell,
    L3Policy, Limit, Limits, MAX_CPU, Networks, PageSize, PageWant, PlacedCell, ThreadPolicy,
};
pub use usage::{Account, Usage};
