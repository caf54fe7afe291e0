//! What the sidecar fetches by itself: events and metrics. A `feed` is what publishes, and a `document` what of it.

use prometheus::{IntCounterVec, IntGaugeVec};
use tracing::{debug, error, info, warn};

use super::catalogue::{Families, Label};
use super::{Event, Metrics};
use crate::base::{FeedId, ProviderId, UnixTime};

/// The families. The label `feed` is an id of the configuration, `document` a word of a closed set.
#[derive(Clone)]
pub struct FetchMetrics {
    refreshes: IntCounterVec,
    failures: IntCounterVec,
    early: IntCounterVec,
    copies: IntCounterVec,
    keys: IntCounterVec,
    /// Seconds since the document in use was last confirmed.
    pub age: IntGaugeVec,
    /// Seconds until the document in use may no longer be used; 0 where there is none.
    pub expiry: IntGaugeVec,
    /// Documents of a feed by how they are doing.
    pub sources: IntGaugeVec,
}

impl FetchMetrics {
    pub(super) fn new(families: &mut Families) -> Result<Self, prometheus::Error> {
        const OUTCOME: Label = Label::new("outcome", "`changed`, `confirmed`, `failed`");
        const EARLY: Label = Label::new("outcome", "`fetched`, `joined`, `cooling_down`, `idle`");
        const CHANGE: Label = Label::new("change", "`added`, `withdrawn`");
        const STATE: Label = Label::new("state", "`fresh`, `stale`, `seed`, `none`");
        const DOCUMENT: Label =
            Label::new("document", "`metadata`; `discovery` and `jwks` of a provider that publishes its own");
        families.group("Feeds");
        Ok(Self {
            refreshes: families.counters(
                "grindvakt_fetch_refreshes_total",
                "Tries to refresh a feed, by outcome.",
                &[Label::FEED, DOCUMENT, OUTCOME],
            )?,
            failures: families.counters(
                "grindvakt_fetch_failures_total",
                "Addresses and copies that gave no document, by code.",
                &[Label::FEED, DOCUMENT, Label::CODE],
            )?,
            early: families.counters(
                "grindvakt_fetch_early_total",
                "Wishes for a newer document because of an unknown key, by outcome.",
                &[Label::FEED, DOCUMENT, EARLY],
            )?,
            copies: families.counters(
                "grindvakt_fetch_copy_failures_total",
                "Copies that could not be written to the state folder.",
                &[Label::FEED],
            )?,
            keys: families.counters(
                "grindvakt_provider_key_changes_total",
                "Signing keys that came with a refresh or went.",
                &[Label::PROVIDER, CHANGE],
            )?,
            age: families.gauges(
                "grindvakt_metadata_age_seconds",
                "Seconds since the document in use was last confirmed; the oldest of the feed.",
                &[Label::FEED, DOCUMENT],
            )?,
            expiry: families.gauges(
                "grindvakt_metadata_expiry_seconds",
                "Seconds until the document in use may no longer be used; the first of the feed; 0 without one.",
                &[Label::FEED, DOCUMENT],
            )?,
            sources: families.gauges(
                "grindvakt_metadata_documents",
                "Documents of the feed by state.",
                &[Label::FEED, DOCUMENT, STATE],
            )?,
        })
    }

    /// Shows the families of what is fetched before anything has happened: zero is the number that operators want to see.
    pub fn know(&self, feed: &FeedId, document: &'static str) {
        for outcome in ["changed", "confirmed", "failed"] {
            self.refreshes.with_label_values(&[feed.as_str(), document, outcome]);
        }
        for outcome in ["fetched", "joined", "cooling_down", "idle"] {
            self.early.with_label_values(&[feed.as_str(), document, outcome]);
        }
    }

    /// Shows the family of copies on disk, which only feeds have.
    pub fn know_copies(&self, feed: &FeedId) {
        self.copies.with_label_values(&[feed.as_str()]);
    }

    /// Shows a provider's, likewise.
    pub(super) fn know_provider(&self, provider: &ProviderId) {
        for change in ["added", "withdrawn"] {
            self.keys.with_label_values(&[provider.as_str(), change]);
        }
    }
}

/// A document came that is another than the one before it.
pub struct DocumentChanged<'a> {
    /// The feed.
    pub feed: &'a FeedId,
    /// What is published there: a word of a closed set.
    pub document: &'static str,
    /// The one entity that it is about.
    pub entity: Option<&'a str>,
    /// Where it came from.
    pub origin: &'static str,
    /// Its own end.
    pub valid_until: Option<UnixTime>,
}

impl Event for DocumentChanged<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.fetch.refreshes.with_label_values(&[self.feed.as_str(), self.document, "changed"]).inc();
        let until = self.valid_until.map(|at| at.to_string()).unwrap_or_default();
        let entity = self.entity.unwrap_or_default();
        info!(event = "document_changed", feed = %self.feed, document = self.document, entity, origin = self.origin, valid_until = until);
    }
}

