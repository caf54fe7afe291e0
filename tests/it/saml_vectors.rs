//! Signed Responses from an independent signer, each with its exact verdict, through `grindvakt verify --batch`: the same
//! functions as the server's, as a program.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/saml")
}

#[derive(Deserialize)]
pub(crate) struct Cases {
    pub(crate) case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) file: String,
    #[serde(default = "main_config")]
    pub(crate) config: String,
    at: String,
    in_response_to: Option<String>,
    provider: Option<String>,
    route: Option<String>,
    after: Option<String>,
    #[serde(default)]
    pub(crate) opaque: bool,
    pub(crate) expect: String,
    #[serde(default)]
    tests: Vec<String>,
    about: String,
    #[serde(default)]
    identity: BTreeMap<String, toml::Value>,
}

fn main_config() -> String {
    "grindvakt.toml".into()
}

/// Runs the command over `input`, line by line as a program would, and returns its lines.
pub(crate) fn batch(config: &Path, input: Vec<u8>) -> Vec<Value> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_grindvakt"))
        .args(["verify", "--batch", "--config"])
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn line(id: usize, case: &Case) -> Value {
    let bytes = std::fs::read(folder().join(&case.file)).unwrap();
    // XML where it is text; its base64 where only that keeps the bytes.
    let assertion = match String::from_utf8(bytes) {
        Ok(text) if id.is_multiple_of(2) => text,
        Ok(text) => base64_simd::STANDARD.encode_to_string(text),
        Err(e) => base64_simd::STANDARD.encode_to_string(e.into_bytes()),
    };
    let mut line = json!({ "id": id, "assertion": assertion, "at": case.at });
    for (name, value) in
        [("in_response_to", &case.in_response_to), ("provider", &case.provider), ("route", &case.route)]
    {
        if let Some(value) = value {
            line[name] = json!(value);
        }
    }
    line
}

/// What an accepted case must yield, looked up where the command puts it.
fn wrong_identity(case: &Case, verdict: &Value) -> Option<String> {
    for (name, expect) in &case.identity {
        let expect: Value = serde_json::to_value(expect).unwrap();
        let got = match name.as_str() {
            "provider" | "loa" => &verdict[name],
            _ => &verdict["identity"][name],
        };
        if name == "attributes" {
            for (attribute, values) in expect.as_object().unwrap() {
                if got[attribute] != *values {
                    return Some(format!("{attribute} is {}, expected {values}", got[attribute]));
                }
            }
        } else if *got != expect {
            return Some(format!("{name} is {got}, expected {expect}"));
        }
    }
    None
}

#[test]
fn every_message_gets_its_verdict() {
    let text = std::fs::read_to_string(folder().join("cases.toml")).unwrap();
    let cases: Cases = toml::from_str(&text).unwrap();
    assert!(cases.case.len() >= 900, "the table has shrunk to {}", cases.case.len());
    let mut by_config: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, case) in cases.case.iter().enumerate() {
        by_config.entry(&case.config).or_default().push(at);
    }
    let (mut wrong, mut accepted) = (Vec::new(), 0);
    for (config, indices) in by_config {
        let mut input = Vec::new();
        for at in &indices {
            writeln!(input, "{}", line(*at, &cases.case[*at])).unwrap();
        }
        let verdicts = batch(&folder().join(config), input);
        assert_eq!(verdicts.len(), indices.len(), "one verdict a line");
        for (at, verdict) in indices.iter().zip(&verdicts) {
            let case = &cases.case[*at];
            assert_eq!(verdict["id"], json!(at));
            let got = match verdict["verdict"].as_str() {
                Some("accepted") => "accepted",
                _ => verdict["code"].as_str().unwrap_or("(no code)"),
            };
            let fault = if got == case.expect {
                wrong_identity(case, verdict)
            } else {
                Some(format!("expected {}, got {got}: {}", case.expect, verdict["detail"]))
            };
            accepted += usize::from(got == "accepted");
            if let Some(fault) = fault {
                wrong.push(format!("{} {:?} ({}): {fault}", case.file, case.tests, case.about));
            }
            assert!(!case.opaque || case.expect == "assertion_undecryptable", "{}", case.file);
            assert!(case.after.is_none() || case.expect == "replayed", "{}", case.file);
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.case.len(), wrong.join("\n"));
    assert!(accepted >= 200, "only {accepted} accepted");
}

/// A program feeds us whatever it has: every line gets its answer, in time, and the next one is judged as if nothing had
/// been.
#[test]
fn garbage_gets_an_answer_and_the_next_line_is_judged() {
    let text = std::fs::read_to_string(folder().join("cases.toml")).unwrap();
    let cases: Cases = toml::from_str(&text).unwrap();
    let good = cases.case.iter().position(|case| case.expect == "accepted" && case.config == main_config()).unwrap();
    let deep_json = "[".repeat(10_000) + &"]".repeat(10_000);
    let deep_xml = "<a>".repeat(10_000) + &"</a>".repeat(10_000);
    let garbage = [
        ("not JSON".to_owned(), "line_malformed"),
        ("{}".to_owned(), "line_malformed"),
        ("[]".to_owned(), "line_malformed"),
        (deep_json, "line_malformed"),
        (r#"{"id":1,"assertion":1}"#.to_owned(), "line_malformed"),
        (r#"{"id":1,"assertion":"x","in_reponse_to":"y"}"#.to_owned(), "line_malformed"),
        (r#"{"id":1,"assertion":"x","at":"yesterday"}"#.to_owned(), "line_malformed"),
        (json!({"id": 1, "assertion": "!!"}).to_string(), "message_encoding"),
        (json!({"id": 1, "assertion": ""}).to_string(), "xml_malformed"),
        (json!({"id": 1, "assertion": "eyJhbGciOiJub25lIn0.e30."}).to_string(), "signature_algorithm"),
        (json!({"id": 1, "assertion": "eyJhbGciOiJub25lIn0"}).to_string(), "token_malformed"),
        (json!({"id": 1, "assertion": ".".repeat(100_000)}).to_string(), "token_malformed"),
        (json!({"id": 1, "assertion": ".".repeat(1_000_000)}).to_string(), "message_too_large"),
        (json!({"id": 1, "assertion": deep_xml}).to_string(), "xml_too_deep"),
        (json!({"id": 1, "assertion": "<a/>".repeat(1_250_000)}).to_string(), "message_too_large"),
        (json!({"id": 1, "assertion": "A".repeat(5_000_000)}).to_string(), "message_too_large"),
        ("x".repeat(20_000_000), "message_too_large"),
    ];
    let mut input = Vec::new();
    for (line, _) in &garbage {
        writeln!(input, "{line}").unwrap();
    }
    input.extend_from_slice(b"\xff\xfe\n\n");
    writeln!(input, "{}", line(good, &cases.case[good])).unwrap();
    let begun = Instant::now();
    let verdicts = batch(&folder().join(main_config()), input);
    // A bound against hanging, not a measure of speed: a second for each line.
    assert!(begun.elapsed() < Duration::from_secs(garbage.len() as u64));
    for ((line, code), verdict) in garbage.iter().zip(&verdicts) {
        let start: String = line.chars().take(60).collect();
        assert_eq!((verdict["verdict"].as_str(), verdict["code"].as_str()), (Some("rejected"), Some(*code)), "{start}");
    }
    assert_eq!(verdicts.len(), garbage.len() + 2, "a blank line is no line");
    assert_eq!(verdicts[garbage.len()]["code"], "line_malformed");
    assert_eq!(verdicts[garbage.len() + 1]["verdict"], "accepted");
}
