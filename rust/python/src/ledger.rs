//! The ledger behind a lock that is held for one decision and never while Python is called.

use std::sync::{Arc, Mutex, MutexGuard};

use innkeeper_core as inner;
use pyo3::prelude::*;

use crate::convert;
use crate::errors::{Raise, internal};
use crate::values::{Difference, Placement, Pool, Tally, Usage};

/// The book of claims of one host; all methods are atomic and none blocks.
#[pyclass(frozen, module = "innkeeper._core")]
#[derive(Debug)]
pub(crate) struct Ledger(Mutex<Observed>);

/// The ledger, and the devices of its inventory as Python holds them: the same tuple is not read again.
#[derive(Debug)]
struct Observed {
    ledger: inner::Ledger,
    devices: Py<PyAny>,
}

/// The ledger at one generation; immutable, safe to use from another thread.
#[pyclass(frozen, module = "innkeeper._core")]
#[derive(Debug)]
pub(crate) struct Snapshot(inner::Snapshot);

impl Ledger {
    /// Decide one thing; the lock is free again before anything is made of the answer.
    fn with<T>(&self, decide: impl FnOnce(&mut inner::Ledger) -> T) -> PyResult<T> {
        Ok(decide(&mut self.lock()?.ledger))
    }

    /// Count on a copy that shares everything: a claim need not wait for it.
    fn counting<T: Send>(
        &self,
        py: Python<'_>,
        request: &Bound<'_, PyAny>,
        limit: Option<&Bound<'_, PyAny>>,
        count: impl FnOnce(&mut inner::Ledger, &inner::Request, u64) -> Result<T, inner::Undecided>
        + Send,
    ) -> PyResult<T> {
        let request = convert::request(request)?;
        let limit = limit.map_or(Ok(10_000), |limit| convert::amount(limit, "limit", 0))?;
        let mut as_it_is = self.with(|ledger| ledger.clone())?;
        answer(py, py.detach(|| count(&mut as_it_is, &request, limit)))
    }

    fn lock(&self) -> PyResult<MutexGuard<'_, Observed>> {
        self.0
            .lock()
            .map_err(|_| internal("a decision of this ledger panicked; restart the process"))
    }

    /// Read an inventory, of which only what changed may cost time.
    fn read(
        &self,
        object: &Bound<'_, PyAny>,
        devices: &Bound<'_, PyAny>,
    ) -> PyResult<inner::Inventory> {
        let known = {
            let observed = self.lock()?;
            observed.devices.is(devices).then(|| Arc::clone(observed.ledger.inventory()))
        };
        match known {
            Some(known) => Ok(convert::without_devices(object)?.with_devices_of(&known)),
            None => convert::inventory(object),
        }
    }
}

/// An answer of the core, or its error as an exception.
fn answer<T, E: Raise>(py: Python<'_>, result: Result<T, E>) -> PyResult<T> {
    result.map_err(|error| error.raise(py))
}

#[pymethods]
impl Ledger {
    #[new]
    fn new(inventory: &Bound<'_, PyAny>) -> PyResult<Self> {
        let ledger = inner::Ledger::new(convert::inventory(inventory)?);
        let devices = convert::devices_of(inventory)?.unbind();
        Ok(Self(Mutex::new(Observed { ledger, devices })))
    }

    /// Counts the changes of this ledger.
    #[getter]
    fn generation(&self) -> PyResult<u64> {
        self.with(|ledger| ledger.generation())
    }

    /// Search steps that the last decision took.
    #[getter]
    fn steps(&self) -> PyResult<u64> {
        self.with(|ledger| ledger.steps())
    }

    /// Take over stored bookings as they are, fit or not; an audit names what does not.
    fn restore(&self, py: Python<'_>, bookings: &Bound<'_, PyAny>) -> PyResult<()> {
        let bookings = convert::bookings(bookings)?;
        answer(py, py.detach(|| self.with(|ledger| ledger.restore(bookings)))?)
    }

    /// Hold what the request asks for, or change nothing.
    fn book(
        &self,
        py: Python<'_>,
        claim_id: &str,
        request: &Bound<'_, PyAny>,
    ) -> PyResult<Placement> {
        let (claim, request) = (convert::claim_id(claim_id)?, convert::request(request)?);
        answer(py, self.with(|ledger| ledger.book(claim, &request))?).map(|held| (&*held).into())
    }

    /// Give back what a claim holds; false when it holds nothing.
    fn unbook(&self, claim_id: &str) -> PyResult<bool> {
        self.with(|ledger| ledger.unbook(&claim_id.into()))
    }

