//! Which addresses a spec admits.
//!
//! As text: fields that are a hex number, `*` or empty; what is missing is filled from the left, so that
//! `0a` is a slot and `0a:00` a bus and a slot (Q8). As a table: a regular expression for each part, matched
//! against lower-case digits from their start but not to their end (Q9). The facts are those of Nova 34.

use regex::bytes::{Regex, RegexBuilder};

use super::hex::parse_number;
use super::word::Word;
use crate::pci::address::PciAddress;

/// The four parts, as the table form names them.
const PARTS: [&str; 4] = ["domain", "bus", "slot", "function"];
const MAX_BUS: u32 = 0xff;
const MAX_SLOT: u32 = 0x1f;
const MAX_FUNCTION: u32 = 7;
/// Bytes of an expression, and of what it is compiled to.
const LONGEST_EXPRESSION: usize = 1024;
const LARGEST_PROGRAM: usize = 1 << 18;
const DEEPEST_NESTING: u32 = 32;

/// A set of addresses.
#[derive(Clone, Debug)]
pub(super) struct AddressRule {
    domain: Domain,
    bus: Values,
    slot: Values,
    function: Values,
    exact: Option<PciAddress>,
}

/// Wrong, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadAddress {
    /// The part of the table form.
    pub(super) part: Option<&'static str>,
    pub(super) problem: String,
}

#[derive(Clone, Debug)]
enum Domain {
    Any,
    One(u32),
    Like(Regex),
}

/// A set of numbers up to 255: an expression is asked once for each, not once for each function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Values([u64; 4]);

impl AddressRule {
    /// The text form.
    pub(super) fn parse(text: &str) -> Result<Self, BadAddress> {
        let (left, function) = text.split_once('.').unwrap_or((text, ""));
        let mut fields: Vec<&str> = left.split(':').collect();
        if fields.len() > 3 {
            return Err(bad("there is more than domain:bus:slot before the `.`"));
        }
        while fields.len() < 3 {
            fields.insert(0, "*");
        }
        let field = |at: usize, max| number_or_any(fields.get(at).copied().unwrap_or("*"), max, at);
        let (domain, bus, slot) = (field(0, u32::MAX)?, field(1, MAX_BUS)?, field(2, MAX_SLOT)?);
        let function = number_or_any(function, MAX_FUNCTION, 3)?;
        Ok(Self {
            domain: domain.map_or(Domain::Any, Domain::One),
            bus: Values::one_or_all(bus),
            slot: Values::one_or_all(slot),
            function: Values::one_or_all(function),
            exact: exact(domain, bus, slot, function),
        })
    }

    /// The table form.
    pub(super) fn of_table(table: &[(Box<str>, Word)]) -> Result<Self, BadAddress> {
        if let Some((key, _)) = table.iter().find(|(key, _)| !PARTS.contains(&&**key)) {
            let key = Word::text(key);
            return Err(bad(&format!("an address has no part {key}, only {}", PARTS.join(", "))));
        }
        let [domain, bus, slot, function] = PARTS.map(|part| expression(table, part));
        let (domain, bus, slot, function) = (domain?, bus?, slot?, function?);
        Ok(Self {
            bus: Values::like(bus.as_ref(), MAX_BUS, 2),
            slot: Values::like(slot.as_ref(), MAX_SLOT, 2),
            function: Values::like(function.as_ref(), MAX_FUNCTION, 1),
            domain: domain.map_or(Domain::Any, Domain::Like),
            exact: exact_text(table),
        })
    }

    /// Whether it admits every address.
    pub(super) fn is_any(&self) -> bool {
        matches!(self.domain, Domain::Any)
            && [self.bus, self.slot, self.function] == [Values::ALL; 3]
    }

    /// The one address that it spells out, if it does: of a PF it admits the VFs too.
    pub(super) fn exact(&self) -> Option<PciAddress> {
        self.exact
    }

    /// Whether bus, slot and function are admitted.
    pub(super) fn admits_below_domain(&self, address: PciAddress) -> bool {
        let (_, bus, slot, function) = address.parts();
        self.function.has(function) && self.slot.has(slot) && self.bus.has(bus)
    }

    pub(super) fn admits_domain(&self, domain: u32) -> bool {
        match &self.domain {
            Domain::Any => true,
            Domain::One(one) => *one == domain,
            Domain::Like(expression) => starts_with(expression, &format!("{domain:04x}")),
        }
    }

    /// Whether it admits every address that the other does; false where that is not known.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let domain = match (&self.domain, &other.domain) {
            (Domain::Any, _) => true,
            (_, Domain::One(one)) => self.admits_domain(*one),
            (Domain::Like(mine), Domain::Like(other)) => mine.as_str() == other.as_str(),
            (Domain::One(_) | Domain::Like(_), _) => false,
        };
        domain
            && self.bus.covers(other.bus)
            && self.slot.covers(other.slot)
            && self.function.covers(other.function)
    }

    /// Whether some address is admitted by both, as far as that is known.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let domain = match (&self.domain, &other.domain) {
            (Domain::One(one), _) => other.admits_domain(*one),
            (_, Domain::One(one)) => self.admits_domain(*one),
            (Domain::Any | Domain::Like(_), Domain::Any | Domain::Like(_)) => true,
        };
        domain
            && self.bus.meets(other.bus)
            && self.slot.meets(other.slot)
            && self.function.meets(other.function)
    }
}

