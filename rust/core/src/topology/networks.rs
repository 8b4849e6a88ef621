//! Networks that cells are close to (Nova since Rocky).

use std::collections::BTreeSet;
use std::sync::Arc;

/// Networks of a cell, or that an instance wants to be close to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// Physical networks by name.
    pub physnets: BTreeSet<Arc<str>>,
    /// The network that tunnels run over.
    pub tunneled: bool,
}

impl Networks {
    pub(crate) fn is_empty(&self) -> bool {
        self.physnets.is_empty() && !self.tunneled
    }

    /// Whether an instance on the chosen cells is close to what it wants; a network that no cell of the
    /// host is said to be close to is near to all.
    pub(crate) fn are_near<'a>(
        &self,
        chosen: &(impl Iterator<Item = &'a Self> + Clone),
        host: &(impl Iterator<Item = &'a Self> + Clone),
    ) -> bool {
        let near = |name: &Arc<str>| {
            let has = |cell: &Self| cell.physnets.contains(name);
            chosen.clone().any(has) || !host.clone().any(has)
        };
        let tunnels = |cell: &Self| cell.tunneled;
        let tunneled = !self.tunneled || chosen.clone().any(tunnels) || !host.clone().any(tunnels);
        tunneled && self.physnets.iter().all(near)
    }
}
