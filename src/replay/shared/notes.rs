//! Notes that replicas leave each other: what one knows and the others may want to. They are sealed by the caller, and
//! nothing depends on their coming through.

use std::time::Duration;

use redis::Value;
use tokio::sync::watch;

use super::driver::entry;
use super::scripts::PAGE;
use super::{Shared, StoreFault, StoreOp, Up, refused};
use crate::replay::ReplayError;

/// What a note is about: each has a stream of its own, so that many of one kind do not push out those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Operators' words on providers.
    Words,
    /// How providers do.
    Health,
}

impl Topic {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Words, Self::Health];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Health => "health",
        }
    }

    /// How long a note is kept after the last one of its kind, at the least.
    pub const fn kept(self) -> Duration {
        match self {
            Self::Words => Duration::from_secs(30 * 24 * 60 * 60),
            Self::Health => Duration::from_secs(2 * 60),
        }
    }
}

/// Where somebody is who reads notes.
#[derive(Clone, Debug, Default)]
pub struct Place {
    connection: u64,
    /// The id of the last note that was read.
    last: Option<String>,
}

/// What one answer held.
#[derive(Default)]
struct Read {
    last: Option<String>,
    notes: Vec<Vec<u8>>,
    more: bool,
}

/// Notes that were read.
pub struct Page {
    /// As they were given, the oldest first.
    pub notes: Vec<Vec<u8>>,
    /// It is read from the beginning: what was read earlier may not be there any more.
    pub anew: bool,
    /// Whether there may be more.
    pub more: bool,
}

impl Shared {
    /// Passes a note on to the other replicas.
    ///
    /// # Errors
    /// [`ReplayError`] when it was not taken.
    pub async fn tell(&self, topic: Topic, note: &[u8]) -> Result<(), ReplayError> {
        let up = self.up_now()?;
        let told = self.ask::<i64>(StoreOp::Tell, &up, &self.names.tell(topic, note)).await;
        told.map(drop).map_err(|fault| refused(&fault))
    }

    /// Notes after `place`, which moves on. They are read from the beginning at each new connection, since what was missed
    /// cannot be told from what was not, and wherever the note at `place` is not there any more: then the store has lost
    /// some, or so many have come that the oldest went.
    ///
    /// # Errors
    /// [`ReplayError`] when the store cannot say.
    pub async fn hear(&self, topic: Topic, place: &mut Place) -> Result<Page, ReplayError> {
        let up = self.up_now()?;
        let mut anew = place.connection != up.number;
        if anew {
            *place = Place { connection: up.number, last: None };
        }
        let read = match self.read(topic, &up, place.last.as_deref()).await {
            Ok(None) => {
                (anew, place.last) = (true, None);
                self.read(topic, &up, None).await
            }
            read => read,
        };
        let read = read.map_err(|fault| {
            // So that the next attempt says again that it begins anew.
            *place = Place::default();
            refused(&fault)
        })?;
        let Read { last, notes, more } = read.unwrap_or_default();
        if last.is_some() {
            place.last = last;
        }
        Ok(Page { notes, anew, more })
    }

    /// One page from `last` on, without that itself; none where it is not there.
    async fn read(&self, topic: Topic, up: &Up, last: Option<&str>) -> Result<Option<Read>, StoreFault> {
        let page: Vec<Value> = self.ask(StoreOp::Hear, up, &self.names.notes_from(topic, last)).await?;
        // What is no note of this form, a later version wrote: it is passed over.
        let mut entries = page.iter().map(entry).collect::<Result<Vec<_>, StoreFault>>()?;
        if let Some(last) = last {
            if entries.first().is_none_or(|(id, _)| id != last) {
                return Ok(None);
            }
            entries.remove(0);
        }
        Ok(Some(Read {
            last: entries.last().map(|(id, _)| id.clone()),
            notes: entries.iter().filter_map(|(_, note)| note.map(<[u8]>::to_vec)).collect(),
            more: page.len() >= PAGE,
        }))
    }

    /// What changes when there may be news: the store's messages say so, or there is a new connection.
    pub fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }
}
