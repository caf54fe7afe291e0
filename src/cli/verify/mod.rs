//! `grindvakt verify`: judge captured messages exactly as the server would, at any instant.

mod batch;
mod judge;
mod token;

use std::borrow::Cow;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use judge::{Judge, Question};
use serde_json::Value;

use crate::base::{Clock as _, SystemClock, UnixTime};
use crate::config::load_decryption;
use crate::crypto::own::DecryptionKeys;
use crate::{config, provider};

/// Verify SAML Responses, ID tokens and access tokens against the configured providers, with the rules of the server.
///
/// Needs no listener, store or signing key: only the providers and their metadata, and for encrypted messages the
/// decryption keys.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file or folder; repeat it to merge several.
    #[arg(long, required = true, value_name = "PATH")]
    pub config: Vec<PathBuf>,
    /// The instant to judge at, as RFC 3339 [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = super::instant)]
    pub at: Option<UnixTime>,
    /// The ID of the request that the browser holds, or the nonce that was sent; '*' leaves the binding to a request out.
    #[arg(long, value_name = "ID")]
    pub in_response_to: Option<String>,
    /// The id of the provider that was asked [default: by Issuer]
    #[arg(long, value_name = "ID")]
    pub provider: Option<String>,
    /// Hold it against the route of this path, too.
    #[arg(long, value_name = "PATH")]
    pub route: Option<String>,
    /// Show the person: personal data on your screen.
    #[arg(long)]
    pub show_identity: bool,
    /// Read one JSON object a line from standard input, write one verdict a line. Identities are shown.
    #[arg(long, conflicts_with_all = ["at", "in_response_to", "provider", "route", "show_identity", "file"])]
    pub batch: bool,
    /// Files with a message each: XML, its base64, or a compact JWT. '-' is standard input.
    #[arg(value_name = "FILE", required_unless_present = "batch")]
    pub file: Vec<PathBuf>,
}

/// Runs the command. Exit status: 0 all accepted, 1 one refused, 64 a file that cannot be read, 78 configuration.
pub fn run(args: &Args) -> ExitCode {
    let config = match config::load(&args.config) {
        Ok(config) => config,
        Err(problems) => return super::problems(&problems),
    };
    let now = args.at.unwrap_or_else(|| SystemClock.now());
    // Loaded as of the beginning of time, when nothing had expired: validity is judged with each message, at its instant.
    let (snapshot, faults) = provider::load(&config, UnixTime::from_secs(0));
    for fault in &faults {
        let _ = writeln!(std::io::stderr(), "warning: {}: {}", fault.feed, fault.cause);
    }
    // A key that is not here opens nothing, and every message that needs none can be judged all the same.
    let decryption = load_decryption(&config).unwrap_or_else(|problems| {
        for problem in problems {
            let _ = writeln!(std::io::stderr(), "warning: {problem}");
        }
        DecryptionKeys::default()
    });
    let judge = Judge::new(config, snapshot, decryption);
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
        return super::usage("the system gave no event loop");
    };
    if args.batch {
        let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
        return match runtime.block_on(batch::run(&judge, input, output, || SystemClock.now())) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(super::REFUSED),
            Err(e) => super::usage(format_args!("standard input or output: {e}")),
        };
    }
    let mut all_good = true;
    for path in &args.file {
        let message = match read(path) {
            Ok(message) => message,
            Err(e) => return super::usage(format_args!("{}: {e}", path.display())),
        };
        let question = Question {
            message: Cow::Owned(message),
            at: args.at,
            in_response_to: args.in_response_to.as_deref(),
            provider: args.provider.as_deref(),
            route: args.route.as_deref(),
        };
        let verdict = runtime.block_on(judge.judge(&question, now));
        all_good &= verdict.refused.is_none();
        let json = verdict.as_json(&Value::String(path.display().to_string()), args.show_identity);
        if super::print(&format!("{json:#}\n")) != ExitCode::SUCCESS {
            return ExitCode::from(super::REFUSED);
        }
    }
    if all_good { ExitCode::SUCCESS } else { ExitCode::from(super::REFUSED) }
}

fn read(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut out = Vec::new();
        std::io::stdin().lock().read_to_end(&mut out)?;
        return Ok(out);
    }
    std::fs::read(path)
}
