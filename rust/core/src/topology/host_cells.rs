//! All cells of a host.

use std::sync::Arc;

use crate::topology::{HostCell, MAX_CPU};

/// The cells of a host, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostCells {
    cells: Vec<HostCell>,
    /// (CPU, cell, position among its threads), by CPU.
    seats: Vec<(u32, usize, usize)>,
}

/// Cells that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCells {
    /// Two cells have one id.
    #[error("cell {0} is listed twice")]
    Twin(i64),
    /// A CPU is in two cells.
    #[error("CPU {0} is in two cells")]
    SharedCpu(u32),
    /// A CPU number that no kernel gives.
    #[error("CPU {0} is above {MAX_CPU}")]
    NoSuchCpu(u32),
}

impl HostCells {
    pub(crate) fn new(mut cells: Vec<HostCell>) -> Result<Arc<Self>, BadCells> {
        cells.sort_by_key(|cell| cell.id);
        if let Some(id) = twin(cells.iter().map(|cell| cell.id)) {
            return Err(BadCells::Twin(id));
        }
        let mut seats: Vec<(u32, usize, usize)> = Vec::new();
        for (number, cell) in cells.iter().enumerate() {
            let threads = cell.threads().iter().enumerate();
            seats.extend(threads.map(|(position, thread)| (thread.cpu, number, position)));
        }
        seats.sort_unstable();
        if let Some(cpu) = twin(seats.iter().map(|seat| seat.0)) {
            return Err(BadCells::SharedCpu(cpu));
        }
        match seats.last() {
            Some((cpu, ..)) if *cpu > MAX_CPU => Err(BadCells::NoSuchCpu(*cpu)),
            _ => Ok(Arc::new(Self { cells, seats })),
        }
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &HostCell> {
        self.cells.iter()
    }

    pub(crate) fn number_of(&self, id: i64) -> Option<usize> {
        self.cells.binary_search_by_key(&id, |cell| cell.id).ok()
    }

    pub(crate) fn get(&self, number: usize) -> Option<&HostCell> {
        self.cells.get(number)
    }

    pub(crate) fn find(&self, id: i64) -> Option<&HostCell> {
        self.get(self.number_of(id)?)
    }

    /// Whether a CPU may be given to one vCPU alone.
    pub(crate) fn is_dedicated(&self, cpu: u32) -> bool {
        let thread = self.seat_of(cpu).and_then(|(cell, position)| {
            self.get(cell).and_then(|cell| cell.threads().get(position))
        });
        thread.is_some_and(|thread| thread.is_dedicated)
    }

    /// (cell, position among its threads) of a CPU.
    pub(crate) fn seat_of(&self, cpu: u32) -> Option<(usize, usize)> {
        let at = self.seats.binary_search_by_key(&cpu, |seat| seat.0).ok()?;
        self.seats.get(at).map(|(_, cell, position)| (*cell, *position))
    }
}

/// The first of neighbours that are equal.
fn twin<T: PartialEq + Copy>(sorted: impl Iterator<Item = T>) -> Option<T> {
    let mut before = None;
    for one in sorted {
        if before == Some(one) {
            return before;
        }
        before = Some(one);
    }
    None
}
