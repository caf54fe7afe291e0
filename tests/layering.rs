//! Holds the order of the rooms (docs/architecture.md): a room names only rooms above it, the verifier never names our
//! private keys, the pure rooms touch neither clock nor network, and cryptography libraries live in one room.
//!
//! It reads the source, not the compiled crate: whatever a file names counts, in tests and macros too. Comments and
//! strings do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fmt;
use std::path::{Path, PathBuf};

/// From the ground up. A room may name the rooms before it.
const ROOMS: [&str; 15] = [
    "base",
    "crypto",
    "verify",
    "identity",
    "policy",
    "request",
    "replay",
    "session",
    "config",
    "telemetry",
    "provider",
    "gate",
    "http",
    "app",
    "cli",
];

/// Rooms whose verdicts follow from their arguments alone.
const PURE: [&str; 8] = ["base", "crypto", "verify", "identity", "policy", "request", "session", "config"];

/// The one pure-room file that holds the real clock, so that everyone else can take it as an argument.
const REAL_CLOCK: &str = "base/clock.rs";

/// Libraries that do cryptography: named by `crypto` alone.
const CRYPTO_LIBRARIES: [&str; 4] = ["aws_lc_rs", "rcgen", "ring", "x509_cert"];

#[derive(Debug, PartialEq, Eq)]
struct Violation {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}:{}: {}", self.file, self.line, self.what)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Colons,
    Other(char),
}

/// The tokens of a source text with their lines; comments, strings and characters are left out.
fn tokens(source: &str) -> Vec<(usize, Token)> {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut i, mut line, mut out) = (0, 1, Vec::new());
    while i < chars.len() {
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            '"' => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
            }
            // A character, not a lifetime: 'a' or '\n'.
            '\'' if at(i + 1) == '\\' || at(i + 2) == '\'' => {
                i += 2;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            c if is_word(c) => {
                while is_word(at(i)) {
                    i += 1;
                }
                let word: String = chars[start..i].iter().collect();
                let raw = matches!(word.as_str(), "r" | "br" | "cr") && (at(i) == '"' || at(i) == '#');
                let hashes = (i..).take_while(|j| at(*j) == '#').count();
                if raw && at(i + hashes) == '"' {
                    let close: String = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                    let rest: String = chars[i + hashes + 1..].iter().collect();
                    let inside = rest.split(close.as_str()).next().unwrap().chars().count();
                    i += hashes + 1 + inside + close.len();
                } else {
                    out.push((line, Token::Word(word)));
                }
            }
            ':' if at(i + 1) == ':' => {
                out.push((line, Token::Colons));
                i += 2;
            }
            c => {
                if !c.is_whitespace() {
                    out.push((line, Token::Other(c)));
                }
                i += 1;
            }
        }
        line += chars[start..i.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    out
}

/// Every path that a source names, groups written out (`a::{b, c::d}` is two), with its line and with how many inline
/// modules it stands in.
fn paths(source: &str) -> Vec<(usize, usize, Vec<String>)> {
    let tokens = tokens(source);
    let (mut out, mut i) = (Vec::new(), 0);
    // For each open brace: whether it opened an inline module.
    let mut braces: Vec<bool> = Vec::new();
    while i < tokens.len() {
        let inline = braces.iter().filter(|module| **module).count();
        match &tokens[i].1 {
            Token::Word(word) if word == "mod" && matches!(tokens.get(i + 2), Some((_, Token::Other('{')))) => {
                braces.push(true);
                i += 3;
            }
            Token::Word(_) => i = path(&tokens, i, inline, &[], &mut out),
            Token::Other('{') => {
                braces.push(false);
                i += 1;
            }
            Token::Other('}') => {
                braces.pop();
                i += 1;
            }
            _ => i += 1,
        }
    }
    out
}

