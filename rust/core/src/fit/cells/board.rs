//! Every pair of guest cell and host cell, each judged once.

use crate::fit::Room;
use crate::fit::cells::ask::{Ask, Guest};
use crate::fit::cells::lack::Lack;
use crate::fit::cells::order::order;
use crate::fit::cells::pair::Pair;
use crate::fit::cells::view::View;
use crate::fit::steps::Steps;
use crate::misfit::MisfitCode;
use crate::request::Request;
use crate::topology::GuestTopology;

/// The guest cells of a request against the cells of a host in the order in which they are tried.
#[derive(Clone, Debug)]
pub(super) struct Board<'a> {
    pub(super) ask: Ask,
    pub(super) topology: &'a GuestTopology,
    pub(super) views: Vec<View<'a>>,
    /// Guest cells that ask for the same are judged as one.
    kinds: Vec<Guest>,
    kind_of: Vec<usize>,
    /// By kind, then by host cell.
    verdicts: Vec<Vec<Result<Pair, Lack>>>,
}

impl<'a> Board<'a> {
    pub(super) fn of(
        room: Room<'a>,
        request: &Request,
        topology: &'a GuestTopology,
        steps: &mut Steps,
    ) -> Self {
        let ask = Ask::of(room.inventory, request, topology);
        let held = room.book.held();
        let cells: Vec<_> = held.cells().collect();
        let in_order = order(room, request, topology).into_iter();
        let views: Vec<View<'a>> = in_order
            .filter_map(|number| cells.get(number).copied())
            .map(|(cell, held)| View::of(cell, held, ask.within_l3))
            .collect();
        let mut board = Self {
            ask,
            topology,
            views,
            kinds: Vec::new(),
            kind_of: Vec::new(),
            verdicts: Vec::new(),
        };
        board.judge(steps);
        board
    }

    fn judge(&mut self, steps: &mut Steps) {
        for guest in &self.ask.guests {
            let known = self.kinds.iter().position(|kind| kind == guest);
            let kind = known.unwrap_or(self.kinds.len());
            self.kind_of.push(kind);
            if known.is_none() {
                self.kinds.push(*guest);
                let judge = |view| Pair::judge(&self.ask, guest, view);
                self.verdicts.push(self.views.iter().map(judge).collect());
                self.views.iter().for_each(|_| steps.look());
            }
        }
    }

    pub(super) fn guests(&self) -> usize {
        self.ask.guests.len()
    }

    pub(super) fn hosts(&self) -> usize {
        self.views.len()
    }

    /// How a guest cell is put on a host cell, or why it cannot be.
    pub(super) fn verdict(&self, guest: usize, host: usize) -> Option<&Result<Pair, Lack>> {
        self.verdicts.get(*self.kind_of.get(guest)?)?.get(host)
    }

    pub(super) fn pair(&self, guest: usize, host: usize) -> Option<&Pair> {
        self.verdict(guest, host)?.as_ref().ok()
    }

    /// Why a guest cell fits on none of the host cells, cell by cell; none when it fits somewhere.
    pub(super) fn lacks_of(&self, guest: usize) -> Option<Vec<Lack>> {
        let verdicts = self.verdicts.get(*self.kind_of.get(guest)?)?;
        verdicts.iter().map(|verdict| verdict.as_ref().err().copied()).collect()
    }

    /// Whether two guest cells ask for the same.
    pub(super) fn alike(&self, one: usize, other: usize) -> bool {
        self.kind_of.get(one) == self.kind_of.get(other)
    }

    /// The id of a host cell.
    pub(super) fn cell_id(&self, host: usize) -> Option<i64> {
        self.views.get(host).map(|view| view.cell.id)
    }

    /// Host cells on which any guest cell fits.
    pub(super) fn candidates(&self) -> impl Iterator<Item = usize> {
        let fits = |host: &usize| (0..self.guests()).any(|guest| self.pair(guest, *host).is_some());
        (0..self.hosts()).filter(fits)
    }

    /// The most of a guest cell that could be ordinary memory, in MiB.
    pub(super) fn most_ordinary_mib(&self, guest: usize) -> u64 {
        let pairs = (0..self.hosts()).filter_map(|host| self.pair(guest, host));
        pairs.map(|pair| pair.pages.ordinary_mib).max().unwrap_or(0)
    }

    /// The same board with no room but on these host cells.
    pub(super) fn only_on(&self, hosts: &[usize]) -> Self {
        self.only(|host, _| hosts.contains(&host))
    }

    /// The same board with no room but where nothing of the memory is ordinary.
    pub(super) fn only_on_hugepages(&self) -> Self {
        self.only(|_, pair| pair.pages.ordinary_mib == 0)
    }

    fn only(&self, keeps: impl Fn(usize, &Pair) -> bool) -> Self {
        let mut only = self.clone();
        let elsewhere = Lack::new(MisfitCode::InsufficientCells, 1, 0);
        for (host, verdict) in only.verdicts.iter_mut().flat_map(|it| it.iter_mut().enumerate()) {
            if verdict.as_ref().is_ok_and(|pair| !keeps(host, pair)) {
                *verdict = Err(elsewhere);
            }
        }
        only
    }
}
