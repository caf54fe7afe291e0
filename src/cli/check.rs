//! `grindvakt check`: every problem of a configuration at once.

use std::path::PathBuf;
use std::process::ExitCode;

use super::failover;
use crate::base::{Clock as _, SystemClock};
use crate::crypto::digest::SystemRandom;
use crate::provider::FeedFault;
use crate::replay::shared::{Settings, StoreFault, probe};
use crate::{app, config, provider};

/// Check a configuration: every problem at once, each with its file and line. Opens no socket but with --online.
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
    /// Ask the shared store, too, whether it would do: every command that serving needs is asked once.
    #[arg(long)]
    pub online: bool,
    /// Show what is left of each route when one of its providers fails, and why each other one is not. Uses what is here
    /// of the providers' keys: files, seeds, and the copies in the state folder.
    #[arg(long)]
    pub failover: bool,
    /// As --failover; exit status 1 where a route hangs on one provider.
    #[arg(long)]
    pub require_alternate: bool,
}

/// Runs the command. Exit status: 0 good, 1 a store that would not do or a route without an alternate, 64 a path that cannot be explained, 78
/// configuration.
pub fn run(args: &Args) -> ExitCode {
    let config = match config::load_to_serve(&args.config) {
        Ok(config) => config,
        Err(problems) => return super::problems(&problems),
    };
    for warning in &config.warnings {
        super::warn(format_args!("warning: {warning}"));
    }
    // Feeds are the providers': what is wrong with one today is told, and is no mistake of the configuration.
    let now = SystemClock.now();
    let (snapshot, faults) = provider::load(&config, now);
    for fault in &faults {
        let weight = if fault.is_ours() { "" } else { "warning: " };
        super::warn(format_args!("{weight}{fault}"));
    }
    let demo_keys = config::demo_keys(&config);
    if faults.iter().any(FeedFault::is_ours) || !demo_keys.is_empty() {
        return super::problems(&demo_keys);
    }
    if args.online
        && let Some(settings) = app::store_settings(&config)
        && let Err(status) = ask_store(&settings)
    {
        return status;
    }
    if let Some(path) = &args.explain {
        return match config::explain(&config, path) {
            Ok(text) => super::print(&text),
            Err(e) => super::usage(e),
        };
    }
    if args.failover || args.require_alternate {
        let told = failover::tell(&config, &snapshot, now);
        let printed = super::print(&told.text);
        if !args.require_alternate || told.hanging.is_empty() {
            return printed;
        }
        told.hanging.iter().for_each(|route| super::warn(format_args!("no alternate: {route}")));
        return ExitCode::from(super::REFUSED);
    }
    if args.print {
        return super::print(&config::print(&config));
    }
    let (providers, routes) = (config.providers.len(), config.routes.all().count() - 1);
    super::print(&format!("ok: {providers} providers, {routes} routes, environment {}\n", config.environment.name()))
}

/// Asks the store once what serving asks of it.
fn ask_store(settings: &Settings) -> Result<(), ExitCode> {
    let refused = |detail: &dyn std::fmt::Display| {
        super::warn(format_args!("store: {detail}"));
        ExitCode::from(super::REFUSED)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| refused(&e))?;
    let asked = runtime.block_on(probe(settings, &SystemRandom::new(), SystemClock.now()));
    let probed = asked.map_err(|fault: StoreFault| refused(&fault))?;
    if let Some(warning) = &probed.warning {
        super::warn(format_args!("warning: store: {warning}"));
    }
    super::warn(format_args!("store: {} (version {}) would do", probed.node, probed.version));
    Ok(())
}
