//! Where a PCI function is: domain, bus, slot, function.

use std::fmt;
use std::str::FromStr;

/// A PCI address; ordered by number, not as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    slot: u8,
    function: u8,
}

/// Text that names no PCI thing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct PciError {
    text: String,
    expected: &'static str,
}

impl PciError {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}

impl PciAddress {
    /// Domain, bus, slot and function.
    pub(crate) fn parts(self) -> (u32, u8, u8, u8) {
        (self.domain, self.bus, self.slot, self.function)
    }

    /// The card that it is a function of, by bus and device number.
    pub(crate) fn without_function(self) -> (u64, u64) {
        let bus = u64::from(self.domain) << 8 | u64::from(self.bus);
        (bus, u64::from(self.slot))
    }

    /// A number of its own.
    pub(crate) fn number(self) -> u64 {
        let (bus, slot) = self.without_function();
        bus << 8 | slot << 3 | u64::from(self.function)
    }

    fn parse(text: &str) -> Option<Self> {
        let (domain, rest) = text.split_at_checked(text.len().checked_sub(BELOW_DOMAIN)?)?;
        let &[b':', b1, b2, b':', s1, s2, b'.', function] = rest.as_bytes() else { return None };
        let address = Self {
            domain: parse_hex(domain, 4..=8)?,
            bus: byte(b1, b2)?,
            slot: byte(s1, s2)?,
            function: digit(function)?,
        };
        (address.slot < 32 && address.function < 8).then_some(address)
    }
}

/// Bytes of an address after its domain: `:41:10.2`.
const BELOW_DOMAIN: usize = 8;

fn byte(high: u8, low: u8) -> Option<u8> {
    Some(digit(high)? << 4 | digit(low)?)
}

/// The value of a lower-case hex digit.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => byte.checked_sub(b'0'),
        b'a'..=b'f' => byte.checked_sub(b'a')?.checked_add(10),
        _ => None,
    }
}

/// Lower-case hex of a given length, nothing else.
pub(crate) fn parse_hex(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !lower || !digits.contains(&text.len()) {
        return None;
    }
    u32::from_str_radix(text, 16).ok()
}

impl FromStr for PciAddress {
    type Err = PciError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).ok_or_else(|| PciError::new(text, "a PCI address such as `0000:41:10.2`"))
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, slot, function } = self;
        write!(out, "{domain:04x}:{bus:02x}:{slot:02x}.{function}")
    }
}

#[cfg(test)]
mod tests {
    use super::PciAddress;

    fn at(text: &str) -> PciAddress {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_keep_their_text() {
        for text in ["0000:00:00.0", "0000:41:1f.7", "10000:e1:00.0", "ffffffff:ff:1f.7"] {
            assert_eq!(at(text).to_string(), text);
        }
    }

    #[test]
    fn order_is_by_number() {
        assert!(at("ffff:00:00.0") < at("10000:00:00.0"));
        assert!(at("0000:0a:00.0") < at("0000:10:00.0"));
        assert!(at("0000:00:01.7") < at("0000:00:02.0"));
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "0000:00:00",
            "0000:00:20.0",
            "0000:00:00.8",
            "0000:00:00.0 ",
            "000:00:00.0",
            "0000:00:00.0:0",
            "0000:0g:00.0",
            "0000:0A:00.0",
            "100000000:00:00.0",
            "0000:+1:00.0",
        ] {
            assert!(text.parse::<PciAddress>().is_err(), "{text}");
        }
    }
}
