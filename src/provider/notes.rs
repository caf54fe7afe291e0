//! What replicas tell each other of providers through a store that they share: moves of their breakers, and operators'
//! words.
//!
//! A note is sealed with the keys that seal cookies, which every replica has: whoever can write to the store can neither
//! read it (an operator's name may be in it) nor make one up. They can keep notes back, and give an old one again. Each
//! has an instant for that: an old move is not heard, and an old word is older than the last one; only a replica that
//! starts while the later words are kept from it could take it for the last, within its time.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::breaker::{Cause, Phase, Signal};
use super::health::Report;
use super::overrides::Said;
use crate::base::{ProviderId, Secret, ServiceId, UnixTime};
use crate::config::{Forced, Override, is_one_line};
use crate::crypto::digest::{NoRandomness, Random, random_bytes};
use crate::crypto::seal::Sealer;

/// The longest sealed note that is opened, in bytes: two texts of 200 bytes, each of which JSON may write sixfold.
const LONGEST: usize = 4096;

/// A replica among the others, for as long as it runs: random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaId([u8; 8]);

impl ReplicaId {
    /// A new one.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub fn new(random: &dyn Random) -> Result<Self, NoRandomness> {
        random_bytes(random).map(Self)
    }
}

/// A breaker moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerNote {
    /// At which replica.
    pub replica: ReplicaId,
    /// Whose breaker.
    pub provider: ProviderId,
    /// It opened, or it closed.
    pub open: bool,
    /// By what it was opened.
    pub cause: Cause,
    /// When it moved.
    pub at: UnixTime,
}

impl BreakerNote {
    /// As a breaker hears it.
    pub const fn signal(&self) -> Signal {
        let (cause, at) = (self.cause, self.at);
        if self.open { Signal::OpenElsewhere { cause, at } } else { Signal::ClosedElsewhere { cause, at } }
    }
}

/// What a replica has told of its breakers: the last note on each.
pub struct Told {
    replica: ReplicaId,
    last: HashMap<ProviderId, BreakerNote>,
}

impl Told {
    /// Nothing yet, by `replica`.
    pub fn new(replica: ReplicaId) -> Self {
        Self { replica, last: HashMap::new() }
    }

    /// What is to be told now, by the state at `now`: that a breaker has opened, or has opened again after a trial; that one
    /// has closed which was told to be open. A trial is nothing to tell. `blind`: every probe fails, so what probes say is
    /// about ourselves. What is not taken in by [`Self::told`] is due the next time, while it is so.
    pub fn due(&self, reports: &[Report], blind: bool, now: UnixTime) -> Vec<BreakerNote> {
        let due = |report: &Report| {
            let open = match report.phase {
                Phase::Open { .. } => true,
                Phase::Closed => false,
                Phase::HalfOpen => return None,
            };
            if open && blind && report.cause == Cause::Probe {
                return None;
            }
            let note = BreakerNote {
                replica: self.replica,
                provider: report.provider.clone(),
                open,
                cause: report.cause,
                at: report.since.unwrap_or(now),
            };
            match self.last.get(&report.provider) {
                None => open.then_some(note),
                Some(last) if !open => last.open.then_some(note),
                Some(last) => (*last != note).then_some(note),
            }
        };
        reports.iter().filter_map(due).collect()
    }

    /// This was told.
    pub fn told(&mut self, note: BreakerNote) {
        self.last.insert(note.provider.clone(), note);
    }
}

/// The same in the store.
#[derive(Serialize, Deserialize)]
struct BreakerForm {
    replica: ReplicaId,
    provider: ProviderId,
    open: bool,
    cause: String,
    at: UnixTime,
}

/// An operator's word in the store.
#[derive(Serialize, Deserialize)]
struct SaidForm {
    provider: ProviderId,
    at: UnixTime,
    who: String,
    word: Option<WordForm>,
}

#[derive(Serialize, Deserialize)]
struct WordForm {
    state: String,
    from: Option<UnixTime>,
    until: Option<UnixTime>,
    why: String,
}

/// Seals and opens notes.
pub struct NoteSealer {
    sealer: Sealer,
    service: ServiceId,
}

