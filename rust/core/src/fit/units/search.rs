//! The search for the places of all units.

use crate::fit::devices::{Chosen, is_possible};
use crate::fit::plan::Plan;
use crate::fit::steps::Steps;
use crate::fit::trial::{Taken, Trial};
use crate::fit::units::Wanted;
use crate::fit::units::likeness::Likeness;
use crate::fit::units::places::Place;
use crate::misfit::Undecided;
use crate::pci::Slot;

/// One search; what it takes stays taken in the trial when it finds a place for every unit.
pub(super) struct Search<'a, 'b, 'c> {
    wanted: &'a [Wanted],
    likeness: &'a Likeness,
    plan: &'a Plan<'b>,
    trial: &'a mut Trial<'c>,
    steps: &'a mut Steps,
    chosen: Chosen,
    /// What was chosen so far, the last choice on top. A request may want thousands of units, so that
    /// they are no frames of the stack.
    choices: Vec<Choice>,
    /// Something was given back.
    turned_back: bool,
}

/// Where a search is: which part, how many of its units are placed, which place, how many of them are
/// there, which function of the next one.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    part: usize,
    done: u64,
    place: usize,
    here: u64,
    function: usize,
}

#[derive(Debug)]
enum Choice {
    /// Of the place of a unit; `next` is to be tried next.
    Place { at: Position, next: usize },
    /// Of one function of a unit.
    Function { at: Position, tried: Vec<Slot>, taken: Option<Taken> },
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Way {
    Unit(Position),
    Function(Position),
    Back,
    Done,
}

impl<'a, 'b, 'c> Search<'a, 'b, 'c> {
    pub(super) fn new(
        (wanted, likeness): (&'a [Wanted], &'a Likeness),
        plan: &'a Plan<'b>,
        trial: &'a mut Trial<'c>,
        steps: &'a mut Steps,
    ) -> Self {
        let (chosen, choices) = (Chosen::new(), Vec::new());
        Self { wanted, likeness, plan, trial, steps, chosen, choices, turned_back: false }
    }

    /// The functions of all units, or none when they cannot be had beside the rest of the request.
    pub(super) fn all(mut self) -> Result<Option<Chosen>, Undecided> {
        let mut way = Way::Unit(Position::default());
        loop {
            way = match way {
                Way::Unit(at) => self.next_unit(at)?,
                Way::Function(at) => self.next_function(at)?,
                Way::Back => match self.choices.pop() {
                    Some(choice) => self.choose_again(choice)?,
                    None => return Ok(None),
                },
                Way::Done => return Ok(Some(self.chosen)),
            }
        }
    }

    /// Units of one part are alike, so that each goes to the place of the one before or a later one.
    /// What cannot be had beside the units that are placed cannot be had beside more of them either.
    fn next_unit(&mut self, at: Position) -> Result<Way, Undecided> {
        let wants_more = self.plan.wants.iter().any(|want| want.left > 0);
        if wants_more && !is_possible(self.plan, self.trial, self.steps)? {
            return Ok(Way::Back);
        }
        let Some(wanted) = self.wanted.get(at.part) else { return Ok(Way::Done) };
        if at.done >= wanted.count {
            let part = at.part.saturating_add(1);
            return Ok(Way::Unit(Position { part, ..Position::default() }));
        }
        self.choose_again(Choice::Place { at, next: at.place.max(wanted.open_from) })
    }

    fn next_function(&mut self, at: Position) -> Result<Way, Undecided> {
        self.step()?;
        let is_whole = self.place(at).and_then(|place| place.candidates(at.function)).is_none();
        if is_whole {
            let (done, here) = (at.done.saturating_add(1), at.here.saturating_add(1));
            return Ok(Way::Unit(Position { done, here, ..at }));
        }
        self.choose_again(Choice::Function { at, tried: Vec::new(), taken: None })
    }

    fn choose_again(&mut self, choice: Choice) -> Result<Way, Undecided> {
        match choice {
            Choice::Place { at, next } => self.choose_place(at, next),
            Choice::Function { at, tried, taken } => Ok(self.choose_function(at, tried, taken)),
        }
    }

    /// Where even all places from here on have too little, no later one is looked at.
    fn choose_place(&mut self, at: Position, next: usize) -> Result<Way, Undecided> {
        let Some(wanted) = self.wanted.get(at.part) else { return Ok(Way::Back) };
        for place in next..wanted.places.len() {
            let here = if place == at.place { at.here } else { 0 };
            let missing = wanted.count.saturating_sub(at.done).saturating_add(here);
            if missing > wanted.room_from(place) {
                break;
            }
            if self.is_open(wanted, place) {
                self.choices.push(Choice::Place { at, next: place.saturating_add(1) });
                return Ok(Way::Function(Position { place, here, function: 0, ..at }));
            }
            self.step()?;
        }
        Ok(Way::Back)
    }

    fn is_open(&self, wanted: &Wanted, place: usize) -> bool {
        let place = wanted.places.get(place);
        place.is_some_and(|place| place.capacity(|slot| self.trial.is_free(slot)) > 0)
    }

    /// Take the next candidate after giving back the one before.
    fn choose_function(&mut self, at: Position, mut tried: Vec<Slot>, taken: Option<Taken>) -> Way {
        if let Some(taken) = taken {
            self.turned_back = true;
            self.chosen.pop();
            self.trial.give_back(taken);
        }
        let Some(slot) = self.candidate(at, &tried) else { return Way::Back };
        tried.push(slot);
        let taken = Some(self.trial.take(slot));
        let request = self.wanted.get(at.part).map_or(0, |wanted| wanted.request);
        self.chosen.push((slot, request));
        self.choices.push(Choice::Function { at, tried, taken });
        Way::Function(Position { function: at.function.saturating_add(1), ..at })
    }

    /// The first one that is unlike all that were tried.
    fn candidate(&self, at: Position, tried: &[Slot]) -> Option<Slot> {
        let candidates = self.place(at)?.candidates(at.function)?;
        let after = self.last_of_same_member(at).max(tried.last().copied());
        let catalogue = self.trial.index().catalogue();
        let is_new =
            |slot: &Slot| !tried.iter().any(|other| self.likeness.same(catalogue, *other, *slot));
        let mut left = candidates.iter().copied().filter(|slot| Some(*slot) > after);
        left.find(|slot| self.trial.is_free(*slot) && is_new(slot))
    }

    /// The functions of one member are alike, so that each comes after the one before.
    fn last_of_same_member(&self, at: Position) -> Option<Slot> {
        let place = self.place(at)?;
        let before = place.candidates(at.function.checked_sub(1)?);
        let same = before == place.candidates(at.function);
        self.chosen.last().filter(|_| same).map(|(slot, _)| *slot)
    }

    fn place(&self, at: Position) -> Option<&'a Place> {
        self.wanted.get(at.part)?.places.get(at.place)
    }

    /// The way straight to the places is as long as the answer and is only looked at; what comes after
    /// something was given back is searched.
    fn step(&mut self) -> Result<(), Undecided> {
        if self.turned_back {
            return self.steps.search();
        }
        self.steps.look();
        Ok(())
    }
}
