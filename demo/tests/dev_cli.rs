//! `grindvakt-demo dev` as a developer types it: exit statuses, and errors that say what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::path::Path;
use std::process::Command;

fn said(args: &[&str], folder: &Path) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_grindvakt-demo")).args(args).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn mistakes_are_answered_with_the_status_that_scripts_expect() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("bad.toml"), "[[person]]\nid = \"bo\"\nnmae = \"Bo\"\n[[person]]\n").unwrap();
    let upstream = ["dev", "--upstream", "http://localhost:1"];
    let with = |more: &[&'static str]| [upstream.as_slice(), more].concat();
    for (args, code, part) in [
        (vec!["dev", "--help"], 0, ""),
        (vec!["dev"], 64, "--upstream <ADDRESS>"),
        (vec!["dev", "--upstream", "http://10.0.0.1:8080"], 64, "must be on this machine"),
        (vec!["dev", "--upstream", "https://localhost:8080"], 64, "must be http://host:port or unix:/path"),
        (with(&["--listen", "0.0.0.0:8090"]), 64, "on this machine alone, not on \"0.0.0.0:8090\""),
        (with(&["--tool", "192.168.0.1:8091"]), 64, "on this machine alone"),
        (with(&["--routes", "a.toml", "--config", "b.toml"]), 64, "cannot be used with"),
        (with(&["--persons", "none.toml"]), 78, "none.toml: cannot be read"),
        (with(&["--config", "none.toml"]), 78, "none.toml: cannot be read"),
        (
            with(&["--persons", "bad.toml"]),
            78,
            "bad.toml:3: person \"bo\": `nmae` is not known here\nbad.toml:4: person 2",
        ),
    ] {
        let (status, _, error) = said(&args, path);
        assert_eq!(status, Some(code), "{args:?}: {error}");
        assert!(error.contains(part), "{args:?}: {error}");
    }
}

#[test]
fn every_option_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let (_, help, _) = said(&["dev", "--help"], folder.path());
    let docs = include_str!("../../docs/for-e-services.md");
    let options =
        help.lines().filter_map(|line| line.trim().strip_prefix("--")).map(|l| l.split([' ', '\n']).next().unwrap());
    let options: Vec<&str> = options.collect();
    assert!(options.len() >= 8, "{options:?}");
    for option in options.iter().filter(|option| !matches!(**option, "help" | "quiet")) {
        assert!(docs.contains(&format!("--{option}")), "--{option} is not explained");
    }
}

#[test]
fn the_built_in_persons_are_a_file_to_start_from() {
    let folder = tempfile::tempdir().unwrap();
    let (status, text, error) = said(&["dev", "--print-persons"], folder.path());
    assert_eq!((status, error.as_str()), (Some(0), ""));
    let table: toml::Table = text.parse().unwrap();
    assert!(table["person"].as_array().unwrap().len() >= 15);
    assert!(text.contains("#   hsa_id, org_affiliation"), "it explains itself");
}
