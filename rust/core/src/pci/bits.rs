//! A set of small numbers, a bit for each.

use std::ops::Range;

const WORD: usize = 64;

/// A set of numbers below a size that it is made with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn none_of(size: usize) -> Self {
        Self(vec![0; size.div_ceil(WORD)])
    }

    pub(crate) fn contains(&self, number: usize) -> bool {
        let (word, bit) = position(number);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Whether it was not there.
    pub(crate) fn insert(&mut self, number: usize) -> bool {
        let (word, bit) = position(number);
        let Some(word) = self.0.get_mut(word) else { return false };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, number: usize) -> bool {
        let (word, bit) = position(number);
        let Some(word) = self.0.get_mut(word) else { return false };
        let was_there = *word & bit != 0;
        *word &= !bit;
        was_there
    }

    /// The lowest number that is not below this one.
    pub(crate) fn next_from(&self, from: usize) -> Option<usize> {
        self.within(from..usize::MAX).next()
    }

    pub(crate) fn within(&self, range: Range<usize>) -> Within<'_> {
        let end = range.end.min(number(self.0.len(), 0));
        Within { words: &self.0, range: range.start..end }
    }
}

/// The numbers of a range, ascending.
pub(crate) struct Within<'a> {
    words: &'a [u64],
    range: Range<usize>,
}

impl Iterator for Within<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while !self.range.is_empty() {
            let (word, bit) = position(self.range.start);
            let from_here = self.words.get(word)? & bit.wrapping_neg();
            if from_here != 0 {
                let next = number(word, from_here.trailing_zeros());
                self.range.start = next.saturating_add(1);
                return (next < self.range.end).then_some(next);
            }
            self.range.start = number(word.saturating_add(1), 0);
        }
        None
    }
}

impl DoubleEndedIterator for Within<'_> {
    fn next_back(&mut self) -> Option<usize> {
        while !self.range.is_empty() {
            let last = self.range.end.saturating_sub(1);
            let (word, bit) = position(last);
            let up_to_here = self.words.get(word)? & (bit | bit.wrapping_sub(1));
            if let Some(highest) = up_to_here.checked_ilog2() {
                let next = number(word, highest);
                self.range.end = next;
                return (next >= self.range.start).then_some(next);
            }
            self.range.end = number(word, 0);
        }
        None
    }
}

/// The word that holds a number, and its bit in it.
fn position(number: usize) -> (usize, u64) {
    let bit = u32::try_from(number % WORD).unwrap_or(0);
    (number / WORD, 1_u64.wrapping_shl(bit))
}

fn number(word: usize, bit: u32) -> usize {
    word.saturating_mul(WORD).saturating_add(usize::try_from(bit).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::Bits;

    proptest! {
        #[test]
        fn it_is_a_set(
            numbers in btree_set(0_usize..300, 0..40),
            gone in btree_set(0_usize..300, 0..40),
            (from, to) in (0_usize..330, 0_usize..330),
        ) {
            let mut bits = Bits::none_of(300);
            prop_assert!(numbers.iter().all(|it| bits.insert(*it) && !bits.insert(*it)));
            for number in &gone {
                prop_assert_eq!(bits.remove(*number), numbers.contains(number));
            }
            let left: BTreeSet<usize> = numbers.difference(&gone).copied().collect();
            prop_assert!((0..330).all(|it| bits.contains(it) == left.contains(&it)));
            let here: Vec<usize> = left.iter().copied().filter(|it| (from..to).contains(it)).collect();
            prop_assert_eq!(bits.within(from..to).collect::<Vec<_>>(), here.clone());
            let mut back: Vec<usize> = bits.within(from..to).rev().collect();
            back.reverse();
            prop_assert_eq!(back, here);
            prop_assert_eq!(bits.next_from(from), left.range(from..).next().copied());
        }
    }

    #[test]
    fn both_ends_meet() {
        let mut bits = Bits::none_of(200);
        assert!([3, 70, 150].into_iter().all(|it| bits.insert(it)));
        let mut all = bits.within(0..200);
        assert_eq!((all.next(), all.next_back(), all.next()), (Some(3), Some(150), Some(70)));
        assert_eq!((all.next(), all.next_back()), (None, None));
    }
}
