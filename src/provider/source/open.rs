//! What a source begins with: its file, the copy of an earlier process, the seed. No network.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::copy::{self, Found};
use super::state::KnownBy;
use super::{Document, Held, Origin, Place, Source, Trouble};
use crate::base::UnixTime;
use crate::crypto::digest::sha256;
use crate::verify::{Reason, Reject};

impl<T: Send + Sync + 'static> Source<T> {
    /// Reads what is on disk and verifies it like anything else. Blocking; for the start and a reload.
    ///
    /// What is refused is in the answer, by where it was found; the source may hold something all the same.
    pub fn open(&self, now: UnixTime) -> Vec<(Origin, Reject)> {
        if self.lock().barred {
            return Vec::new();
        }
        let mut refused = Vec::new();
        let held = match &self.spec.place {
            Place::File(path) => self.open_file(path, now, &mut refused),
            Place::Remote { copy, seed, max_stale, .. } => {
                let copy = copy.as_deref().and_then(|path| self.open_copy(path, *max_stale, now, &mut refused));
                let seed = seed.as_deref().and_then(|path| self.open_seed(path, *max_stale, now, &mut refused));
                newer(copy, seed)
            }
        };
        let mut state = self.lock();
        if let Some((_, reject)) = refused.last() {
            state.trouble = Some(Trouble::reject(reject.clone(), now));
        }
        if let Some(held) = held {
            state.held = Some(Arc::new(held));
        }
        drop(state);
        refused
    }

    fn open_file(&self, path: &Path, now: UnixTime, refused: &mut Vec<(Origin, Reject)>) -> Option<Held<T>> {
        let read = copy::read(path, self.spec.limit).map_err(|error| unreadable(path, &error));
        let judged = read.and_then(|found| {
            self.lock().seen = Some((found.written, found.bytes.len() as u64));
            let document = (self.reader)(&found.bytes, now)?;
            Ok((sha256(&found.bytes), document))
        });
        match judged {
            Ok((digest, document)) => Some(held(document, Origin::File, now, None, digest)),
            Err(reject) => {
                refused.push((Origin::File, reject));
                None
            }
        }
    }

    fn open_copy(
        &self,
        path: &Path,
        max_stale: Duration,
        now: UnixTime,
        refused: &mut Vec<(Origin, Reject)>,
    ) -> Option<Held<T>> {
        let read = copy::read_copy(path, self.spec.limit);
        // A first start has no copy: nothing is wrong.
        if read.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return None;
        }
        let judged = read.map_err(|error| unreadable(path, &error)).and_then(|found| {
            let confirmed = found.note.as_ref().map_or(found.written, |note| note.confirmed);
            let mut held = self.judged(&found, Origin::Copy, confirmed, max_stale, now)?;
            held.known_by =
                found.note.map(|note| KnownBy { validators: note.validators(), url: note.url, max_age: None });
            Ok(held)
        });
        judged.map_err(|reject| refused.push((Origin::Copy, reject))).ok()
    }

    /// A seed is as old as it says itself; where it says nothing, as old as its file.
    fn open_seed(
        &self,
        path: &Path,
        max_stale: Duration,
        now: UnixTime,
        refused: &mut Vec<(Origin, Reject)>,
    ) -> Option<Held<T>> {
        let read = copy::read(path, self.spec.limit).map_err(|error| unreadable(path, &error));
        let judged = read.and_then(|found| {
            let held = self.judged(&found, Origin::Seed, found.written, max_stale, now)?;
            match held.document.created {
                None => Ok(held),
                Some(created) => young_enough(Held { confirmed: created, ..held }, max_stale, now),
            }
        });
        judged.map_err(|reject| refused.push((Origin::Seed, reject))).ok()
    }

    fn judged(
        &self,
        found: &Found,
        origin: Origin,
        confirmed: UnixTime,
        max_stale: Duration,
        now: UnixTime,
    ) -> Result<Held<T>, Reject> {
        let document = (self.reader)(&found.bytes, now)?;
        let held = held(document, origin, confirmed, None, sha256(&found.bytes));
        if origin == Origin::Seed && held.document.created.is_some() {
            // Its age is not its file's.
            return Ok(held);
        }
        young_enough(held, max_stale, now)
    }
}

pub(super) fn held<T>(
    document: Document<T>,
    origin: Origin,
    confirmed: UnixTime,
    max_stale: Option<Duration>,
    digest: [u8; 32],
) -> Held<T> {
    let until = ends(document.valid_until, confirmed, max_stale);
    Held { document: Arc::new(document), origin, confirmed, until, generation: 1, digest, known_by: None }
}

/// From when a document may not be used: its own end or its hard age, whichever comes first.
pub(super) fn ends(own: Option<UnixTime>, confirmed: UnixTime, max_stale: Option<Duration>) -> Option<UnixTime> {
    let aged = max_stale.map(|age| confirmed.plus(age));
    match (own, aged) {
        (Some(own), Some(aged)) => Some(own.min(aged)),
        (own, aged) => own.or(aged),
    }
}

fn young_enough<T>(held: Held<T>, max_stale: Duration, now: UnixTime) -> Result<Held<T>, Reject> {
    let until = ends(held.document.valid_until, held.confirmed, Some(max_stale));
    let held = Held { until, ..held };
    if held.usable(now) {
        return Ok(held);
    }
    let detail = format_args!("last confirmed at {}: older than `max_stale` allows", held.confirmed);
    Err(Reject::new(Reason::MetadataExpired, detail))
}

/// The newer of two that may be used; the copy where nothing tells them apart.
fn newer<T>(copy: Option<Held<T>>, seed: Option<Held<T>>) -> Option<Held<T>> {
    match (copy, seed) {
        (Some(copy), Some(seed)) => {
            let age = |held: &Held<T>| (held.document.created, held.document.valid_until);
            Some(if age(&seed) > age(&copy) { seed } else { copy })
        }
        (copy, seed) => copy.or(seed),
    }
}

pub(in crate::provider) fn unreadable(path: &Path, error: &std::io::Error) -> Reject {
    Reject::new(Reason::ProviderWithoutKeys, format_args!("{}: {error}", path.display()))
}
