//! Which pools a request may be served from, before anything is counted.

use crate::pci::address::PciAddress;
use crate::pci::device::{Kind, Product};
use crate::pci::pattern::{Pattern, Says, is_true};
use crate::pci::pool::PoolKey;

/// Alternatives, and the rules that look at all of them together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    alternatives: Vec<Pattern>,
    says: Says,
}

/// What took candidates away, in the order in which it is asked. NUMA is last, so that devices that may
/// not be given do not hide those that may (Q21 in docs/differences-from-nova.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Filter {
    Spec,
    Pf,
    Vdpa,
    RemoteManaged,
    Provider,
    LiveMigratable,
    Cordoned,
    Dirty,
    Moved,
    Retired,
    InUse,
    Booked,
    BarredByPfOrVfs,
    Numa,
    RestOfRequest,
}

/// How much of a pool matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admits {
    All,
    /// Named by their addresses, sorted.
    Only(Vec<PciAddress>),
}

impl Matcher {
    /// Devices that match any of these; none matches no device.
    pub fn new(alternatives: Vec<Pattern>) -> Self {
        let all = alternatives.iter().map(Pattern::says);
        let says = all.reduce(|a, b| Says {
            pf: a.pf || b.pf,
            vdpa: a.vdpa || b.vdpa,
            remote_managed: a.remote_managed || b.remote_managed,
            live_migratable: a.live_migratable.filter(|_| a.live_migratable == b.live_migratable),
        });
        Self { says: says.unwrap_or_default(), alternatives }
    }

    /// Devices of one product, whatever they are: PFs and vDPA functions too.
    pub fn of_product(product: Product) -> Self {
        let says = Says { pf: true, vdpa: true, ..Says::default() };
        Self { alternatives: vec![Pattern::of_product(product)], says }
    }

    /// The products that all alternatives insist on, if they do.
    pub(crate) fn products(&self) -> Option<Vec<(u16, u16)>> {
        let mut products: Vec<_> =
            self.alternatives.iter().map(Pattern::exact_product).collect::<Option<_>>()?;
        products.sort_unstable();
        products.dedup();
        Some(products)
    }

    /// Addresses that alternatives insist on.
    pub(crate) fn named(&self) -> impl Iterator<Item = PciAddress> {
        self.alternatives.iter().filter_map(Pattern::exact_address)
    }

    /// What of a pool may be given, or the first filter that takes it away. "Unless some alternative
    /// asks for it" looks at every alternative (Nova 34, Q22).
    pub(crate) fn admits(&self, key: &PoolKey) -> Result<Admits, Filter> {
        let admits = self.by_alternatives(key).ok_or(Filter::Spec)?;
        if key.kind == Kind::Pf && !self.says.pf {
            return Err(Filter::Pf);
        }
        if key.kind == Kind::Vdpa && !self.says.vdpa {
            return Err(Filter::Vdpa);
        }
        if !self.says.remote_managed && key.remote_managed().is_some_and(is_true) {
            return Err(Filter::RemoteManaged);
        }
        let live = self.says.live_migratable;
        if live.is_some_and(|live| key.tag("live_migratable") != Some(text_of(live))) {
            return Err(Filter::LiveMigratable);
        }
        Ok(admits)
    }

    fn by_alternatives(&self, key: &PoolKey) -> Option<Admits> {
        let mut named = Vec::new();
        for pattern in self.alternatives.iter().filter(|pattern| pattern.matches(key)) {
            match pattern.exact_address().filter(|_| key.parent.is_none()) {
                None => return Some(Admits::All),
                Some(address) => named.push(address),
            }
        }
        named.sort_unstable();
        (!named.is_empty()).then_some(Admits::Only(named))
    }
}

fn text_of(live: bool) -> &'static str {
    if live { "true" } else { "false" }
}

impl Filter {
    /// The stable name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Pf => "pf",
            Self::Vdpa => "vdpa",
            Self::RemoteManaged => "remote_managed",
            Self::Provider => "provider",
            Self::LiveMigratable => "live_migratable",
            Self::Cordoned => "cordoned",
            Self::Dirty => "dirty",
            Self::Moved => "moved",
            Self::Retired => "retired",
            Self::InUse => "in_use",
            Self::Booked => "booked",
            Self::BarredByPfOrVfs => "barred_by_pf_or_vfs",
            Self::Numa => "numa",
            Self::RestOfRequest => "rest_of_request",
        }
    }
}
