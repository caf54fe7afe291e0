//! `grindvakt doctor`: looks at everything that a login hangs on, and names what is wrong with it.
//!
//! It serves nothing and changes nothing. What it asks of others is what serving asks of them.

mod federation;
mod files;
mod local;
mod outside;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use crate::base::{Clock, SystemClock};
use crate::config::{self, Config};

/// Look at everything that logins hang on: the way to each provider and feed and who issued the certificate there, names,
/// the clock, metadata and keys with their days left, the store, the e-service and whether others reach it, and files.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file or folder; repeat it to merge several.
    #[arg(long, required = true, value_name = "PATH")]
    pub config: Vec<PathBuf>,
    /// Look at our own entry in the federation's feed of services too, which is what providers go by. FEED is its address or
    /// a file, signed by who signs a configured feed; without it, the configured feeds are looked through, and of a
    /// `…/idp.xml` the `sp.xml` beside it.
    #[arg(long, value_name = "FEED", num_args = 0..=1, default_missing_value = "")]
    pub federation: Option<String>,
    /// Write JSON for programs in the place of a table.
    #[arg(long)]
    pub json: bool,
}

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// As it should be.
    Good,
    /// It works, and should be seen to.
    Warning,
    /// Something does not work, or is open that must not be.
    Bad,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// What was found of one thing.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    area: &'static str,
    /// A name of the configuration, a host or a file.
    subject: String,
    verdict: Verdict,
    /// A stable word for programs.
    code: &'static str,
    /// What was seen.
    detail: String,
    /// What to do; empty where nothing is.
    advice: &'static str,
}

impl Finding {
    fn good(area: &'static str, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        let (subject, detail) = (subject.into(), detail.into());
        Self { area, subject, verdict: Verdict::Good, code: "ok", detail, advice: "" }
    }

    fn worse(
        verdict: Verdict,
        area: &'static str,
        subject: impl Into<String>,
        (code, advice): (&'static str, &'static str),
        detail: impl Into<String>,
    ) -> Self {
        Self { area, subject: subject.into(), verdict, code, detail: detail.into(), advice }
    }
}

/// Runs the command. Exit status: 0 nothing is bad, 1 something is, 78 configuration.
pub fn run(args: &Args) -> ExitCode {
    let config = match config::load_to_serve(&args.config) {
        Ok(config) => config,
        Err(problems) => return super::problems(&problems),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return super::usage(format_args!("no runtime: {e}")),
    };
    let mut findings = examine(&config, &runtime);
    if let Some(feed) = &args.federation {
        let feed = Some(feed.as_str()).filter(|feed| !feed.is_empty());
        findings.extend(federation::look(&config, feed, &runtime));
    }
    let printed = super::print(&if args.json { as_json(&findings) } else { as_table(&findings) });
    let worst = findings.iter().map(|finding| finding.verdict).max();
    if worst == Some(Verdict::Bad) { ExitCode::from(super::REFUSED) } else { printed }
}

fn examine(config: &Config, runtime: &tokio::runtime::Runtime) -> Vec<Finding> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let now = clock.now();
    let mut out: Vec<Finding> = config
        .warnings
        .iter()
        .map(|warning| {
            let advice = ("configuration_warning", "see docs/configuration.md");
            Finding::worse(Verdict::Warning, "configuration", "", advice, warning.to_string())
        })
        .collect();
    out.extend(files::look(config));
    let (snapshot, metadata) = files::metadata(config, now);
    out.extend(metadata);
    out.extend(files::own_certificates(config, now));
    out.extend(runtime.block_on(outside::look(config, &snapshot, &clock, runtime.handle())));
    out.extend(runtime.block_on(local::look(config, now)));
    out
}

fn as_json(findings: &[Finding]) -> String {
    let list: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "area": finding.area,
                "subject": finding.subject,
                "verdict": finding.verdict.name(),
                "code": finding.code,
                "detail": finding.detail,
                "advice": finding.advice,
            })
        })
        .collect();
    let healthy = findings.iter().all(|finding| finding.verdict != Verdict::Bad);
    format!("{:#}\n", json!({ "healthy": healthy, "findings": list }))
}

fn as_table(findings: &[Finding]) -> String {
    let width = |of: fn(&Finding) -> usize| findings.iter().map(of).max().unwrap_or(0);
    let area = width(|finding| finding.area.len());
    let subject = width(|finding| finding.subject.chars().count()).min(44);
    let mut out = String::new();
    for finding in findings {
        // Writing to a text does not fail.
        let _ = writeln!(
            out,
            "{:<7}  {:<area$}  {:<subject$}  {}",
            finding.verdict.name(),
            finding.area,
            finding.subject,
            finding.detail
        );
        if !finding.advice.is_empty() {
            let _ = writeln!(out, "{:<7}  {:<area$}  → {}", "", "", finding.advice);
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (bad, warnings) = (count(Verdict::Bad), count(Verdict::Warning));
    let _ = writeln!(out, "\n{} looked at: {bad} bad, {warnings} to be seen to", findings.len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_for_people_and_json_for_programs() {
        let findings = [
            Finding::good("clock", "feed.example.se", "0 s apart"),
            Finding::worse(Verdict::Bad, "way out", "idp.example.se", ("tls_unknown_issuer", "Ask."), "no TLS"),
        ];
        let table = as_table(&findings);
        assert_eq!(
            table,
            "good     clock    feed.example.se  0 s apart\nbad      way out  idp.example.se   no TLS\n\
             \u{20}                 → Ask.\n\n2 looked at: 1 bad, 0 to be seen to\n"
        );
        let json: serde_json::Value = serde_json::from_str(&as_json(&findings)).unwrap_or_default();
        assert_eq!((&json["healthy"], &json["findings"][1]["code"]), (&false.into(), &"tls_unknown_issuer".into()));
    }
}
