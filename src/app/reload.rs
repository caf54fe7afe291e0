//! Another configuration without a restart: when a file of it changes, or when someone asks (SIGHUP).
//!
//! It is read and compiled whole, its keys and feeds with it, and only then put in force, at once for all cores. What
//! is wrong with it keeps the one before in force and raises an alarm: a log line for each problem, a metric, and
//! `/status`. Sessions, uses and the logins that are under way outlive it.
//!
//! Files are looked at twice a second, not listened to: a mounted Secret of Kubernetes changes by a link to a folder
//! (`..data`) that is swapped, on which file notifications of any kind are easily lost, and a look costs microseconds.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Shared;
use super::gauges::in_force;
use super::generation::{Generation, Workshop, tell_faults};
use crate::config::{self, Config, Problem};
use crate::provider::FeedFault;
use crate::telemetry::{ConfigRefused, ConfigReloaded};
use crate::verify::Reason;

/// How often files are looked at. A change must have stood still for one look, so that no file is read half written:
/// it is in force well within two seconds.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is said of a digest key that takes another's place all at once.
const NO_OVERLAP: &str = "`keys.digest` and `keys.digest_also` have no key in common with those in force: answers that were \
                          used would count as unused, and no provider could end the sessions there are. Add the new key as \
                          `digest_also` first, then swap the two, then take the old one away (docs/key-rotation.md)";

/// The same where the key in force was made at start, beside which none can be named.
const MADE_BEFORE: &str = "`keys.digest` takes the place of a key that was made at start, which needs a restart: answers that were \
                           used would count as unused";

/// Why the configuration before the newest is still in force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration was not read from files.
    #[error("there are no files to read the configuration from")]
    NoFiles,
    /// It was refused. Every problem is in the log.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
}

/// The newest configuration, in force or refused.
pub(super) struct Newest {
    /// What it was refused for; empty when it is in force.
    problems: Vec<String>,
    /// What its files looked like when they were read.
    seen: Fingerprint,
    /// The newest that could be compiled: its files are looked at. One that was refused for want of a key is tried again
    /// when the key comes.
    config: Arc<Config>,
}

impl Newest {
    /// The configuration of a process that starts.
    pub(super) fn first(paths: &[PathBuf], config: Arc<Config>) -> Self {
        Self { problems: Vec::new(), seen: fingerprint(paths, &config), config }
    }
}

impl Shared {
    /// Reads the configuration again and puts it in force.
    ///
    /// # Errors
    /// [`ReloadError`]: the one before stays in force.
    pub(super) fn reload(&self) -> Result<(), ReloadError> {
        if self.paths.is_empty() {
            return Err(ReloadError::NoFiles);
        }
        // One at a time: each begins where the one before ended.
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current.load_full();
        match self.prepare(&before, &mut newest) {
            Ok(next) => {
                let now = self.workshop.clock.now();
                let snapshot = next.gate.providers();
                let usable = snapshot.all().iter().filter(|provider| provider.usable(now).is_ok()).count();
                let event = ConfigReloaded { usable, providers: snapshot.all().len() };
                let next = Arc::new(next);
                self.current.store(Arc::clone(&next));
                next.telemetry.emit(event);
                in_force(&next.telemetry.metrics().state, &next.config, now);
                newest.problems.clear();
                Ok(())
            }
            Err(problems) => {
                before.telemetry.emit(ConfigRefused { problems: &problems });
                newest.problems.clone_from(&problems);
                Err(ReloadError::Refused(problems))
            }
        }
    }

