//! What stands around the sidecar: the e-service behind it, and other proxies to compare it with. Each is a process of
//! its own, so that its processor time can be told apart.

pub mod hop;
pub mod nginx;
mod serve;
pub mod upstream;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Failed;
use crate::system::child::Child;
use crate::system::cores::Cores;

/// How long a part may take to start.
const STARTING: Duration = Duration::from_secs(10);

/// Starts a part of this very program, and waits until it listens.
///
/// # Errors
/// When it does not.
pub async fn start(
    name: &'static str,
    arguments: &[&str],
    cores: &[usize],
    home: &Cores,
    folder: &Path,
) -> Result<(Child, SocketAddr), Failed> {
    let program = std::env::current_exe().map_err(|e| Failed::to("finding this program", e))?;
    let mut command = Command::new(program);
    command.arg(name).args(arguments);
    let log = folder.join(format!("{name}.log"));
    let mut child = Child::start(name, command, cores, home, &log)?;
    let find = |text: &str| text.lines().find_map(|line| line.strip_prefix(serve::LISTENING)?.parse().ok());
    let address = child.says(&log, STARTING, find).await?;
    Ok((child, address))
}
