//! Errors of the core as exceptions of `innkeeper.errors`, where they are written.

use innkeeper_core as inner;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTypeInfo, import_exception};

use crate::values::{Misfit, Nearest};

import_exception!(innkeeper.errors, BadConfig);
import_exception!(innkeeper.errors, BadRequest);
import_exception!(innkeeper.errors, ClaimConflict);
import_exception!(innkeeper.errors, InternalError);
import_exception!(innkeeper.errors, NoFit);
import_exception!(innkeeper.errors, Undecided);
import_exception!(innkeeper.errors, UnknownClaim);

/// The codes of the exceptions above, sorted.
pub(crate) fn codes() -> Vec<&'static str> {
    vec![
        "claim_conflict",
        "internal",
        "invalid_config",
        "invalid_request",
        "no_fit",
        "undecided",
        "unknown_claim",
    ]
}

/// An error of the core that has an exception of its own.
pub(crate) trait Raise {
    fn raise(self, py: Python<'_>) -> PyErr;
}

impl Raise for inner::BookError {
    fn raise(self, py: Python<'_>) -> PyErr {
        match self {
            Self::NoFit(refusal) => refusal.raise(py),
            Self::Undecided(spent) => spent.raise(py),
            Self::ClaimConflict(conflict) => conflict.raise(py),
        }
    }
}

impl Raise for inner::UpdateError {
    fn raise(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Refused(refusal) => refusal.raise(py),
            Self::NotBooked { .. } => build::<UnknownClaim>(py, &self.to_string(), |_| Ok(())),
            Self::OtherCells { .. } => bad_request(self),
        }
    }
}

impl Raise for inner::Refusal {
    fn raise(self, py: Python<'_>) -> PyErr {
        match self {
            Self::NoFit(refusal) => refusal.raise(py),
            Self::Undecided(spent) => spent.raise(py),
        }
    }
}

impl Raise for Box<inner::NoFit> {
    fn raise(self, py: Python<'_>) -> PyErr {
        build::<NoFit>(py, &self.to_string(), |details| {
            let reasons: Vec<Misfit> = self.reasons.iter().map(Misfit::from).collect();
            details.set_item("reasons", PyTuple::new(py, reasons)?)?;
            details.set_item("nearest", Nearest::from(&self.nearest))
        })
    }
}

impl Raise for inner::Undecided {
    fn raise(self, py: Python<'_>) -> PyErr {
        build::<Undecided>(py, &self.to_string(), |details| {
            details.set_item("steps", self.steps)?;
            details.set_item("limit", self.limit)
        })
    }
}

impl Raise for inner::ClaimConflict {
    fn raise(self, py: Python<'_>) -> PyErr {
        build::<ClaimConflict>(py, &self.to_string(), |details| {
            details.set_item("claim_id", self.claim.as_str())
        })
    }
}

impl Raise for inner::TotalsBroken {
    fn raise(self, _py: Python<'_>) -> PyErr {
        internal(&self.to_string())
    }
}

/// The words of the caller are wrong.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
pub(crate) fn bad_request(message: impl ToString) -> PyErr {
    BadRequest::new_err(message.to_string())
}

/// A field of a request is wrong; the details name it.
pub(crate) fn bad_field(py: Python<'_>, path: &str, message: &str) -> PyErr {
    build::<BadRequest>(py, message, |details| {
        let error = PyDict::new(py);
        error.set_item("path", path)?;
        error.set_item("message", message)?;
        details.set_item("errors", [error])
    })
}

/// The words of the operator are wrong; the details say where.
pub(crate) fn bad_config(
    py: Python<'_>,
    message: &str,
    fill: impl FnOnce(&Bound<'_, PyDict>) -> PyResult<()>,
) -> PyErr {
    build::<BadConfig>(py, message, fill)
}

/// A bug.
pub(crate) fn internal(message: &str) -> PyErr {
    InternalError::new_err(message.to_owned())
}

fn build<E: PyTypeInfo>(
    py: Python<'_>,
    message: &str,
    fill: impl FnOnce(&Bound<'_, PyDict>) -> PyResult<()>,
) -> PyErr {
    let details = PyDict::new(py);
    let built = fill(&details).and_then(|()| E::type_object(py).call((message,), Some(&details)));
    built.map_or_else(|error| error, PyErr::from_value)
}
