//! Hexadecimal numbers of the operator: plain or with `0x`, blanks around them; no sign, no `_` (Q6).

/// The number, up to `max`.
pub(super) fn parse_number(text: &str, max: u32) -> Option<u32> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let number = if digits.is_empty() { Some(0) } else { u32::from_str_radix(digits, 16).ok() };
    number.filter(|number| *number <= max)
}

/// A vendor or product id.
pub(super) fn parse_id(text: &str) -> Option<u16> {
    parse_number(text, u16::MAX.into()).and_then(|id| u16::try_from(id).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{parse_id, parse_number};

    #[test]
    fn plain_hex_and_0x_are_numbers() {
        for (text, number) in [
            ("8086", 0x8086),
            ("0x8086", 0x8086),
            ("0X10DE", 0x10de),
            ("10DE", 0x10de),
            ("86", 0x86),
            (" 8086 ", 0x8086),
            ("0", 0),
            ("0x0", 0),
            ("000000000000008086", 0x8086),
            ("ffff", 0xffff),
        ] {
            assert_eq!(parse_id(text), Some(number), "{text}");
        }
    }

    #[test]
    fn signs_underscores_and_other_digits_are_none() {
        for text in [
            "", " ", "0x", "+86", "-1", "80_86", "0x_86", "0x+86", "zz", "10000", "８０", "8 0",
            "8.0",
        ] {
            assert_eq!(parse_id(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_number_or_none(text in ".*", max in any::<u32>()) {
            prop_assert!(parse_number(&text, max).is_none_or(|number| number <= max));
        }

        #[test]
        fn what_is_written_is_read(number in any::<u16>(), zeros in 0..9usize) {
            prop_assert_eq!(parse_id(&format!("0x{}{number:x}", "0".repeat(zeros))), Some(number));
        }
    }
}
