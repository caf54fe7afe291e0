//! `grindvakt control`: an operator's word to a running sidecar, over its control socket.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::base::UnixTime;
use crate::config;

/// Tell a running sidecar what to do: hold a provider open or closed, drain, reload. Over its control socket, as the user
/// that it runs as.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file or folder, for `[listen] control`; repeat it to merge several.
    #[arg(long, value_name = "PATH", required_unless_present = "socket")]
    config: Vec<PathBuf>,
    /// The socket itself, instead of a configuration.
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    socket: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Hold a provider `open` (nobody is sent there) or `closed` (people are, whatever its health looks like).
    Override {
        /// The [[provider]].
        provider: String,
        /// What its breaker is held at.
        #[arg(value_parser = ["open", "closed"])]
        state: String,
        /// Who says so: in the log and the status.
        #[arg(long)]
        who: String,
        /// Why: for whoever finds it.
        #[arg(long)]
        why: String,
        /// From when on; at once, if it is left out.
        #[arg(long, value_name = "RFC3339", value_parser = super::instant)]
        from: Option<UnixTime>,
        /// Until when; until it is cleared, if it is left out.
        #[arg(long, value_name = "RFC3339", value_parser = super::instant)]
        until: Option<UnixTime>,
    },
    /// Take such a word back.
    Clear {
        /// The [[provider]].
        provider: String,
        /// Who says so.
        #[arg(long)]
        who: String,
    },
    /// What /status tells.
    Status,
    /// Stop in order, as SIGTERM does.
    Drain,
    /// Read the configuration again, as SIGHUP does, and say whether it is in force.
    Reload,
}

impl Command {
    fn as_line(&self) -> Value {
        let at = |instant: &Option<UnixTime>| instant.map(|at| at.to_string());
        match self {
            Self::Override { provider, state, who, why, from, until } => json!({
                "command": "override", "provider": provider, "state": state, "who": who, "why": why,
                "from": at(from), "until": at(until),
            }),
            Self::Clear { provider, who } => json!({ "command": "clear", "provider": provider, "who": who }),
            Self::Status => json!({ "command": "status" }),
            Self::Drain => json!({ "command": "drain" }),
            Self::Reload => json!({ "command": "reload" }),
        }
    }
}

/// Runs the command. Exit status: 0 done, 1 refused or nobody there, 78 configuration.
pub fn run(args: &Args) -> ExitCode {
    let refused = |why: &dyn std::fmt::Display| {
        super::warn(format_args!("grindvakt: {why}"));
        ExitCode::from(super::REFUSED)
    };
    let socket = match &args.socket {
        Some(socket) => socket.clone(),
        None => match config::load(&args.config) {
            Err(problems) => return super::problems(&problems),
            Ok(config) => match config.listen.control {
                Some(socket) => socket,
                None => return refused(&"[listen] names no `control`: nobody can be told anything"),
            },
        },
    };
    match ask(&socket, &args.command.as_line()) {
        Err(e) => refused(&format_args!("{}: {e}", socket.display())),
        Ok(answer) => match (answer.get("ok").and_then(Value::as_bool), answer.get("status")) {
            (Some(true), Some(status)) => super::print(&format!("{status:#}\n")),
            // A word that replicas share has an end, also where none was asked for.
            (Some(true), None) => match answer.get("until").and_then(Value::as_str) {
                Some(until) => super::print(&format!("until {until}\n")),
                None => ExitCode::SUCCESS,
            },
            _ => refused(&answer.get("error").and_then(Value::as_str).unwrap_or("an answer that is none")),
        },
    }
}

fn ask(socket: &std::path::Path, line: &Value) -> std::io::Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    // A reload reads feeds.
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}
