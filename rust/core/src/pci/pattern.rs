//! One alternative of a request: the properties that a pool must have.

use std::sync::Arc;

use crate::pci::address::PciAddress;
use crate::pci::device::{Kind, Product};
use crate::pci::pool::PoolKey;

/// Keys of a spec that pools are never compared by (Nova 34).
const NOT_COMPARED: [&str; 4] = ["resource_class", "traits", "rp_uuids", "rp_uuid"];

/// Properties that are wanted together; texts are compared without regard to case, and null means absent
/// or null (Nova 34).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    vendor: Wanted<u16>,
    product: Wanted<u16>,
    kind: Wanted<Kind>,
    address: Wanted<PciAddress>,
    others: Vec<(Arc<str>, Option<Arc<str>>)>,
    says: Says,
}

/// What one property must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wanted<T> {
    #[default]
    Anything,
    This(T),
    /// A text that no device has.
    Nothing,
}

/// What the rules about a whole request want to know of its alternatives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Says {
    pub(crate) pf: bool,
    pub(crate) vdpa: bool,
    pub(crate) remote_managed: bool,
    pub(crate) live_migratable: Option<bool>,
}

impl Pattern {
    /// Any device of a product.
    pub fn of_product(product: Product) -> Self {
        let (vendor, product) = product.ids();
        let (vendor, product) = (Wanted::This(vendor), Wanted::This(product));
        Self { vendor, product, ..Self::default() }
    }

    /// The same pattern with one more property, by Nova's name of it.
    #[must_use]
    pub fn with(mut self, key: &str, value: Option<&str>) -> Self {
        match key {
            "vendor_id" => self.vendor = Wanted::of(value.and_then(parse_id)),
            "product_id" => self.product = Wanted::of(value.and_then(parse_id)),
            "dev_type" => self.kind = Wanted::of(value.and_then(Kind::of_dev_type)),
            "address" => self.address = Wanted::of(value.and_then(parse_address)),
            other if NOT_COMPARED.contains(&other) => {}
            other => self.others.push((other.into(), value.map(Into::into))),
        }
        self.says.hear(key, value);
        self
    }

    pub(crate) fn says(&self) -> Says {
        self.says
    }

    /// The product that it insists on, if it does.
    pub(crate) fn exact_product(&self) -> Option<(u16, u16)> {
        match (self.vendor, self.product) {
            (Wanted::This(vendor), Wanted::This(product)) => Some((vendor, product)),
            _ => None,
        }
    }

    /// The one device that it insists on, if it does; of VFs their PF.
    pub(crate) fn exact_address(&self) -> Option<PciAddress> {
        match self.address {
            Wanted::This(address) => Some(address),
            Wanted::Anything | Wanted::Nothing => None,
        }
    }

    /// Whether a pool has every property, the address of a pool without a parent left open.
    pub(crate) fn matches(&self, key: &PoolKey) -> bool {
        let (vendor, product) = key.product.ids();
        self.vendor.is(vendor)
            && self.product.is(product)
            && self.kind.is(key.kind)
            && self.address_matches(key)
            && self.others.iter().all(|(name, value)| has(key, name, value.as_deref()))
    }

    fn address_matches(&self, key: &PoolKey) -> bool {
        match key.parent {
            Some(parent) => self.address.is(parent),
            None => self.address != Wanted::Nothing,
        }
    }
}

impl<T: Copy + PartialEq> Wanted<T> {
    fn of(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Self::This)
    }

    fn is(self, value: T) -> bool {
        match self {
            Self::Anything => true,
            Self::This(wanted) => wanted == value,
            Self::Nothing => false,
        }
    }
}

impl Says {
    fn hear(&mut self, key: &str, value: Option<&str>) {
        match (key, value) {
            ("dev_type", Some("type-PF")) => self.pf = true,
            ("dev_type", Some("vdpa")) => self.vdpa = true,
            ("remote_managed", Some(text)) => self.remote_managed = is_true(text),
            ("live_migratable", Some("true")) => self.live_migratable = Some(true),
            ("live_migratable", Some("false")) => self.live_migratable = Some(false),
            _ => {}
        }
    }
}

fn parse_id(text: &str) -> Option<u16> {
    let whole = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| u16::from_str_radix(text, 16).ok()).flatten()
}

fn parse_address(text: &str) -> Option<PciAddress> {
    text.to_ascii_lowercase().parse().ok()
}

fn has(key: &PoolKey, name: &str, wanted: Option<&str>) -> bool {
    let value = match name {
        "parent_ifname" => key.parent_netdev.as_deref(),
        "remote_managed" => key.remote_managed(),
        "numa_node" => return wanted.is_none() && key.cell.is_none(),
        "count" => return false,
        tag => key.tag(tag),
    };
    match (value, wanted) {
        (None, None) => true,
        (Some(value), Some(wanted)) => same_text(value, wanted),
        _ => false,
    }
}

fn same_text(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
        || (!(a.is_ascii() && b.is_ascii()) && a.to_lowercase() == b.to_lowercase())
}

/// As `oslo.utils` reads a boolean that it is lax about: everything else is false.
pub(crate) fn is_true(text: &str) -> bool {
    ["1", "t", "true", "on", "y", "yes"].iter().any(|word| word.eq_ignore_ascii_case(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::Pattern;
    use crate::pci::PoolKey;
    use crate::samples::{pf_with_vfs, tagged, vf_product};

    fn vf_key() -> PoolKey {
        let vf = pf_with_vfs(0, 1).remove(1);
        PoolKey::of(&tagged(vf, &[("trusted", Some("True")), ("net", None)]))
    }

    #[test]
    fn texts_are_compared_without_case_and_null_is_absent_or_null() {
        for (key, value, matches) in [
            ("trusted", Some("tRUE"), true),
            ("trusted", None, false),
            ("net", None, true),
            ("other", None, true),
            ("net", Some("a"), false),
            ("vendor_id", Some("8086"), true),
            ("product_id", Some("1889"), true),
            ("vendor_id", Some("086"), false),
            ("vendor_id", None, false),
            ("dev_type", Some("TYPE-vf"), true),
            ("dev_type", Some("type-XX"), false),
            ("address", Some("0000:00:00.0"), true),
            ("address", Some("0000:00:01.0"), false),
            ("remote_managed", Some("False"), true),
            ("parent_ifname", None, true),
            ("numa_node", Some("0"), false),
            ("numa_node", None, false),
            ("count", Some("1"), false),
            ("resource_class", Some("whatever"), true),
        ] {
            let pattern = Pattern::default().with(key, value);
            assert_eq!(pattern.matches(&vf_key()), matches, "{key} {value:?}");
        }
    }

    #[test]
    fn an_empty_pattern_matches_everything() {
        assert!(Pattern::default().matches(&vf_key()));
        assert!(Pattern::of_product(vf_product()).matches(&vf_key()));
    }
}
