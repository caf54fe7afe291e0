//! Operators' words on providers.

use tracing::warn;

use super::{Event, Metrics};
use crate::base::{ProviderId, UnixTime};

/// An operator holds a provider open or closed.
pub struct OverrideGiven<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// `open` or `closed`.
    pub state: &'static str,
    /// From when on.
    pub from: Option<UnixTime>,
    /// Until when.
    pub until: Option<UnixTime>,
    /// Who says so: an operator's own word for themselves.
    pub who: &'a str,
    /// Why.
    pub why: &'a str,
    /// Whether it was said to another replica, and came by the shared store.
    pub elsewhere: bool,
}

impl Event for OverrideGiven<'_> {
    /// No count: the gauge shows what holds.
    fn tell(self, _: &Metrics) {
        let at = |instant: Option<UnixTime>| instant.map(|at| at.to_string()).unwrap_or_default();
        let (from, until) = (at(self.from), at(self.until));
        let Self { provider, state, who, why, elsewhere, .. } = self;
        warn!(event = "override_given", %provider, state, from, until, who, why, elsewhere);
    }
}

/// An operator takes a word back.
pub struct OverrideTakenBack<'a> {
    /// The provider.
    pub provider: &'a ProviderId,
    /// Who says so.
    pub who: &'a str,
    /// Whether it was said to another replica, and came by the shared store.
    pub elsewhere: bool,
}

impl Event for OverrideTakenBack<'_> {
    fn tell(self, _: &Metrics) {
        let Self { provider, who, elsewhere } = self;
        warn!(event = "override_taken_back", %provider, who, elsewhere);
    }
}