/// Reads the path that begins at word `i` after `prefix`; returns where it ends.
fn path(
    tokens: &[(usize, Token)],
    mut i: usize,
    inline: usize,
    prefix: &[String],
    out: &mut Vec<(usize, usize, Vec<String>)>,
) -> usize {
    let mut segments = prefix.to_vec();
    let line = tokens[i].0;
    while let Some((_, Token::Word(word))) = tokens.get(i) {
        segments.push(word.clone());
        i += 1;
        if !matches!(tokens.get(i), Some((_, Token::Colons))) {
            break;
        }
        i += 1;
        match tokens.get(i) {
            Some((_, Token::Other('{'))) => {
                i += 1;
                while i < tokens.len() && !matches!(tokens[i].1, Token::Other('}')) {
                    i = match &tokens[i].1 {
                        Token::Word(_) => path(tokens, i, inline, &segments, out),
                        Token::Other('*') => {
                            out.push((tokens[i].0, inline, [segments.as_slice(), &["*".to_owned()]].concat()));
                            i + 1
                        }
                        _ => i + 1,
                    };
                }
                return i + 1;
            }
            Some((_, Token::Other('*'))) => {
                segments.push("*".to_owned());
                break;
            }
            _ => {}
        }
    }
    out.push((line, inline, segments));
    i
}

/// Everything that `source`, the text of `src/<file>`, may not say.
fn violations(file: &str, source: &str) -> Vec<Violation> {
    let room = file.split('/').next().unwrap().trim_end_matches(".rs");
    let place = ROOMS.iter().position(|r| *r == room);
    // How many `super` lead from the file's module to the crate's root.
    let depth = file.split('/').count() - usize::from(file.ends_with("/mod.rs"));
    let pure = PURE.contains(&room) && file != REAL_CLOCK;
    let mut out = Vec::new();
    let mut say = |line: usize, what: String| out.push(Violation { file: file.to_owned(), line, what });
    if place.is_none() && !matches!(file, "lib.rs" | "main.rs") {
        say(1, format!("`{room}` is in no room: give it a place in tests/layering.rs and docs/architecture.md"));
    }
    for (line, inline, segments) in paths(source) {
        let words: Vec<&str> = segments.iter().map(String::as_str).collect();
        let written = words.join("::");
        let supers = words.iter().take_while(|w| **w == "super").count();
        let inside: Option<&[&str]> = match words[0] {
            "crate" | "grindvakt" if words.len() > 1 => Some(&words[1..]),
            "super" if supers == depth + inline && supers < words.len() => Some(&words[supers..]),
            _ => None,
        };
        if let (Some(inside), Some(place)) = (inside, place) {
            let named = ROOMS.iter().position(|r| *r == inside[0]);
            match named {
                _ if inside[0] == "*" => say(line, format!("`{written}` names every room at once")),
                Some(named) if named > place => {
                    say(line, format!("`{room}` may not name `{}`: it is built on it", inside[0]))
                }
                _ => {}
            }
            if room == "verify" && inside.starts_with(&["crypto", "own"]) {
                say(line, "`verify` may not name `crypto::own`: it must not be able to sign".to_owned());
            }
        }
        let first = words[0];
        if CRYPTO_LIBRARIES.contains(&first) && words.len() > 1 && room != "crypto" {
            say(line, format!("`{first}` is named outside `crypto`"));
        }
        if (pure || room == "gate") && matches!(first, "hyper" | "hyper_util" | "http") && words.len() > 1 {
            say(line, format!("`{room}` knows no HTTP library: `{written}`"));
        }
        if !pure {
            continue;
        }
        if first == "tokio" && words.len() > 1 {
            say(line, format!("`{room}` is pure: no runtime (`{written}`)"));
        }
        if words.starts_with(&["std", "net"])
            && words.last().is_some_and(|w| w.starts_with("Tcp") || w.starts_with("Udp"))
            || words.starts_with(&["std", "net", "*"])
        {
            say(line, format!("`{room}` is pure: no network (`{written}`)"));
        }
        if words.ends_with(&["SystemTime", "now"]) || words.ends_with(&["Instant", "now"]) {
            say(line, format!("`{room}` is pure: time is an argument (`{written}`)"));
        }
    }
    out
}

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            sources(&entry, out);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            out.push(entry);
        }
    }
}

#[test]
fn every_room_names_only_rooms_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 20, "the source was not found");
    let mut found = Vec::new();
    for file in files {
        let name = file.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        found.extend(violations(&name, &std::fs::read_to_string(&file).unwrap()));
    }
    let list: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "\n{}", list.join("\n"));
}

/// What `violations` says of one line, without where.
fn said(file: &str, source: &str) -> Vec<String> {
    violations(file, source).into_iter().map(|v| v.what).collect()
}

