//! One normal form of a path: what is decided on is what is forwarded (T46).

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A path that has more than one reading. It is refused: which reading the e-service takes, we cannot know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// It does not begin with a slash.
    #[error("does not begin with '/'")]
    NotAbsolute,
    /// A `.` or `..` segment, plain or encoded.
    #[error("holds a '.' or '..' segment")]
    Dots,
    /// Two slashes in a row.
    #[error("holds '//'")]
    EmptySegment,
    /// A character that must not stand in a path, or that readers treat in different ways: `\`, `;`, `#`, `?`, controls,
    /// anything beyond ASCII.
    #[error("holds a character that is not taken")]
    Character,
    /// A `%` without two hexadecimal digits.
    #[error("holds a malformed percent-encoding")]
    Encoding,
    /// An encoding that hides a separator or a control: `%2F`, `%5C`, `%25`, `%00`…
    #[error("encodes a separator, a '%' or a control character")]
    Hidden,
    /// Encoded bytes that are no UTF-8. Lenient decoders read `%C0%AF` as a slash.
    #[error("encodes bytes that are no UTF-8")]
    NotUtf8,
}

/// The marks that may stand in a path as they are: unreserved ones, sub-delims but `;`, and `:` and `@` (RFC 3986, 3.3).
const fn is_plain(b: u8) -> bool {
    matches!(
        b,
        b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@'
    )
}

/// The normal form of a path: characters that need no encoding decoded, other encodings in upper case (RFC 3986, 6.2.2).
///
/// # Errors
/// [`BadPath`] for a path that two readers could take for two paths.
pub fn normal_path(raw: &str) -> Result<Cow<'_, str>, BadPath> {
    if !raw.starts_with('/') {
        return Err(BadPath::NotAbsolute);
    }
    let bytes = raw.as_bytes();
    let mut out: Option<String> = None;
    let mut at = 0;
    // Whether a segment may be empty or of dots. In nearly all paths none can be.
    let (mut odd, mut after_slash) = (false, false);
    while let Some(b) = bytes.get(at).copied() {
        match b {
            b'%' => {
                let hex = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
                let (Some(high), Some(low)) = (hex(at + 1), hex(at + 2)) else { return Err(BadPath::Encoding) };
                let decoded = (high * 16 + low) as u8;
                // A decoded '%' is how one layer hides an encoding from another; a ';' cuts paths in Java containers.
                if decoded < 0x20 || decoded == 0x7f || matches!(decoded, b'/' | b'\\' | b'%' | b';' | b'?' | b'#') {
                    return Err(BadPath::Hidden);
                }
                let text = out.get_or_insert_with(|| raw.get(..at).unwrap_or_default().to_owned());
                // What may stand in a path as it is stands as it is: `%40admin` and `@admin` are one name to servers.
                if decoded.is_ascii_alphanumeric() || is_plain(decoded) {
                    text.push(char::from(decoded));
                } else {
                    text.push_str(&format!("%{decoded:02X}"));
                }
                at += 3;
                continue;
            }
            b'/' => {}
            _ if b.is_ascii_alphanumeric() || is_plain(b) => {}
            _ => return Err(BadPath::Character),
        }
        odd |= b == b'.' || (b == b'/' && after_slash);
        after_slash = b == b'/';
        if let Some(text) = &mut out {
            text.push(char::from(b));
        }
        at += 1;
    }
    let normal = match out {
        Some(text) => {
            let decoded = percent_decode_str(&text).decode_utf8().map_err(|_| BadPath::NotUtf8)?;
            if decoded.contains(|c: char| c.is_control() || looks_like_a_separator(c)) {
                return Err(BadPath::Hidden);
            }
            if decoded.split('/').any(looks_like_dots) {
                return Err(BadPath::Dots);
            }
            drop(decoded);
            Cow::Owned(text)
        }
        None if !odd => return Ok(Cow::Borrowed(raw)),
        None => Cow::Borrowed(raw),
    };
    let mut segments = normal.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." | ".." => return Err(BadPath::Dots),
            "" if segments.peek().is_some() => return Err(BadPath::EmptySegment),
            _ => {}
        }
    }
    Ok(normal)
}

