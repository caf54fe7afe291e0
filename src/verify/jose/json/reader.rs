//! The reader: one pass over the source, one decision for each byte.

use std::borrow::Cow;

use super::document::{Document, Kind, Node};
use crate::base::limits::JsonLimits;
use crate::verify::{Reason, Reject};

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    limits: &'a JsonLimits,
}

pub(super) fn read(source: Vec<u8>, limits: &JsonLimits) -> Result<Document, Reject> {
    if source.len() > limits.bytes {
        let detail = format_args!("{} bytes of JSON; at most {} are taken", source.len(), limits.bytes);
        return Err(Reject::new(Reason::MessageTooLarge, detail));
    }
    let text = String::from_utf8(source).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Reject::new(Reason::JsonNotUtf8, format_args!("not UTF-8 at byte {at}"))
    })?;
    // About one node for each 16 bytes in real tokens; more grow the array.
    let nodes = Vec::with_capacity((text.len() / 16).clamp(8, limits.nodes));
    let mut reader = Reader { text: &text, bytes: text.as_bytes(), at: 0, nodes, limits };
    reader.space();
    if reader.peek() != Some(b'{') {
        return Err(reader.malformed("an object is expected"));
    }
    reader.value(1)?;
    reader.space();
    if reader.at != text.len() {
        return Err(reader.malformed("something stands after the object"));
    }
    let nodes = reader.nodes;
    Ok(Document { text, nodes })
}