/// A host said that the document in use is the document.
pub struct DocumentConfirmed<'a> {
    /// The feed.
    pub feed: &'a FeedId,
    /// What is published there: a word of a closed set.
    pub document: &'static str,
}

impl Event for DocumentConfirmed<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.fetch.refreshes.with_label_values(&[self.feed.as_str(), self.document, "confirmed"]).inc();
        debug!(event = "document_confirmed", feed = %self.feed, document = self.document);
    }
}

/// An address, a file, a copy or a seed gave no document that can be used.
pub struct FetchFailed<'a> {
    /// The feed.
    pub feed: &'a FeedId,
    /// What is published there: a word of a closed set.
    pub document: &'static str,
    /// The one entity that it is about.
    pub entity: Option<&'a str>,
    /// The host, or where on disk; never a whole address, which may hold a secret in its query.
    pub host: &'a str,
    /// The stable code.
    pub code: &'static str,
    /// One sentence.
    pub detail: &'a str,
}

impl Event for FetchFailed<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.fetch.failures.with_label_values(&[self.feed.as_str(), self.document, self.code]).inc();
        let entity = self.entity.unwrap_or_default();
        warn!(
            event = "fetch_failed",
            feed = %self.feed,
            document = self.document,
            entity,
            host = self.host,
            code = self.code,
            detail = self.detail
        );
    }
}

/// No address gave anything: what is in use stays in use.
pub struct RefreshFailed<'a> {
    /// The feed.
    pub feed: &'a FeedId,
    /// What is published there: a word of a closed set.
    pub document: &'static str,
    /// The one entity that it is about.
    pub entity: Option<&'a str>,
    /// How the feed is doing now.
    pub state: &'static str,
    /// From when what is in use may not be used.
    pub until: Option<UnixTime>,
    /// How many times in a row.
    pub failures: u32,
    /// The next try.
    pub next: UnixTime,
}

impl Event for RefreshFailed<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.fetch.refreshes.with_label_values(&[self.feed.as_str(), self.document, "failed"]).inc();
        let until = self.until.map(|at| at.to_string()).unwrap_or_default();
        let entity = self.entity.unwrap_or_default();
        warn!(
            event = "refresh_failed",
            feed = %self.feed,
            document = self.document,
            entity,
            state = self.state,
            until,
            failures = self.failures,
            next = %self.next
        );
    }
}

/// Somebody wanted a newer document.
pub struct EarlyFetch<'a> {
    /// The feed.
    pub feed: &'a FeedId,
    /// What is published there: a word of a closed set.
    pub document: &'static str,
    /// A word of a closed set.
    pub outcome: &'static str,
}

impl Event for EarlyFetch<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.fetch.early.with_label_values(&[self.feed.as_str(), self.document, self.outcome]).inc();
        debug!(event = "early_fetch", feed = %self.feed, document = self.document, outcome = self.outcome);
    }
}

/// A copy could not be written: the next start begins with an older one, or with none.
pub struct CopyNotKept<'a> {
    /// The feed.
    pub feed: &'a FeedId,
    /// What the system said.
    pub detail: &'a str,
}

impl Event for CopyNotKept<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.fetch.copies.with_label_values(&[self.feed.as_str()]).inc();
        warn!(event = "copy_not_kept", feed = %self.feed, detail = self.detail);
    }
}

/// A feed that gave nothing, or a provider that its feed gives no use of.
pub struct MetadataFault<'a> {
    /// The feed.
    pub feed: &'a FeedId,
    /// The entityID concerned; none when it is the whole feed.
    pub entity: Option<&'a str>,
    /// The stable code.
    pub code: &'static str,
    /// One sentence.
    pub detail: &'a str,
}

impl Event for MetadataFault<'_> {
    /// No count: `grindvakt_provider_usable` shows how long it lasts.
    fn tell(self, _metrics: &Metrics) {
        let entity = self.entity.unwrap_or_default();
        error!(event = "metadata_fault", feed = %self.feed, entity, code = self.code, detail = self.detail);
    }
}

/// A provider's signing keys are others than before.
pub struct KeysChanged<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// How many are new.
    pub added: usize,
    /// How many are gone.
    pub withdrawn: usize,
}

impl Event for KeysChanged<'_> {
    fn tell(self, metrics: &Metrics) {
        for (change, count) in [("added", self.added), ("withdrawn", self.withdrawn)] {
            metrics.fetch.keys.with_label_values(&[self.provider.as_str(), change]).inc_by(count as u64);
        }
        info!(
            event = "provider_keys_changed",
            provider = %self.provider,
            added = self.added,
            withdrawn = self.withdrawn
        );
    }
}
