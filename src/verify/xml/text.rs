//! Character data: references, line ends and attribute-value normalisation (XML 1.0: 2.11, 3.3.3, 4.1, 4.6).

use std::borrow::Cow;

use super::names::is_char;
use crate::verify::{Reason, Reject};

/// Checks the reference that begins at the `&` that `text` begins with; returns its character and its length in bytes.
pub(super) fn reference(text: &str) -> Result<(char, usize), Reject> {
    // The longest that is any good is `&#x0010FFFF;`; leading zeros beyond that are nobody's habit.
    let window = text.as_bytes().get(..text.len().min(16)).unwrap_or_default();
    let end = memchr::memchr(b';', window)
        .ok_or_else(|| Reject::new(Reason::XmlMalformed, "'&' that begins no reference"))?;
    let name = text.get(1..end).unwrap_or_default();
    let c = if let Some(number) = name.strip_prefix('#') {
        let (digits, radix) = match number.strip_prefix('x') {
            Some(hex) => (hex, 16),
            None => (number, 10),
        };
        // `from_str_radix` would take a sign.
        if digits.is_empty() || !digits.chars().all(|d| d.is_digit(radix)) {
            return Err(Reject::new(Reason::XmlMalformed, "a malformed character reference"));
        }
        let code = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32).filter(|c| is_char(*c));
        code.ok_or_else(|| Reject::new(Reason::XmlBadCharacter, "a reference to a character that XML does not have"))?
    } else {
        match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "apos" => '\'',
            "quot" => '"',
            _ if super::names::is_ncname(name) => {
                return Err(Reject::new(
                    Reason::XmlUnknownEntity,
                    "a reference to an entity that XML does not declare",
                ));
            }
            _ => return Err(Reject::new(Reason::XmlMalformed, "'&' that begins no reference")),
        }
    };
    Ok((c, end + 1))
}

/// How a value is normalised.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// References expanded, line ends made `\n`.
    Text,
    /// Line ends made `\n`, references left alone: CDATA and comments.
    Raw,
    /// References expanded, every literal white-space character made a space.
    Attribute,
}

/// The normalised value of `raw`, whose references the reader has checked.
pub(super) fn normalise(raw: &str, mode: Mode) -> Cow<'_, str> {
    let bytes = raw.as_bytes();
    let plain = |b: &u8| match mode {
        Mode::Text => *b != b'&' && *b != b'\r',
        Mode::Raw => *b != b'\r',
        Mode::Attribute => !matches!(b, b'&' | b'\r' | b'\n' | b'\t'),
    };
    let Some(first) = bytes.iter().position(|b| !plain(b)) else { return Cow::Borrowed(raw) };
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    let mut next = first;
    loop {
        let (run, tail) = rest.split_at(next);
        out.push_str(run);
        rest = match tail.as_bytes().first() {
            None => return Cow::Owned(out),
            Some(b'&') => match reference(tail) {
                Ok((c, len)) => {
                    out.push(c);
                    tail.get(len..).unwrap_or_default()
                }
                // The reader checked every reference: this arm is not reached, and would leave the text as it stands.
                Err(_) => {
                    out.push('&');
                    tail.get(1..).unwrap_or_default()
                }
            },
            Some(b'\r') => {
                out.push(if mode == Mode::Attribute { ' ' } else { '\n' });
                tail.strip_prefix("\r\n").unwrap_or_else(|| tail.get(1..).unwrap_or_default())
            }
            Some(_) => {
                out.push(' ');
                tail.get(1..).unwrap_or_default()
            }
        };
        next = rest.as_bytes().iter().position(|b| !plain(b)).unwrap_or(rest.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_normalised_as_xml_says() {
        for (raw, mode, value) in [
            ("a\r\nb\rc\nd", Mode::Text, "a\nb\nc\nd"),
            ("a&#13;&#xA;&lt;&amp;lt;", Mode::Text, "a\r\n<&lt;"),
            ("a\r\n&amp;", Mode::Raw, "a\n&amp;"),
            ("a\r\nb\tc\nd&#9;e&#10;f&#13;", Mode::Attribute, "a b c d\te\nf\r"),
            ("&#x1F600;&quot;&apos;&gt;", Mode::Attribute, "😀\"'>"),
        ] {
            assert_eq!(normalise(raw, mode), value, "{raw:?}");
        }
    }

    #[test]
    fn references_that_are_none() {
        for (text, reason) in [
            ("&", Reason::XmlMalformed),
            ("& ;", Reason::XmlMalformed),
            ("&;", Reason::XmlMalformed),
            ("&#;", Reason::XmlMalformed),
            ("&#x;", Reason::XmlMalformed),
            ("&#X41;", Reason::XmlMalformed),
            ("&#+65;", Reason::XmlMalformed),
            ("&#6 5;", Reason::XmlMalformed),
            ("&#0;", Reason::XmlBadCharacter),
            ("&#xD800;", Reason::XmlBadCharacter),
            ("&#xFFFE;", Reason::XmlBadCharacter),
            ("&#x110000;", Reason::XmlBadCharacter),
            ("&#99999999999;", Reason::XmlBadCharacter),
            ("&nbsp;", Reason::XmlUnknownEntity),
        ] {
            assert_eq!(reference(text).map_err(|r| r.reason()), Err(reason), "{text}");
        }
    }
}