impl Reader<'_> {
    fn malformed(&self, what: &str) -> Reject {
        Reject::new(Reason::JsonMalformed, format_args!("{what}, at byte {}", self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes `byte` with the space before it.
    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// A new node, from `start` to here, with nothing in it yet.
    fn push(&mut self, kind: Kind, start: usize, escaped: bool) -> Result<usize, Reject> {
        let at = self.nodes.len();
        if at >= self.limits.nodes {
            let detail = format_args!("more than {} values", self.limits.nodes);
            return Err(Reject::new(Reason::JsonTooLarge, detail));
        }
        // The byte limits are far below what 32 bits count.
        self.nodes.push(Node { kind, escaped, start: start as u32, end: self.at as u32, next: at as u32 + 1 });
        Ok(at)
    }

    /// Ends an object or array here.
    fn close(&mut self, at: usize) {
        let (end, next) = (self.at as u32, self.nodes.len() as u32);
        if let Some(node) = self.nodes.get_mut(at) {
            (node.end, node.next) = (end, next);
        }
    }

    /// Recursive, as deep as the limit and no deeper.
    fn value(&mut self, depth: usize) -> Result<(), Reject> {
        self.space();
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{' | b'[') if depth > self.limits.depth => {
                let detail = format_args!("deeper than {}, at byte {}", self.limits.depth, self.at);
                Err(Reject::new(Reason::JsonTooDeep, detail))
            }
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Kind::Bool),
            Some(b'f') => self.word("false", Kind::Bool),
            Some(b'n') => self.word("null", Kind::Null),
            _ => Err(self.malformed("a value is expected")),
        }
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<(), Reject> {
        if self.bytes.get(self.at..self.at + word.len()) != Some(word.as_bytes()) {
            return Err(self.malformed("a value is expected"));
        }
        let start = self.at;
        self.at += word.len();
        self.push(kind, start, false).map(drop)
    }

    fn digits(&mut self) -> Result<(), Reject> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.malformed("a digit is expected")) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), Reject> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        // No zero stands before another digit.
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        self.push(Kind::Number, start, false).map(drop)
    }

    fn array(&mut self, depth: usize) -> Result<(), Reject> {
        let node = self.push(Kind::Array, self.at, false)?;
        self.at += 1;
        if !self.take(b']') {
            loop {
                self.value(depth + 1)?;
                if self.take(b']') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.malformed("a comma or the array's end is expected"));
                }
            }
        }
        self.close(node);
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), Reject> {
        let node = self.push(Kind::Object, self.at, false)?;
        self.at += 1;
        // One bit for each name: most objects never have to look at their names again.
        let (mut seen, mut members) = (0u128, 0);
        if !self.take(b'}') {
            loop {
                members += 1;
                if members > self.limits.members {
                    let detail = format_args!("an object of more than {} members", self.limits.members);
                    return Err(Reject::new(Reason::JsonTooLarge, detail));
                }
                self.space();
                if self.peek() != Some(b'"') {
                    return Err(self.malformed("a member's name is expected"));
                }
                let name = self.string()?;
                let bit = 1 << self.hash(name);
                if seen & bit != 0 && self.stands_before(node, name) {
                    // Not the name: it may be anything, also a person.
                    let detail = format_args!("a member stands twice, at byte {}", self.at);
                    return Err(Reject::new(Reason::JsonDuplicateMember, detail));
                }
                seen |= bit;
                if !self.take(b':') {
                    return Err(self.malformed("a colon is expected"));
                }
                self.value(depth + 1)?;
                if self.take(b'}') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.malformed("a comma or the object's end is expected"));
                }
            }
        }
        self.close(node);
        Ok(())
    }

    /// The text of a string's node, without escapes.
    fn name(&self, node: &Node) -> Cow<'_, str> {
        let source = self.text.get(node.start as usize..node.end as usize).unwrap_or_default();
        if node.escaped { Cow::Owned(unescaped(source)) } else { Cow::Borrowed(source) }
    }

    /// Seven bits of a name, from its length and its last bytes: claims differ at their ends.
    fn hash(&self, at: usize) -> u32 {
        let Some(node) = self.nodes.get(at) else { return 0 };
        let name = self.name(node);
        let name = name.as_bytes();
        let tail = match name.last_chunk() {
            Some(last) => u64::from_le_bytes(*last),
            None => name.iter().fold(0, |all, b| all << 8 | u64::from(*b)),
        };
        ((tail ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57) as u32
    }

    /// Whether the object `node` has a member of the name at `name` before that.
    fn stands_before(&self, node: usize, name: usize) -> bool {
        let Some(new) = self.nodes.get(name).map(|node| self.name(node)) else { return false };
        let mut at = node + 1;
        while at < name {
            if self.nodes.get(at).is_some_and(|old| self.name(old) == new) {
                return true;
            }
            at = self.nodes.get(at + 1).map_or(name, |value| value.next as usize);
        }
        false
    }

    /// A string; its node holds what stands between the quotes.
    fn string(&mut self) -> Result<usize, Reject> {
        self.at += 1;
        let (start, mut escaped) = (self.at, false);
        loop {
            self.at = plain_end(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => {
                    let detail = format_args!("a control character in a string, at byte {}", self.at);
                    return Err(Reject::new(Reason::JsonBadCharacter, detail));
                }
                None => return Err(self.malformed("a string without an end")),
            }
        }
        let node = self.push(Kind::String, start, escaped)?;
        self.at += 1;
        Ok(node)
    }

    fn escape(&mut self) -> Result<(), Reject> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let lone = |at: usize| {
                    let detail = format_args!("a reference to no character, at byte {at}");
                    Reject::new(Reason::JsonBadCharacter, detail)
                };
                let first = self.unit(self.at)?;
                let start = self.at;
                self.at += 6;
                match first {
                    // Whoever hands it on to a language with texts that end there would cut it.
                    0 => Err(lone(start)),
                    0xd800..=0xdbff => {
                        let low = self.bytes.get(self.at..self.at + 2) == Some(br"\u");
                        if !low || !matches!(self.unit(self.at)?, 0xdc00..=0xdfff) {
                            return Err(lone(start));
                        }
                        self.at += 6;
                        Ok(())
                    }
                    0xdc00..=0xdfff => Err(lone(start)),
                    _ => Ok(()),
                }
            }
            _ => Err(self.malformed("an escape that JSON does not have")),
        }
    }

    /// The four digits of the `\u` that stands at `at`.
    fn unit(&self, at: usize) -> Result<u32, Reject> {
        let digits = self.bytes.get(at + 2..at + 6).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        unit.ok_or_else(|| self.malformed("\\u without its four digits"))
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Where the run of plain characters that begins at `at` ends: at a quote, a backslash, a control character or the end.
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    // Eight bytes at a time: certificates and signatures in tokens are long.
    while let Some(chunk) = bytes.get(at..at + 8) {
        let word = chunk.try_into().map_or(0, u64::from_le_bytes);
        let equal = |byte: u64| {
            let other = word ^ (ONES * byte);
            other.wrapping_sub(ONES) & !other
        };
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let stops = (equal(u64::from(b'"')) | equal(u64::from(b'\\')) | control) & HIGHS;
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}

/// The text of a string whose escapes the reader has found good.
pub(super) fn unescaped(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escape.chars();
        let unit = |at: usize| escape.get(at..at + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or(0);
        let taken = match chars.next() {
            Some('u') => {
                let (first, second) = (unit(1), unit(7));
                let pair = matches!(first, 0xd800..=0xdbff);
                let code = if pair { 0x10000 + ((first - 0xd800) << 10) + (second & 0x3ff) } else { first };
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                if pair { 11 } else { 5 }
            }
            Some('b') => push(&mut out, '\u{8}'),
            Some('f') => push(&mut out, '\u{c}'),
            Some('n') => push(&mut out, '\n'),
            Some('r') => push(&mut out, '\r'),
            Some('t') => push(&mut out, '\t'),
            Some(other) => push(&mut out, other),
            None => 0,
        };
        rest = escape.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn push(out: &mut String, c: char) -> usize {
    out.push(c);
    1
}
