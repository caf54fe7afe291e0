//! The command from end to end, for a second or two: the figures of a debug build say nothing, but that they are there does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The sidecar's program, which `cargo test --workspace` builds beside ours. Alone, this package does not; then it is built here.
fn sidecar() -> PathBuf {
    let ours = Path::new(env!("CARGO_BIN_EXE_grindvakt-load"));
    let program = ours.with_file_name("grindvakt");
    if !program.is_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let target = ours.parent().and_then(Path::parent).unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(root).args(["build", "--package", "grindvakt", "--bin", "grindvakt", "--target-dir"]);
        if !cfg!(debug_assertions) {
            cargo.arg(target).arg("--release");
        } else {
            cargo.arg(target);
        }
        assert!(cargo.status().unwrap().success());
    }
    program
}

fn load(out: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_grindvakt-load"))
        .args(arguments.split_whitespace())
        .arg("--sidecar")
        .arg(sidecar())
        .arg("--out")
        .arg(out)
        .arg("--quiet")
        .output()
        .unwrap()
}

fn report(out: &Path, scenario: &str) -> Value {
    let text = std::fs::read_to_string(out.join(format!("{scenario}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn figure(report: &Value, name: &str) -> f64 {
    report["figures"][name]["value"].as_f64().unwrap_or_else(|| panic!("{name} is not in {}", report["figures"]))
}

#[test]
fn sessions_are_measured_beside_the_bare_hop() {
    let out = tempfile::tempdir().unwrap();
    let arguments = "steady --seconds 1 --warm-up 0.2 --rate 200 --rounds 1 --quick";
    let run = load(out.path(), arguments);
    assert!(run.status.success(), "{run:?}");
    let report = report(out.path(), "steady");
    assert_eq!(report["failures"], serde_json::json!([]));
    for target in ["sidecar", "hop"] {
        let phase = report["phases"].as_array().unwrap().iter().find(|p| p["target"] == target).unwrap();
        let lane = &phase["lanes"][0];
        assert_eq!(phase["requests"], 200, "{phase}");
        assert_eq!((&lane["good"], &lane["bad"]), (&200.into(), &serde_json::json!({})), "{lane}");
        assert!(phase["cpu_us_per_request"].as_f64().unwrap() > 1.0, "{phase}");
        assert!(lane["latency"]["p99"].as_u64().unwrap() > 0, "{lane}");
    }
    assert!(figure(&report, "cpu_over_hop_fixed_rate") > 0.0);
    assert!(figure(&report, "start_to_first_200") > 1.0);
    assert!(report["machine"]["cores"].as_u64().unwrap() > 0);
    let page = std::fs::read_to_string(out.path().join("steady.html")).unwrap();
    assert!(page.contains("<polyline") && page.contains("session requests"));

    // Beside itself a run is neither better nor worse.
    let earlier = out.path().join("earlier.json");
    std::fs::rename(out.path().join("steady.json"), &earlier).unwrap();
    let run = load(out.path(), &format!("{arguments} --compare {}", earlier.display()));
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success() && text.contains("beside the run of"), "{text}");
}

#[test]
fn every_login_of_the_storm_leads_to_a_session() {
    let out = tempfile::tempdir().unwrap();
    let run = load(out.path(), "login-storm --seconds 1 --warm-up 0.1 --rate 50 --logins 60");
    assert!(run.status.success(), "{run:?}");
    let report = report(out.path(), "login-storm");
    let phases = report["phases"].as_array().unwrap();
    let good = |name: &str| &phases.iter().find(|p| p["name"] == name).unwrap()["lanes"][0]["good"];
    assert_eq!((good("logins, fixed rate"), good("logins, closed loop")), (&50.into(), &60.into()));
    assert!(figure(&report, "cpu_login_fixed_rate") > 1.0);
}

#[test]
fn no_replay_leads_to_a_session() {
    let out = tempfile::tempdir().unwrap();
    // Only what is let in matters here, not how long it takes on a busy machine.
    let run = load(out.path(), "replay-attack --seconds 1 --warm-up 0.1 --rate 100 --good-p99 60000");
    assert!(run.status.success(), "{run:?}");
    let report = report(out.path(), "replay-attack");
    let attack = report["phases"].as_array().unwrap().iter().find(|p| p["name"] == "attack").unwrap();
    let replays = attack["lanes"].as_array().unwrap().iter().find(|lane| lane["name"] == "replays").unwrap();
    assert_eq!(replays["good"], 100, "{replays}");
}

#[test]
fn encrypted_logins_come_through() {
    let out = tempfile::tempdir().unwrap();
    let run = load(out.path(), "login-storm --encrypted --quick --seconds 1 --warm-up 0.1 --rate 20");
    assert!(run.status.success(), "{run:?}");
    let report = report(out.path(), "login-storm");
    assert_eq!(report["phases"][0]["lanes"][0]["good"], 20, "{report}");
}

#[test]
fn tokens_are_measured_seen_before_and_new() {
    let out = tempfile::tempdir().unwrap();
    let run = load(out.path(), "bearer --quick --seconds 1 --warm-up 0.1 --rate 100 --rounds 1");
    assert!(run.status.success(), "{run:?}");
    let report = report(out.path(), "bearer");
    assert_eq!(report["failures"], serde_json::json!([]));
    for (name, target, good) in [("seen before", "sidecar", 100), ("seen before", "hop", 100), ("new", "sidecar", 50)] {
        let phases = report["phases"].as_array().unwrap();
        let phase = phases.iter().find(|p| p["name"] == name && p["target"] == target).unwrap();
        assert_eq!(phase["lanes"][0]["good"], good, "{phase}");
    }
    assert!(figure(&report, "cpu_over_hop_seen") > 0.0);
}

#[test]
fn a_change_of_keys_turns_nobody_away() {
    let out = tempfile::tempdir().unwrap();
    let run = load(out.path(), "key-rollover --seconds 2 --warm-up 0.1 --rate 20");
    assert!(run.status.success(), "{run:?}");
    let report = report(out.path(), "key-rollover");
    assert_eq!(report["failures"], serde_json::json!([]));
    let phases = report["phases"].as_array().unwrap();
    let names: Vec<&str> = phases.iter().map(|phase| phase["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    for phase in phases {
        assert_eq!(phase["lanes"][0]["good"], 20, "{phase}");
    }
}

#[test]
fn an_outage_leads_logins_to_the_alternate_and_back() {
    let out = tempfile::tempdir().unwrap();
    let run = load(out.path(), "provider-outage --rate 10");
    assert!(run.status.success(), "{run:?}");
    let report = report(out.path(), "provider-outage");
    assert_eq!(report["failures"], serde_json::json!([]));
    assert_eq!(figure(&report, "sessions_kept"), 40.0);
    assert!((0.1..=5.0).contains(&figure(&report, "led_away")), "{report}");
    assert!((14.0..=17.5).contains(&figure(&report, "closed_again_after")), "{report}");
}

#[test]
fn what_cannot_be_done_is_said() {
    let out = tempfile::tempdir().unwrap();
    for (arguments, code, said) in
        [("nothing", 2, "there are steady, login-storm"), ("steady --compare no.json", 1, "no.json")]
    {
        let run = load(out.path(), arguments);
        let error = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.code() == Some(code) && error.contains(said), "{arguments}: {run:?}");
    }
}
