//! The control socket: operators' words on a running sidecar, one JSON object a line, each answered by one line. It is a Unix
//! socket that its owner alone can open: nothing that changes anything listens on a network.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::Shared;
use crate::base::{ProviderId, UnixTime};
use crate::config::{Forced, Override, is_one_line};
use crate::http::admin::AdminState as _;
use crate::provider::REMEMBERED;
use crate::telemetry::{OverrideGiven, OverrideTakenBack};

/// The longest line that is read, in bytes.
const LINE_BYTES: u64 = 8 * 1024;
/// What one is told who sends more, or hangs up in the middle.
const LONG: &str = "a line is at most 8 KB and has an end";
/// How long a connection may stand still.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at a time: operators are few.
const AT_ONCE: usize = 8;

/// What can be asked.
#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
enum Asked {
    /// What `/status` tells.
    Status,
    /// Gives a word on a provider.
    Override { provider: String, state: String, from: Option<String>, until: Option<String>, who: String, why: String },
    /// Takes it back.
    Clear { provider: String, who: String },
    /// Stops in order, as SIGTERM does.
    Drain,
    /// Reads the configuration again.
    Reload,
}

/// The socket; its file goes with it.
pub(super) struct Control {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Control {
    /// Listens at `path`. A socket that an earlier process left there is taken away; one that somebody answers on, and any
    /// other file, is not.
    pub(super) fn start(path: &Path, shared: Arc<Shared>, runtime: &Handle) -> io::Result<Self> {
        let _inside = runtime.enter();
        clear(path)?;
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        // Who made it is who we run as.
        let owner = std::fs::symlink_metadata(path)?.uid();
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let task = runtime.spawn(async move {
            // Whatever stops one accept (no descriptors, say) must not keep a core busy.
            loop {
                match listener.accept().await {
                    Ok((stream, _)) if is_ours(&stream, owner) => {
                        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                        let shared = Arc::clone(&shared);
                        tokio::spawn(async move {
                            let _ = serve(stream, &shared).await;
                            drop(place);
                        });
                    }
                    // The file's mode keeps them out; the moment before it was set does not.
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        });
        Ok(Self { path: path.to_path_buf(), task })
    }
}

/// Takes a dead socket away.
fn clear(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
        Ok(found) if !found.file_type().is_socket() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is in the way"))
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
            Err(_) => std::fs::remove_file(path),
        },
    }
}

/// Whether whoever connects is `owner`, or root.
fn is_ours(stream: &UnixStream, owner: u32) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == owner)
}

async fn serve(stream: UnixStream, shared: &Arc<Shared>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut lines).take(LINE_BYTES);
        let got = tokio::time::timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await;
        match got {
            Ok(Ok(0)) | Err(_) => return Ok(()),
            Ok(got) => drop(got?),
        }
        let whole = line.ends_with(b"\n");
        let asked = if whole { serde_json::from_slice(&line).map_err(|e| e.to_string()) } else { Err(LONG.to_owned()) };
        let drains = matches!(asked, Ok(Asked::Drain));
        let answer = match asked {
            Ok(asked) => carry_out(asked, shared).await.unwrap_or_else(refused),
            Err(why) => refused(why),
        };
        let told = write.write_all(format!("{answer}\n").as_bytes()).await;
        // After the answer, which the process might not live to write otherwise; and also when nobody waits for it.
        if drains {
            shared.drain.notify_one();
        }
        told?;
        if !whole {
            return Ok(());
        }
    }
}

fn refused(why: impl std::fmt::Display) -> Value {
    json!({ "ok": false, "error": why.to_string() })
}

async fn carry_out(asked: Asked, shared: &Arc<Shared>) -> Result<Value, String> {
    let now = shared.workshop.clock.now();
    let overrides = shared.workshop.lasting.overrides();
    let telemetry = &shared.workshop.telemetry;
    match asked {
        Asked::Status => Ok(json!({ "ok": true, "status": shared.status() })),
        Asked::Override { provider, state, from, until, who, why } => {
            let mut word = Override {
                provider: known(&provider, shared)?,
                state: Forced::parse(&state).ok_or("`state` is \"open\" or \"closed\"")?,
                from: instant(from)?,
                until: instant(until)?,
                who: named(who)?,
                why: named(why)?,
            };
            if word.until.is_some_and(|until| until <= word.from.unwrap_or(now)) {
                return Err("`until` is over before it begins".to_owned());
            }
            if shared.workshop.lasting.store().as_shared().is_some() {
                word.until = Some(shared_until(word.until, now)?);
            }
            overrides.give(&word, now);
            telemetry.emit(OverrideGiven {
                provider: &word.provider,
                state: word.state.name(),
                from: word.from,
                until: word.until,
                who: &word.who,
                why: &word.why,
                elsewhere: false,
            });
            Ok(json!({ "ok": true, "until": word.until.map(|at| at.to_string()) }))
        }
        Asked::Clear { provider, who } => {
            let (provider, who) = (known(&provider, shared)?, named(who)?);
            if !overrides.take_back(&provider, &who, now) {
                return Err("no word was given on it; one of the configuration is taken back there".to_owned());
            }
            telemetry.emit(OverrideTakenBack { provider: &provider, who: &who, elsewhere: false });
            Ok(json!({ "ok": true }))
        }
        Asked::Drain => {
            tracing::info!(event = "drain_asked");
            Ok(json!({ "ok": true }))
        }
        Asked::Reload => {
            let shared = Arc::clone(shared);
            let done = tokio::task::spawn_blocking(move || shared.reload()).await.map_err(|e| e.to_string())?;
            done.map_err(|e| e.to_string())?;
            Ok(json!({ "ok": true }))
        }
    }
}

/// A provider that people log in by, in the configuration in force.
fn known(provider: &str, shared: &Shared) -> Result<ProviderId, String> {
    let current = shared.current.load();
    let found = current.config.providers.iter().find(|known| known.id.as_str() == provider && known.has_login());
    found.map(|known| known.id.clone()).ok_or_else(|| format!("nobody logs in by {provider:?} here"))
}

/// The end of a word that replicas keep for each other.
fn shared_until(until: Option<UnixTime>, now: UnixTime) -> Result<UnixTime, String> {
    let longest = now.plus(REMEMBERED);
    match until {
        Some(until) if until > longest => Err("a word that replicas share lasts 30 days at the most: what must stand \
                                               longer stands in the configuration"
            .to_owned()),
        until => Ok(until.unwrap_or(longest)),
    }
}

fn instant(text: Option<String>) -> Result<Option<UnixTime>, String> {
    let read = |text: String| {
        UnixTime::parse_rfc3339(&text).map_err(|_| format!("{text:?} is no instant such as 2026-03-01T10:00:00Z"))
    };
    text.map(read).transpose()
}

/// Who and why: short, and on one line of the log.
fn named(text: String) -> Result<String, String> {
    let text = text.trim();
    if !is_one_line(text) {
        let limits = "`who` and `why` are one line of at most 200 bytes each, without characters that are not seen";
        return Err(limits.to_owned());
    }
    Ok(text.to_owned())
}
