//! The command line: what each command is called, and how it ends.
//!
//! Exit status: 0 good, 1 refused or unhealthy, 64 usage (sysexits' EX_USAGE), 78 configuration (EX_CONFIG).

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::base::{Clock as _, SystemClock, UnixTime};

pub mod metadata;

/// Refused, or unhealthy.
pub const REFUSED: u8 = 1;
/// The command line is wrong, or names a file that cannot be read.
pub const USAGE: u8 = 64;
/// The configuration is wrong.
pub const CONFIG: u8 = 78;

/// A gatekeeper beside an e-service: it lets a request through only with an identity that it verified itself.
#[derive(Debug, Parser)]
#[command(name = "grindvakt", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Metadata(metadata::Args),
}

/// Reads the command line and runs what it says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            // Help and version are no mistakes.
            return if e.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Metadata(args) => metadata::run(&args, SystemClock.now()),
    }
}

/// An instant on the command line.
fn instant(text: &str) -> Result<UnixTime, String> {
    UnixTime::parse_rfc3339(text).map_err(|_| "write it as 2026-03-01T10:00:00Z".to_owned())
}

/// Says what is wrong with how the command was called, and returns exit status 64.
fn usage(problem: impl fmt::Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "grindvakt: {problem}");
    ExitCode::from(USAGE)
}

/// Prints to standard output; a reader that has gone away is no failure.
fn print(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => usage(format_args!("standard output: {e}")),
        _ => ExitCode::SUCCESS,
    }
}