#[test]
fn a_room_that_names_one_below_it_is_found_however_it_says_so() {
    let upward = ["`verify` may not name `gate`: it is built on it".to_owned()];
    for (file, source) in [
        ("verify/saml/response.rs", "use crate::gate::Gate;"),
        ("verify/mod.rs", "use crate::{base::UnixTime, gate::{Gate, Denial as No}};"),
        ("verify/mod.rs", "fn f() { let x = crate::gate::now(); }"),
        ("verify/mod.rs", "use super::gate;"),
        ("verify/xml/reader.rs", "use super::super::super::gate::Gate;"),
        ("verify/xml/reader.rs", "mod tests { use super::super::super::super::gate::Gate; }"),
        ("verify/mod.rs", "macro_rules! m { () => { $crate::gate::go() } }"),
        ("verify/mod.rs", "/* a /* nested */ comment */ use crate::gate;"),
        ("verify/mod.rs", "const Q: char = '\"'; use crate::gate; const R: &str = \"\";"),
    ] {
        let found = said(file, source);
        assert!(!found.is_empty() && found.iter().all(|w| *w == upward[0]), "{source}: {found:?}");
    }
    assert_eq!(said("base/mod.rs", "use crate::*;"), ["`crate::*` names every room at once"]);
    assert_eq!(
        said("helpers.rs", ""),
        ["`helpers` is in no room: give it a place in tests/layering.rs and docs/architecture.md"]
    );
    assert_eq!(violations("gate/mod.rs", "\n\nuse crate::http::Answer;")[0].line, 3);
}

#[test]
fn what_is_allowed_is_not_found() {
    for (file, source) in [
        ("gate/mod.rs", "use crate::{session::Session, verify::Verified};"),
        ("verify/saml/response.rs", "use super::gate; use super::super::http;"),
        ("verify/saml/response.rs", "mod tests { use super::super::super::reject; }"),
        ("verify/mod.rs", "// use crate::gate;\n/// [`crate::gate`]\n/* crate::gate */"),
        ("verify/mod.rs", r##"const A: &str = "crate::gate"; const B: &str = r#"" crate::gate "#;"##),
        ("verify/mod.rs", "fn f<'a>(crypto: &'a u8) -> &'a u8 { crypto }"),
        ("verify/mod.rs", "use crate::crypto::trusted::PublicKey; use crate::crypto::{digest, trusted};"),
        ("main.rs", "use grindvakt::cli;"),
        ("lib.rs", "pub mod gate; pub mod verify;"),
        (
            "http/mod.rs",
            "use tokio::net::TcpListener; use hyper::body; use std::time::Instant; fn f() { Instant::now(); }",
        ),
        ("config/listen.rs", "use std::net::{IpAddr, SocketAddr};"),
        ("crypto/own.rs", "use ring::digest;"),
        ("base/clock.rs", "use tokio::sync::watch; fn f() { SystemTime::now(); }"),
    ] {
        assert_eq!(said(file, source), [""; 0], "{file}: {source}");
    }
}

#[test]
fn private_keys_clocks_networks_and_libraries_are_found_where_they_must_not_be() {
    for (file, source, what) in [
        ("verify/dsig/mod.rs", "use crate::crypto::own::SigningKey;", "must not be able to sign"),
        ("verify/dsig/mod.rs", "use crate::crypto::{digest, own};", "must not be able to sign"),
        ("verify/mod.rs", "use super::crypto::own;", "must not be able to sign"),
        ("identity/mod.rs", "fn f() { std::time::SystemTime::now(); }", "time is an argument"),
        ("session/mod.rs", "use std::time::Instant; fn f() { Instant::now(); }", "time is an argument"),
        ("request/mod.rs", "use tokio::sync::Mutex;", "no runtime"),
        ("policy/mod.rs", "use std::net::{SocketAddr, TcpStream};", "no network"),
        ("policy/mod.rs", "use std::net::*;", "no network"),
        ("gate/mod.rs", "use http::StatusCode;", "knows no HTTP library"),
        ("session/mod.rs", "use hyper::body::Bytes;", "knows no HTTP library"),
        ("identity/subject.rs", "let d = ring::digest::digest(a, b);", "named outside `crypto`"),
        ("http/mod.rs", "use aws_lc_rs::digest;", "named outside `crypto`"),
    ] {
        let found = said(file, source);
        assert!(found.len() == 1 && found[0].contains(what), "{file}: {source}: {found:?}");
    }
}
