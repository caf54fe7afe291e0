//! Which characters XML 1.0 (fifth edition) has, and which of them make names.

/// A byte that may begin a name, among ASCII. The colon is left out: it separates a prefix (Namespaces 1.0, 3).
const START: u8 = 1;
/// A byte that may stand within a name, among ASCII.
const INNER: u8 = 2;
/// A byte beyond ASCII: whether it belongs to a name is for its character to say.
const BEYOND: u8 = 4;

// Evaluated by the compiler: an index out of range would not build.
#[expect(clippy::indexing_slicing)]
const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        if b.is_ascii_alphabetic() || b == b'_' {
            table[i] = STARTS;
        } else if b.is_ascii_digit() || b == b'-' || b == b'.' {
            table[i] = INNER;
        } else if !b.is_ascii() {
            table[i] = BEYOND;
        }
        i += 1;
    }
    table
};

/// What begins a name may also stand within it.
const STARTS: u8 = START | INNER;

/// The class of a byte: the table has a place for each.
#[expect(clippy::indexing_slicing)]
const fn class(b: u8) -> u8 {
    CLASSES[b as usize]
}

/// NameStartChar without the colon (XML 1.0, production 4).
fn is_start(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// NameChar without the colon (XML 1.0, production 4a).
fn is_inner(c: char) -> bool {
    is_start(c) || matches!(c, '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// The length of the NCName that `text` begins with (Namespaces 1.0, production 4); zero when it begins with none.
pub(super) fn ncname_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ascii = match bytes.first().map(|b| class(*b)) {
        Some(STARTS) => bytes.iter().take_while(|b| class(**b) & INNER != 0).count(),
        Some(BEYOND) => 0,
        _ => return 0,
    };
    match bytes.get(ascii) {
        Some(b) if class(*b) == BEYOND => ncname_len_beyond(text, ascii),
        _ => ascii,
    }
}

/// The same from `at` on, where the first character beyond ASCII stands: rare, so decoded one by one.
#[cold]
fn ncname_len_beyond(text: &str, mut at: usize) -> usize {
    for c in text.get(at..).unwrap_or_default().chars() {
        if !(if at == 0 { is_start(c) } else { is_inner(c) }) {
            break;
        }
        at += c.len_utf8();
    }
    at
}

/// Equality of names. They are short, some hundreds are compared for one message, and a call into the C library costs
/// more than the comparison.
#[inline]
pub(super) fn same(a: &str, b: &str) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let ((a, a_rest), (b, b_rest)) = (a.as_bytes().as_chunks::<8>(), b.as_bytes().as_chunks::<8>());
    let words = a.iter().zip(b).all(|(a, b)| u64::from_le_bytes(*a) == u64::from_le_bytes(*b));
    words && a_rest.iter().zip(b_rest).all(|(a, b)| a == b)
}

/// Whether `text` is an NCName as a whole.
pub(in crate::verify) fn is_ncname(text: &str) -> bool {
    !text.is_empty() && ncname_len(text) == text.len()
}

/// Char (XML 1.0, production 2).
pub(super) const fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

/// The offset of the first character that is no Char; none when all are.
///
/// Over valid UTF-8 these are the control characters below space, and U+FFFE and U+FFFF (EF BF BE, EF BF BF).
pub(super) fn first_non_char(bytes: &[u8]) -> Option<usize> {
    // A plain fold over each block: the compiler turns it into vector instructions.
    const BLOCK: usize = 256;
    let suspicious = |b: u8| (b < 0x20 && b != b'\t' && b != b'\n' && b != b'\r') || b == 0xEF;
    let mut offset = 0;
    for block in bytes.chunks(BLOCK) {
        if block.iter().fold(false, |any, b| any | suspicious(*b)) {
            for (i, b) in block.iter().enumerate() {
                let at = offset + i;
                let bad = if *b == 0xEF {
                    matches!(bytes.get(at + 1..at + 3), Some([0xBF, 0xBE | 0xBF]))
                } else {
                    suspicious(*b)
                };
                if bad {
                    return Some(at);
                }
            }
        }
        offset += block.len();
    }
    None
}

/// White space (XML 1.0, production 3).
pub(super) const fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_the_fifth_edition() {
        for (text, len) in [
            ("a", 1),
            ("_a-1.b:c", 6),
            ("é2", 3),
            ("-a", 0),
            ("1a", 0),
            (":a", 0),
            ("", 0),
            ("a\u{B7}", 3),
            ("\u{B7}", 0),
            ("a×", 1),
            ("\u{10000}x", 5),
        ] {
            assert_eq!(ncname_len(text), len, "{text}");
        }
    }

    #[test]
    fn characters_that_xml_lacks_are_found() {
        assert_eq!(first_non_char("å\t\r\n \u{7f}\u{85}\u{FFFD}\u{FEFF}".as_bytes()), None);
        assert_eq!(first_non_char("ab\u{0}".as_bytes()), Some(2));
        assert_eq!(first_non_char("ab\u{1F}".as_bytes()), Some(2));
        assert_eq!(first_non_char("é\u{FFFE}".as_bytes()), Some(2));
        assert_eq!(first_non_char("é\u{FFFF}".as_bytes()), Some(2));
        let far = "a".repeat(300) + "\u{8}";
        assert_eq!(first_non_char(far.as_bytes()), Some(300));
    }
}
