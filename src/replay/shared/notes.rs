//! Notes that replicas leave each other: what one knows and the others may want to. They are sealed by the caller, and
//! nothing depends on their coming through.

use std::time::Duration;

use redis::Value;

use super::driver::entry;
use super::scripts::PAGE;
use super::{Shared, StoreFault, StoreOp, refused};
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
#[derive(Clone, Debug)]
pub struct Place {
    connection: u64,
    last: String,
}

impl Default for Place {
    fn default() -> Self {
        Self { connection: 0, last: "0-0".to_owned() }
    }
}

/// Notes that were read.
pub struct Page {
    /// As they were given, the oldest first.
    pub notes: Vec<Vec<u8>>,
    /// It is the first page of another connection than before: what was read earlier may not be there any more.
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

    /// Notes after `place`, which moves on. At each new connection they are read from the beginning: what was missed
    /// cannot be told from what was not, and the store may be another one.
    ///
    /// # Errors
    /// [`ReplayError`] when the store cannot say.
    pub async fn hear(&self, topic: Topic, place: &mut Place) -> Result<Page, ReplayError> {
        let up = self.up_now()?;
        let anew = place.connection != up.number;
        if anew {
            *place = Place { connection: up.number, ..Place::default() };
        }
        let answer: Result<Vec<Value>, _> =
            self.ask(StoreOp::Hear, &up, &self.names.notes_after(topic, &place.last)).await;
        let read = answer.and_then(|page| {
            // What is no note of this form, a later version wrote: it is passed over.
            let entries = page.iter().map(entry).collect::<Result<Vec<_>, StoreFault>>()?;
            let last = entries.last().map(|(id, _)| id.clone());
            let notes = entries.iter().filter_map(|(_, note)| note.map(<[u8]>::to_vec)).collect();
            Ok((last, notes, page.len() >= PAGE))
        });
        let (last, notes, more) = read.map_err(|fault| {
            // So that the next attempt says again that it begins anew.
            place.connection = 0;
            refused(&fault)
        })?;
        if let Some(last) = last {
            place.last = last;
        }
        Ok(Page { notes, anew, more })
    }

    /// Returns when the store's messages say that there is news.
    pub async fn news(&self) {
        let mut news = self.news.subscribe();
        // The sender is `self`: it cannot go away meanwhile.
        let _ = news.changed().await;
    }
}
