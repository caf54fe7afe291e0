//! The real sidecar, as a process of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::browser::Browser;
use crate::request::KnownService;

/// A running sidecar; ended when dropped.
pub struct Sidecar {
    child: Child,
}

/// The `grindvakt` program that was built beside this one.
///
/// # Errors
/// When it is not there.
pub fn program() -> io::Result<PathBuf> {
    let me = std::env::current_exe()?;
    let folder = me.parent().unwrap_or(Path::new("."));
    Some(folder.join("grindvakt")).filter(|path| path.is_file()).ok_or_else(|| {
        let text =
            format!("no grindvakt program in {}: run `cargo build --workspace` (or `make demo`)", folder.display());
        io::Error::new(io::ErrorKind::NotFound, text)
    })
}

/// Waits until the sidecar shows its metadata at `url`, and reads the service out of it.
///
/// # Errors
/// A sentence when it does not answer in time or its metadata cannot be used.
pub async fn known_service(url: &str, within: Duration) -> Result<KnownService, String> {
    let waiting = async {
        loop {
            match Browser::new().open(url).await {
                Ok(page) if page.status.is_success() => return page.body,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let metadata = tokio::time::timeout(within, waiting)
        .await
        .map_err(|_| format!("the sidecar did not answer at {url} within {} s", within.as_secs()))?;
    KnownService::from_metadata(&metadata).map_err(|e| e.to_string())
}

impl Sidecar {
    /// Starts `<program> run --config <config>`; its log goes to standard error unless `quiet`.
    ///
    /// # Errors
    /// When the program does not start.
    pub fn start(program: &Path, config: &Path, quiet: bool) -> io::Result<Self> {
        Self::start_with(program, &[config.to_owned()], quiet)
    }

    /// The same with several configuration files.
    ///
    /// # Errors
    /// When the program does not start.
    pub fn start_with(program: &Path, config: &[PathBuf], quiet: bool) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg("run");
        for file in config {
            command.arg("--config").arg(file);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        if quiet {
            command.stderr(Stdio::null());
        }
        Ok(Self { child: command.spawn()? })
    }

    /// Completes when it has ended by itself, which it should not.
    pub async fn ending(&mut self) -> String {
        loop {
            if let Some(status) = self.ended() {
                return format!("the sidecar ended by itself ({status}); its log above says why");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Its exit status, once it has ended by itself.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
