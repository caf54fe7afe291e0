//! ID tokens (OpenID Connect Core, 2 and 3.1.3.7; checklist 35 to 45).

use std::time::Duration;

use super::claims::Claims;
use super::header::Typ;
use super::jws::SignedClaims;
use super::profile::{AuthTime, ProfileRules};
use super::registered::Registered;
use super::rules::{audience, is_half_hash, issuer, own_text, past, replay_id, required, times};
use super::{Decryption, KeySet};
use crate::base::UnixTime;
use crate::crypto::trusted::AlgorithmSet;
use crate::verify::level::may_assert;
use crate::verify::{Reason, Reject, Verified};

/// What an ID token is held against. Borrowed: building one costs nothing.
#[derive(Clone, Debug)]
pub struct IdTokenExpect<'a> {
    /// The provider, compared exactly.
    pub issuer: &'a str,
    /// Our name at the provider: the audience.
    pub client_id: &'a str,
    /// Who else the provider may name in `aud` beside us; others are refused.
    pub other_audiences: &'a [String],
    /// The provider's keys.
    pub keys: &'a KeySet,
    /// What it may sign with.
    pub algorithms: AlgorithmSet,
    /// Whether and how it is encrypted.
    pub decryption: Decryption<'a>,
    /// Which rules.
    pub profile: &'a ProfileRules,
    /// What was asked for.
    pub asked: Asked<'a>,
    /// The access token that came along: held against `at_hash`, where that is there.
    pub access_token: Option<&'a str>,
    /// The code that it was exchanged for: held against `c_hash`, where that is there.
    pub code: Option<&'a str>,
    /// How the level is found and what it may be.
    pub level: LevelRules<'a>,
    /// How far clocks may differ.
    pub clock_skew: Duration,
}

/// What the request asked for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// `nonce`.
    pub nonce: Nonce<'a>,
    /// When a fresh login was asked for (`prompt=login`): the person must have logged in since.
    pub fresh_since: Option<UnixTime>,
    /// `max_age`.
    pub max_age: Option<Duration>,
    /// The levels; empty when none was named.
    pub loa: &'a [String],
}

/// The `nonce` of the request.
#[derive(Clone, Debug)]
pub enum Nonce<'a> {
    /// This one was sent.
    Sent(&'a str),
    /// None was sent, and none may come back.
    NotSent,
    /// Not looked at: for a captured token in `grindvakt verify`, never in the server.
    Unchecked,
}

/// How a provider's levels are read.
#[derive(Clone, Debug)]
pub struct LevelRules<'a> {
    /// The claim, where it is another than the profile's.
    pub claim: Option<&'a str>,
    /// (what the provider writes, the level that it means); asked before the profile's own words.
    pub map: &'a [(String, String)],
    /// The level of a token that has none; none refuses it.
    pub when_absent: Option<&'a str>,
    /// What the provider may assert.
    pub certified: &'a [String],
    /// Whether it is the eIDAS connector.
    pub eidas_connector: bool,
}

impl LevelRules<'_> {
    /// The level that a word of the provider means.
    pub(super) fn meant(&self, word: &str, profile: &ProfileRules) -> String {
        let own = self.map.iter().find(|(written, _)| written == word).map(|(_, meant)| meant.as_str());
        let known = || profile.loa_words.iter().find(|(written, _)| *written == word).map(|(_, meant)| *meant);
        own.or_else(known).unwrap_or(word).to_owned()
    }
}

/// What a verified ID token says. It has no `Debug`: claims are personal data.
pub struct IdToken {
    /// `iss`.
    pub issuer: String,
    /// `sub`: the provider's own name for the person.
    pub subject: String,
    /// `iat`.
    pub issued_at: UnixTime,
    /// `auth_time`, where it is there: when the person logged in at the provider.
    pub auth_time: Option<UnixTime>,
    /// The level, as an exact URI.
    pub loa: String,
    /// `sid`: the provider's session, for logout.
    pub session_id: Option<String>,
    /// What single use is counted by, within the issuer: `jti`, or the digest of what was signed.
    pub replay_id: String,
    /// No instant after this one could accept it: how long it must be remembered.
    pub acceptable_until: UnixTime,
    /// Every claim.
    pub claims: Claims,
}

