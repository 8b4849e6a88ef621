//! Answers as small frozen values; their attributes are those of `innkeeper.objects`.

use std::collections::BTreeMap;

use pyo3::prelude::*;

macro_rules! value {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        $(#[$doc])*
        #[pyclass(frozen, get_all, eq, skip_from_py_object, module = "innkeeper._core")]
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct $name {
            $(pub(crate) $field: $kind,)*
        }

        #[pymethods]
        impl $name {
            fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
                repr(slf.as_any(), &[$(stringify!($field)),*])
            }
        }
    };
}

value! {
    /// One device given to a claim.
    PlacedDevice {
        address: String,
        vendor_id: String,
        product_id: String,
        cell: Option<i64>,
        parent: Option<String>,
        request: Option<u64>,
        identity: Option<String>,
    }
}

value! {
    /// What a claim holds.
    Placement {
        vcpus: u64,
        memory_mib: u64,
        disk_mib: u64,
        cpus: String,
        devices: Vec<PlacedDevice>,
        counters: BTreeMap<String, u64>,
        cells: Vec<PlacedCell>,
    }
}

value! {
    /// What one guest cell holds of a host cell.
    PlacedCell {
        cell: i64,
        shared: String,
        cpus: String,
        pins: BTreeMap<u32, u32>,
        emulator: String,
        charged: String,
        memory_mib: u64,
        page_kib: Option<u64>,
        pages: u64,
    }
}

value! {
    /// One guest cell of a suggested request.
    GuestCell { shared: String, dedicated: String, memory_mib: u64 }
}

value! {
    /// Why one guest cell does not fit on one host cell.
    CellMisfit { guest_cell: u64, cell: i64, code: String, asked: u64, free: u64 }
}

value! {
    /// How many candidates one filter removed and how many it left.
    Filtered { filter: String, removed: u64, left: u64 }
}

value! {
    /// What the filters of one device request did to one pool.
    PoolFiltered {
        vendor_id: String,
        product_id: String,
        kind: String,
        cell: Option<i64>,
        parent: Option<String>,
        total: u64,
        filters: Vec<Filtered>,
    }
}

value! {
    /// One constraint that fails, with its numbers.
    Misfit {
        code: String,
        resource: String,
        message: String,
        asked: u64,
        free: u64,
        capacity: u64,
        used: u64,
        filters: Vec<Filtered>,
        request: Option<u64>,
        pools: Vec<PoolFiltered>,
        guest_cell: Option<u64>,
        cells: Vec<CellMisfit>,
    }
}

value! {
    /// The largest request of the same kind that fits now; null amounts were not asked for.
    Nearest {
        vcpus: Option<u64>,
        memory_mib: Option<u64>,
        disk_mib: Option<u64>,
        device_counts: Vec<u64>,
        counters: BTreeMap<String, u64>,
        cells: Vec<GuestCell>,
    }
}

value! {
    /// How many fit one after another, and why the next one does not.
    Tally { times: u64, stopped_by: Vec<Misfit> }
}

value! {
    /// One resource: free = capacity - used, never below 0.
    Amounts { total: u64, reserved: u64, capacity: u64, used: u64, free: u64 }
}

value! {
    /// The sums over all bookings, beside what the host offers.
    Usage {
        vcpus: Amounts,
        memory_mib: Amounts,
        disk_mib: Amounts,
        counters: BTreeMap<String, Amounts>,
        devices: Amounts,
        cells: Vec<CellUsage>,
        claims: u64,
        generation: u64,
    }
}

value! {
    /// What is held of one cell.
    CellUsage {
        cell: i64,
        shared_vcpus: u64,
        dedicated_vcpus: u64,
        dedicated_cpus: Amounts,
        charged: String,
        memory_mib: u64,
        pages: Vec<PageUsage>,
    }
}

value! {
    /// Pages of one size in a cell.
    PageUsage { size_kib: u64, total: u64, reserved: u64, used: u64, free: u64 }
}

value! {
    /// Devices alike in product, cell, kind, parent, tags and provider.
    Pool {
        vendor_id: String,
        product_id: String,
        kind: String,
        cell: Option<i64>,
        parent: Option<String>,
        parent_netdev: Option<String>,
        tags: BTreeMap<String, Option<String>>,
        provider: Option<String>,
        total: u64,
        used: u64,
        withheld: u64,
        free: u64,
    }
}

value! {
    /// One thing that an audit found.
    Difference {
        kind: String,
        subject: String,
        claim_id: Option<String>,
        message: String,
        booked: Option<String>,
        observed: Option<String>,
    }
}

fn repr(value: &Bound<'_, PyAny>, fields: &[&str]) -> PyResult<String> {
    let mut parts = Vec::with_capacity(fields.len());
    for field in fields {
        parts.push(format!("{field}={}", value.getattr(*field)?.repr()?));
    }
    Ok(format!("{}({})", value.get_type().name()?, parts.join(", ")))
}
