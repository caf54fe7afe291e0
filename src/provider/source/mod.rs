//! A source: one document that is fetched again and again, verified each time, and kept while it may be used.
//!
//! What it is of is the reader's business: a federation's feed, one entity of a query service, a key set, a discovery
//! document. The reader turns bytes into a verified value or a refusal; the source decides when to fetch, what to keep and
//! for how long. Its rules:
//!
//! * The last good document stays until its own end or its hard age, whichever comes first, whatever fails meanwhile. A
//!   failure is never a result.
//! * Addresses are tried in order; one that answers with something that is refused is no better than one that is down.
//! * One fetch at a time. Whoever needs a newer document joins the one under way, or asks for an early one: at once, and
//!   then not again before a cooldown has passed.
//! * Reading a document costs up to a second of a core: it happens on the runtime's blocking threads.

mod copy;
mod open;
pub mod pace;
mod refresh;
mod state;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use self::pace::Pace;
use super::fetch::Fetcher;
use crate::base::limits::EARLY_COOLDOWN_SECS;
use crate::base::{Clock, FeedId, UnixTime};
use crate::config::RemoteUrl;
use crate::crypto::digest::Random;
use crate::telemetry::{EarlyFetch, Telemetry};
use crate::verify::Reject;

pub(in crate::provider) use open::unreadable;
pub use state::{Document, Freshness, Held, Origin, Status, Trouble};

/// Turns bytes into a verified value. Called off the request threads.
pub type Reader<T> = Box<dyn Fn(&[u8], UnixTime) -> Result<Document<T>, Reject> + Send + Sync>;

/// Where a document is.
#[derive(Clone, Debug)]
pub enum Place {
    /// On disk, put there by somebody else. It has no hard age, and an older one that is put in place is meant.
    File(PathBuf),
    /// On the network.
    Remote {
        /// The address, and its mirrors in the order that they are tried.
        urls: Vec<RemoteUrl>,
        /// Where the last good copy is kept.
        copy: Option<PathBuf>,
        /// A copy shipped with the sidecar.
        seed: Option<PathBuf>,
        /// How long after its last confirmation it may be used.
        max_stale: Duration,
    },
}

/// What is published: one feed's sources, and one provider's, are told apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A feed of metadata, or one entity of a query service.
    Metadata,
    /// The discovery document of a provider of tokens.
    Discovery,
    /// Its key set.
    Jwks,
}

impl Kind {
    /// Its name in metrics and the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Discovery => "discovery",
            Self::Jwks => "jwks",
        }
    }
}

/// What a source is of.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name in metrics and the log.
    pub feed: FeedId,
    /// What is published there.
    pub kind: Kind,
    /// The one entity that it is about, at a metadata query service.
    pub entity: Option<String>,
    /// Where it is.
    pub place: Place,
    /// The media types to ask for.
    pub accept: &'static str,
    /// The most bytes that are taken.
    pub limit: usize,
}

impl Spec {
    /// By what the log and metrics name it: the feed, what is published there, and of which entity.
    fn told(&self) -> (&FeedId, &'static str, Option<&str>) {
        (&self.feed, self.kind.name(), self.entity.as_deref())
    }
}

/// What refreshing takes beside the source.
#[derive(Clone)]
pub struct Way {
    /// Makes the requests. None where only files are looked at.
    pub fetcher: Option<Fetcher>,
    /// Says when.
    pub clock: Arc<dyn Clock>,
    /// Shakes the times, and names temporary files.
    pub random: Arc<dyn Random>,
    /// Is told what happens.
    pub telemetry: Arc<Telemetry>,
}

/// What became of a wish for a newer document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// It was fetched, or the fetch failed: see [`Source::held`].
    Fetched,
    /// A fetch was under way and has ended.
    Joined,
    /// The last early fetch was a moment ago.
    CoolingDown,
    /// Nothing refreshes this source.
    Idle,
}

impl Early {
    /// Every one there is: a closed set, fit for a metric label.
    pub const ALL: [Self; 4] = [Self::Fetched, Self::Joined, Self::CoolingDown, Self::Idle];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::Joined => "joined",
            Self::CoolingDown => "cooling_down",
            Self::Idle => "idle",
        }
    }
}

/// One document and its refreshing. Shared: `Arc<Source<T>>`.
pub struct Source<T> {
    spec: Spec,
    reader: Reader<T>,
    state: Mutex<State<T>>,
    /// How many fetches have ended.
    ended: watch::Sender<u64>,
    kick: Notify,
}

struct State<T> {
    held: Option<Arc<Held<T>>>,
    urls: Vec<RemoteUrl>,
    /// Refused for good: nothing is fetched.
    barred: bool,
    running: bool,
    /// An early fetch was asked for and has not begun.
    wanted: bool,
    in_flight: bool,
    /// Time and size of the file that was looked at last.
    seen: Option<(UnixTime, u64)>,
    last_attempt: Option<UnixTime>,
    last_success: Option<UnixTime>,
    last_early: Option<UnixTime>,
    next: Option<UnixTime>,
    failures: u32,
    trouble: Option<Trouble>,
}