/// Checks the claims of a signed ID token.
///
/// # Errors
/// The first rule that does not hold.
pub(super) fn read(
    signed: SignedClaims<'_>,
    expect: &IdTokenExpect<'_>,
    now: UnixTime,
) -> Result<Verified<IdToken>, Reject> {
    let claims = Registered::read(signed.document())?;
    kind(&signed, &claims)?;
    issuer(&claims, expect.issuer)?;
    audience(&claims, &[expect.client_id])?;
    parties(&claims, expect)?;
    let exp = required(claims.exp, "exp")?;
    let issued_at = required(claims.iat, "iat")?;
    times(&claims, expect.clock_skew, now)?;
    if let Some(longest) = expect.profile.lifetime.filter(|longest| exp.since(issued_at) > *longest) {
        let detail = format_args!("valid for {} s; {} s are taken", exp.since(issued_at).as_secs(), longest.as_secs());
        return Err(Reject::new(Reason::LifetimeTooLong, detail));
    }
    let subject = required(claims.sub.as_deref(), "sub")?.to_owned();
    nonce(claims.nonce.as_deref(), &expect.asked.nonce)?;
    for (name, hash, value) in
        [("at_hash", &claims.at_hash, expect.access_token), ("c_hash", &claims.c_hash, expect.code)]
    {
        if let (Some(hash), Some(value)) = (hash, value)
            && !is_half_hash(hash, value, signed.algorithm().hash())
        {
            return Err(Reject::new(Reason::TokenHashMismatch, format_args!("`{name}` is of something else")));
        }
    }
    auth_time(claims.auth_time, expect, now)?;
    let loa = level(&signed, &claims, expect)?;
    let signed_by = signed.signed_by();
    let token = IdToken {
        issuer: expect.issuer.to_owned(),
        subject,
        issued_at,
        auth_time: claims.auth_time,
        loa,
        session_id: claims.sid.as_deref().map(str::to_owned),
        replay_id: replay_id(&claims, &signed),
        acceptable_until: exp.plus(expect.clock_skew),
        claims: Claims::new(signed.into_document()),
    };
    Ok(Verified::new(token).by(signed_by))
}

/// Not one of the others (RFC 8725, 3.11 and 3.12).
fn kind(signed: &SignedClaims<'_>, claims: &Registered<'_>) -> Result<(), Reject> {
    if signed.typ() != Typ::Plain {
        return Err(Reject::new(Reason::TokenType, "by its `typ` it is no ID token"));
    }
    if claims.events.is_some() {
        return Err(Reject::new(Reason::TokenType, "a token with `events` is no ID token"));
    }
    Ok(())
}

/// Who else it is for, and who it was given to (OpenID Connect Core, 3.1.3.7, steps 3 to 5).
fn parties(claims: &Registered<'_>, expect: &IdTokenExpect<'_>) -> Result<(), Reject> {
    let mut others = 0;
    for audience in claims.audiences().filter(|audience| audience != expect.client_id) {
        if !expect.other_audiences.iter().any(|known| *known == audience) {
            let detail = format_args!("it is for {audience:?} too, which is not trusted");
            return Err(Reject::new(Reason::AudienceUntrusted, detail));
        }
        others += 1;
    }
    match claims.azp.as_deref() {
        Some(party) if party == expect.client_id => Ok(()),
        None if others == 0 => Ok(()),
        None => Err(Reject::new(Reason::AuthorizedParty, "several audiences and no `azp`")),
        Some(party) => Err(Reject::new(Reason::AuthorizedParty, format_args!("it was given to {party:?}"))),
    }
}

fn nonce(value: Option<&str>, expected: &Nonce<'_>) -> Result<(), Reject> {
    match (expected, value) {
        (Nonce::Unchecked, _) | (Nonce::NotSent, None) => Ok(()),
        (Nonce::Sent(sent), Some(value)) if *sent == value => Ok(()),
        (Nonce::Sent(_), None) => Err(Reject::new(Reason::NonceMissing, "no `nonce` where one was sent")),
        (Nonce::Sent(_) | Nonce::NotSent, Some(_)) => {
            Err(Reject::new(Reason::NonceMismatch, "the `nonce` is of another login"))
        }
    }
}

/// When the person logged in, against what was asked for (OpenID Connect Core, 3.1.3.7, step 13; checklist 40).
fn auth_time(at: Option<UnixTime>, expect: &IdTokenExpect<'_>, now: UnixTime) -> Result<(), Reject> {
    let (asked, skew) = (&expect.asked, expect.clock_skew);
    let Some(at) = at else {
        let needed = match expect.profile.auth_time {
            AuthTime::Required => true,
            AuthTime::WhenAsked => asked.fresh_since.is_some() || asked.max_age.is_some(),
            AuthTime::Optional => false,
        };
        return if needed { required(None, "auth_time") } else { Ok(()) };
    };
    past(Some(at), "auth_time", skew, now)?;
    if let Some(since) = asked.fresh_since.filter(|since| at.plus(skew) < *since) {
        let detail = format_args!("a fresh login was asked for at {since}; the person logged in at {at}");
        return Err(Reject::new(Reason::AuthnTooOld, detail));
    }
    if asked.max_age.is_some_and(|most| at.plus(most).plus(skew) < now) {
        let detail = format_args!("the person logged in at {at}, which is longer ago than was asked for");
        return Err(Reject::new(Reason::AuthnTooOld, detail));
    }
    Ok(())
}

/// The level: asked for, and one that the provider may assert.
fn level(signed: &SignedClaims<'_>, claims: &Registered<'_>, expect: &IdTokenExpect<'_>) -> Result<String, Reject> {
    let name = expect.level.claim.unwrap_or(expect.profile.loa_claim);
    let own = if name == "acr" { None } else { own_text(signed, name)? };
    let word = if name == "acr" { claims.acr.as_deref() } else { own.as_deref() };
    let loa = match (word, expect.level.when_absent) {
        (Some(word), _) => expect.level.meant(word, expect.profile),
        (None, Some(loa)) => loa.to_owned(),
        (None, None) => {
            return Err(Reject::new(Reason::AuthnContextMissing, format_args!("no level: `{name}` is missing")));
        }
    };
    may_assert(&loa, expect.asked.loa, expect.level.certified, expect.level.eidas_connector)?;
    Ok(loa)
}
