//! Which spec admits which function.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::address::AddressRule;
use super::{Place, Spec, SpecProblem, Specs, Word, hex};
use crate::pci::address::PciAddress;
use crate::pci::device::{Kind, Tags};

/// A function of the host, as far as specs ask.
#[derive(Clone, Debug)]
pub struct Function {
    address: PciAddress,
    ids: (u16, u16),
    kind: Kind,
    parent: Option<PciAddress>,
    has_vfs: bool,
    netdevs: Vec<Arc<str>>,
    has_serial: bool,
}

/// What the functions say of one another, and each spec in the light of it.
struct Observed<'a> {
    targets: Vec<Target<'a>>,
    domains: Vec<u32>,
    /// Functions with a serial number of their own.
    serials: BTreeSet<PciAddress>,
}

/// Where a spec admits functions on this very host.
enum Target<'a> {
    Anywhere,
    Nowhere,
    Own(PciAddress),
    /// A PF and its VFs; the PF itself only when it may be had.
    Family {
        pf: PciAddress,
        with_pf: bool,
    },
    /// The rule, and which of the host's domains it admits.
    Like(&'a AddressRule, Vec<bool>),
}

impl Function {
    /// A function by its names; none when they are none, and then no spec admits it (Q10). Case does not
    /// matter.
    pub fn new(address: &str, vendor_id: &str, product_id: &str, kind: Kind) -> Option<Self> {
        let ids = (hex::parse_id(vendor_id)?, hex::parse_id(product_id)?);
        let address = parse_address(address)?;
        Some(Self {
            address,
            ids,
            kind,
            parent: None,
            has_vfs: kind == Kind::Pf,
            netdevs: Vec::new(),
            has_serial: false,
        })
    }

    /// The PF that it is a VF of; a text that is no address is none.
    #[must_use]
    pub fn with_parent(mut self, parent: &str) -> Self {
        self.parent = parse_address(parent);
        self
    }

    /// That it can have VFs, whether or not it has any.
    #[must_use]
    pub fn with_vfs(mut self) -> Self {
        self.has_vfs = true;
        self
    }

    /// Its network devices.
    #[must_use]
    pub fn with_netdevs(mut self, netdevs: impl IntoIterator<Item = Arc<str>>) -> Self {
        self.netdevs.extend(netdevs);
        self
    }

    /// Its serial number; an empty one is none.
    #[must_use]
    pub fn with_serial(mut self, serial: &str) -> Self {
        self.has_serial = !serial.is_empty();
        self
    }
}

/// An address in any case; mostly it is in lower case already.
fn parse_address(text: &str) -> Option<PciAddress> {
    text.parse().or_else(|_| text.to_ascii_lowercase().parse()).ok()
}

impl Specs {
    /// Read all specs; the problems of each with its position.
    pub fn parse<'a>(
        entries: impl IntoIterator<Item = &'a [(Box<str>, Word)]>,
    ) -> Result<Self, Vec<(usize, SpecProblem)>> {
        let (mut specs, mut problems) = (Vec::new(), Vec::new());
        for (position, entry) in entries.into_iter().enumerate() {
            match Spec::parse(entry) {
                Ok(spec) => specs.push(spec),
                Err(found) => problems.extend(found.into_iter().map(|one| (position, one))),
            }
        }
        if problems.is_empty() { Ok(Self { specs }) } else { Err(problems) }
    }

    /// The tags of each spec, in order.
    pub fn tags(&self) -> impl Iterator<Item = &Tags> {
        self.specs.iter().map(Spec::tags)
    }

    /// Whether anything counts of a function but its ids: where it is, whose VF it is, its network
    /// devices or its serial number.
    pub fn ask_more_than_ids(&self) -> bool {
        self.specs.iter().any(|spec| spec.remote_managed || !matches!(spec.place, Place::Anywhere))
    }

    /// The position of the first spec that admits each function. Which function is a PF, whose VFs the
    /// others are and where network devices are is looked up among these functions.
    pub fn find_all(&self, functions: &[Option<Function>]) -> Vec<Option<usize>> {
        let observed = Observed::new(&self.specs, functions);
        let mut by_product: BTreeMap<(u16, u16), Vec<usize>> = BTreeMap::new();
        let mut find = |function: &Function| {
            let candidates = by_product
                .entry(function.ids)
                .or_insert_with(|| self.candidates(function.ids).collect());
            candidates.iter().copied().find(|at| self.admits(*at, function, &observed))
        };
        functions.iter().map(|function| function.as_ref().and_then(&mut find)).collect()
    }

    fn candidates(&self, (vendor, product): (u16, u16)) -> impl Iterator<Item = usize> {
        self.specs.iter().enumerate().filter_map(move |(at, spec)| {
            let fits = spec.vendor.is_none_or(|id| id == vendor)
                && spec.product.is_none_or(|id| id == product);
            fits.then_some(at)
        })
    }

    fn admits(&self, at: usize, function: &Function, observed: &Observed<'_>) -> bool {
        let (Some(spec), Some(target)) = (self.specs.get(at), observed.targets.get(at)) else {
            return false;
        };
        observed.reaches(target, function)
            && (!spec.remote_managed || observed.has_serial(function))
    }

    /// Whether a device with these ids could be admitted by a spec; a null id is any.
    pub fn could_admit(
        &self,
        at: usize,
        vendor_id: Option<&str>,
        product_id: Option<&str>,
    ) -> bool {
        let is = |wanted: Option<u16>, given: Option<&str>| match (wanted, given) {
            (Some(id), Some(text)) => hex::parse_id(text) == Some(id),
            _ => true,
        };
        self.specs
            .get(at)
            .is_some_and(|spec| is(spec.vendor, vendor_id) && is(spec.product, product_id))
    }

    /// Specs that admit none of these functions, whichever spec has them: their positions.
    pub fn idle(&self, functions: &[Option<Function>]) -> Vec<usize> {
        let observed = Observed::new(&self.specs, functions);
        let mut busy = BTreeSet::new();
        for function in functions.iter().flatten() {
            busy.extend(
                self.candidates(function.ids).filter(|at| self.admits(*at, function, &observed)),
            );
        }
        (0..self.specs.len()).filter(|at| !busy.contains(at)).collect()
    }
}

