//! What the person asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// How to run. What is not given, each scenario chooses for itself.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Seconds that each measured part takes.
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    pub seconds: f64,
    /// Seconds of warm-up before the first part.
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    pub warm_up: f64,
    /// Requests in a second, in the open loop.
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Connections of the generator for each stream of traffic.
    #[arg(long, value_name = "N")]
    pub connections: Option<usize>,
    /// Logins to prepare for the closed loop.
    #[arg(long, value_name = "N")]
    pub logins: Option<usize>,
    /// Bytes of a prepared Response.
    #[arg(long, value_name = "N", default_value_t = 8600)]
    pub response_bytes: usize,
    /// Megabytes of an upload and of a download.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub body_mb: u64,
    /// Rounds in which the sidecar and what it is compared with take turns.
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub rounds: usize,
    /// Coping, when looking for the saturation point, means a p99 within so many milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 25.0)]
    pub p99_limit: f64,
    /// Good traffic beside an attack or a crowd must keep a p99 within so many milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 100.0)]
    pub good_p99: f64,
    /// The share of good traffic that may fail before the run does.
    #[arg(long, value_name = "SHARE", default_value_t = 0.001)]
    pub max_errors: f64,
    /// Prepared answers come with an encrypted assertion (RSA-OAEP 2048, AES-256-GCM).
    #[arg(long)]
    pub encrypted: bool,
    /// The version before, as a program: what a rolling restart begins with.
    #[arg(long, value_name = "PROGRAM")]
    pub previous: Option<PathBuf>,
    /// Only what is measured at a fixed rate: no closed loop, no search for the saturation point, no open connections.
    #[arg(long)]
    pub quick: bool,
}

impl Options {
    /// How long a measured part takes.
    pub fn duration(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or(Duration::from_secs(10))
    }

    /// How long the warm-up takes.
    pub fn warm_up(&self) -> Duration {
        Duration::try_from_secs_f64(self.warm_up).unwrap_or_default()
    }

    /// A rate, `usual` when none was asked for.
    pub fn rate_or(&self, usual: f64) -> f64 {
        self.rate.unwrap_or(usual)
    }

    /// A number of connections, `usual` when none was asked for.
    pub fn connections_or(&self, usual: usize) -> usize {
        self.connections.unwrap_or(usual).max(1)
    }
}
