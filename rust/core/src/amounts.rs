//! Amounts that are shared out: vCPUs, memory, disk, and the operator's counters.

use std::collections::BTreeMap;
use std::fmt;

use crate::ids::CounterName;

/// 2^53, the largest whole number that every JSON reader keeps exactly; what is reported stops here.
pub const MAX_AMOUNT: u64 = 1 << 53;

/// What amounts are of, in the order in which reasons are told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Guest CPUs.
    Vcpus,
    /// Ordinary memory in MiB.
    MemoryMib,
    /// Disk in MiB.
    DiskMib,
    /// A counter of the operator's own.
    Counter(CounterName),
}

/// So much of each resource; what is absent is zero, and zero is never present.
pub type Amounts = BTreeMap<Resource, u64>;

/// An allocation ratio, exact to a millionth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    parts_per_million: u64,
}

/// What a host has of one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantity {
    /// All of it.
    pub total: u64,
    /// What the host keeps for itself.
    pub reserved: u64,
    /// How often the rest may be handed out.
    pub ratio: Ratio,
}

impl Resource {
    /// The machine's name: `vcpus`, `memory_mib`, `disk_mib`, or the counter's.
    pub fn name(&self) -> &str {
        match self {
            Self::Vcpus => "vcpus",
            Self::MemoryMib => "memory_mib",
            Self::DiskMib => "disk_mib",
            Self::Counter(name) => name.as_str(),
        }
    }

    /// An amount of it in words, such as `8 vCPUs` or `512 MiB of memory`.
    pub(crate) fn words(&self, amount: u64) -> String {
        match self {
            Self::Vcpus if amount == 1 => "1 vCPU".to_owned(),
            Self::Vcpus => format!("{amount} vCPUs"),
            Self::MemoryMib => format!("{amount} MiB of memory"),
            Self::DiskMib => format!("{amount} MiB of disk"),
            Self::Counter(name) => format!("{amount} of counter `{name}`"),
        }
    }

    pub(crate) fn unit(&self) -> &'static str {
        match self {
            Self::MemoryMib | Self::DiskMib => " MiB",
            Self::Vcpus | Self::Counter(_) => "",
        }
    }
}

impl Ratio {
    const ONE: u64 = 1_000_000;
    const MAX: u64 = Self::ONE * Self::ONE;

    /// A ratio between 0.000001 and 1,000,000 in millionths.
    pub fn from_parts_per_million(parts_per_million: u64) -> Option<Self> {
        (1..=Self::MAX).contains(&parts_per_million).then_some(Self { parts_per_million })
    }

    pub(crate) fn apply(self, amount: u64) -> u64 {
        let scaled = u128::from(amount).saturating_mul(u128::from(self.parts_per_million));
        report(scaled.checked_div(u128::from(Self::ONE)).unwrap_or(0))
    }
}

impl Default for Ratio {
    fn default() -> Self {
        Self { parts_per_million: Self::ONE }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, millionths) =
            (self.parts_per_million / Self::ONE, self.parts_per_million % Self::ONE);
        let digits = format!("{millionths:06}");
        let decimals = digits.trim_end_matches('0');
        write!(out, "{whole}.{}", if decimals.is_empty() { "0" } else { decimals })
    }
}

impl Quantity {
    /// (total - reserved) x ratio, rounded down, never below 0 nor above [`MAX_AMOUNT`].
    pub fn capacity(&self) -> u64 {
        self.ratio.apply(self.total.saturating_sub(self.reserved))
    }

    /// The capacity with the numbers that it comes from.
    pub(crate) fn derivation(&self) -> String {
        let Self { total, reserved, ratio } = self;
        format!("capacity {} = ({total} - {reserved} reserved) x {ratio}", self.capacity())
    }
}

/// A sum as it is reported: exact up to [`MAX_AMOUNT`].
pub(crate) fn report(sum: u128) -> u64 {
    u64::try_from(sum).unwrap_or(MAX_AMOUNT).min(MAX_AMOUNT)
}

#[cfg(test)]
mod tests {
    use super::{MAX_AMOUNT, Quantity, Ratio};

    fn capacity(total: u64, reserved: u64, parts_per_million: u64) -> u64 {
        let ratio = Ratio::from_parts_per_million(parts_per_million).unwrap();
        Quantity { total, reserved, ratio }.capacity()
    }

    #[test]
    fn capacity_is_exact_where_floating_point_is_not() {
        assert_eq!(capacity(20, 0, 1_150_000), 23);
        assert_eq!(capacity(100, 0, 1_100_000), 110);
        assert_eq!(capacity(10, 3, 16_000_000), 112);
        assert_eq!(capacity(7, 0, 500_000), 3);
        assert_eq!(capacity(1, 0, 1), 0);
    }

    #[test]
    fn absurd_numbers_stop_at_the_largest_amount() {
        assert_eq!(capacity(u64::MAX, 0, 1_000_000_000_000), MAX_AMOUNT);
        assert_eq!(capacity(5, u64::MAX, 1_000_000), 0);
    }

    #[test]
    fn a_ratio_has_bounds_and_is_written_without_noise() {
        assert!(Ratio::from_parts_per_million(0).is_none());
        assert!(Ratio::from_parts_per_million(1_000_000_000_001).is_none());
        for (parts, text) in [(1_000_000, "1.0"), (1_150_000, "1.15"), (1, "0.000001")] {
            assert_eq!(Ratio::from_parts_per_million(parts).unwrap().to_string(), text);
        }
    }
}
