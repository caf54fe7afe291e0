//! Counts the instructions of the three functions that everything hangs on, by valgrind's callgrind, and compares them
//! with `benches/baseline.json`.
//!
//! A count does not hang on what else the machine does, so a change of a few per cent is seen. The cryptography
//! libraries are left out: they choose their code by the processor's features, some of which valgrind hides. A growth of
//! more than 3 % on the compiler, C library and processor features of the baseline ends with status 1; elsewhere it is
//! only told.
//!
//! `cargo bench --bench instructions` compares; with `-- --update` it writes the baseline anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod support;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use grindvakt::base::Secret;
use grindvakt::gate::{Cookies, Decision};
use grindvakt::session::{CookieKey, CookieSealer, Session};
use grindvakt_demo::Sign;
use serde_json::{Value, json};
use support::Saml;
use support::front::{Front, PATH, SESSION};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FUNCTIONS: [&str; 3] = ["verify_response", "authorize", "open_cookie"];
const ROUNDS: u64 = 50;
const GROWTH: f64 = 1.03;

/// Only what runs within functions of this name is counted.
#[inline(never)]
fn measured_verify_response(saml: &Saml, response: &str) -> bool {
    saml.verify(black_box(response.as_bytes()), &saml.expect())
}

#[inline(never)]
fn measured_authorize(front: &Front, held: &[(&str, &str)]) -> bool {
    matches!(front.gate.authorize(black_box(PATH), &Cookies::new(held)), Decision::Permit(_))
}

#[inline(never)]
fn measured_open_cookie(sealer: &CookieSealer, cookie: &str) -> bool {
    sealer.open::<Session>(SESSION, black_box(cookie)).is_some()
}

/// Runs one function, under callgrind.
fn run(name: &str) {
    let rounds = |mut one: Box<dyn FnMut() -> bool>| (0..ROUNDS).for_each(|_| assert!(one()));
    match name {
        "verify_response" => {
            let saml = Saml::new(Sign::Response);
            let response = saml.response(8_600);
            rounds(Box::new(move || measured_verify_response(&saml, &response)));
        }
        "authorize" => {
            let front = Front::new();
            let cookie = front.cookie.clone();
            rounds(Box::new(move || measured_authorize(&front, &[(SESSION, &cookie)])));
        }
        _ => {
            let cookie = Front::new().cookie;
            let sealer = CookieSealer::new([&Secret::new([7; 32])], CookieKey::Session).expect("a key");
            rounds(Box::new(move || measured_open_cookie(&sealer, &cookie)));
        }
    }
}

/// Instructions of one round, cryptography apart.
fn count(name: &str) -> Result<u64, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let out = folder.path().join("callgrind.out");
    let me = std::env::current_exe().map_err(|e| e.to_string())?;
    let status = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--toggle-collect=*measured_{name}*"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(me)
        .args(["--run", name])
        .status()
        .map_err(|e| format!("valgrind: {e}"))?;
    if !status.success() {
        return Err(format!("{name} under valgrind: {status}"));
    }
    let text = std::fs::read_to_string(&out).map_err(|e| e.to_string())?;
    let total: u64 = own_costs(&text).filter(|(place, _)| !place.is_cryptography()).map(|(_, cost)| cost).sum();
    match total / ROUNDS {
        0 => Err(format!("{name}: nothing was counted")),
        one => Ok(one),
    }
}

#[derive(Clone, Default)]
struct Place {
    object: String,
    file: String,
    function: String,
}

impl Place {
    /// Assembly of the two libraries carries no file; everything of ours does.
    fn is_cryptography(&self) -> bool {
        let in_program = !self.object.contains(".so");
        self.function.starts_with("aws_lc_")
            || self.function.starts_with("ring_core_")
            || ["aws-lc-sys", "aws_lc_sys", "ring-0."].iter().any(|part| self.file.contains(part))
            || (in_program && self.file == "???")
    }
}

/// The cost lines of a callgrind profile that are a function's own: those after `calls=` belong to what it calls.
fn own_costs(text: &str) -> impl Iterator<Item = (Place, u64)> + '_ {
    let mut place = Place::default();
    let mut called = false;
    text.lines().filter_map(move |line| {
        if let Some((key, value)) = line.split_once('=') {
            match key {
                "ob" => place.object = value.to_owned(),
                "fl" | "fi" | "fe" => place.file = value.to_owned(),
                "fn" => place.function = value.to_owned(),
                "calls" => called = true,
                _ => {}
            }
            return None;
        }
        let cost =
            line.split_whitespace().nth(1)?.parse().ok().filter(|_| line.starts_with(|c: char| c.is_ascii_digit()));
        let cost: u64 = cost?;
        (!std::mem::take(&mut called)).then(|| (place.clone(), cost))
    })
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    output.map_or_else(
        |_| "unknown".into(),
        |o| String::from_utf8_lossy(&o.stdout).lines().next().unwrap_or("").to_owned(),
    )
}

/// What a count hangs on beside the source.
fn environment() -> BTreeMap<&'static str, String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = cpu.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let has: Vec<_> =
        ["sse4_2", "avx2", "bmi2"].into_iter().filter(|f| flags.split(' ').any(|flag| flag == *f)).collect();
    BTreeMap::from([
        ("compiler", said("rustc", &["--version"])),
        ("libc", said("ldd", &["--version"])),
        ("valgrind", said("valgrind", &["--version"])),
        ("cpu", format!("{} {}", std::env::consts::ARCH, has.join(" "))),
    ])
}

fn baseline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/baseline.json")
}

fn compare(counts: &BTreeMap<&str, u64>, environment: &BTreeMap<&str, String>) -> ExitCode {
    let text = std::fs::read_to_string(baseline()).unwrap_or_default();
    let before: Value = serde_json::from_str(&text).unwrap_or_default();
    let same = environment.iter().all(|(key, value)| before["environment"][*key].as_str() == Some(value));
    if !same {
        println!("the baseline was made elsewhere: {}", before["environment"]);
        println!("                        here is: {}", json!(environment));
    }
    let mut grown = false;
    println!("{:<20} {:>12} {:>12} {:>8}", "instructions", "baseline", "now", "ratio");
    for (name, now) in counts {
        let was = before["counts"][*name].as_u64().unwrap_or(0);
        let ratio = if was == 0 { f64::INFINITY } else { *now as f64 / was as f64 };
        grown |= ratio > GROWTH;
        println!("{name:<20} {was:>12} {now:>12} {ratio:>8.3}");
    }
    match (same, grown) {
        (true, true) => {
            println!(
                "grown by more than 3 %. If it has to be: `cargo bench --bench instructions -- --update`, and say why"
            );
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = args.iter().position(|arg| arg == "--run") {
        run(args.get(at + 1).map_or("", String::as_str));
        return ExitCode::SUCCESS;
    }
    let mut counts = BTreeMap::new();
    for name in FUNCTIONS {
        match count(name) {
            Ok(count) => _ = counts.insert(name, count),
            Err(error) => {
                eprintln!("instructions were not counted: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let environment = environment();
    if args.iter().any(|arg| arg == "--update") {
        let text =
            serde_json::to_string_pretty(&json!({ "environment": environment, "counts": counts })).expect("JSON");
        std::fs::write(baseline(), text + "\n").expect("benches/baseline.json");
    }
    compare(&counts, &environment)
}
