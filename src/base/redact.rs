//! Numbers that may be somebody's, taken out of what operators read.
//!
//! What is told of a message names what stood in it: an issuer, an algorithm, a reference. A message that nobody has
//! signed may hold anything there, also the number of a person.

use std::borrow::Cow;

/// What stands in the place of a number.
const MASK: &str = "[number]";

/// `text` without anything that could be a personal or coordination number: ten digits or more in a row, or six or
/// eight, a separator and four (`19500626-2546`, and with `+` for those over a hundred).
pub fn numbers(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut kept, mut at) = (0, 0);
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    while at < bytes.len() {
        let first = digits(at);
        if first == 0 {
            at += 1;
            continue;
        }
        let separated =
            matches!(first, 6 | 8) && matches!(bytes.get(at + first), Some(b'-' | b'+')) && digits(at + first + 1) == 4;
        let end = at + first + if separated { 5 } else { 0 };
        if separated || first >= 10 {
            // Digits are ASCII: both ends are boundaries.
            out.push_str(text.get(kept..at).unwrap_or_default());
            out.push_str(MASK);
            kept = end;
        }
        at = end;
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_somebodys_number_is_masked_and_nothing_else() {
        for (text, expect) in [
            ("", ""),
            ("195006262546", "[number]"),
            ("the issuer is \"https://x.example/195006262546\"", "the issuer is \"https://x.example/[number]\""),
            ("19500626-2546", "[number]"),
            ("500626-2546, 500626+2546", "[number], [number]"),
            ("5006262546", "[number]"),
            ("åäö195006262546åäö", "åäö[number]åäö"),
            ("#_195006262546_10c6e6c2", "#_[number]_10c6e6c2"),
            ("19500626-25460", "19500626-25460"),
            ("valid until 2026-11-26T06:40:12.123456Z", "valid until 2026-11-26T06:40:12.123456Z"),
            ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"),
            ("262144 bytes at the most", "262144 bytes at the most"),
            ("20261126", "20261126"),
        ] {
            assert_eq!(numbers(text), expect);
        }
    }
}
