//! A provider's order to end sessions, by whatever protocol: carried out once, and lost by nothing.

use super::finish::not_first;
use super::{Denial, Gate};
use crate::base::UnixTime;
use crate::replay::{Order, ProviderMark, ReplayError, ReplayKey};
use crate::session::Session;
use crate::session::login::LOGIN_LIFETIME;

/// A provider's order to end sessions, by whatever protocol.
pub(super) struct OrderAtProvider {
    /// What it names: sessions that are open, and logins of which one is yet to be opened.
    pub(super) named: Vec<ProviderMark>,
    /// Open sessions that it may mean, since the provider has told us no name for them.
    pub(super) unnamed: Vec<ProviderMark>,
    /// When it was given, by the provider's clock.
    pub(super) ordered: UnixTime,
    /// How long it could be accepted.
    pub(super) acceptable_until: UnixTime,
    /// What is used by it, under every digest key.
    pub(super) once: Vec<ReplayKey>,
}

/// How far an order was carried out. Here it is in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CarriedOut {
    /// At every replica.
    Everywhere,
    /// Others do not know of it yet. They will.
    Here,
    /// The same, and whether it was shown before could not be told, nor remembered. What it means by the provider's clock is
    /// over; of what was opened since it was given nothing is.
    Unremembered(ReplayError),
}

impl OrderAtProvider {
    /// Whether it means this session.
    pub(super) fn means(&self, session: &Session) -> bool {
        let mut marks = session.marks().at_provider.iter();
        marks.any(|mark| self.named.contains(mark) || self.unnamed.contains(mark))
    }
}

impl Gate {
    /// Ends every session that an order of its provider means, at every replica.
    ///
    /// A provider gives an order once. So what it means by the provider's own clock is over before anybody is asked whether
    /// it was shown before: no store that is away, no answer that is lost and no caller who hangs up undoes it. Shown again
    /// it says the same, and ends nothing that was opened since, but for what was opened before the provider's clock, where
    /// that is ahead, had come so far. What is open *now* only a first use ends.
    ///
    /// Where the store forgot the use, or could not be asked, an order that is shown again within the few minutes in which it
    /// is good is a first use, and ends what was opened since: one session too many is better than one too few.
    ///
    /// # Errors
    /// It was shown before.
    pub(super) async fn carry_out_once(&self, order: &OrderAtProvider, now: UnixTime) -> Result<CarriedOut, Denial> {
        let store = &self.lasting.store;
        let longest = self.times.lifetime.max(LOGIN_LIFETIME);
        // The same however often it comes, so that it is known for the same.
        let until = order.acceptable_until.plus(longest);
        let named = order.named.iter().map(|mark| Order::logins_at_provider(*mark, order.ordered, until));
        // What it only may mean, it does not mean of logins that are on their way.
        // When a session was opened is told by our clock: the provider's may be ahead, and who has logged in again is in.
        let given = order.ordered.min(now);
        let unnamed = order.unnamed.iter().map(|mark| Order::opened_at_provider(*mark, given, until));
        let orders: Vec<Order> = named.chain(unnamed).collect();
        let put = store.put_down_once(&orders, now);

        let used = match store.line().await {
            Ok(line) => store.consume(&order.once, &line.instance, order.acceptable_until, now).await,
            Err(error) => Err(error),
        };
        match used {
            Ok(first) => drop(first),
            Err(error @ (ReplayError::Full | ReplayError::Unavailable | ReplayError::OtherInstance)) => {
                return Ok(CarriedOut::Unremembered(error));
            }
            Err(error) => return Err(not_first(error)),
        }
        // No session that was opened until now can outlast this.
        let until = now.plus(longest).max(order.acceptable_until);
        let open = order.named.iter().chain(&order.unnamed).map(|mark| Order::at_provider(*mark, until));
        let open: Vec<Order> = open.collect();
        let told = store.end_with(put, &open, now).await;
        Ok(if told.is_ok() { CarriedOut::Everywhere } else { CarriedOut::Here })
    }
}
