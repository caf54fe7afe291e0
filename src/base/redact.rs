//! Numbers that may be somebody's, taken out of what operators read.
//!
//! What is told of a message names what stood in it: an issuer, an algorithm, a reference. A message that nobody has
//! signed may hold anything there, also the number of a person.

use std::borrow::Cow;

/// What stands in the place of a number.
const MASK: &str = "[number]";

/// What people and programs write between a date of birth and the four digits after it: the hyphen, `+` for those over a
/// hundred, a space, other characters that look like those, and each as an address holds it.
const SEPARATORS: [&str; 15] = [
    "-", "+", " ", "%2D", "%2d", "%2B", "%2b", "%20", "\u{a0}", "\u{2010}", "\u{2011}", "\u{2012}", "\u{2013}",
    "\u{2014}", "\u{2212}",
];

/// `text` without anything that could be a personal or coordination number: ten digits or more in a row, or six or
/// eight, a separator and four (`19500626-2546`).
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
        let after = at + first;
        let rest = text.get(after..).filter(|_| matches!(first, 6 | 8)).unwrap_or_default();
        let separator = SEPARATORS.iter().find(|separator| rest.starts_with(**separator)).map(|found| found.len());
        let separated = separator.filter(|len| digits(after + len) == 4);
        let end = after + separated.map_or(0, |len| len + 4);
        if separated.is_some() || first >= 10 {
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
            ("19500626 2546 and 500626 2546", "[number] and [number]"),
            ("?pnr=19500626%2D2546&x", "?pnr=[number]&x"),
            ("19500626%2d2546 500626%2B2546 500626%2b2546 500626%202546", "[number] [number] [number] [number]"),
            ("500626\u{2013}2546, 19500626\u{a0}2546, 500626\u{2212}2546", "[number], [number], [number]"),
            ("500626%252D2546", "500626%252D2546"),
            ("19500626-", "19500626-"),
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