impl NoteSealer {
    /// With the keys that seal cookies; none without any.
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k Secret<[u8; 32]>>, service: &ServiceId) -> Option<Self> {
        Some(Self { sealer: Sealer::new(keys, "note")?, service: service.clone() })
    }

    fn context(&self, kind: &str) -> Vec<u8> {
        [kind.as_bytes(), b" ", self.service.as_str().as_bytes()].concat()
    }

    fn seal(&self, kind: &str, form: &impl Serialize, random: &dyn Random) -> Option<Vec<u8>> {
        let plain = serde_json::to_vec(form).ok()?;
        self.sealer.seal(&plain, &self.context(kind), random).ok()
    }

    fn open<T: DeserializeOwned>(&self, kind: &str, mut sealed: Vec<u8>) -> Option<T> {
        if sealed.len() > LONGEST {
            return None;
        }
        let plain = self.sealer.open(&mut sealed, &self.context(kind)).ok()?;
        serde_json::from_slice(plain).ok()
    }

    /// Seals the move of a breaker; none without random bytes.
    pub fn seal_breaker(&self, note: &BreakerNote, random: &dyn Random) -> Option<Vec<u8>> {
        let BreakerNote { replica, provider, open, cause, at } = note.clone();
        self.seal("breaker", &BreakerForm { replica, provider, open, cause: cause.name().to_owned(), at }, random)
    }

    /// Opens it; none for what no replica of ours sealed, or one of another version.
    pub fn open_breaker(&self, sealed: Vec<u8>) -> Option<BreakerNote> {
        let BreakerForm { replica, provider, open, cause, at } = self.open("breaker", sealed)?;
        let cause = [Cause::Probe, Cause::Login].into_iter().find(|known| known.name() == cause)?;
        Some(BreakerNote { replica, provider, open, cause, at })
    }

    /// Seals an operator's word; none without random bytes.
    pub fn seal_said(&self, said: &Said, random: &dyn Random) -> Option<Vec<u8>> {
        let word = said.word.as_ref().map(|word| WordForm {
            state: word.state.name().to_owned(),
            from: word.from,
            until: word.until,
            why: word.why.clone(),
        });
        let form = SaidForm { provider: said.provider.clone(), at: said.at, who: said.who.clone(), word };
        self.seal("word", &form, random)
    }

    /// Opens it; none as of [`Self::open_breaker`].
    pub fn open_said(&self, sealed: Vec<u8>) -> Option<Said> {
        let SaidForm { provider, at, who, word } = self.open("word", sealed)?;
        let word = match word {
            None => None,
            Some(WordForm { state, from, until, why }) => {
                let (state, provider) = (Forced::parse(&state)?, provider.clone());
                Some(Override { provider, state, from, until, who: who.clone(), why })
            }
        };
        let lines = std::iter::once(&who).chain(word.as_ref().map(|word| &word.why));
        lines.into_iter().all(|text| is_one_line(text)).then_some(())?;
        Some(Said { at, provider, word, who })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::crypto::digest::SystemRandom;

    fn sealer(byte: u8, service: &str) -> NoteSealer {
        NoteSealer::new([&Secret::new([byte; 32])], &ServiceId::new(service).unwrap()).unwrap()
    }

    #[test]
    fn openings_are_told_once_each_and_not_by_whoever_is_blind() {
        let at = |seconds: i64| UnixTime::from_secs(1_772_359_200 + seconds);
        let open = |second: i64| (Phase::Open { until: at(second + 15) }, Some(at(second)));
        let (closed, trial) = ((Phase::Closed, Some(at(50))), (Phase::HalfOpen, None));
        let report = |(phase, since): (Phase, Option<UnixTime>), cause| Report {
            provider: ProviderId::new("a").unwrap(),
            phase,
            cause,
            suspected: false,
            usual_rate: None,
            last_answer: None,
            begun_since: 0,
            probed: true,
            probe: None,
            probe_detail: None,
            probe_at: None,
            probe_disproved: false,
            trouble: None,
            since,
            elsewhere: None,
        };
        let replica = ReplicaId::new(&SystemRandom::new()).unwrap();
        let mut told = Told::new(replica);
        for (second, state, cause, blind, taken, expect) in [
            (0, (Phase::Closed, None), Cause::Probe, false, true, None),
            // It has opened; the store does not take it, and is asked again.
            (1, open(1), Cause::Probe, false, false, Some((true, 1))),
            (2, open(1), Cause::Probe, false, true, Some((true, 1))),
            (3, open(1), Cause::Probe, false, true, None),
            (16, trial, Cause::Probe, false, true, None),
            // The trial failed; while we see nothing ourselves it is not told.
            (17, open(17), Cause::Probe, true, true, None),
            (18, open(17), Cause::Probe, false, true, Some((true, 17))),
            // Faults in answers came by the browsers of people, however blind we are.
            (33, open(33), Cause::Login, true, true, Some((true, 33))),
            (50, closed, Cause::Login, false, true, Some((false, 50))),
            (51, closed, Cause::Login, false, true, None),
        ] {
            let due = told.due(&[report(state, cause)], blind, at(second));
            let seen: Vec<_> = due.iter().map(|note| (note.open, note.at.as_secs() - at(0).as_secs())).collect();
            assert_eq!(seen, Vec::from_iter(expect), "{second} s");
            assert!(due.iter().all(|note| note.replica == replica && note.cause == cause));
            due.into_iter().filter(|_| taken).for_each(|note| told.told(note));
        }
    }

    #[test]
    fn a_note_is_the_same_after_the_store_and_nobody_elses() {
        let (random, at) = (SystemRandom::new(), UnixTime::from_millis(1_772_359_200_123));
        let provider = ProviderId::new("bankid-a").unwrap();
        let (ours, theirs, other) = (sealer(1, "etjanst"), sealer(2, "etjanst"), sealer(1, "annan"));
        let replica = ReplicaId::new(&random).unwrap();
        for (open, cause) in [(true, Cause::Probe), (false, Cause::Login)] {
            let note = BreakerNote { replica, provider: provider.clone(), open, cause, at };
            let sealed = ours.seal_breaker(&note, &random).unwrap();
            assert_eq!(ours.open_breaker(sealed.clone()), Some(note));
            assert_eq!((theirs.open_breaker(sealed.clone()), other.open_breaker(sealed.clone())), (None, None));
            assert_eq!(ours.open_said(sealed), None, "a move is no word");
        }
        let word = |why: &str| Override {
            provider: provider.clone(),
            state: Forced::Open,
            from: None,
            until: Some(at),
            who: "eva".into(),
            why: why.into(),
        };
        let said = |word| Said { at, provider: provider.clone(), word, who: "eva".into() };
        for word in [None, Some(word("driftstörning"))] {
            let said = said(word);
            let sealed = ours.seal_said(&said, &random).unwrap();
            assert!(!String::from_utf8_lossy(&sealed).contains("eva"));
            assert_eq!(ours.open_said(sealed.clone()), Some(said));
            assert_eq!(theirs.open_said(sealed), None);
        }
        let bad = ours.seal_said(&said(Some(word("two\nlines"))), &random).unwrap();
        assert_eq!(ours.open_said(bad), None);
        assert_eq!(ours.open_said(vec![0; 10_000]), None);
    }
}
