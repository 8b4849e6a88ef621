//! What a spec says of the devices that it admits.

use std::sync::Arc;

use super::word::Word;
use crate::pci::device::Tags;
use crate::pci::pattern::is_true;

/// Properties that a pool has of itself: a tag of this name would hide them (Q12).
const OF_THE_POOL: [&str; 10] = [
    "numa_node",
    "dev_type",
    "count",
    "devices",
    "parent_ifname",
    "parent_addr",
    "cell",
    "kind",
    "rp_uuid",
    "rp_uuids",
];
/// Strict booleans (Nova 34).
const BOOLEANS: [&str; 3] = ["managed", "live_migratable", "one_time_use"];
/// For Placement only; devices do not have them.
const OF_PLACEMENT: [&str; 2] = ["resource_class", "traits"];
const LONGEST: usize = 255;
const MOST: usize = 64;

/// Take one key as a tag.
pub(super) fn add(tags: &mut Tags, key: &str, word: &Word) -> Result<(), String> {
    if OF_THE_POOL.contains(&key) {
        return Err(format!("is no tag: {key} is what a pool has of itself"));
    }
    if key.is_empty() || key.chars().count() > LONGEST || key.chars().any(char::is_control) {
        return Err(format!("is no name of a tag: 1 to {LONGEST} printable characters"));
    }
    let value = value_of(key, word)?;
    if tags.len() >= MOST {
        return Err(format!("is one tag too many: {MOST} are the most"));
    }
    if !OF_PLACEMENT.contains(&key) {
        tags.insert(key.into(), value.map(Arc::from));
    }
    Ok(())
}

/// Texts stay, booleans become `true` and `false` on every side (Q24), and nothing has a structure.
fn value_of(key: &str, word: &Word) -> Result<Option<String>, String> {
    let text = match word {
        Word::Null => return Ok(None),
        Word::Bool(value) => value.to_string(),
        Word::Number(digits) => digits.to_string(),
        Word::Text(text) => text.to_string(),
        Word::List | Word::Table(_) => {
            return Err(format!("is {word}: a tag is text, a number, true, false or null"));
        }
    };
    if BOOLEANS.contains(&key) {
        return boolean(&text)
            .map(|value| Some(value.to_string()))
            .ok_or_else(|| format!("is {word}: neither true nor false"));
    }
    if text.chars().count() > LONGEST {
        return Err(format!("is {word}, longer than {LONGEST} characters"));
    }
    Ok(Some(text))
}

/// As `oslo.utils` reads a boolean strictly.
fn boolean(text: &str) -> Option<bool> {
    let no = ["0", "f", "false", "off", "n", "no"];
    if is_true(text) {
        return Some(true);
    }
    no.iter().any(|word| word.eq_ignore_ascii_case(text.trim())).then_some(false)
}
