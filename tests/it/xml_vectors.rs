//! The strict reader against written-down verdicts: every malformed document refused by its own code, every good one
//! read, seen alike by the second reader, and written as libxml2 writes it.

use grindvakt::base::limits::{FEED, MESSAGE};
use grindvakt::verify::xml::canonical::{self, Options};
use grindvakt::verify::xml::{self, Document};
use serde::Deserialize;

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    text: Option<String>,
    base64: Option<String>,
    pieces: Option<Vec<(String, usize)>>,
    limits: String,
    expect: String,
    c14n: Option<String>,
    c14n_with_comments: Option<String>,
    #[serde(rename = "about")]
    _about: String,
    #[serde(default, rename = "tests")]
    _tests: Vec<String>,
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        match (&self.text, &self.base64, &self.pieces) {
            (Some(text), None, None) => text.clone().into_bytes(),
            (None, Some(base64), None) => base64_simd::STANDARD.decode_to_vec(base64).unwrap(),
            (None, None, Some(pieces)) => {
                let mut out = String::new();
                for (piece, count) in pieces {
                    for n in 0..*count {
                        out.push_str(&piece.replace("{n}", &n.to_string()));
                    }
                }
                out.into_bytes()
            }
            _ => panic!("{}: one of text, base64 and pieces", self.name),
        }
    }
}

fn canonical_form(document: &Document<'_>, comments: bool) -> String {
    let mut out = Vec::new();
    canonical::write(document.root(), &Options { comments, ..Options::default() }, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn every_document_gets_its_verdict() {
    let text = include_str!("../vectors/xml/cases.toml");
    let cases: Cases = toml::from_str(text).unwrap();
    assert!(cases.case.len() >= 400, "the table has shrunk to {}", cases.case.len());
    let mut wrong = Vec::new();
    for case in &cases.case {
        let bytes = case.bytes();
        let limits = if case.limits == "feed" { &FEED } else { &MESSAGE };
        let read = xml::read(&bytes, limits);
        let verdict = match &read {
            Ok(_) => "accepted",
            Err(reject) => reject.code(),
        };
        if verdict != case.expect {
            let detail = read.err().map(|r| r.to_string()).unwrap_or_default();
            wrong.push(format!("{}: expected {}, got {verdict} {detail}", case.name, case.expect));
            continue;
        }
        let Ok(document) = read else { continue };
        if let Err(reject) = xml::second::veto(&document) {
            wrong.push(format!("{}: {reject}", case.name));
        }
        let plain = canonical_form(&document, false);
        let commented = canonical_form(&document, true);
        let expect_commented = case.c14n_with_comments.as_ref().or(case.c14n.as_ref());
        if case.c14n.as_ref().is_some_and(|expect| *expect != plain)
            || expect_commented.is_some_and(|e| *e != commented)
        {
            wrong.push(format!("{}: canonical form {plain:?} or {commented:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.case.len(), wrong.join("\n"));
}
