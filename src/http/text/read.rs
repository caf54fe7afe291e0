//! Looking a text up in its file while this is compiled.
//!
//! The files are TOML, of the plainest kind: `key = "text"`, one to a line, nothing escaped. A test holds that TOML's own
//! reader sees the same.

/// The text of `key`. In a constant, a key that is missing stops the build.
pub(super) const fn text(file: &'static str, key: &str) -> &'static str {
    match find(file.as_bytes(), key.as_bytes()) {
        Some(found) => match std::str::from_utf8(found) {
            Ok(text) => text,
            Err(_) => panic!("a text is cut within a character"),
        },
        None => panic!("a text is missing from assets/texts: see which key this constant asks for"),
    }
}

/// The months, by their numbers.
pub(super) const fn months(file: &'static str) -> [&'static str; 12] {
    [
        text(file, "month.1"),
        text(file, "month.2"),
        text(file, "month.3"),
        text(file, "month.4"),
        text(file, "month.5"),
        text(file, "month.6"),
        text(file, "month.7"),
        text(file, "month.8"),
        text(file, "month.9"),
        text(file, "month.10"),
        text(file, "month.11"),
        text(file, "month.12"),
    ]
}

const fn find(mut rest: &'static [u8], key: &[u8]) -> Option<&'static [u8]> {
    loop {
        if let Some(after) = after(rest, key)
            && let Some(text) = after_quote(after)
        {
            return Some(text);
        }
        // To the next line.
        loop {
            match rest.split_first() {
                Some((b'\n', next)) => {
                    rest = next;
                    break;
                }
                Some((_, next)) => rest = next,
                None => return None,
            }
        }
    }
}

/// What follows `key` at the beginning of `line`.
const fn after(mut line: &'static [u8], mut key: &[u8]) -> Option<&'static [u8]> {
    loop {
        match (key.split_first(), line.split_first()) {
            (None, _) => return Some(line),
            (Some((wanted, key_rest)), Some((found, line_rest))) if *wanted == *found => {
                key = key_rest;
                line = line_rest;
            }
            _ => return None,
        }
    }
}

/// The text of ` = "text"`.
const fn after_quote(rest: &'static [u8]) -> Option<&'static [u8]> {
    let Some(text) = after(rest, b" = \"") else { return None };
    let mut length = 0;
    let mut left = text;
    while let Some((byte, next)) = left.split_first() {
        if *byte == b'"' {
            return match text.split_at_checked(length) {
                Some((text, _)) => Some(text),
                None => None,
            };
        }
        length += 1;
        left = next;
    }
    None
}
