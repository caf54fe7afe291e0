//! Fetching again: when it is due or wanted, one at a time, address by address.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::copy::{self, Note};
use super::open::{ends, held, unreadable};
use super::pace::{Said, after_failure, shaken};
use super::state::KnownBy;
use super::{Document, Held, Origin, Place, Source, Trouble, Way};
use crate::base::{Clock, UnixTime};
use crate::config::RemoteUrl;
use crate::crypto::digest::sha256;
use crate::provider::fetch::{FetchError, Request, Validators};
use crate::telemetry::{CopyNotKept, DocumentChanged, DocumentConfirmed, FetchFailed, RefreshFailed};
use crate::verify::{Reason, Reject};

/// The longest wait without a look at the clock: somebody may set it, or the machine may have slept.
const NAP: Duration = Duration::from_secs(60);

/// What one address, or the file, gave.
enum Got<T> {
    /// Another document, verified.
    New { document: Document<T>, digest: [u8; 32] },
    /// The one in use.
    Same(Arc<Held<T>>),
}

/// A success, and by what to ask next time.
struct Success<T> {
    got: Got<T>,
    known_by: Option<KnownBy>,
}

impl<T: Send + Sync + 'static> Source<T> {
    /// Refreshes for ever. `changed` is called after each try, when [`Self::held`] and [`Self::trouble`] say how it went
    /// and before anybody who waits for it goes on.
    ///
    /// From the call on an early fetch can be asked for; nothing happens before the future is polled.
    pub fn run(
        self: Arc<Self>,
        way: Way,
        changed: Arc<dyn Fn() + Send + Sync>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let runs = self.begin(way.clock.now());
        async move {
            if !runs {
                return;
            }
            loop {
                self.due(&*way.clock).await;
                self.attempt(&way).await;
                changed();
                self.lock().in_flight = false;
                self.ended.send_modify(|count| *count += 1);
            }
        }
    }

    /// Whether there is anything to refresh, and when first.
    fn begin(&self, now: UnixTime) -> bool {
        let mut state = self.lock();
        if state.barred {
            return false;
        }
        state.running = true;
        state.next = match self.spec.place {
            // It goes on where the one before it was.
            Place::Remote { .. } if state.next.is_some() => state.next,
            // It was read a moment ago.
            Place::File(_) => Some(now.plus(self.pace().after_success(Said::default(), now))),
            Place::Remote { .. } if state.urls.is_empty() => None,
            Place::Remote { .. } => Some(now),
        };
        true
    }

    /// Returns when a fetch is due or wanted.
    async fn due(&self, clock: &dyn Clock) {
        loop {
            let now = clock.now();
            let next = {
                let state = self.lock();
                if state.wanted || state.next.is_some_and(|next| now >= next) {
                    return;
                }
                state.next
            };
            let nap = next.map(|next| next.min(now.plus(NAP)));
            tokio::select! {
                () = self.kick.notified() => {}
                () = async {
                    match nap {
                        Some(at) => clock.sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                } => {}
            }
        }
    }

    async fn attempt(self: &Arc<Self>, way: &Way) {
        let urls = {
            let mut state = self.lock();
            (state.wanted, state.in_flight) = (false, true);
            state.last_attempt = Some(way.clock.now());
            state.urls.clone()
        };
        let (feed, document, entity) = self.spec.told();
        let failed = |host: &str, trouble: &Trouble| {
            way.telemetry.emit(FetchFailed {
                feed,
                document,
                entity,
                host,
                code: trouble.code,
                detail: &trouble.detail,
            });
        };
        let result = match &self.spec.place {
            Place::File(path) => {
                let looked = self.look(path.clone(), way).await;
                looked.inspect_err(|trouble| failed("", trouble))
            }
            Place::Remote { .. } => {
                let mut result = Err(Trouble {
                    code: "request_impossible",
                    detail: "no address is known".into(),
                    at: way.clock.now(),
                    reject: None,
                });
                for url in &urls {
                    result = self.fetch(url, way).await.inspect_err(|trouble| failed(url.host(), trouble));
                    if result.is_ok() {
                        break;
                    }
                }
                result
            }
        };
        match result {
            Ok(success) => self.succeeded(success, way).await,
            Err(trouble) => self.failed(trouble, way),
        }
    }

    /// Reads the file where it is another than the one that was read last.
    async fn look(self: &Arc<Self>, path: PathBuf, way: &Way) -> Result<Success<T>, Trouble> {
        let now = way.clock.now();
        let source = Arc::clone(self);
        let work = move || {
            let in_use = source.held();
            let metadata = std::fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
            let seen = Some((copy::instant(&metadata), metadata.len()));
            if let Some(held) = in_use.as_ref().filter(|_| source.lock().seen == seen) {
                return Ok(Got::Same(Arc::clone(held)));
            }
            let found = copy::read(&path, source.spec.limit).map_err(|error| unreadable(&path, &error))?;
            let got = source.judge(&found.bytes, in_use.as_ref(), now);
            // What was refused is refused again at the next look: it is still there.
            source.lock().seen = seen.filter(|_| got.is_ok());
            got
        };
        let got = off_thread(work).await.map_err(|reject| Trouble::reject(reject, now))?;
        Ok(Success { got, known_by: None })
    }

    async fn fetch(self: &Arc<Self>, url: &RemoteUrl, way: &Way) -> Result<Success<T>, Trouble> {
        let fault = |error: FetchError| Trouble::fetch(&error, way.clock.now());
        let fetcher = way.fetcher.as_ref().ok_or_else(|| fault(FetchError::Request("no way out".into())))?;
        let held = self.held();
        let mut request = Request::get(url.clone()).accept(self.spec.accept).limit(self.spec.limit);
        // Past its own end a document must come anew: "not modified" would not help.
        let now = way.clock.now();
        let in_use = held.filter(|held| held.document.valid_until.is_none_or(|until| now < until));
        let known = in_use.as_ref().and_then(|held| held.known_by.as_ref()).filter(|by| by.url == url.as_str());
        if let Some(known) = known {
            request = request.unless(&known.validators);
        }
        let answer = fetcher.send(request).await.map_err(fault)?;
        let mut validators = answer.validators();
        let max_age = answer.max_age();
        let got = match in_use {
            // Only what was asked for by a validator comes here as a 304.
            Some(held) if answer.status() == StatusCode::NOT_MODIFIED => {
                // It may leave out what has not changed (RFC 9110, 15.4.5).
                if let Some(known) = held.known_by.as_ref().filter(|_| validators.is_empty()) {
                    validators = known.validators.clone();
                }
                Got::Same(held)
            }
            in_use => {
                let body = answer.ok().map_err(fault)?.body().clone();
                self.taken(body, in_use, url, validators.clone(), way).await?
            }
        };
        Ok(Success { got, known_by: Some(KnownBy { url: url.as_str().to_owned(), validators, max_age }) })
    }

    /// Verifies a body on a blocking thread, and keeps a copy of what is good.
    async fn taken(
        self: &Arc<Self>,
        body: Bytes,
        in_use: Option<Arc<Held<T>>>,
        url: &RemoteUrl,
        validators: Validators,
        way: &Way,
    ) -> Result<Got<T>, Trouble> {
        let now = way.clock.now();
        let (source, url) = (Arc::clone(self), url.as_str().to_owned());
        let (random, telemetry) = (Arc::clone(&way.random), Arc::clone(&way.telemetry));
        let work = move || {
            let got = source.judge(&body, in_use.as_ref(), now)?;
            let digest = match &got {
                Got::New { digest, .. } => Some(digest),
                // What came with the seed has no copy yet.
                Got::Same(held) if held.origin == Origin::Seed => Some(&held.digest),
                Got::Same(_) => None,
            };
            if let (Some(digest), Some(path)) = (digest, source.copy()) {
                let note = Note::new(digest, now, &url, &validators);
                if let Err(error) = copy::write(path, &body, &note, &*random) {
                    telemetry.emit(CopyNotKept { feed: &source.spec.feed, detail: &error.to_string() });
                }
            }
            Ok(got)
        };
        off_thread(work).await.map_err(|reject| Trouble::reject(reject, now))
    }

    /// Verifies what came, unless it is what is in use. Blocking.
    fn judge(&self, bytes: &[u8], in_use: Option<&Arc<Held<T>>>, now: UnixTime) -> Result<Got<T>, Reject> {
        let digest = sha256(bytes);
        let current = in_use.filter(|held| held.document.valid_until.is_none_or(|until| now < until));
        if let Some(held) = current.filter(|held| held.digest == digest) {
            return Ok(Got::Same(Arc::clone(held)));
        }
        let document = (self.reader)(bytes, now)?;
        if let (Some(held), Place::Remote { .. }) = (current.filter(|held| held.usable(now)), &self.spec.place) {
            held.refuse_older(&document)?;
        }
        Ok(Got::New { document, digest })
    }

    async fn succeeded(self: &Arc<Self>, success: Success<T>, way: &Way) {
        let now = way.clock.now();
        let (origin, max_stale) = match &self.spec.place {
            Place::File(_) => (Origin::File, None),
            Place::Remote { max_stale, .. } => (Origin::Fetched, Some(*max_stale)),
        };
        let Success { got, known_by } = success;
        let (feed, document, entity) = self.spec.told();
        let (new, note) = {
            let mut state = self.lock();
            let (held, new) = match got {
                Got::New { document, digest } => {
                    let generation = state.held.as_ref().map_or(1, |old| old.generation + 1);
                    (Held { generation, ..held(document, origin, now, max_stale, digest) }, true)
                }
                Got::Same(old) => {
                    let until = ends(old.document.valid_until, now, max_stale);
                    let document = Arc::clone(&old.document);
                    let (generation, digest) = (old.generation, old.digest);
                    (Held { document, origin, confirmed: now, until, generation, digest, known_by: None }, false)
                }
            };
            let held = Held { known_by, ..held };
            let note =
                held.known_by.as_ref().filter(|_| !new).map(|by| Note::new(&held.digest, now, &by.url, &by.validators));
            let wait = shaken(self.pace().after_success(held.said(), now), &*way.random);
            state.held = Some(Arc::new(held));
            state.failures = 0;
            state.trouble = None;
            state.last_success = Some(now);
            state.next = Some(now.plus(wait));
            (new, note)
        };
        if new {
            let valid_until = self.held().and_then(|held| held.document.valid_until);
            way.telemetry.emit(DocumentChanged { feed, document, entity, origin: origin.name(), valid_until });
        } else {
            way.telemetry.emit(DocumentConfirmed { feed, document });
        }
        if let (Some(note), Some(path)) = (note, self.copy().map(Path::to_path_buf)) {
            let random = Arc::clone(&way.random);
            let kept = tokio::task::spawn_blocking(move || copy::write_note(&path, &note, &*random)).await;
            if let Ok(Err(error)) = kept {
                way.telemetry.emit(CopyNotKept { feed, detail: &error.to_string() });
            }
        }
    }

    fn failed(&self, trouble: Trouble, way: &Way) {
        let now = way.clock.now();
        let (failures, next) = {
            let mut state = self.lock();
            state.failures = state.failures.saturating_add(1);
            state.trouble = Some(trouble);
            let wait = match self.spec.place {
                Place::File(_) => self.pace().after_success(Said::default(), now),
                Place::Remote { .. } => shaken(after_failure(state.failures), &*way.random),
            };
            let next = now.plus(wait);
            state.next = Some(next);
            (state.failures, next)
        };
        let status = self.status(now);
        let (feed, document, entity) = self.spec.told();
        way.telemetry.emit(RefreshFailed {
            feed,
            document,
            entity,
            state: status.freshness.name(),
            until: status.until,
            failures,
            next,
        });
    }

    fn copy(&self) -> Option<&Path> {
        match &self.spec.place {
            Place::File(_) => None,
            Place::Remote { copy, .. } => copy.as_deref(),
        }
    }
}

/// Blocking work on a thread of its own. A reader that falls over is a mistake of ours, and no document.
async fn off_thread<R: Send + 'static>(work: impl FnOnce() -> Result<R, Reject> + Send + 'static) -> Result<R, Reject> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Reject::new(Reason::NotMetadata, "the reader fell over")))
}
