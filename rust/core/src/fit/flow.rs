//! Whether what is there can be shared out so that every want gets its count.

use std::collections::BTreeMap;

/// A set of wants, one bit each.
pub(super) type Mask = u128;

/// Parts that a request may have, each provider of a part counted for itself.
pub const MAX_WANTS: usize = 128;

pub(super) fn bit(want: usize) -> Mask {
    u32::try_from(want).ok().and_then(|want| Mask::checked_shl(1, want)).unwrap_or(0)
}

/// The wants in a set, ascending.
pub(super) fn wants_in(mask: Mask) -> impl Iterator<Item = usize> {
    (0..MAX_WANTS).filter(move |want| mask & bit(*want) != 0)
}

/// A set of wants that ask for more than there is for all of them together, or none when everybody can be
/// served: by Hall's theorem one of the two is so.
///
/// `supply` has for each set of wants how many things serve exactly these. Augmenting paths; each path
/// serves a want fully or uses up a supply, so there are at most wants + supplies of them.
pub(super) fn starving(wanted: &[u64], supply: &BTreeMap<Mask, u64>) -> Option<Mask> {
    let supplies = supply.iter().filter(|(_, count)| **count > 0);
    let mut flow = Flow {
        masks: supplies.clone().map(|(mask, _)| *mask).collect(),
        left: supplies.map(|(_, count)| *count).collect(),
        given: BTreeMap::new(),
    };
    wanted.iter().enumerate().find_map(|(want, count)| flow.serve(want, *count))
}

struct Flow {
    masks: Vec<Mask>,
    left: Vec<u64>,
    /// (want, supply) -> how many.
    given: BTreeMap<(usize, usize), u64>,
}

/// How a supply was reached: from a want, which was reached by giving up another supply.
type Reached = BTreeMap<usize, (usize, Option<usize>)>;

impl Flow {
    /// Serve one want, rearranging what others got; the wants that starve together if it cannot be.
    fn serve(&mut self, want: usize, count: u64) -> Option<Mask> {
        let mut missing = count;
        while missing > 0 {
            match self.path(want) {
                Ok((reached, end)) => {
                    let pushed = self.push(&reached, end, missing);
                    missing = missing.saturating_sub(pushed);
                }
                Err(starving) => return Some(starving),
            }
        }
        None
    }

    /// A way from the want to a supply that has something left.
    fn path(&self, want: usize) -> Result<(Reached, usize), Mask> {
        let mut reached = Reached::new();
        let mut wants = bit(want);
        let mut queue: Vec<(usize, Option<usize>)> = vec![(want, None)];
        while let Some((want, by)) = queue.pop() {
            for (supply, mask) in self.masks.iter().enumerate() {
                if mask & bit(want) == 0 || reached.contains_key(&supply) {
                    continue;
                }
                reached.insert(supply, (want, by));
                if self.left.get(supply).is_some_and(|left| *left > 0) {
                    return Ok((reached, supply));
                }
                for other in self.users_of(supply).filter(|other| wants & bit(*other) == 0) {
                    queue.push((other, Some(supply)));
                }
                wants |= self.users_of(supply).map(bit).fold(0, |all, one| all | one);
            }
        }
        Err(wants)
    }

    fn users_of(&self, supply: usize) -> impl Iterator<Item = usize> {
        let given =
            self.given.iter().filter(move |((_, from), count)| *from == supply && **count > 0);
        given.map(|((want, _), _)| *want)
    }

    fn push(&mut self, reached: &Reached, end: usize, most: u64) -> u64 {
        let steps: Vec<(usize, usize, Option<usize>)> = path_back(reached, end);
        let given_up = steps.iter().filter_map(|(want, _, by)| by.map(|by| (*want, by)));
        let spare = given_up.map(|key| self.given.get(&key).copied().unwrap_or(0));
        let left = self.left.get(end).copied().unwrap_or(0);
        let pushed = spare.fold(most.min(left), u64::min);
        for (want, supply, by) in steps {
            let more = self.given.entry((want, supply)).or_default();
            *more = more.saturating_add(pushed);
            if let Some(less) = by.and_then(|by| self.given.get_mut(&(want, by))) {
                *less = less.saturating_sub(pushed);
            }
        }
        if let Some(left) = self.left.get_mut(end) {
            *left = left.saturating_sub(pushed);
        }
        pushed
    }
}

/// (want, the supply that it gets, the supply that it gives up), from the end to the start.
fn path_back(reached: &Reached, end: usize) -> Vec<(usize, usize, Option<usize>)> {
    let mut steps = Vec::new();
    let mut next = Some(end);
    while let Some(supply) = next {
        let Some((want, by)) = reached.get(&supply) else { break };
        steps.push((*want, supply, *by));
        next = *by;
    }
    steps
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::{Mask, bit, starving};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn either_nobody_starves_or_those_who_do_are_named(
            wanted in vec(0_u64..7, 1..5),
            supply in btree_map(0_u128..16, 0_u64..6, 0..6),
        ) {
            let for_set = |set: Mask| -> (u64, u64) {
                let asked = (0..wanted.len()).filter(|it| set & bit(*it) != 0).map(|it| wanted[it]);
                let there = supply.iter().filter(|(mask, _)| *mask & set != 0).map(|(_, it)| *it);
                (asked.sum(), there.sum())
            };
            let hall = (0..1_u128 << wanted.len()).all(|set| for_set(set).0 <= for_set(set).1);
            let found = starving(&wanted, &supply);
            prop_assert_eq!(found.is_none(), hall);
            if let Some(set) = found {
                prop_assert!(for_set(set).0 > for_set(set).1);
            }
        }
    }

    #[test]
    fn a_want_that_others_can_make_room_for_is_served() {
        let supply = [(0b011, 5), (0b110, 5), (0b001, 1)].into();
        assert_eq!(starving(&[3, 5, 3], &supply), None);
        assert_eq!(starving(&[3, 5, 4], &supply), Some(0b111));
    }
}
