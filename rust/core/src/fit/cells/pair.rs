//! One guest cell on one host cell, judged for itself.

use crate::cpuset::CpuList;
use crate::fit::cells::ask::{Ask, Guest};
use crate::fit::cells::cpus::{self, Take};
use crate::fit::cells::lack::Lack;
use crate::fit::cells::memory::{self, Pages, free_of};
use crate::fit::cells::view::View;
use crate::misfit::MisfitCode;
use crate::topology::{GuestCell, PlacedCell};

/// How the one is put on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) pages: Pages,
    take: Option<Take>,
}

impl Pair {
    /// Whether it fits, in the order in which Nova 34 asks.
    pub(super) fn judge(ask: &Ask, guest: &Guest, view: &View<'_>) -> Result<Self, Lack> {
        let lack = |code, asked, free| {
            if asked <= free { Ok(()) } else { Err(Lack::new(code, asked, free)) }
        };
        if view.cell.cordoned.is_some() {
            return Err(Lack::new(MisfitCode::CellCordoned, 1, 0));
        }
        let pages = memory::pages(ask, guest, view)?;
        // An instance may not overcommit against itself, whatever the ratio.
        let (total, held) = (view.cell.shared_count(), view.held.shared_vcpus);
        lack(MisfitCode::InsufficientVcpus, guest.shared, total)?;
        let take = if ask.has_dedicated { cpus::plan(ask, guest, view)? } else { None };
        let free = free_of(total, held, ask.vcpu_ratio);
        lack(MisfitCode::InsufficientVcpus, guest.shared, free)?;
        Ok(Self { pages, take })
    }

    /// What it holds.
    pub(super) fn place(&self, guest: &Guest, words: &GuestCell, view: &View<'_>) -> PlacedCell {
        let seats = self.take.map(|take| take.choose(view, &words.dedicated, guest.has_emulator));
        let seats = seats.unwrap_or_default();
        let floats = !words.shared.is_empty();
        PlacedCell {
            cell: view.cell.id,
            shared: words.shared.clone(),
            cpus: if floats { view.cell.shared().clone() } else { CpuList::default() },
            pins: seats.pins,
            emulator: seats.emulator,
            charged: seats.charged,
            memory_mib: guest.memory_mib,
            page_kib: self.pages.size_kib,
            pages: self.pages.count,
        }
    }
}
