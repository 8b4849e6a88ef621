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
    /// Those of these networks that a cell is close to, by their numbers here; the tunnel network has the
    /// number 0, physical ones follow by name.
    pub(crate) fn near(&self, cell: &Self) -> Vec<usize> {
        let tunnel = (self.tunneled && cell.tunneled).then_some(0);
        let named = self.physnets.iter().enumerate();
        let near = named.filter(|(_, name)| cell.physnets.contains(*name));
        tunnel.into_iter().chain(near.map(|(number, _)| number.saturating_add(1))).collect()
    }
}
