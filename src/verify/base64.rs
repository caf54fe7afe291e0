//! Base64 (RFC 4648, 4) as messages carry it: with line breaks, and strict in everything else.

/// Decodes base64 in which XML white space may stand anywhere: whole groups, right padding, no spare bits.
///
/// None for anything else, and for nothing at all.
pub fn decode_spaced(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    // A plain fold, which the compiler turns into vector instructions: `any` would look at byte after byte.
    let spaced = bytes.iter().fold(false, |any, b| any | b.is_ascii_whitespace());
    let decoded = if spaced {
        let packed: Vec<u8> = bytes.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        base64_simd::STANDARD.decode_to_vec(packed)
    } else {
        base64_simd::STANDARD.decode_to_vec(bytes)
    };
    decoded.ok().filter(|out| !out.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_but_for_white_space() {
        assert_eq!(decode_spaced("aGVq").as_deref(), Some(&b"hej"[..]));
        assert_eq!(decode_spaced("\n aG\r\nVq\t").as_deref(), Some(&b"hej"[..]));
        for bad in
            ["", " ", "aGV", "aGVqaA", "aGVqaB==", "aGVq=", "aGVq====", "aG-q", "aGVqå", "aGVq.", "aGV\u{0b}q\u{0}"]
        {
            assert_eq!(decode_spaced(bad), None, "{bad:?}");
        }
    }
}
