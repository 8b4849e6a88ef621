//! `innkeeper._core`: the core as Python sees it. Nothing is decided here.

mod convert;
mod device_requests;
mod devices;
mod errors;
mod fields;
mod ledger;
mod specs;
mod topology;
mod values;

use pyo3::prelude::*;

/// The Rust core: what fits.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::ledger::{Ledger, Snapshot};
    #[pymodule_export]
    use crate::specs::DeviceSpecs;
    #[pymodule_export]
    use crate::values::{
        Amounts, CellMisfit, CellUsage, Difference, Filtered, GuestCell, Misfit, Nearest,
        PageUsage, PlacedCell, PlacedDevice, Placement, Pool, PoolFiltered, Tally, Usage,
    };

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "Python's name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// Every `code` that this module can raise, sorted; each is a class of `innkeeper.errors`.
    #[pyfunction]
    fn error_codes() -> Vec<&'static str> {
        crate::errors::codes()
    }

    /// Every `code` that a misfit can carry, sorted.
    #[pyfunction]
    fn misfit_codes() -> Vec<&'static str> {
        crate::convert::misfit_codes()
    }
}