/// Whether a reader that brings letters beyond ASCII into their plain form (Unicode's NFKC, Windows' best fit) takes `c`
/// for a separator, a `%`, or more than one letter with one of them in it.
const fn looks_like_a_separator(c: char) -> bool {
    matches!(
        c,
        '\u{37e}' | '\u{2044}' | '\u{2047}'
            ..='\u{2049}'
                | '\u{2100}'
                | '\u{2101}'
                | '\u{2105}'
                | '\u{2106}'
                | '\u{2215}'
                | '\u{2216}'
                | '\u{fe14}'
                | '\u{fe16}'
                | '\u{fe54}'
                | '\u{fe56}'
                | '\u{fe5f}'
                | '\u{fe68}'
                | '\u{fe6a}'
                | '\u{ff03}'
                | '\u{ff05}'
                | '\u{ff0f}'
                | '\u{ff1b}'
                | '\u{ff1f}'
                | '\u{ff3c}'
    )
}

/// For how many dots such a reader takes `c`.
const fn dots(c: char) -> usize {
    match c {
        '.' | '\u{2024}' | '\u{fe52}' | '\u{ff0e}' => 1,
        '\u{2025}' | '\u{fe30}' => 2,
        '\u{2026}' | '\u{fe19}' => 3,
        _ => 0,
    }
}

/// White space, which some file systems drop at the end of a name, and what has no width.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// Whether such a reader takes a segment for `.` or `..`.
fn looks_like_dots(segment: &str) -> bool {
    let only = segment.chars().all(|c| dots(c) > 0 || is_blank(c));
    only && matches!(segment.chars().map(dots).sum(), 1 | 2)
}

