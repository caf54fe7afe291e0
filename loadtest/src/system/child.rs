//! Processes that we start, and end.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child as Spawned, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use super::cores::{Cores, starting_on};
use super::proc::Process;
use crate::Failed;

/// How long a child may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(3);

/// A process of ours. Dropping it ends it: politely, then not.
pub struct Child {
    spawned: Spawned,
    name: &'static str,
}

impl Child {
    /// Starts `command` on `cores`; its standard error and output go to `log`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(
        name: &'static str,
        mut command: Command,
        cores: &[usize],
        home: &Cores,
        log: &Path,
    ) -> Result<Self, Failed> {
        let failed = |e: std::io::Error| Failed::to(format!("starting {name}"), e);
        let file = std::fs::File::create(log).map_err(failed)?;
        // Its input ends when we do, however we end: what watches it goes with us.
        command.stdin(Stdio::piped()).stdout(file.try_clone().map_err(failed)?).stderr(file);
        let spawned = starting_on(cores, &home.all, || command.spawn().map_err(failed))?;
        Ok(Self { spawned, name })
    }

    /// It, to look at.
    pub fn process(&self) -> Process {
        Process(self.spawned.id())
    }

    /// What it is called here.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Waits until `find` finds what it looks for in the log.
    ///
    /// # Errors
    /// When the process ends first or takes longer than `within`; the end of the log is in the sentence.
    pub async fn says<T>(
        &mut self,
        log: &Path,
        within: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Failed> {
        let until = Instant::now() + within;
        loop {
            // Before its log is read: what it wrote at last is in it then.
            let ended = self.ended();
            let text = std::fs::read_to_string(log).unwrap_or_default();
            if let Some(found) = find(&text) {
                return Ok(found);
            }
            let tail: Vec<&str> = text.lines().rev().take(5).collect();
            let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
            if let Some(status) = ended {
                return Err(Failed(format!("{} ended by itself ({status}):\n{tail}", self.name)));
            }
            if Instant::now() > until {
                return Err(Failed(format!("{} was not ready within {} s:\n{tail}", self.name, within.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Its exit status, when it has ended.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.spawned.try_wait().ok().flatten()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let pid = i32::try_from(self.spawned.id()).ok().and_then(Pid::from_raw);
        if self.ended().is_none()
            && let Some(pid) = pid
        {
            let _ = kill_process(pid, Signal::TERM);
            let until = Instant::now() + PATIENCE;
            while self.ended().is_none() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = self.spawned.kill();
        }
        let _ = self.spawned.wait();
    }
}

/// A loopback port that is free now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<SocketAddr, Failed> {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|e| Failed::to("finding a free port", e))
}

/// Opens as many files as we may: each connection is one. Children inherit it. Returns how many.
pub fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let _ = setrlimit(Resource::Nofile, raised);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_started_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "echo ready; exec sleep 60"]);
        let home = Cores::divide(false).unwrap();
        let mut child = Child::start("sleeper", command, &[], &home, &log).unwrap();
        child.says(&log, Duration::from_secs(5), |text| text.contains("ready").then_some(())).await.unwrap();
        let process = child.process();
        assert!(process.cpu().is_some());
        drop(child);
        assert!(process.cpu().is_none());
    }

    #[tokio::test]
    async fn what_ends_by_itself_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "echo no port; exit 3"]);
        let home = Cores::divide(false).unwrap();
        let mut child = Child::start("quitter", command, &[], &home, &log).unwrap();
        let told = child.says(&log, Duration::from_secs(5), |_| None::<()>).await.unwrap_err().to_string();
        assert!(told.contains("exit status: 3") && told.contains("no port"), "{told}");
    }
}
