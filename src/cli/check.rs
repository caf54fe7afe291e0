//! `grindvakt check`: every problem of a configuration at once.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::base::{Clock as _, SystemClock};
use crate::provider::FeedFault;
use crate::{config, provider};

/// Check a configuration: every problem at once, each with its file and line. Opens no socket.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file or folder; repeat it to merge several.
    #[arg(long, required = true, value_name = "PATH")]
    pub config: Vec<PathBuf>,
    /// Show the effective rule of a path, such as /ansokan/1.
    #[arg(long, value_name = "PATH")]
    pub explain: Option<String>,
    /// Show the effective configuration, defaults filled in and secrets masked.
    #[arg(long)]
    pub print: bool,
}

/// Runs the command. Exit status: 0 good, 64 a path that cannot be explained, 78 configuration.
pub fn run(args: &Args) -> ExitCode {
    let config = match config::load(&args.config) {
        Ok(config) => config,
        Err(problems) => return super::problems(&problems),
    };
    for warning in &config.warnings {
        super::warn(format_args!("warning: {warning}"));
    }
    // Feeds are the providers': what is wrong with one today is told, and is no mistake of the configuration.
    let (_, faults) = provider::load(&config, SystemClock.now());
    for fault in &faults {
        let weight = if fault.is_ours() { "" } else { "warning: " };
        super::warn(format_args!("{weight}{fault}"));
    }
    let demo_keys = config::demo_keys(&config);
    if faults.iter().any(FeedFault::is_ours) || !demo_keys.is_empty() {
        return super::problems(&demo_keys);
    }
    if let Some(path) = &args.explain {
        return match config::explain(&config, path) {
            Ok(text) => super::print(&text),
            Err(e) => super::usage(e),
        };
    }
    if args.print {
        return super::print(&config::print(&config));
    }
    let (providers, routes) = (config.providers.len(), config.routes.all().count() - 1);
    super::print(&format!("ok: {providers} providers, {routes} routes, environment {}\n", config.environment.name()))
}
