//! Our canonical form against libxml2's, byte for byte, on documents that a seed makes (feature `peers`).

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use grindvakt::base::limits::MESSAGE;
use grindvakt::verify::xml::canonical::{self, Options};
use grindvakt::verify::xml::{self, Element};

const DOCUMENTS: usize = 2_000;

#[derive(serde::Deserialize)]
struct Line {
    xml: String,
    target_id: String,
    prefix_list: Vec<String>,
    exc: String,
    exc_comments: String,
}

/// The Python that `make test` has put lxml into.
fn python() -> String {
    std::env::var("GRINDVAKT_PEERS_PYTHON")
        .expect("GRINDVAKT_PEERS_PYTHON names the Python with lxml; `make test` sets it")
}

fn form(apex: Element<'_>, comments: bool, inclusive: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    canonical::write(apex, &Options { without: None, comments, inclusive }, &mut out);
    out
}

#[test]
fn two_thousand_documents_have_the_form_that_libxml2_gives_them() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/make/c14n_oracle.py");
    let mut oracle = Command::new(python())
        .args([script, &DOCUMENTS.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the oracle starts");
    let mut seen = 0;
    for line in BufReader::new(oracle.stdout.take().unwrap()).lines() {
        let line: Line = serde_json::from_str(&line.unwrap()).expect("one JSON object a line");
        let document = xml::read(line.xml.as_bytes(), &MESSAGE).unwrap_or_else(|e| panic!("{e}: {}", line.xml));
        xml::second::veto(&document).unwrap_or_else(|e| panic!("{e}: {}", line.xml));
        let apex = document
            .elements()
            .find(|e| e.attribute("ID").as_deref() == Some(&line.target_id))
            .expect("the target is in the document");
        let inclusive: Vec<&str> = line.prefix_list.iter().map(String::as_str).collect();
        for (comments, expect) in [(false, &line.exc), (true, &line.exc_comments)] {
            let expect = base64_simd::STANDARD.decode_to_vec(expect).unwrap();
            let ours = form(apex, comments, &inclusive);
            assert!(
                ours == expect,
                "comments {comments}, prefixes {inclusive:?}\n{}\nours   {}\ntheirs {}",
                line.xml,
                String::from_utf8_lossy(&ours),
                String::from_utf8_lossy(&expect)
            );
        }
        seen += 1;
    }
    assert!(oracle.wait().unwrap().success());
    assert_eq!(seen, DOCUMENTS);
}