fn bad(problem: &str) -> BadAddress {
    BadAddress { part: None, problem: problem.to_owned() }
}

fn number_or_any(field: &str, max: u32, part: usize) -> Result<Option<u32>, BadAddress> {
    let field = field.trim();
    if field.is_empty() || field == "*" {
        return Ok(None);
    }
    parse_number(field, max).map(Some).ok_or_else(|| {
        let part = PARTS.get(part).copied().unwrap_or_default();
        bad(&format!(
            "its {part} {} should be a hex number up to {max:x}, or `*`",
            Word::text(field)
        ))
    })
}

fn exact(
    domain: Option<u32>,
    bus: Option<u32>,
    slot: Option<u32>,
    function: Option<u32>,
) -> Option<PciAddress> {
    let (domain, bus, slot, function) = (domain?, bus?, slot?, function?);
    format!("{domain:04x}:{bus:02x}:{slot:02x}.{function}").parse().ok()
}

/// The parts of a table, when each is spelled out as an address has it.
fn exact_text(table: &[(Box<str>, Word)]) -> Option<PciAddress> {
    let [domain, bus, slot, function] = PARTS.map(|part| match find(table, part) {
        Some(Word::Text(text)) => Some(text),
        _ => None,
    });
    format!("{}:{}:{}.{}", domain?, bus?, slot?, function?).parse().ok()
}

fn find<'a>(table: &'a [(Box<str>, Word)], part: &str) -> Option<&'a Word> {
    table.iter().find(|(key, _)| **key == *part).map(|(_, word)| word)
}

/// The expression of a part; none when it admits everything.
fn expression(table: &[(Box<str>, Word)], part: &'static str) -> Result<Option<Regex>, BadAddress> {
    let wrong = |problem: String| BadAddress { part: Some(part), problem };
    let text = match find(table, part) {
        None => return Ok(None),
        Some(Word::Text(text)) => text,
        Some(other) => {
            return Err(wrong(format!(
                "is {other}: a regular expression is text, such as \"0[0-3]\""
            )));
        }
    };
    if text.is_empty() || **text == *".*" {
        return Ok(None);
    }
    compile(text).map(Some).map_err(wrong)
}

fn compile(text: &str) -> Result<Regex, String> {
    let shown = Word::text(text);
    if text.len() > LONGEST_EXPRESSION {
        return Err(format!("is {shown}, longer than {LONGEST_EXPRESSION} bytes"));
    }
    RegexBuilder::new(text)
        .unicode(false)
        .size_limit(LARGEST_PROGRAM)
        .nest_limit(DEEPEST_NESTING)
        .build()
        .map_err(|error| format!("is {shown}, and {}", why_not(&error)))
}

/// In one line; what Python takes and this does not is named.
fn why_not(error: &regex::Error) -> String {
    let said = error.to_string();
    let last = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
    if said.contains("look-around") {
        return "look-around such as (?=..) or (?!..) is not taken: say what to match instead"
            .into();
    }
    if said.contains("backreferences") {
        return "backreferences are not taken".into();
    }
    match error {
        regex::Error::CompiledTooBig(_) => "it is too large when compiled".into(),
        _ => format!("it is no regular expression: {last}"),
    }
}

/// Whether a match begins with the text; `find` gives the leftmost one.
fn starts_with(expression: &Regex, text: &str) -> bool {
    expression.find(text.as_bytes()).is_some_and(|found| found.start() == 0)
}

impl Values {
    const ALL: Self = Self([u64::MAX; 4]);

    fn one_or_all(number: Option<u32>) -> Self {
        number.map_or(Self::ALL, |number| Self::of(|value| u32::from(value) == number))
    }

    fn like(expression: Option<&Regex>, max: u32, digits: usize) -> Self {
        let Some(expression) = expression else { return Self::ALL };
        Self::of(|value| {
            u32::from(value) <= max && starts_with(expression, &format!("{value:0digits$x}"))
        })
    }

    fn of(has: impl Fn(u8) -> bool) -> Self {
        let mut words = [0; 4];
        for value in (0..=u8::MAX).filter(|value| has(*value)) {
            if let Some(word) = words.get_mut(usize::from(value / 64)) {
                *word |= 1_u64 << (value % 64);
            }
        }
        Self(words)
    }

    fn has(self, value: u8) -> bool {
        let word = self.0.get(usize::from(value / 64)).copied().unwrap_or_default();
        word >> (value % 64) & 1 == 1
    }

    fn covers(self, other: Self) -> bool {
        self.0.iter().zip(other.0).all(|(mine, others)| others & !mine == 0)
    }

    fn meets(self, other: Self) -> bool {
        self.0.iter().zip(other.0).any(|(mine, others)| mine & others != 0)
    }
}
