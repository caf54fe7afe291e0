//! Why the gate says no.

use std::fmt;

use super::{Choice, SetCookie};
use crate::base::RouteName;
use crate::crypto::digest::{NoRandomness, Random, random_bytes};
use crate::replay::ReplayError;
use crate::session::Locale;
use crate::verify::Reject;

/// Why a request or a login is denied. Each has a stable code, and only `http/respond.rs` makes a status of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No live session.
    NeedsLogin {
        /// The route that wants one.
        route: RouteName,
    },
    /// A live session that this route does not take: another level, e-ID or attribute. The reject says which.
    StepUp {
        /// The route.
        route: RouteName,
        /// What it does not take.
        lacks: Reject,
    },
    /// The message, the person or the login's state was refused.
    Rejected(Reject),
    /// This assertion or this login was used before.
    Replayed(Reject),
    /// The bearer token was refused, or the proof that came with it (RFC 6750, `invalid_token`).
    Token {
        /// Why.
        reject: Reject,
        /// Whether the scheme is `DPoP`.
        dpop: bool,
        /// Whether it is the proof that does not hold, and not the token (RFC 9449, 7.1).
        proof: bool,
    },
    /// The bearer token holds, and is not enough for the route (RFC 6750, `insufficient_scope`).
    TokenLacks {
        /// What it lacks.
        reject: Reject,
        /// The scopes that the route asks for, where it is a scope that is missing.
        scopes: Vec<String>,
        /// Whether the scheme is `DPoP`.
        dpop: bool,
    },
    /// `Authorization` cannot be read as one token (RFC 6750, `invalid_request`).
    Unclear(Reject),
    /// A session's cookie and a bearer token together: which of the two counts would be a guess.
    BothCredentials,
    /// The new login of a step-up was by another person than the session's.
    OtherPerson,
    /// No provider that this route takes has valid keys now.
    ProvidersDown,
    /// The memory of used assertions cannot answer, or is full.
    StoreDown(ReplayError),
    /// The pool for private-key work is full.
    Overloaded,
    /// Our own fault. The reference leads to the log line.
    Internal(Reference),
}

impl Denial {
    /// The stable code: metric label, log field and support code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NeedsLogin { .. } => "needs_login",
            Self::StepUp { lacks, .. } => lacks.code(),
            Self::Rejected(reject)
            | Self::Replayed(reject)
            | Self::Token { reject, .. }
            | Self::TokenLacks { reject, .. }
            | Self::Unclear(reject) => reject.code(),
            Self::BothCredentials => "both_credentials",
            Self::OtherPerson => "step_up_other_person",
            Self::ProvidersDown => "providers_down",
            Self::StoreDown(error) => error.code(),
            Self::Overloaded => "overloaded",
            Self::Internal(_) => "internal",
        }
    }

    /// What the operator reads beside the code. Never personal data.
    pub fn detail(&self) -> &str {
        match self {
            Self::StepUp { lacks: reject, .. }
            | Self::Rejected(reject)
            | Self::Replayed(reject)
            | Self::Token { reject, .. }
            | Self::TokenLacks { reject, .. }
            | Self::Unclear(reject) => reject.detail(),
            Self::NeedsLogin { .. }
            | Self::BothCredentials
            | Self::OtherPerson
            | Self::ProvidersDown
            | Self::StoreDown(_)
            | Self::Overloaded
            | Self::Internal(_) => "",
        }
    }
}

/// A login that was refused, with what the page needs. No session was made.
#[derive(Clone)]
pub struct Refusal {
    /// Why.
    pub denial: Denial,
    /// What the person can quote to support: the same in our log.
    pub reference: Reference,
    /// Where a new attempt should lead, as a path on our own base_url. The place that the login was for; where its state
    /// could not be read, the door of the same route, as far as the RelayState tells; else none.
    pub retry: Option<String>,
    /// The other e-IDs that lead to the same place: what a person can do when the one that was picked fails. Empty where
    /// none does, and after a suspicion of fraud.
    pub alternates: Vec<Choice>,
    /// The language that the login was begun in, where its state could be read.
    pub locale: Option<Locale>,
    /// The login had no cookie, but on a loopback `http` base_url one posted from our own site might carry it
    /// (SameSite=Lax): post the same form once more from a page of ours.
    pub repost: bool,
    /// Cookies to expire. Never one that sets a session.
    pub set_cookies: Vec<SetCookie>,
}

/// Eight clear characters that lead from a page to a log line. Random: it tells nothing of the login.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reference([u8; 8]);

/// Capital letters and digits that nobody mishears: no 0 and O, no 1 and I.
const CLEAR: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

impl Reference {
    /// A new one.
    ///
    /// # Errors
    /// [`NoRandomness`] when the source fails; [`Reference::NONE`] then says so.
    pub fn new(random: &dyn Random) -> Result<Self, NoRandomness> {
        let bytes: [u8; 8] = random_bytes(random)?;
        Ok(Self(bytes.map(|b| CLEAR.get(usize::from(b % 32)).copied().unwrap_or(b'X'))))
    }

    /// Stands where there was no randomness for a real one.
    pub const NONE: Self = Self(*b"XXXXXXXX");

    /// The characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXXXXXXX")
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::crypto::digest::SystemRandom;

    #[test]
    fn a_reference_is_eight_clear_characters() {
        let random = SystemRandom::new();
        let (one, two) = (Reference::new(&random).unwrap(), Reference::new(&random).unwrap());
        assert_ne!(one, two);
        for reference in [one, two] {
            assert_eq!(reference.as_str().len(), 8);
            assert!(reference.as_str().bytes().all(|b| CLEAR.contains(&b)), "{reference}");
            assert!(!reference.as_str().contains(['0', 'O', '1', 'I']));
        }
    }
}
