//! The real sidecar, as a process of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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
    // A test's program lies in `deps`, one folder below.
    let found = [folder.join("grindvakt"), folder.join("../grindvakt")].into_iter().find(|path| path.is_file());
    found.ok_or_else(|| {
        let text =
            format!("no grindvakt program in {}: run `cargo build --workspace` (or `make demo`)", folder.display());
        io::Error::new(io::ErrorKind::NotFound, text)
    })
}

impl Sidecar {
    /// Starts `grindvakt run --config <config>`; its log goes to standard error unless `quiet`.
    ///
    /// # Errors
    /// When the program is not there or does not start.
    pub fn start(config: &Path, quiet: bool) -> io::Result<Self> {
        let mut command = Command::new(program()?);
        command.arg("run").arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null());
        if quiet {
            command.stderr(Stdio::null());
        }
        Ok(Self { child: command.spawn()? })
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
