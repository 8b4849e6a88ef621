//! Which pages of a cell a guest cell's memory comes from.
//!
//! Ordinary memory, the smallest pages, and each size of hugepages are counted apart. Only ordinary
//! memory is overcommitted, and only for instances without dedicated vCPUs that ask for no page size.

use crate::amounts::{Ratio, report};
use crate::fit::cells::ask::{Ask, Guest};
use crate::fit::cells::lack::Lack;
use crate::fit::cells::view::View;
use crate::misfit::MisfitCode;
use crate::topology::{PageSize, PageWant};

/// Pages that hold the memory of a guest cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pages {
    /// None where the host lists no sizes.
    pub(super) size_kib: Option<u64>,
    pub(super) count: u64,
    /// MiB that count against the host's ordinary memory.
    pub(super) ordinary_mib: u64,
}

const KIB: u64 = 1024;

pub(super) fn pages(ask: &Ask, guest: &Guest, view: &View<'_>) -> Result<Pages, Lack> {
    match (ask.pages, view.cell.pages.first()) {
        (Some(want), _) => wanted(want, guest, view),
        (None, None) => unlisted(ask, guest, view),
        (None, Some(smallest)) if ask.has_dedicated => {
            first_that_fits(guest, view, [smallest]).map_err(Lack::of_ordinary_memory)
        }
        (None, Some(smallest)) => overcommitted(ask, guest, view, smallest),
    }
}

fn wanted(want: PageWant, guest: &Guest, view: &View<'_>) -> Result<Pages, Lack> {
    let sizes = &view.cell.pages;
    match want {
        PageWant::Small => first_that_fits(guest, view, sizes.iter().take(1)),
        PageWant::Large => first_that_fits(guest, view, sizes.iter().skip(1).rev()),
        PageWant::Any => first_that_fits(guest, view, sizes.iter().rev()),
        PageWant::Kib(size) => {
            first_that_fits(guest, view, sizes.iter().filter(|page| page.size_kib == size))
        }
    }
}

/// The first size of which enough are free; pages are never split between sizes.
fn first_that_fits<'a>(
    guest: &Guest,
    view: &View<'_>,
    sizes: impl IntoIterator<Item = &'a PageSize>,
) -> Result<Pages, Lack> {
    let mut lack = Lack::new(MisfitCode::UnknownPageSize, guest.memory_mib, 0);
    for size in sizes {
        let Some(count) = whole_pages(guest.memory_mib, size.size_kib) else {
            lack = lack.or(Lack::new(MisfitCode::UnevenPages, guest.memory_mib, 0));
            continue;
        };
        let free = free_pages(view, size);
        if count <= free {
            return Ok(Pages::of(view, size, count, guest.memory_mib));
        }
        let free_mib = mib(free, size.size_kib);
        lack = lack.or(Lack::new(MisfitCode::InsufficientPages, guest.memory_mib, free_mib));
    }
    Err(lack)
}

impl Lack {
    /// Said to who asked for no size of pages.
    fn of_ordinary_memory(self) -> Self {
        match self.code {
            MisfitCode::InsufficientPages => Self { code: MisfitCode::InsufficientMemory, ..self },
            _ => self,
        }
    }

    /// The one that is nearer to fitting.
    fn or(self, other: Self) -> Self {
        if self.code == MisfitCode::InsufficientPages && self.free >= other.free {
            self
        } else {
            other
        }
    }
}

/// Ordinary memory, of which more may be promised than there is.
fn overcommitted(
    ask: &Ask,
    guest: &Guest,
    view: &View<'_>,
    size: &PageSize,
) -> Result<Pages, Lack> {
    let Some(count) = whole_pages(guest.memory_mib, size.size_kib) else {
        return Err(Lack::new(MisfitCode::UnevenPages, guest.memory_mib, 0));
    };
    let (total, held) = (size.offered(), view.held.pages(size.size_kib));
    let free = free_of(total, held, ask.memory_ratio);
    if count <= free {
        return Ok(Pages::of(view, size, count, guest.memory_mib));
    }
    Err(Lack::new(MisfitCode::InsufficientMemory, guest.memory_mib, mib(free, size.size_kib)))
}

/// A host that lists no page sizes.
fn unlisted(ask: &Ask, guest: &Guest, view: &View<'_>) -> Result<Pages, Lack> {
    let exact = Some(Ratio::default());
    let ratio = if ask.has_dedicated { exact } else { ask.memory_ratio };
    let free = free_of(view.cell.memory_mib, view.held.memory_mib, ratio);
    if guest.memory_mib <= free {
        return Ok(Pages { size_kib: None, count: 0, ordinary_mib: guest.memory_mib });
    }
    Err(Lack::new(MisfitCode::InsufficientMemory, guest.memory_mib, free))
}

/// What one instance may have: never more than there is at all, however far it is overcommitted.
pub(super) fn free_of(total: u64, held: u128, ratio: Option<Ratio>) -> u64 {
    let left = ratio.map(|ratio| report(u128::from(ratio.apply(total)).saturating_sub(held)));
    left.map_or(total, |left| left.min(total))
}

fn free_pages(view: &View<'_>, size: &PageSize) -> u64 {
    report(u128::from(size.offered()).saturating_sub(view.held.pages(size.size_kib)))
}

pub(super) fn whole_pages(memory_mib: u64, size_kib: u64) -> Option<u64> {
    let kib = memory_mib.saturating_mul(KIB);
    (kib.checked_rem(size_kib)? == 0).then(|| kib.checked_div(size_kib))?
}

fn mib(pages: u64, size_kib: u64) -> u64 {
    pages.saturating_mul(size_kib).checked_div(KIB).unwrap_or(0)
}

impl Pages {
    fn of(view: &View<'_>, size: &PageSize, count: u64, memory_mib: u64) -> Self {
        let is_smallest = view.cell.pages.first().is_some_and(|it| it.size_kib == size.size_kib);
        let ordinary_mib = if is_smallest { memory_mib } else { 0 };
        Self { size_kib: Some(size.size_kib), count, ordinary_mib }
    }
}