impl<T: Send + Sync + 'static> Source<T> {
    /// A source that holds nothing yet: see [`Self::open`] and [`Self::run`].
    pub fn new(spec: Spec, reader: Reader<T>) -> Self {
        let urls = match &spec.place {
            Place::File(_) => Vec::new(),
            Place::Remote { urls, .. } => urls.clone(),
        };
        let state = State {
            held: None,
            urls,
            barred: false,
            running: false,
            wanted: false,
            in_flight: false,
            seen: None,
            last_attempt: None,
            last_success: None,
            last_early: None,
            next: None,
            failures: 0,
            trouble: None,
        };
        Self { spec, reader, state: Mutex::new(state), ended: watch::Sender::new(0), kick: Notify::new() }
    }

    /// A source that may not be used, such as one whose pinned key is another environment's. It is never fetched.
    pub fn barred(spec: Spec, why: Reject, now: UnixTime) -> Self {
        let refused = why.clone();
        let source = Self::new(spec, Box::new(move |_, _| Err(refused.clone())));
        {
            let mut state = source.lock();
            state.barred = true;
            state.trouble = Some(Trouble::reject(why, now));
        }
        source
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it is of.
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The document in use, whether or not it may still be used: see [`Held::usable`].
    pub fn held(&self) -> Option<Arc<Held<T>>> {
        self.lock().held.clone()
    }

    /// Takes over what `old`, a source of the same document, holds and when it goes on: after a reload of the
    /// configuration. `whole` says whether the document that it holds says all that this reader looks for; otherwise it
    /// serves until the next fetch, which is due at once.
    ///
    /// A file is what the operator says now, whatever was held before.
    pub fn inherit(&self, old: &Self, whole: impl Fn(&Held<T>) -> bool) {
        if matches!(self.spec.place, Place::File(_)) {
            return;
        }
        let old = old.lock();
        let mut new = self.lock();
        new.last_early = old.last_early;
        let Some(held) = old.held.as_ref() else { return };
        let whole = whole(held);
        let in_place = match &new.held {
            None => false,
            Some(own) => !whole || own.confirmed > held.confirmed,
        };
        if in_place {
            return;
        }
        new.held = Some(Arc::new(Held {
            document: Arc::clone(&held.document),
            origin: held.origin,
            confirmed: held.confirmed,
            until: held.until,
            generation: held.generation,
            digest: if whole { held.digest } else { [0; 32] },
            known_by: held.known_by.clone().filter(|_| whole),
        }));
        if whole {
            (new.last_attempt, new.last_success, new.next) = (old.last_attempt, old.last_success, old.next);
            (new.failures, new.trouble) = (old.failures, old.trouble.clone());
        }
    }

    /// Why the last try gave nothing.
    pub fn trouble(&self) -> Option<Trouble> {
        self.lock().trouble.clone()
    }

    /// Leads to other addresses: a key set is where its provider's discovery document says. Whoever calls has checked that
    /// the configuration names their host. Fetched at once where they are new.
    pub fn lead_to(&self, urls: Vec<RemoteUrl>) {
        let mut state = self.lock();
        if state.urls != urls {
            state.urls = urls;
            state.wanted = true;
            self.kick.notify_one();
        }
    }

    /// Where it is fetched from now.
    pub fn addresses(&self) -> Vec<RemoteUrl> {
        self.lock().urls.clone()
    }

    /// Whether it is known where to fetch from.
    pub fn has_address(&self) -> bool {
        !self.lock().urls.is_empty()
    }

    /// Wants a newer document: for a key that the one in use does not have. Returns when there is one, when the fetch has
    /// failed, or at once when it is too early to ask again. The caller bounds its wait.
    pub async fn early(&self, way: &Way) -> Early {
        let (outcome, mut ended) = self.ask_early(way.clock.now());
        let (feed, document, _) = self.spec.told();
        way.telemetry.emit(EarlyFetch { feed, document, outcome: outcome.name() });
        if let Some((ended, seen)) = &mut ended {
            // The sender lives in `self`: the wait ends with a fetch or with the caller's patience.
            let seen = *seen;
            let _ = ended.wait_for(|count| *count > seen).await;
        }
        outcome
    }

    fn ask_early(&self, now: UnixTime) -> (Early, Option<(watch::Receiver<u64>, u64)>) {
        let mut state = self.lock();
        if !state.running {
            return (Early::Idle, None);
        }
        let ended = self.ended.subscribe();
        let seen = *ended.borrow();
        if state.wanted || state.in_flight {
            return (Early::Joined, Some((ended, seen)));
        }
        let cooldown = Duration::from_secs(EARLY_COOLDOWN_SECS);
        if state.last_early.is_some_and(|last| now < last.plus(cooldown)) {
            return (Early::CoolingDown, None);
        }
        state.last_early = Some(now);
        state.wanted = true;
        self.kick.notify_one();
        (Early::Fetched, Some((ended, seen)))
    }

    /// What it says of itself.
    pub fn status(&self, now: UnixTime) -> Status {
        let state = self.lock();
        let held = state.held.as_deref();
        let freshness = match held.filter(|held| held.usable(now)) {
            None => Freshness::None,
            Some(held) => match held.origin {
                Origin::Seed => Freshness::Seed,
                Origin::Fetched | Origin::File if state.failures == 0 => Freshness::Fresh,
                Origin::Fetched | Origin::File | Origin::Copy => Freshness::Stale,
            },
        };
        Status {
            feed: self.spec.feed.clone(),
            kind: self.spec.kind,
            entity: self.spec.entity.clone(),
            freshness,
            origin: held.map(|held| held.origin),
            confirmed: held.map(|held| held.confirmed),
            valid_until: held.and_then(|held| held.document.valid_until),
            until: held.and_then(|held| held.until),
            last_attempt: state.last_attempt,
            last_success: state.last_success,
            next_attempt: state.next,
            fetching: state.in_flight,
            failures: state.failures,
            trouble: state.trouble.clone(),
        }
    }

    fn pace(&self) -> Pace {
        match self.spec.place {
            Place::File(_) => Pace::FILE,
            Place::Remote { .. } => Pace::FETCHED,
        }
    }
}
