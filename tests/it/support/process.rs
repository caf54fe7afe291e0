//! The real program, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::raw::PATIENCE;

/// A running program and what it has told so far. It is ended when this is dropped.
pub struct Process {
    child: Child,
    log: Arc<Mutex<Vec<Value>>>,
    pub public: SocketAddr,
    pub admin: SocketAddr,
}

impl Process {
    /// Starts it with the configuration in `folder`, and waits until it serves.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, "grindvakt.toml")
    }

    /// Starts it with another file of that folder.
    pub fn start_with(folder: &Path, config: &str) -> Self {
        Self::start_as(folder, config, &[])
    }

    /// Starts it with more in its environment.
    pub fn start_as(folder: &Path, config: &str, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_grindvakt"))
            .args(["run", "--config", config])
            .current_dir(folder)
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let log: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (told, lines) = (Arc::clone(&log), BufReader::new(child.stderr.take().unwrap()).lines());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                told.lock().unwrap().push(read(&line));
            }
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Self { child, log, public: nowhere, admin: nowhere };
        let serving = process.wait_for("serving");
        process.public = serving["public"].as_str().unwrap().parse().unwrap();
        process.admin = serving["admin"].as_str().unwrap().parse().unwrap();
        process
    }

    /// The first line of its log that tells of `event`.
    pub fn wait_for(&self, event: &str) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.log.lock().unwrap().iter().find(|line| line["event"] == event).cloned();
            if let Some(found) = found {
                return found;
            }
            assert!(Instant::now() < end, "no {event} in {:#?}", self.log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything that it has told so far, one line each.
    pub fn told(&self) -> Vec<String> {
        self.log.lock().unwrap().iter().map(ToString::to_string).collect()
    }

    /// Whether its log tells of `event`.
    pub fn has_told(&self, event: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line["event"] == event)
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Its exit status; none while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// `VmHWM` and `VmRSS`: the most memory that it ever had, and what it has now, in KB.
    pub fn memory_kb(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let of = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        (of("VmHWM:"), of("VmRSS:"))
    }
}

/// A line of the log, in whichever form: what it says of itself, by name. One for people is kept whole too, under `line`.
fn read(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|_| {
        let mut out = json!({ "line": line });
        for (name, value) in line.split_whitespace().filter_map(|word| word.split_once('=')) {
            if ["event", "public", "admin"].contains(&name) {
                out[name] = value.trim_matches('"').into();
            }
        }
        out
    })
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