/// One reading of a path for all the spellings that an e-service may take for one: letters in lower case, dots at the ends
/// of names and what is not seen dropped. What is guarded is guarded under each of them.
///
/// `path` is in normal form; most paths are their own reading but for the case, and cost nothing.
pub(super) fn folded(path: &str) -> Cow<'_, str> {
    // One look at all of it, which the compiler makes wide: nearly every path ends here.
    let seen = |(upper, odd): (bool, bool), b: &u8| (upper | b.is_ascii_uppercase(), odd | (*b == b'%') | (*b == b'.'));
    let (upper, odd) = path.as_bytes().iter().fold((false, false), seen);
    if !odd || (!path.contains('%') && !path.contains("./") && !path.ends_with('.')) {
        return if upper { Cow::Owned(path.to_ascii_lowercase()) } else { Cow::Borrowed(path) };
    }
    // A normal path decodes to text, and to no slash that it has not as it is.
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let mut out = String::with_capacity(decoded.len());
    let mut segments = decoded.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let name = segment.trim_end_matches(|c: char| dots(c) > 0 || is_blank(c)).trim_start_matches(is_blank);
        // What is left of a name may be nothing: then the slashes around it are one.
        if name.is_empty() && segments.peek().is_some() {
            continue;
        }
        out.push('/');
        let seen = name.chars().filter(|c| c.is_whitespace() || !is_blank(*c));
        out.extend(seen.flat_map(char::to_lowercase));
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_form_or_none() {
        for (raw, normal) in [
            ("/", "/"),
            ("/a/b/", "/a/b/"),
            ("/a/%62", "/a/b"),
            ("/%7euser/%41", "/~user/A"),
            ("/public/%40admin/x", "/public/@admin/x"),
            ("/v1/export%3Aall%2B%2C%3D%21%24%26%27%28%29%2A", "/v1/export:all+,=!$&'()*"),
            ("/a%20b", "/a%20b"),
            ("/%c3%a5", "/%C3%A5"),
            ("/a/...", "/a/..."),
            ("/a.b/..c", "/a.b/..c"),
            ("/a/%E2%80%A6", "/a/%E2%80%A6"),
            ("/a/%20", "/a/%20"),
            ("/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,="),
        ] {
            assert_eq!(normal_path(raw).as_deref(), Ok(normal), "{raw}");
        }
        for (raw, bad) in [
            ("", BadPath::NotAbsolute),
            ("a", BadPath::NotAbsolute),
            ("*", BadPath::NotAbsolute),
            ("http://x/", BadPath::NotAbsolute),
            ("/a/../b", BadPath::Dots),
            ("/a/..", BadPath::Dots),
            ("/./a", BadPath::Dots),
            ("/a/%2e%2e/b", BadPath::Dots),
            ("/a/.%2E/b", BadPath::Dots),
            ("//a", BadPath::EmptySegment),
            ("/a//b", BadPath::EmptySegment),
            ("/a//", BadPath::EmptySegment),
            ("/a%2fb", BadPath::Hidden),
            ("/a%5Cb", BadPath::Hidden),
            ("/a%252e", BadPath::Hidden),
            ("/a%00", BadPath::Hidden),
            ("/a%3Bb", BadPath::Hidden),
            ("/a%0d%0a", BadPath::Hidden),
            ("/a%7f", BadPath::Hidden),
            ("/a;b", BadPath::Character),
            ("/a\\b", BadPath::Character),
            ("/a b", BadPath::Character),
            ("/a#b", BadPath::Character),
            ("/a?b", BadPath::Character),
            ("/å", BadPath::Character),
            ("/a\u{0}", BadPath::Character),
            ("/om/%c0%ae%c0%ae/hog", BadPath::NotUtf8),
            ("/om/..%c0%afhog", BadPath::NotUtf8),
            ("/a%80", BadPath::NotUtf8),
            ("/a%C2%85", BadPath::Hidden),
            ("/a/..%20/b", BadPath::Dots),
            ("/a/%20./b", BadPath::Dots),
            ("/a/%EF%BC%8E./b", BadPath::Dots),
            ("/a/%E2%80%A5/b", BadPath::Dots),
            ("/a/.%C2%AD./b", BadPath::Dots),
            ("/a/..%E2%80%8B", BadPath::Dots),
            ("/a/..%C2%A0", BadPath::Dots),
            ("/a%EF%BC%8Fb", BadPath::Hidden),
            ("/a%E2%88%95b", BadPath::Hidden),
            ("/a%EF%BC%85%32eb", BadPath::Hidden),
            ("/a%CD%BEb", BadPath::Hidden),
            ("/a%", BadPath::Encoding),
            ("/a%4", BadPath::Encoding),
            ("/a%zz", BadPath::Encoding),
            ("/a%u0041", BadPath::Encoding),
        ] {
            assert_eq!(normal_path(raw), Err(bad), "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn two_spellings_of_one_path_have_one_form(
            plain in "/[a-zA-Z0-9.@:=+, é-]{0,12}", mask in proptest::collection::vec(0u8..3, 16),
        ) {
            let spelled = |turn: u8| -> String {
                let bytes = plain.bytes().zip(mask.iter().cycle()).skip(1);
                let spell = |(b, m): (u8, &u8)| match (m + turn) % 3 {
                    0 if b.is_ascii_alphanumeric() || is_plain(b) => char::from(b).to_string(),
                    1 => format!("%{b:02x}"),
                    _ => format!("%{b:02X}"),
                };
                std::iter::once("/".to_owned()).chain(bytes.map(spell)).collect()
            };
            let (one, two) = (spelled(0), spelled(1));
            if let (Ok(one), Ok(two)) = (normal_path(&one), normal_path(&two)) {
                prop_assert_eq!(one, two);
            }
        }

        #[test]
        fn the_normal_form_is_its_own(raw in "/[a-zA-Z0-9/.%_~;:-]{0,24}") {
            if let Ok(normal) = normal_path(&raw) {
                prop_assert_eq!(normal_path(&normal), Ok(Cow::Borrowed(normal.as_ref())));
                prop_assert!(!normal.split('/').any(|s| s == ".." || s == "."));
                prop_assert!(!normal.contains("//"));
            }
        }
    }
}
