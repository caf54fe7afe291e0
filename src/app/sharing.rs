//! What replicas tell each other through the store that they share: moves of breakers, and operators' words.
//!
//! Nothing depends on it. A store that is away changes nothing of what is known here, and what was said here meanwhile is
//! told when it is back: the state is compared with what was told, so that nothing waits in a queue. A move of a breaker
//! that could not be told while it was so is not told later.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Shared;
use crate::base::{ProviderId, UnixTime};
use crate::crypto::digest::NoRandomness;
use crate::provider::Said;
use crate::provider::notes::{ReplicaId, Told};
use crate::replay::ReplayError;
use crate::replay::shared::{Place, Shared as SharedStore, Topic};
use crate::telemetry::{OverrideGiven, OverrideTakenBack};

/// How often it is looked without being told that there is news: a message can be lost.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The exchange. It ends when this is dropped.
pub(super) struct Sharing(AbortHandle);

impl Drop for Sharing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Sharing {
    /// Begins, where there is a store that replicas share.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails.
    pub(super) fn start(shared: &Arc<Shared>, runtime: &Handle) -> Result<Option<Self>, NoRandomness> {
        let Some(store) = shared.workshop.lasting.store().as_shared() else { return Ok(None) };
        let replica = ReplicaId::new(&*shared.workshop.random)?;
        let exchange = Exchange {
            told: Told::new(replica),
            replica,
            shared: Arc::clone(shared),
            news: store.news(),
            store: Arc::clone(store),
            words: Place::default(),
            moves: Place::default(),
            filed: HashMap::new(),
        };
        Ok(Some(Self(runtime.spawn(exchange.run()).abort_handle())))
    }
}

struct Exchange {
    shared: Arc<Shared>,
    store: Arc<SharedStore>,
    news: watch::Receiver<()>,
    replica: ReplicaId,
    words: Place,
    moves: Place,
    /// The newest word on each provider that the store is known to hold.
    filed: HashMap<ProviderId, UnixTime>,
    told: Told,
}

impl Exchange {
    async fn run(mut self) {
        loop {
            // What the store does not do it is told of by its own observer, and asked again at the next look.
            if self.hear_words().await.is_ok() {
                let _ = self.tell_words().await;
            }
            let _ = self.hear_moves().await;
            self.tell_moves().await;
            let moved = self.shared.current.load().gate.board().moves();
            tokio::select! {
                // The sender is the store's, which is held here.
                _ = self.news.changed() => {}
                () = self.shared.workshop.lasting.overrides().changed() => {}
                () = moved.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn hear_words(&mut self) -> Result<(), ReplayError> {
        let store = Arc::clone(&self.store);
        // Of each provider the last word alone: those before it were told when they were given.
        let mut newest: HashMap<ProviderId, Said> = HashMap::new();
        loop {
            let page = store.hear(Topic::Words, &mut self.words).await?;
            if page.anew {
                self.filed.clear();
                newest.clear();
            }
            let gate = Arc::clone(&self.shared.current.load().gate);
            for said in page.notes.into_iter().filter_map(|note| gate.notes().open_said(note)) {
                let filed = self.filed.entry(said.provider.clone()).or_insert(said.at);
                *filed = said.at.max(*filed);
                if newest.get(&said.provider).is_none_or(|known| known.at < said.at) {
                    newest.insert(said.provider.clone(), said);
                }
            }
            if !page.more {
                break;
            }
        }
        newest.values().for_each(|said| self.take_in(said));
        Ok(())
    }

    fn take_in(&self, said: &Said) {
        let now = self.shared.workshop.clock.now();
        if !self.shared.workshop.lasting.overrides().take_in(said, now) {
            return;
        }
        let telemetry = &self.shared.workshop.telemetry;
        match &said.word {
            // Read again after a start: it was over before we were there.
            Some(word) if word.until.is_some_and(|until| until <= now) => {}
            Some(word) => telemetry.emit(OverrideGiven {
                provider: &word.provider,
                state: word.state.name(),
                from: word.from,
                until: word.until,
                who: &word.who,
                why: &word.why,
                elsewhere: true,
            }),
            None => {
                telemetry.emit(OverrideTakenBack { provider: &said.provider, who: &said.who, elsewhere: true });
            }
        }
    }

    /// Everything that was said and is not there: of now, of while it was away, and of before it came back empty.
    async fn tell_words(&mut self) -> Result<(), ReplayError> {
        let workshop = &self.shared.workshop;
        for said in workshop.lasting.overrides().said(workshop.clock.now()) {
            if self.filed.get(&said.provider).is_some_and(|filed| *filed >= said.at) {
                continue;
            }
            let gate = Arc::clone(&self.shared.current.load().gate);
            let Some(note) = gate.notes().seal_said(&said, &*workshop.random) else { continue };
            self.store.tell(Topic::Words, &note).await?;
            self.filed.insert(said.provider, said.at);
        }
        Ok(())
    }

    async fn hear_moves(&mut self) -> Result<(), ReplayError> {
        let store = Arc::clone(&self.store);
        loop {
            let page = store.hear(Topic::Health, &mut self.moves).await?;
            let now = self.shared.workshop.clock.now();
            let gate = Arc::clone(&self.shared.current.load().gate);
            for note in page.notes.into_iter().filter_map(|note| gate.notes().open_breaker(note)) {
                // What was long ago is read again at each connection.
                if note.replica != self.replica && now < note.at.plus(Topic::Health.kept()) {
                    gate.board().heard(&note.provider, note.signal(), now);
                }
            }
            if !page.more {
                return Ok(());
            }
        }
    }

    async fn tell_moves(&mut self) {
        let now = self.shared.workshop.clock.now();
        let gate = Arc::clone(&self.shared.current.load().gate);
        let board = gate.board();
        for note in self.told.due(&board.reports(now), board.egress_broken(), now) {
            let Some(sealed) = gate.notes().seal_breaker(&note, &*self.shared.workshop.random) else { continue };
            if self.store.tell(Topic::Health, &sealed).await.is_ok() {
                self.told.told(note);
            }
        }
    }
}
