//! Orders that a store has not taken yet.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::UnixTime;
use crate::replay::Ended;

/// Orders in the sequence in which they were given.
#[derive(Default)]
pub(super) struct Outbox(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    next: u64,
    orders: BTreeMap<u64, Ended>,
}

/// Orders that are in force here and wait to be filed. Whoever drops this leaves it to the driver, which files what waits
/// at its next look.
#[derive(Default)]
pub struct PutDown {
    pub(super) orders: Vec<Ended>,
    pub(super) places: Vec<Range<u64>>,
}

impl PutDown {
    /// Both, to be filed in one step.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.orders.extend(other.orders);
        self.places.extend(other.places);
        self
    }
}

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in it is ever half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts orders in; their places, to take them out by.
    pub(super) fn put(&self, orders: &[Ended]) -> Range<u64> {
        let mut waiting = self.waiting();
        let first = waiting.next;
        waiting.next += orders.len() as u64;
        for (place, order) in (first..).zip(orders) {
            waiting.orders.insert(place, *order);
        }
        first..waiting.next
    }

    pub(super) fn take_out(&self, places: Range<u64>) {
        let mut waiting = self.waiting();
        for place in places {
            waiting.orders.remove(&place);
        }
    }

    /// The oldest orders that still count, at most `most` of them, and their places.
    pub(super) fn oldest(&self, most: usize, now: UnixTime) -> Vec<(u64, Ended)> {
        let mut waiting = self.waiting();
        waiting.orders.retain(|_, order| order.until >= now);
        waiting.orders.iter().take(most).map(|(place, order)| (*place, *order)).collect()
    }

    /// How many there are that still count.
    pub(super) fn counting(&self, now: UnixTime) -> usize {
        self.waiting().orders.values().filter(|order| order.until >= now).count()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting().orders.len()
    }
}
