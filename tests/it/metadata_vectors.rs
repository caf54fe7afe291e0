//! Signed feeds from an independent signer, each with its exact verdict, through `grindvakt metadata --json`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    file: String,
    signer: Vec<String>,
    at: String,
    expect: String,
    #[serde(default)]
    idps: Vec<String>,
    #[serde(default)]
    refused: BTreeMap<String, String>,
    #[serde(default, rename = "tests")]
    _tests: Vec<String>,
    #[serde(rename = "about")]
    _about: String,
}

#[test]
fn every_feed_gets_its_verdict() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let text = std::fs::read_to_string(vectors.join("metadata/cases.toml")).unwrap();
    let cases: Cases = toml::from_str(&text).unwrap();
    assert!(cases.case.len() >= 20, "the table has shrunk to {}", cases.case.len());
    for case in &cases.case {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grindvakt"));
        command.args(["metadata", "--json", "--at", &case.at]).arg(vectors.join("metadata").join(&case.file));
        for signer in &case.signer {
            command.arg("--signer").arg(vectors.join("keys").join(format!("{signer}.crt")));
        }
        let output = command.output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let lists: Vec<_> = said.as_object().unwrap().iter().filter(|(_, v)| v.is_array()).map(|(k, _)| k).collect();
        assert_eq!(lists, ["idps"], "{}: programs count on one list", case.file);
        if case.expect != "accepted" {
            assert_eq!(
                (output.status.code(), said["code"].as_str()),
                (Some(1), Some(case.expect.as_str())),
                "{}: {said}",
                case.file
            );
            continue;
        }
        assert_eq!(output.status.code(), Some(0), "{}: {said}", case.file);
        let idps: Vec<_> = said["idps"].as_array().unwrap().iter().map(|i| i["entity_id"].as_str().unwrap()).collect();
        assert_eq!(idps, case.idps, "{}", case.file);
        let refused: BTreeMap<String, String> = said["refused"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(id, why)| (id.clone(), why["code"].as_str().unwrap().to_owned()))
            .collect();
        assert_eq!(refused, case.refused, "{}", case.file);
    }
}