    /// What a claim holds.
    fn placement(&self, claim_id: &str) -> PyResult<Option<Placement>> {
        let held = self.with(|ledger| ledger.placement(&claim_id.into()).cloned())?;
        Ok(held.map(|held| (&*held).into()))
    }

    /// Every booked claim, sorted.
    fn claim_ids(&self) -> PyResult<Vec<String>> {
        self.with(|ledger| ledger.claims().map(ToString::to_string).collect())
    }

    /// The dry run of `book`: the same answer, no change.
    fn fit(&self, py: Python<'_>, request: &Bound<'_, PyAny>) -> PyResult<Placement> {
        let request = convert::request(request)?;
        answer(py, self.with(|ledger| ledger.fit(&request))?).map(|placement| (&placement).into())
    }

    /// Whether it would fit if nothing were booked.
    fn could_fit(&self, py: Python<'_>, request: &Bound<'_, PyAny>) -> PyResult<bool> {
        let request = convert::request(request)?;
        answer(py, self.with(|ledger| ledger.could_fit(&request))?)
    }

    /// How many such requests would fit one after another, at most `limit`.
    #[pyo3(signature = (request, limit = None), text_signature = "($self, request, limit=10000)")]
    fn count(
        &self,
        py: Python<'_>,
        request: &Bound<'_, PyAny>,
        limit: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u64> {
        self.counting(py, request, limit, inner::Ledger::count)
    }

    /// `count`, with what runs out first.
    #[pyo3(signature = (request, limit = None), text_signature = "($self, request, limit=10000)")]
    fn tally(
        &self,
        py: Python<'_>,
        request: &Bound<'_, PyAny>,
        limit: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Tally> {
        self.counting(py, request, limit, inner::Ledger::tally).map(Tally::from)
    }

    /// What a claim would hold if it asked for this instead, where it is; until `settle` it holds both.
    fn update(
        &self,
        py: Python<'_>,
        claim_id: &str,
        request: &Bound<'_, PyAny>,
    ) -> PyResult<Placement> {
        let (claim, request) = (convert::claim_id(claim_id)?, convert::request(request)?);
        answer(py, self.with(|ledger| ledger.update(&claim, &request))?).map(|held| (&held).into())
    }

    /// Let a claim hold exactly this.
    fn settle(&self, py: Python<'_>, claim_id: &str, placement: &Bound<'_, PyAny>) -> PyResult<()> {
        let (claim, placement) = (convert::claim_id(claim_id)?, convert::placement(placement)?);
        answer(py, self.with(|ledger| ledger.settle(&claim, placement))?)
    }

    /// Take the host's new inventory; bookings stay. False when nothing changed.
    fn observe(&self, inventory: &Bound<'_, PyAny>) -> PyResult<bool> {
        let devices = convert::devices_of(inventory)?;
        let inventory = self.read(inventory, &devices)?;
        let mut observed = self.lock()?;
        let before = std::mem::replace(&mut observed.devices, devices.unbind());
        let changed = observed.ledger.observe(inventory);
        drop(observed);
        // Thousands of objects may end with it: not under the lock.
        drop(before);
        Ok(changed)
    }

    /// The sums over all bookings, beside what the host offers.
    fn usage(&self) -> PyResult<Usage> {
        self.with(|ledger| ledger.usage()).map(Usage::from)
    }

    /// Devices by pool, sorted.
    fn pools(&self) -> PyResult<Vec<Pool>> {
        Ok(self.with(|ledger| ledger.pools())?.into_iter().map(Pool::from).collect())
    }

    /// The ledger as it is now, for as long as it is wanted.
    fn snapshot(&self) -> PyResult<Snapshot> {
        self.with(|ledger| ledger.snapshot()).map(Snapshot)
    }
}

#[pymethods]
impl Snapshot {
    /// The generation of the ledger that it shows.
    #[getter]
    fn generation(&self) -> u64 {
        self.0.generation()
    }

    /// Compare every booking with what is stored, and the bookings with the inventory.
    fn audit(&self, py: Python<'_>, stored: &Bound<'_, PyAny>) -> PyResult<Vec<Difference>> {
        let stored = convert::bookings(stored)?.into_iter().collect();
        let differences = answer(py, py.detach(|| self.0.audit(&stored)))?;
        Ok(differences.into_iter().map(Difference::from).collect())
    }

    /// The sums over all bookings, beside what the host offers.
    fn usage(&self) -> Usage {
        self.0.usage().into()
    }

    /// Devices by pool, sorted.
    fn pools(&self) -> Vec<Pool> {
        self.0.pools().into_iter().map(Pool::from).collect()
    }
}
