//! Why devices cannot be had together, and how many could.

use crate::fit::devices::{Demand, can_have};
use crate::fit::steps::Steps;
use crate::misfit::{Filtered, Misfit, MisfitCode};
use crate::pci::{Index, Product};

/// Products named in the message about an unknown one.
const NAMED_PRODUCTS: usize = 8;

/// What of a demand can be had, and a misfit for each product of which less can be had than is asked.
pub(super) struct Shortage {
    pub(super) nearest: Demand,
    pub(super) misfits: Vec<Misfit>,
}

impl Shortage {
    /// Exact within a bound of steps of its own; beyond it `nearest` still fits but may not be the most,
    /// and only products that are short by themselves are called misfits.
    pub(super) fn of(index: &Index, demand: &Demand, steps: &mut Steps) -> Self {
        *steps = steps.renewed();
        let whole = can_have(index, demand, steps);
        let nearest = match whole {
            Ok(true) => demand.clone(),
            _ => nearest(index, demand, steps),
        };
        let free = |product: Product, asked: u64| match whole {
            Err(_) => index.free_count(product).min(asked),
            Ok(_) => nearest.get(&product).copied().unwrap_or(0),
        };
        let short = |(product, asked): (&Product, &u64)| {
            let free = free(*product, *asked);
            (free < *asked).then(|| misfit(index, *product, *asked, free))
        };
        let misfits = demand.iter().filter_map(short).collect();
        Self { nearest, misfits }
    }
}

/// As many devices as can be had together: of each product, in order, the most that goes with those before.
fn nearest(index: &Index, demand: &Demand, steps: &mut Steps) -> Demand {
    let mut nearest = Demand::new();
    for (product, asked) in demand {
        let most = most_beside(index, &nearest, *product, *asked, steps);
        nearest.insert(*product, most);
    }
    nearest
}

fn most_beside(
    index: &Index,
    others: &Demand,
    product: Product,
    asked: u64,
    steps: &mut Steps,
) -> u64 {
    let mut demand = others.clone();
    let mut fits = |count: u64| {
        demand.insert(product, count);
        can_have(index, &demand, steps).unwrap_or(false)
    };
    let (mut low, mut high) = (0, asked.min(index.free_count(product)));
    while low < high {
        let middle = low.midpoint(high).max(low.saturating_add(1));
        if fits(middle) {
            low = middle;
        } else {
            high = middle.saturating_sub(1);
        }
    }
    low
}

fn misfit(index: &Index, product: Product, asked: u64, free: u64) -> Misfit {
    let known = index.catalogue().offer(product).map(|offer| offer.total);
    let code = known.map_or(MisfitCode::UnknownDevice, |_| MisfitCode::InsufficientDevices);
    let funnel = Funnel::of(index, product, known.unwrap_or(0), free);
    let reason = known.map_or_else(|| offered(index), |_| funnel.words());
    let noun = if asked == 1 { "device" } else { "devices" };
    Misfit {
        code,
        resource: product.to_string(),
        message: format!("asked for {asked} {noun} {product}; {reason}"),
        asked,
        free,
        capacity: funnel.offered,
        used: funnel.booked,
        filters: funnel.filters(),
    }
}

fn offered(index: &Index) -> String {
    let products: Vec<String> = index.catalogue().products().map(ToString::to_string).collect();
    let named = products.iter().take(NAMED_PRODUCTS).cloned().collect::<Vec<_>>().join(", ");
    match products.len() {
        0 => "this host offers no devices".to_owned(),
        count if count <= NAMED_PRODUCTS => format!("this host offers {named}"),
        count => format!("this host offers {count} products, among them {named}"),
    }
}

/// How the devices of a host become fewer until the free ones are left.
struct Funnel {
    all: u64,
    offered: u64,
    booked: u64,
    single: u64,
    together: u64,
}

impl Funnel {
    fn of(index: &Index, product: Product, offered: u64, together: u64) -> Self {
        Self {
            all: u64::try_from(index.catalogue().entries().len()).unwrap_or(u64::MAX),
            offered,
            booked: index.held_count(product),
            single: index.free_count(product),
            together,
        }
    }

    fn stages(&self) -> [(&'static str, u64); 4] {
        [
            ("product", self.offered),
            ("booked", self.offered.saturating_sub(self.booked)),
            ("barred_by_pf_or_vfs", self.single),
            ("rest_of_request", self.together),
        ]
    }

    fn filters(&self) -> Vec<Filtered> {
        let mut before = self.all;
        let filtered = |(filter, left): (&'static str, u64)| {
            let removed = before.saturating_sub(left);
            before = left;
            Filtered { filter, removed, left }
        };
        self.stages().into_iter().map(filtered).collect()
    }

    fn words(&self) -> String {
        let Self { offered, booked, single, together, .. } = self;
        let verb = if *together == 1 { "is" } else { "are" };
        let joint = if together < single { " together with the rest of the request" } else { "" };
        let barred = offered.saturating_sub(*booked).saturating_sub(*single);
        format!(
            "{together} of {offered} {verb} free{joint} ({booked} booked, {barred} barred because their PF or VFs are booked)"
        )
    }
}
