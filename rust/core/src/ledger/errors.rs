//! Why a ledger did not change.

use crate::ids::ClaimId;
use crate::misfit::{NoFit, Refusal, Undecided};

/// The claim id is booked already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("claim {claim} is booked already; unbook it first or use another claim id")]
pub struct ClaimConflict {
    /// Which.
    pub claim: ClaimId,
}

/// Why a claim was not booked; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// It does not fit.
    #[error(transparent)]
    NoFit(Box<NoFit>),
    /// It is not known whether it fits.
    #[error(transparent)]
    Undecided(Undecided),
    /// The claim id is booked already.
    #[error(transparent)]
    ClaimConflict(#[from] ClaimConflict),
}

/// Why a claim does not hold something else now; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// It does not fit.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such claim.
    #[error("claim {claim} is not booked")]
    NotBooked {
        /// Which.
        claim: ClaimId,
    },
    /// Cells cannot be added or taken while an instance runs.
    #[error("claim {claim} has {held} guest cells and cannot have {asked} while it runs")]
    OtherCells {
        /// Which.
        claim: ClaimId,
        /// Guest cells that it has.
        held: usize,
        /// Guest cells that are asked for.
        asked: usize,
    },
}

impl From<Refusal> for BookError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoFit(reasons) => Self::NoFit(reasons),
            Refusal::Undecided(spent) => Self::Undecided(spent),
        }
    }
}