impl<'a> Observed<'a> {
    fn new(specs: &'a [Spec], functions: &'a [Option<Function>]) -> Self {
        let mut pfs = BTreeSet::new();
        let mut netdevs: BTreeMap<&str, PciAddress> = BTreeMap::new();
        let mut serials = BTreeSet::new();
        let mut domains = Vec::new();
        for function in functions.iter().flatten() {
            if function.has_vfs {
                pfs.insert(function.address);
            }
            pfs.extend(function.parent);
            for name in &function.netdevs {
                netdevs.entry(name).or_insert(function.address);
            }
            if function.has_serial {
                serials.insert(function.address);
            }
            domains.push(function.address.parts().0);
        }
        domains.sort_unstable();
        domains.dedup();
        let targets = specs.iter().map(|spec| target(spec, &pfs, &netdevs, &domains)).collect();
        Self { targets, domains, serials }
    }

    fn reaches(&self, target: &Target<'_>, function: &Function) -> bool {
        match target {
            Target::Anywhere => true,
            Target::Nowhere => false,
            Target::Own(address) => function.address == *address,
            Target::Family { pf, with_pf } => {
                function.parent == Some(*pf) || (*with_pf && function.address == *pf)
            }
            Target::Like(rule, domains) => {
                rule.admits_below_domain(function.address) && self.admits_domain(domains, function)
            }
        }
    }

    /// A VF without a serial number has its PF's; a vDPA device has only its own (Nova 34).
    fn has_serial(&self, function: &Function) -> bool {
        let borrowed = function.parent.filter(|_| function.kind == Kind::Vf);
        function.has_serial || borrowed.is_some_and(|pf| self.serials.contains(&pf))
    }

    fn admits_domain(&self, admitted: &[bool], function: &Function) -> bool {
        let place = self.domains.binary_search(&function.address.parts().0);
        place.ok().and_then(|at| admitted.get(at).copied()).unwrap_or(false)
    }
}

fn target<'a>(
    spec: &'a Spec,
    pfs: &BTreeSet<PciAddress>,
    netdevs: &BTreeMap<&str, PciAddress>,
    domains: &[u32],
) -> Target<'a> {
    let family = |pf| Target::Family { pf, with_pf: !spec.remote_managed };
    match &spec.place {
        Place::Anywhere => Target::Anywhere,
        Place::Netdev(name) => match netdevs.get(&**name) {
            None => Target::Nowhere,
            Some(address) if pfs.contains(address) => family(*address),
            Some(address) => Target::Own(*address),
        },
        Place::At(rule) => match rule.exact() {
            Some(address) if pfs.contains(&address) => family(address),
            _ => Target::Like(rule, domains.iter().map(|one| rule.admits_domain(*one)).collect()),
        },
    }
}