    fn prepare(&self, before: &Generation, newest: &mut Newest) -> Result<Generation, Vec<String>> {
        // Looked at before it is read: what changes meanwhile is seen to have changed at the next look.
        newest.seen = fingerprint(&self.paths, &newest.config);
        let texts = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        let config = Arc::new(config::load_to_serve(&self.paths).map_err(texts)?);
        newest.config = Arc::clone(&config);
        newest.seen = newest.seen.take_over(fingerprint(&self.paths, &config));
        let fixed = needs_restart(&before.config, &config);
        if !fixed.is_empty() {
            let problem = |key: &&str| format!("`{key}` has changed, which needs a restart");
            return Err(fixed.iter().map(problem).collect());
        }
        let built = self.workshop.build(config, Some(before)).map_err(|error| vec![error.to_string()])?;
        if !built.generation.gate.shares_digest_key(&before.gate) {
            let made = before.config.keys.digest.is_none();
            return Err(vec![if made { MADE_BEFORE } else { NO_OVERLAP }.to_owned()]);
        }
        // A feed that is broken takes away no keys that are good: someone has written half a file, or another's. An
        // entity that a good feed no longer has is gone.
        let lost: Vec<String> = built
            .faults
            .iter()
            .filter(|fault| takes_good_keys(fault, before, &self.workshop))
            .map(|fault| format!("metadata {:?}: {}", fault.feed.as_str(), fault.cause))
            .collect();
        if !lost.is_empty() {
            return Err(lost);
        }
        for warning in &built.warnings {
            tracing::warn!(event = "configuration_warning", detail = warning);
        }
        tell_faults(&built.faults);
        Ok(built.generation)
    }

    /// What the newest configuration was refused for; empty while it is in force.
    pub(super) fn refused(&self) -> Vec<String> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).problems.clone()
    }

    /// What the newest configuration's files look like now, and whether that is what was read.
    fn look(&self) -> (Fingerprint, bool) {
        let (seen, config) = {
            let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            (newest.seen.clone(), Arc::clone(&newest.config))
        };
        let now = fingerprint(&self.paths, &config);
        let same = now == seen;
        (now, same)
    }
}

/// Whether a file that is broken as a whole takes away keys that are valid now: a feed those of its providers, a key set
/// those of the provider of tokens that it is named after. Single keys that are left out are the file's own doing.
fn takes_good_keys(fault: &FeedFault, before: &Generation, workshop: &Workshop) -> bool {
    let now = workshop.clock.now();
    let file = fault.feed.as_str();
    before.gate.providers().all().iter().filter(|entry| entry.usable(now).is_ok()).any(|entry| {
        match entry.config().saml() {
            Some(saml) => fault.entity_id.is_none() && saml.metadata == file,
            None => entry.config().id.as_str() == file && fault.cause.reason() != Reason::KeyLeftOut,
        }
    })
}

/// The keys that were settled when the process started: listening sockets, threads and the log are not made anew.
fn needs_restart(before: &Config, after: &Config) -> Vec<&'static str> {
    let mut changed = Vec::new();
    let mut differ = |key, differs: bool| {
        if differs {
            changed.push(key);
        }
    };
    differ("listen.public", before.listen.public != after.listen.public);
    differ("listen.admin", before.listen.admin != after.listen.admin);
    differ("listen.keep_alive_timeout", before.listen.keep_alive_timeout != after.listen.keep_alive_timeout);
    differ("listen.drain_timeout", before.listen.drain_timeout != after.listen.drain_timeout);
    differ("log", before.log != after.log);
    differ("store", before.store != after.store);
    changed
}

/// What a file looks like from outside; none when it cannot be looked at. Links are followed: one that leads elsewhere
/// is another file.
type Look = Option<(u64, u64, u64, i64, i64)>;

/// Every file that the configuration hangs on, as it looks now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<(PathBuf, Look)>);

impl Fingerprint {
    /// `later`, with what is known of its files from before.
    fn take_over(&self, mut later: Self) -> Self {
        for (path, look) in &mut later.0 {
            if let Some((_, before)) = self.0.iter().find(|(known, _)| known == path) {
                *look = *before;
            }
        }
        later
    }
}

fn fingerprint(paths: &[PathBuf], config: &Config) -> Fingerprint {
    let look = |path: &Path| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.dev(), about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
    };
    Fingerprint(config::sources(paths, config).into_iter().map(|path| (path.clone(), look(&path))).collect())
}

/// The thread that looks. Dropped, it ends.
pub(super) struct Watcher {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts to look.
    pub(super) fn start(shared: Arc<Shared>) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("watch".into()).spawn(move || {
            let mut last = None;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK_EVERY) {
                let (now, same) = shared.look();
                if !same && last.as_ref() == Some(&now) {
                    // How it went was told; when it was refused, the next change is the next chance.
                    let _ = shared.reload();
                }
                last = Some(now);
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
