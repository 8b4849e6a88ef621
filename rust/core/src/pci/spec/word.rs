//! Values as the operator wrote them, of whatever kind: what is wrong is told, never assumed.

use std::fmt;

/// A value of a device spec, as JSON and TOML have them.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// JSON's null.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, as it is written.
    Number(Box<str>),
    /// Text.
    Text(Box<str>),
    /// A list; it is never right, so what is in it does not matter.
    List,
    /// An object or table.
    Table(Vec<(Box<str>, Self)>),
}

/// Characters of a value that a message repeats.
const SHOWN: usize = 60;

impl Word {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Display for Word {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Number(digits) => out.write_str(&shortened(digits)),
            Self::Text(text) => write!(out, "{:?}", shortened(text)),
            Self::List => out.write_str("a list"),
            Self::Table(_) => out.write_str("a table"),
        }
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain("...".chars()).collect()
}
