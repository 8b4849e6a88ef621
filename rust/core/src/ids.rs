//! Names of things, each a type of its own, cheap to copy.

use std::fmt;
use std::sync::Arc;

/// The id of a claim, as its owner writes it; ordered as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimId(Arc<str>);

/// The operator's name for a counter, such as `slots`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterName(Arc<str>);

macro_rules! name {
    ($kind:ident) => {
        impl $kind {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $kind {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    };
}

name!(ClaimId);
name!(CounterName);
