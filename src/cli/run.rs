//! `grindvakt run`: serve until told to stop.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::app::{self, Running, StartError};
use crate::{config, telemetry};

/// Serve: stand in front of the e-service and let verified identities through.
///
/// When a file of the configuration changes, or one that it names, the whole is read again within two seconds and put in
/// force at once, or refused with every problem in the log; SIGHUP does it without a change. Only the addresses under
/// `[listen]`, `keep_alive_timeout`, `drain_timeout` and `log` need a restart.
///
/// SIGTERM and SIGINT stop it in order: not ready at once, serving on for `listen.shutdown_delay`, then draining for at
/// most `listen.drain_timeout`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file or folder; repeat it to merge several.
    #[arg(long, required = true, value_name = "PATH")]
    pub config: Vec<PathBuf>,
}

/// Runs the command. Exit status: 0 stopped in order, 1 cannot start, 78 configuration.
pub fn run(args: &Args) -> ExitCode {
    let config = match config::load_to_serve(&args.config) {
        Ok(config) => config,
        Err(problems) => return super::problems(&problems),
    };
    telemetry::init_log(config.log);
    let upstream = config.service.upstream.to_string();
    let running = match app::start(config, &args.config) {
        Ok(running) => running,
        Err(StartError::Keys(problems)) => return super::problems(&problems),
        Err(e @ StartError::DemoKeys(_)) => {
            super::warn(e);
            return ExitCode::from(super::CONFIG);
        }
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "grindvakt: {e}");
            return ExitCode::from(super::REFUSED);
        }
    };
    tracing::info!(event = "serving", public = %running.public(), admin = %running.admin(), upstream);
    match wait(&running) {
        Ok(name) => {
            tracing::info!(event = "stopping", signal = name);
            running.shutdown();
            tracing::info!(event = "stopped");
            ExitCode::SUCCESS
        }
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "grindvakt: cannot wait for signals: {e}");
            ExitCode::from(super::REFUSED)
        }
    }
}

/// Waits for SIGTERM or SIGINT. SIGHUP reads the configuration again.
fn wait(running: &Running) -> std::io::Result<&'static str> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut hup = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = term.recv() => return Ok("SIGTERM"),
                _ = int.recv() => return Ok("SIGINT"),
                () = running.drain_asked() => return Ok("control"),
                // How it went was told there. This thread does nothing else: it may wait for the files.
                Some(()) = hup.recv() => drop(running.reload()),
            }
        }
    })
}
