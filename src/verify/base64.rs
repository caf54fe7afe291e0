//! Base64 (RFC 4648, 4) as messages carry it: with line breaks, and strict in everything else. And base64url, strict
//! throughout, as tokens have it.

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

/// Decodes base64url (RFC 7515, 2): no padding, no white space, no spare bits. Nothing decodes to nothing.
///
/// None for anything else.
pub fn decode_url(text: &[u8]) -> Option<Vec<u8>> {
    base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_has_one_form_for_each_content() {
        for (text, bytes) in [("", &b""[..]), ("aGVq", b"hej"), ("aGU", b"he"), ("aA", b"h"), ("_-8", b"\xff\xef")] {
            assert_eq!(decode_url(text.as_bytes()).as_deref(), Some(bytes), "{text:?}");
        }
        for bad in [
            "a", "aGVqa", "aB", "aGVqaGV", "aGU=", "aA==", "aGVq=", "/+8", "aGVq ", " aGVq", "aG\nVq", "aGVq\n",
            "aGVq\0", "a.Vq", "aGVå", "aGV,",
        ] {
            assert_eq!(decode_url(bad.as_bytes()), None, "{bad:?}");
        }
    }

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
