//! Why a provider, or all providers of an e-ID, may not get a person through now.

/// What is the matter. In the order of how much is known: a mark is better than a closed door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// Logins that were begun do not come back as they use to. Nothing else is known, so it may be tried.
    Suspected,
    /// It does not answer, or answers with faults of its own. It may be tried all the same.
    Down,
    /// It has no valid keys: nobody could take its answer.
    WithoutKeys,
    /// An operator has closed it.
    Closed,
}

impl Trouble {
    /// Every one there is: a closed set, fit for a metric label.
    pub const ALL: [Self; 4] = [Self::Suspected, Self::Down, Self::WithoutKeys, Self::Closed];

    /// Its name in the log, metrics and the status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suspected => "suspected",
            Self::Down => "down",
            Self::WithoutKeys => "without_keys",
            Self::Closed => "closed",
        }
    }

    /// Whether a person may try it all the same ("Försök ändå"): what we believe of a provider's health can be wrong, its
    /// lack of keys and an operator's word are not.
    pub const fn may_be_tried(self) -> bool {
        matches!(self, Self::Suspected | Self::Down)
    }
}
