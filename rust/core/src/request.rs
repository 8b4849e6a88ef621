//! What an instance asks for.

use std::collections::BTreeMap;

use crate::amounts::{Amounts, Resource};
use crate::pci::Product;

/// Amounts and devices that are wanted together; asking twice for the same thing adds up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    amounts: Amounts,
    devices: BTreeMap<Product, u64>,
}

impl Request {
    /// The same request with so much more of a resource.
    #[must_use]
    pub fn with_amount(mut self, resource: Resource, amount: u64) -> Self {
        add(&mut self.amounts, resource, amount);
        self
    }

    /// The same request with so many more devices of a product.
    #[must_use]
    pub fn with_devices(mut self, product: Product, count: u64) -> Self {
        add(&mut self.devices, product, count);
        self
    }

    /// What is asked of each resource, zero left out.
    pub fn amounts(&self) -> &Amounts {
        &self.amounts
    }

    /// How many devices are asked of each product, zero left out.
    pub fn devices(&self) -> &BTreeMap<Product, u64> {
        &self.devices
    }

    pub(crate) fn asks_for_vcpus(&self) -> bool {
        self.amounts.contains_key(&Resource::Vcpus)
    }
}

fn add<K: Ord>(sums: &mut BTreeMap<K, u64>, key: K, amount: u64) {
    if amount > 0 {
        let sum = sums.entry(key).or_default();
        *sum = sum.saturating_add(amount);
    }
}
