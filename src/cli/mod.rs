//! The command line: what each command is called, and how it ends.
//!
//! Exit status: 0 good, 1 refused or unhealthy, 64 usage (sysexits' EX_USAGE), 78 configuration (EX_CONFIG).

use std::ffi::OsString;
use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::base::{Clock as _, SystemClock, UnixTime};
use crate::config::Problem;

pub mod check;
pub mod control;
pub mod doctor;
mod failover;
mod joining;
pub mod keys;
pub mod metadata;
mod rotate;
pub mod run;
pub mod verify;

/// Refused, or unhealthy.
pub const REFUSED: u8 = 1;
/// The command line is wrong, or names a file that cannot be read.
pub const USAGE: u8 = 64;
/// The configuration is wrong.
pub const CONFIG: u8 = 78;

/// A gatekeeper beside an e-service: it lets a request through only with an identity that it verified itself.
#[derive(Debug, Parser)]
#[command(name = "grindvakt", version, about, max_term_width = 100)]
#[command(after_help = "Exit status: 0 good, 1 refused or unhealthy, 64 usage, 78 configuration.\n\
    Without a command, `grindvakt --config FILE` is `grindvakt run --config FILE`.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Check(check::Args),
    Doctor(doctor::Args),
    Verify(verify::Args),
    Metadata(metadata::Args),
    Keys(keys::Args),
    Control(control::Args),
}

/// Reads the command line and runs what it says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(with_default(std::env::args_os())) {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            // Help and version are no mistakes.
            return if e.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Metadata(args) => metadata::run(&args, SystemClock.now()),
        Command::Keys(args) => keys::run(&args, SystemClock.now()),
        Command::Control(args) => control::run(&args),
    }
}

/// `run` is the command where the line begins with an option of it.
fn with_default(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.collect();
    let bare =
        args.get(1).is_some_and(|first| first.to_str().is_some_and(|f| f == "--config" || f.starts_with("--config=")));
    if bare {
        args.insert(1, "run".into());
    }
    args
}

/// An instant on the command line.
fn instant(text: &str) -> Result<UnixTime, String> {
    UnixTime::parse_rfc3339(text).map_err(|_| "write it as 2026-03-01T10:00:00Z".to_owned())
}

/// Says what is wrong with how the command was called, and returns exit status 64.
fn usage(problem: impl fmt::Display) -> ExitCode {
    warn(format_args!("grindvakt: {problem}"));
    ExitCode::from(USAGE)
}

/// Says every problem of a configuration, and returns exit status 78.
fn problems(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        warn(problem);
    }
    ExitCode::from(CONFIG)
}

/// A line on standard error.
fn warn(line: impl fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints to standard output; a reader that has gone away is no failure.
fn print(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => usage(format_args!("standard output: {e}")),
        _ => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_run_is_its_default() {
        Cli::command().debug_assert();
        let args = |text: &str| with_default(text.split(' ').map(OsString::from)).join(&OsString::from(" "));
        assert_eq!(args("grindvakt --config a.toml"), "grindvakt run --config a.toml");
        assert_eq!(args("grindvakt check --config a.toml"), "grindvakt check --config a.toml");
        assert_eq!(args("grindvakt --help"), "grindvakt --help");
    }
}
