//! Logout tokens (OpenID Connect Back-Channel Logout 1.0, 2.4 and 2.6): the provider ends a session.

use std::time::Duration;

use super::header::Typ;
use super::jws::SignedClaims;
use super::registered::Registered;
use super::rules::{audience, issuer, replay_id, required, times};
use super::{Decryption, KeySet};
use crate::base::UnixTime;
use crate::base::limits::LOGOUT_TOKEN_SECS;
use crate::crypto::trusted::AlgorithmSet;
use crate::verify::{Reason, Reject, Verified};

const LONGEST: Duration = Duration::from_secs(LOGOUT_TOKEN_SECS);

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What a logout token is held against. Borrowed: building one costs nothing.
#[derive(Clone, Debug)]
pub struct LogoutExpect<'a> {
    /// The provider, compared exactly.
    pub issuer: &'a str,
    /// Our name at the provider.
    pub client_id: &'a str,
    /// The provider's keys.
    pub keys: &'a KeySet,
    /// What it may sign with.
    pub algorithms: AlgorithmSet,
    /// Whether and how it is encrypted.
    pub decryption: Decryption<'a>,
    /// How far clocks may differ.
    pub clock_skew: Duration,
}

/// Which sessions to end: at least one of the two is there. It has no `Debug`: `sub` is personal data.
pub struct LogoutToken {
    /// `iss`.
    pub issuer: String,
    /// `sub`: every session of this person, unless `session_id` says which.
    pub subject: Option<String>,
    /// `sid`: the session.
    pub session_id: Option<String>,
    /// What single use is counted by, within the issuer.
    pub replay_id: String,
    /// `iat`: when it was made, by the provider's clock.
    pub issued_at: UnixTime,
    /// No instant after this one could accept it: how long it must be remembered.
    pub acceptable_until: UnixTime,
}

/// Checks the claims of a signed logout token.
///
/// # Errors
/// The first rule that does not hold.
pub(super) fn read(
    signed: SignedClaims<'_>,
    expect: &LogoutExpect<'_>,
    now: UnixTime,
) -> Result<Verified<LogoutToken>, Reject> {
    let claims = Registered::read(signed.document())?;
    if !matches!(signed.typ(), Typ::Plain | Typ::Logout) {
        return Err(Reject::new(Reason::TokenType, "by its `typ` it is no logout token"));
    }
    let events = claims.events.ok_or_else(|| Reject::new(Reason::TokenType, "no `events`: no logout token"))?;
    // An ID token with `events` in it would be one too: hence no nonce (2.6, step 6).
    if claims.nonce.is_some() {
        return Err(Reject::new(Reason::TokenType, "a logout token with a `nonce`"));
    }
    match events.get(EVENT).map(|event| event.as_object().is_some()) {
        Some(true) => {}
        Some(false) => return Err(Reject::new(Reason::ClaimType, "the logout event is no object")),
        None => return Err(Reject::new(Reason::TokenType, "`events` without the logout event")),
    }
    issuer(&claims, expect.issuer)?;
    audience(&claims, &[expect.client_id])?;
    let exp = required(claims.exp, "exp")?;
    let issued_at = required(claims.iat, "iat")?;
    times(&claims, expect.clock_skew, now)?;
    let end = exp.min(issued_at.plus(LONGEST)).plus(expect.clock_skew);
    if now >= end {
        let detail = format_args!("made at {issued_at}, which is too long ago for a logout token");
        return Err(Reject::new(Reason::Expired, detail));
    }
    required(claims.jti.as_deref(), "jti")?;
    if claims.sub.is_none() && claims.sid.is_none() {
        return Err(Reject::new(Reason::ClaimMissing, "neither `sub` nor `sid`"));
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Ok(Verified::new(LogoutToken {
        issuer: expect.issuer.to_owned(),
        subject: owned(claims.sub.as_deref()),
        session_id: owned(claims.sid.as_deref()),
        replay_id: replay_id(&claims, &signed),
        issued_at,
        acceptable_until: end,
    }))
}
