//! Device specs: the operator's rules for which PCI functions may be handed out, and what is said of them.
//!
//! The facts are Nova's (`[pci]device_spec`, Nova 34); where Nova crashes or guesses, this
//! refuses, naming the key. What Nova asks of sysfs is answered from the functions that were observed.

mod address;
mod comparing;
mod hex;
mod matching;
mod tags;
#[cfg(test)]
mod tests;
mod word;

use std::sync::Arc;

pub use self::matching::Function;
pub use self::word::Word;

use self::address::{AddressRule, BadAddress};
use self::hex::parse_id;
use super::device::Tags;
use super::pattern::is_true;

/// One spec: what a function must be, and the tags that it then has.
#[derive(Clone, Debug)]
pub struct Spec {
    vendor: Option<u16>,
    product: Option<u16>,
    place: Place,
    /// Remote-managed: only what has a serial number, and of a named PF only the VFs (Q11).
    remote_managed: bool,
    tags: Tags,
}

/// The specs of one configuration, in order: the first that admits a function counts.
#[derive(Clone, Debug, Default)]
pub struct Specs {
    specs: Vec<Spec>,
}

/// One key of a spec that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecProblem {
    /// The key; a part of an address with a dot.
    pub key: String,
    /// Such as `is "zz": ...`.
    pub problem: String,
}

#[derive(Clone, Debug)]
enum Place {
    Anywhere,
    At(AddressRule),
    /// Where this network device is.
    Netdev(Arc<str>),
}

impl Spec {
    /// Read the keys of one spec; what is not a key of its own is a tag.
    ///
    /// Every key that is wrong is told, not only the first.
    pub fn parse(entry: &[(Box<str>, Word)]) -> Result<Self, Vec<SpecProblem>> {
        let mut draft = Draft::default();
        let mut problems = Vec::new();
        for (key, word) in entry {
            if let Err(found) = draft.take(key, word) {
                problems.push(found);
            }
        }
        if draft.address.is_some() && draft.devname.is_some() {
            let problem = "cannot stand beside address: either of them says where".into();
            problems.push(SpecProblem { key: "devname".into(), problem });
        }
        if problems.is_empty() { Ok(draft.finished()) } else { Err(problems) }
    }

    /// What the devices that it admits are said to have; booleans as `true` and `false`.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }
}

/// A spec that is being read.
#[derive(Debug, Default)]
struct Draft {
    vendor: Option<u16>,
    product: Option<u16>,
    address: Option<AddressRule>,
    devname: Option<Arc<str>>,
    remote_managed: bool,
    tags: Tags,
}

impl Draft {
    fn take(&mut self, key: &str, word: &Word) -> Result<(), SpecProblem> {
        let wrong = |problem: String| SpecProblem { key: key.to_owned(), problem };
        match key {
            "vendor_id" => self.vendor = id(word).map_err(wrong)?,
            "product_id" => self.product = id(word).map_err(wrong)?,
            "address" => self.address = address(word)?,
            "devname" => self.devname = devname(word).map_err(wrong)?,
            tag => {
                self.remote_managed |= tag == "remote_managed" && is_truthy(word);
                tags::add(&mut self.tags, tag, word).map_err(wrong)?;
            }
        }
        Ok(())
    }

    fn finished(self) -> Spec {
        let at = self.address.filter(|rule| !rule.is_any()).map(Place::At);
        let place = at.or(self.devname.map(Place::Netdev)).unwrap_or(Place::Anywhere);
        let Self { vendor, product, remote_managed, tags, .. } = self;
        Spec { vendor, product, place, remote_managed, tags }
    }
}

fn id(word: &Word) -> Result<Option<u16>, String> {
    let wanted = "a hex id up to ffff as text, such as \"8086\", or \"*\"";
    match word {
        Word::Text(text) if text.trim() == "*" => Ok(None),
        Word::Text(text) => {
            parse_id(text).map(Some).ok_or_else(|| format!("is {word}: should be {wanted}"))
        }
        other => Err(format!("is {other}: should be {wanted}")),
    }
}

/// The rule if one is given; empty text and an empty table are none.
fn address(word: &Word) -> Result<Option<AddressRule>, SpecProblem> {
    let parsed = match word {
        Word::Null => return Ok(None),
        Word::Text(text) if text.is_empty() => return Ok(None),
        Word::Table(table) if table.is_empty() => return Ok(None),
        Word::Text(text) => AddressRule::parse(text),
        Word::Table(table) => AddressRule::of_table(table),
        _ => Err(BadAddress {
            part: None,
            problem: "should be text such as \"0000:41:00.*\", or a table of domain, bus, slot and function"
                .into(),
        }),
    };
    parsed.map(Some).map_err(|BadAddress { part, problem }| match part {
        Some(part) => SpecProblem { key: format!("address.{part}"), problem },
        None => SpecProblem { key: "address".into(), problem: format!("is {word}: {problem}") },
    })
}

fn devname(word: &Word) -> Result<Option<Arc<str>>, String> {
    match word {
        Word::Null => Ok(None),
        Word::Text(name) => Ok(Some(Arc::from(&**name)).filter(|name: &Arc<str>| !name.is_empty())),
        other => {
            Err(format!("is {other}: should be the name of a network device, such as \"ens1f0\""))
        }
    }
}

/// The lax boolean of `remote_managed`: what is not plainly true is false.
fn is_truthy(word: &Word) -> bool {
    match word {
        Word::Bool(value) => *value,
        Word::Text(text) | Word::Number(text) => is_true(text),
        Word::Null | Word::List | Word::Table(_) => false,
    }
}
