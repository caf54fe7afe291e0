//! What a source holds, and what it says of itself.

use std::sync::Arc;
use std::time::Duration;

use super::super::fetch::{FetchError, Validators};
use super::Kind;
use super::pace::Said;
use crate::base::{FeedId, UnixTime};
use crate::verify::{Reason, Reject};

/// A document that its reader has verified.
#[derive(Debug)]
pub struct Document<T> {
    /// What it says.
    pub value: T,
    /// From this instant it may not be used.
    pub valid_until: Option<UnixTime>,
    /// How long its publisher wants it kept before it is fetched again.
    pub cache: Option<Duration>,
    /// When it was made, where it says so under its signature.
    pub created: Option<UnixTime>,
}

impl<T> Document<T> {
    /// A document that says nothing of its own time: key sets.
    pub const fn timeless(value: T) -> Self {
        Self { value, valid_until: None, cache: None, created: None }
    }
}

/// Where the document in use came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The copy of an earlier process, not confirmed yet.
    Copy,
    /// The network.
    Fetched,
    /// A file that somebody else keeps.
    File,
    /// The copy shipped with the sidecar.
    Seed,
}

impl Origin {
    /// Its name in the log and the status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Fetched => "fetched",
            Self::File => "file",
            Self::Seed => "seed",
        }
    }
}

/// The document in use.
#[derive(Debug)]
pub struct Held<T> {
    /// The document.
    pub document: Arc<Document<T>>,
    /// Where it came from.
    pub origin: Origin,
    /// When its host last said that this is the document.
    pub confirmed: UnixTime,
    /// From this instant it may not be used: its own end, or its hard age.
    pub until: Option<UnixTime>,
    /// Another number for another content: caches of verdicts hang on it.
    pub generation: u64,
    pub(super) digest: [u8; 32],
    pub(super) known_by: Option<KnownBy>,
}

/// By what a host knows the document in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownBy {
    pub(super) url: String,
    pub(super) validators: Validators,
    pub(super) max_age: Option<Duration>,
}

impl<T> Held<T> {
    /// Whether it may be used now.
    pub fn usable(&self, now: UnixTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    pub(super) fn said(&self) -> Said {
        Said {
            cache: self.document.cache,
            max_age: self.known_by.as_ref().and_then(|by| by.max_age),
            until: self.until,
        }
    }

    /// Whether `new` is older than this one. What this one says under its signature, a newer one says too: without it
    /// there is nothing to compare, and a replayed document could hide that way.
    pub(super) fn refuse_older(&self, new: &Document<T>) -> Result<(), Reject> {
        for (what, ours, theirs) in [
            ("validUntil", self.document.valid_until, new.valid_until),
            ("creation instant", self.document.created, new.created),
        ] {
            let refused = |detail: String| Err(Reject::new(Reason::MetadataRolledBack, detail));
            match (ours, theirs) {
                (Some(ours), Some(theirs)) if theirs < ours => {
                    return refused(format!("its {what} is {theirs}; the one in use has {ours}"));
                }
                (Some(ours), None) => return refused(format!("it has no {what}; the one in use has {ours}")),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Why the last try gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The stable code: of the fetch, or of the refusal.
    pub code: &'static str,
    /// One sentence for the operator.
    pub detail: String,
    /// When.
    pub at: UnixTime,
    /// The refusal, where the document came and was refused.
    pub reject: Option<Reject>,
}

impl Trouble {
    pub(super) fn fetch(error: &FetchError, at: UnixTime) -> Self {
        Self { code: error.code(), detail: error.to_string(), at, reject: None }
    }

    pub(super) fn reject(reject: Reject, at: UnixTime) -> Self {
        Self { code: reject.code(), detail: reject.detail().to_owned(), at, reject: Some(reject) }
    }

    /// Why a provider of this source has no keys.
    pub fn as_reject(&self) -> Reject {
        let made = || Reject::new(Reason::ProviderWithoutKeys, format_args!("{}: {}", self.code, self.detail));
        self.reject.clone().unwrap_or_else(made)
    }
}

/// How a source is doing, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The last try succeeded.
    Fresh,
    /// An older document is in use: the last try failed, or none has been made yet.
    Stale,
    /// The seed is in use.
    Seed,
    /// There is no document that may be used.
    None,
}

impl Freshness {
    /// Every one there is: a closed set, fit for a metric label.
    pub const ALL: [Self; 4] = [Self::Fresh, Self::Stale, Self::Seed, Self::None];

    /// Its name in metrics and the status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Seed => "seed",
            Self::None => "none",
        }
    }
}

/// What a source says of itself.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its name.
    pub feed: FeedId,
    /// What is published there.
    pub kind: Kind,
    /// The one entity that it is about, at a metadata query service.
    pub entity: Option<String>,
    /// In a word.
    pub freshness: Freshness,
    /// Where the document in use came from.
    pub origin: Option<Origin>,
    /// When it was last confirmed.
    pub confirmed: Option<UnixTime>,
    /// Its own end.
    pub valid_until: Option<UnixTime>,
    /// From when it may not be used: its own end, or its hard age.
    pub until: Option<UnixTime>,
    /// The last try.
    pub last_attempt: Option<UnixTime>,
    /// The last one that succeeded.
    pub last_success: Option<UnixTime>,
    /// The next one; none where there will be none.
    pub next_attempt: Option<UnixTime>,
    /// Whether a try is under way.
    pub fetching: bool,
    /// Failures in a row.
    pub failures: u32,
    /// Why the last try gave nothing.
    pub trouble: Option<Trouble>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_772_359_200);

    fn document(valid_until: Option<i64>, created: Option<i64>) -> Document<()> {
        let at = |days: i64| UnixTime::from_secs(NOW.as_secs() + days * 86_400);
        Document { value: (), valid_until: valid_until.map(at), cache: None, created: created.map(at) }
    }

    #[test]
    fn an_older_document_is_a_roll_back() {
        let rows: &[(Option<i64>, Option<i64>, Option<i64>, Option<i64>, bool)] = &[
            // in use: validUntil, created; new: validUntil, created; taken
            (None, None, None, None, true),
            (None, None, Some(1), Some(0), true),
            (Some(7), Some(0), Some(7), Some(0), true),
            (Some(7), Some(0), Some(8), Some(1), true),
            (Some(7), Some(0), Some(8), Some(-1), false),
            (Some(7), Some(0), Some(6), Some(1), false),
            (Some(7), None, None, None, false),
            (None, Some(0), None, None, false),
            (Some(7), None, Some(8), Some(-9), true),
        ];
        for (until, created, new_until, new_created, taken) in rows {
            let held = Held {
                document: Arc::new(document(*until, *created)),
                origin: Origin::Fetched,
                confirmed: NOW,
                until: None,
                generation: 1,
                digest: [0; 32],
                known_by: None,
            };
            let verdict = held.refuse_older(&document(*new_until, *new_created));
            let code = verdict.err().map(|reject| reject.code());
            assert_eq!(code, (!taken).then_some("metadata_rolled_back"), "{until:?} {created:?}");
        }
    }
}
