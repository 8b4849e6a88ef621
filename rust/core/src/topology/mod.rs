//! The NUMA cells of a host and of an instance, and what is held of them.

mod guest;
mod held;
mod host_cell;
mod host_cells;
mod networks;
mod placed;

pub use guest::{
    CellPreference, EmulatorThreads, GuestCell, GuestTopology, L3Policy, Limit, Limits, PageWant,
    ThreadPolicy,
};
pub use held::CellAccount;
pub(crate) use held::{CellHeld, Held};
pub use host_cell::{HostCell, MAX_CPU, PageSize};
pub use host_cells::BadCells;
pub(crate) use host_cells::HostCells;
pub use networks::Networks;
pub use placed::PlacedCell;
