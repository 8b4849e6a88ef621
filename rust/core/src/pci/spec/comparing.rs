//! Which specs stand in each other's way, as far as that is known without a host.

use super::{Place, Spec, Specs};

impl Specs {
    /// Specs that no function reaches, since an earlier one admits all that they do: (earlier, later).
    pub fn unreachable(&self) -> Vec<(usize, usize)> {
        self.later()
            .filter_map(|(at, spec)| {
                let earlier = self.specs.iter().take(at).position(|one| one.covers(spec));
                earlier.map(|earlier| (earlier, at))
            })
            .collect()
    }

    /// Specs of which neither admits all that the other does, and which yet may admit the same function:
    /// (earlier, later). The earlier one has it.
    pub fn overlaps(&self) -> Vec<(usize, usize)> {
        let pairs = self.later().flat_map(|(at, later)| {
            let met = move |(_, one): &(usize, &Spec)| {
                one.meets(later) && !one.covers(later) && !later.covers(one)
            };
            self.specs
                .iter()
                .enumerate()
                .take(at)
                .filter(met)
                .map(move |(earlier, _)| (earlier, at))
        });
        pairs.collect()
    }

    fn later(&self) -> impl Iterator<Item = (usize, &Spec)> {
        self.specs.iter().enumerate().skip(1)
    }
}

impl Spec {
    /// Whether every function that the other admits is admitted; false where that is not known.
    fn covers(&self, other: &Self) -> bool {
        let id = |mine: Option<u16>, others: Option<u16>| mine.is_none() || mine == others;
        id(self.vendor, other.vendor)
            && id(self.product, other.product)
            && (!self.remote_managed || other.remote_managed)
            && self.place.covers(&other.place)
    }

    /// Whether some function may be admitted by both, as far as that is known without the host.
    fn meets(&self, other: &Self) -> bool {
        let id = |mine: Option<u16>, others: Option<u16>| {
            mine.is_none() || others.is_none() || mine == others
        };
        id(self.vendor, other.vendor)
            && id(self.product, other.product)
            && self.place.meets(&other.place)
    }
}

impl Place {
    /// An address that is spelled out may turn out to be a PF's, and stands for its VFs then.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Anywhere, _) => true,
            (Self::At(mine), Self::At(others)) => match (mine.exact(), others.exact()) {
                (Some(mine), Some(others)) => mine == others,
                (None, None) => mine.covers(others),
                _ => false,
            },
            (Self::Netdev(mine), Self::Netdev(others)) => mine == others,
            _ => false,
        }
    }

    /// Where a network device is, the host alone knows.
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Netdev(mine), Self::Netdev(others)) => mine == others,
            (Self::Netdev(_), _) | (_, Self::Netdev(_)) => false,
            (Self::Anywhere, _) | (_, Self::Anywhere) => true,
            (Self::At(mine), Self::At(others)) => mine.meets(others),
        }
    }
}
