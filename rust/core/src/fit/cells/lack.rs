//! Why one guest cell does not fit on one host cell.

use crate::misfit::MisfitCode;

/// The first constraint that fails, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    pub(super) code: MisfitCode,
    pub(super) asked: u64,
    pub(super) free: u64,
}

impl Lack {
    pub(super) fn new(code: MisfitCode, asked: u64, free: u64) -> Self {
        Self { code, asked, free }
    }
}
