//! Why devices cannot be had together, and how many could.

use crate::fit::devices::can_have;
use crate::fit::funnel::{Funnels, offered};
use crate::fit::steps::Steps;
use crate::fit::{Room, counts};
use crate::misfit::{Misfit, MisfitCode};
use crate::pci::Filter;
use crate::request::{DeviceRequest, Request};

/// Products named in the message about an unknown one.
const NAMED_PRODUCTS: usize = 8;

/// What of a request can be had, and a misfit for each part of which less can be had than is asked.
pub(super) struct Shortage {
    /// For each part of the request.
    pub(super) nearest: Vec<u64>,
    pub(super) misfits: Vec<Misfit>,
}

impl Shortage {
    /// Exact within a bound of steps of its own; beyond it `nearest` still fits but may not be the most,
    /// and only parts that are short by themselves are called misfits.
    pub(super) fn of(room: Room<'_>, request: &Request, steps: &mut Steps) -> Self {
        *steps = steps.renewed();
        let asked = counts(request);
        let whole = can_have(room, request, &asked, steps);
        if whole == Ok(true) {
            return Self { nearest: asked, misfits: Vec::new() };
        }
        let nearest = nearest(room, request, steps);
        let parts = request.devices().iter().zip(&nearest).enumerate();
        let misfits = parts.filter_map(|(position, (devices, together))| {
            let funnels = Funnels::of(room, request, devices);
            let unknown = whole.is_err() && devices.unit.is_none();
            let free = if unknown { funnels.all.left().min(devices.count) } else { *together };
            let short = Short { devices, free, funnels };
            (free < devices.count).then(|| {
                let joint = short.is_joint(room, request, position, steps);
                misfit(room, position, short, joint)
            })
        });
        Self { misfits: misfits.collect(), nearest }
    }
}

/// One part of which less can be had than is asked.
struct Short<'a> {
    devices: &'a DeviceRequest,
    free: u64,
    funnels: Funnels,
}

impl Short<'_> {
    /// Whether the rest of the request is what keeps one more away.
    fn is_joint(
        &self,
        room: Room<'_>,
        request: &Request,
        position: usize,
        steps: &mut Steps,
    ) -> bool {
        if self.devices.unit.is_none() {
            return self.funnels.all.left() > self.free;
        }
        let more = self.free.saturating_add(1);
        let parts = 0..request.devices().len();
        let alone: Vec<u64> = parts.map(|part| if part == position { more } else { 0 }).collect();
        can_have(room, request, &alone, steps).unwrap_or(false)
    }
}

/// As many devices as can be had together: of each part, in order, the most that goes with those before.
fn nearest(room: Room<'_>, request: &Request, steps: &mut Steps) -> Vec<u64> {
    let mut nearest = vec![0; request.devices().len()];
    for (position, devices) in request.devices().iter().enumerate() {
        let mut fits = |count: u64| {
            let mut tried = nearest.clone();
            if let Some(part) = tried.get_mut(position) {
                *part = count;
            }
            can_have(room, request, &tried, steps).unwrap_or(false)
        };
        let most = most_that(devices, &mut fits);
        if let Some(part) = nearest.get_mut(position) {
            *part = most;
        }
    }
    nearest
}

/// A part that names its providers can only be had whole.
fn most_that(devices: &DeviceRequest, fits: &mut impl FnMut(u64) -> bool) -> u64 {
    if !devices.providers.is_empty() {
        return if fits(devices.count) { devices.count } else { 0 };
    }
    let (mut low, mut high) = (0, devices.count);
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

fn misfit(room: Room<'_>, position: usize, short: Short<'_>, joint: bool) -> Misfit {
    let Short { devices, free, mut funnels } = short;
    let is_unit = devices.unit.is_some();
    if !is_unit {
        funnels.all.leave(free);
    }
    let known = funnels.named > 0;
    let booked = funnels.all.removed_by(Filter::Booked);
    let reason = if known { words(devices, free, &funnels, joint) } else { offered_words(room) };
    let noun = match (is_unit, devices.count) {
        (true, 1) => "unit",
        (true, _) => "units",
        (false, 1) => "device",
        (false, _) => "devices",
    };
    let code = if known { MisfitCode::InsufficientDevices } else { MisfitCode::UnknownDevice };
    let message = format!("asked for {} {noun} {}; {reason}", devices.count, devices.name);
    Misfit {
        capacity: funnels.named,
        used: booked,
        filters: funnels.all.filters(),
        request: u64::try_from(position).ok(),
        pools: funnels.pools,
        ..Misfit::new(code, &devices.name, message, devices.count, free)
    }
}

fn offered_words(room: Room<'_>) -> String {
    let (count, named) = offered(room, NAMED_PRODUCTS);
    let named = named.join(", ");
    match count {
        0 => "this host offers no devices".to_owned(),
        count if count <= NAMED_PRODUCTS => format!("this host offers {named}"),
        count => format!("this host offers {count} products, among them {named}"),
    }
}

fn words(devices: &DeviceRequest, free: u64, funnels: &Funnels, joint: bool) -> String {
    let verb = if free == 1 { "is" } else { "are" };
    let joint = if joint { " together with the rest of the request" } else { "" };
    if devices.unit.is_some() {
        let functions = funnels.all.left();
        return format!(
            "{free} {verb} free{joint} ({functions} functions for them are, one by one)"
        );
    }
    let removed: Vec<String> =
        PHRASES.iter().filter_map(|(filter, phrase)| phrase_of(funnels, *filter, phrase)).collect();
    let removed =
        if removed.is_empty() { String::new() } else { format!(" ({})", removed.join(", ")) };
    format!("{free} of {} {verb} free{joint}{removed}", funnels.named)
}

const PHRASES: [(Filter, &str); 13] = [
    (Filter::Pf, "PFs that were not asked for by type"),
    (Filter::Vdpa, "vDPA functions that were not asked for by type"),
    (Filter::RemoteManaged, "remote-managed"),
    (Filter::Provider, "of other providers"),
    (Filter::LiveMigratable, "of the other kind of live migration"),
    (Filter::Cordoned, "cordoned"),
    (Filter::Dirty, "dirty"),
    (Filter::Moved, "held under another address"),
    (Filter::Retired, "no longer admitted"),
    (Filter::InUse, "open in a program"),
    (Filter::Booked, "booked"),
    (Filter::BarredByPfOrVfs, "barred by their PF or VFs"),
    (Filter::Numa, "on other cells"),
];

fn phrase_of(funnels: &Funnels, filter: Filter, phrase: &str) -> Option<String> {
    let removed = funnels.all.removed_by(filter);
    (removed > 0).then(|| format!("{removed} {phrase}"))
}
