//! Which devices a request gets, by trying everything in the order of preference.

use std::cmp::Reverse;

use crate::pci::{Admits, Device, Matcher, PciAddress, PoolKey};
use crate::properties::strategies::Host;
use crate::request::{DeviceRequest, NumaPolicy, Request, Unit, UnitPlace};

/// Devices with the part of the request that each is for.
pub(super) type Choice<'a> = Vec<(&'a Device, u64)>;

/// How near: 0 near, 1 not told, 2 same socket, 3 far.
type Nearness = u8;

pub(super) fn first<'a>(host: &Host, free: &[&'a Device], request: &Request) -> Option<Choice<'a>> {
    let question = Question { host, free, request };
    let mut chosen = Choice::new();
    question.solve(&question.wants(), &mut chosen).then_some(chosen)
}

struct Question<'a, 'b> {
    host: &'b Host,
    free: &'b [&'a Device],
    request: &'b Request,
}

/// One thing to be found: devices of one provider, or one unit.
#[derive(Clone)]
struct Want<'b> {
    position: u64,
    part: &'b DeviceRequest,
    provider: Option<&'b str>,
    count: u64,
    unit: Option<&'b Unit>,
}

impl<'a, 'b> Question<'a, 'b> {
    /// Units first.
    fn wants(&self) -> Vec<Want<'b>> {
        let mut wants = Vec::new();
        for (position, part) in (0..).zip(self.request.devices()) {
            let want = Want { position, part, provider: None, count: part.count, unit: None };
            if let Some(unit) = &part.unit {
                let one = Want { count: 1, unit: Some(unit), ..want };
                wants.extend((0..part.count).map(|_| one.clone()));
            } else if part.providers.is_empty() {
                wants.push(want);
            } else {
                wants.extend(part.providers.iter().map(|(provider, count)| Want {
                    provider: Some(provider),
                    count: *count,
                    ..want.clone()
                }));
            }
        }
        wants.sort_by_key(|want| want.unit.is_none());
        wants
    }

    fn solve(&self, wants: &[Want<'_>], chosen: &mut Choice<'a>) -> bool {
        let Some((want, rest)) = wants.split_first() else { return true };
        if let Some(unit) = want.unit {
            return self
                .places(want, unit)
                .into_iter()
                .any(|functions| self.fill(want.position, &functions, rest, chosen));
        }
        self.levels(want.part.policy).into_iter().any(|level| {
            let candidates = self.candidates(want, &level);
            self.pick(want, &candidates, want.count, rest, chosen)
        })
    }

    /// Take so many of the candidates, in order.
    fn pick(
        &self,
        want: &Want<'_>,
        candidates: &[&'a Device],
        count: u64,
        rest: &[Want<'_>],
        chosen: &mut Choice<'a>,
    ) -> bool {
        if count == 0 {
            return self.solve(rest, chosen);
        }
        (0..candidates.len()).any(|place| {
            let device = candidates[place];
            if chosen.iter().any(|(it, _)| bars(it, device)) {
                return false;
            }
            chosen.push((device, want.position));
            let found = self.pick(want, &candidates[place + 1..], count - 1, rest, chosen);
            if !found {
                chosen.pop();
            }
            found
        })
    }

    /// Take one candidate for each function of a unit.
    fn fill(
        &self,
        position: u64,
        functions: &[Vec<&'a Device>],
        rest: &[Want<'_>],
        chosen: &mut Choice<'a>,
    ) -> bool {
        let Some((candidates, others)) = functions.split_first() else {
            return self.solve(rest, chosen);
        };
        candidates.iter().any(|device| {
            if chosen.iter().any(|(it, _)| bars(it, device)) {
                return false;
            }
            chosen.push((device, position));
            let found = self.fill(position, others, rest, chosen);
            if !found {
                chosen.pop();
            }
            found
        })
    }

    /// Free devices of a want in the order in which they are given out.
    fn candidates(&self, want: &Want<'_>, level: &[Nearness]) -> Vec<&'a Device> {
        let fits = |device: &&&Device| {
            admits(&want.part.matcher, device)
                && (want.provider.is_none() || device.provider.as_deref() == want.provider)
                && level.contains(&self.nearness(device))
        };
        let mut devices: Vec<&Device> = self.free.iter().filter(fits).copied().collect();
        devices.sort_by_key(|device| {
            let key = PoolKey::of(device);
            let alike = self.host.devices.iter().filter(|it| PoolKey::of(it) == key);
            let lowest = alike.map(|it| it.address).min().unwrap();
            let first = if device.parent.is_some() { lowest } else { device.address };
            let last = level.len() == 4 && self.nearness(device) > 1;
            (last, key.rank, first, Reverse(device.address))
        });
        devices
    }

    fn levels(&self, policy: NumaPolicy) -> Vec<Vec<Nearness>> {
        match policy {
            _ if self.request.cells().is_empty() => vec![vec![0]],
            NumaPolicy::Required => vec![vec![0]],
            NumaPolicy::Legacy => vec![vec![0], vec![0, 1]],
            NumaPolicy::Preferred => vec![vec![0], vec![0, 1], vec![0, 1, 2, 3]],
            NumaPolicy::Socket => vec![vec![0], vec![0, 2]],
        }
    }

    fn nearness(&self, device: &Device) -> Nearness {
        let (cells, sockets) = (self.request.cells(), &self.host.cells);
        let socket_of = |cell: &i64| sockets.get(cell).copied().flatten();
        match device.cell {
            _ if cells.is_empty() => 0,
            None => 1,
            Some(cell) if cells.contains(&cell) => 0,
            Some(cell) => {
                let told = sockets.values().all(Option::is_some);
                let same =
                    cells.iter().filter_map(socket_of).any(|it| Some(it) == socket_of(&cell));
                if told && same { 2 } else { 3 }
            }
        }
    }

    /// Of each place the candidates for each function of the unit: near places first, then the lowest.
    fn places(&self, want: &Want<'_>, unit: &Unit) -> Vec<Vec<Vec<&'a Device>>> {
        let mut keys: Vec<String> =
            self.host.devices.iter().filter_map(|it| place_of(it, unit.place)).collect();
        keys.sort();
        keys.dedup();
        let mut places: Vec<_> = keys
            .iter()
            .filter_map(|key| {
                let here = |it: &&Device| place_of(it, unit.place).as_ref() == Some(key);
                let all: Vec<&Device> = self.host.devices.iter().filter(here).collect();
                self.place(want, unit, &all)
            })
            .collect();
        places.sort_by_key(|(order, _)| *order);
        places.into_iter().map(|(_, functions)| functions).collect()
    }

    #[expect(clippy::type_complexity, reason = "used once")]
    fn place(
        &self,
        want: &Want<'_>,
        unit: &Unit,
        all: &[&Device],
    ) -> Option<((Nearness, PciAddress), Vec<Vec<&'a Device>>)> {
        let mut sorted = all.to_vec();
        sorted.sort_by_key(|device| device.address);
        let functions: Vec<Vec<&Device>> = if unit.members.is_empty() {
            let with_pf = |it: &&Device| all.iter().any(|pf| Some(pf.address) == it.parent);
            let whole: Vec<&Device> = sorted.into_iter().filter(|it| !with_pf(it)).collect();
            if !whole.iter().any(|it| admits(&want.part.matcher, it)) {
                return None;
            }
            whole.into_iter().map(|device| vec![device]).collect()
        } else {
            let of = |matcher: &Matcher| {
                sorted.iter().copied().filter(|it| admits(matcher, it)).collect()
            };
            let member = |(matcher, count): &(Matcher, u64)| {
                vec![of(matcher); usize::try_from(*count).unwrap()]
            };
            unit.members.iter().flat_map(member).collect()
        };
        let widest = self.levels(want.part.policy).pop().unwrap();
        let near = |it: &&Device| widest.contains(&self.nearness(it));
        let functions: Vec<Vec<&Device>> =
            functions.into_iter().map(|it| it.into_iter().filter(near).collect()).collect();
        let candidates = functions.iter().flatten();
        let farthest = candidates.clone().map(|it| self.nearness(it)).max()?;
        let lowest = candidates.map(|it| it.address).min()?;
        let is_free = |it: &&Device| self.free.iter().any(|free| free.address == it.address);
        let own = |it: &Device| *self.free.iter().find(|free| free.address == it.address).unwrap();
        let free =
            functions.into_iter().map(|it| it.into_iter().filter(is_free).map(own).collect());
        Some(((farthest, lowest), free.collect()))
    }
}

fn admits(matcher: &Matcher, device: &Device) -> bool {
    match matcher.admits(&PoolKey::of(device)) {
        Ok(Admits::All) => true,
        Ok(Admits::Only(named)) => named.contains(&device.address),
        Err(_) => false,
    }
}

fn place_of(device: &Device, place: UnitPlace) -> Option<String> {
    match place {
        UnitPlace::Slot => Some(device.address.to_string().split('.').next().unwrap().to_owned()),
        UnitPlace::Switch => device.switch.map(|switch| switch.to_string()),
        UnitPlace::IommuGroup => device.iommu_group.map(|group| group.to_string()),
    }
}

fn bars(one: &Device, other: &Device) -> bool {
    one.address == other.address
        || one.parent == Some(other.address)
        || other.parent == Some(one.address)
}
