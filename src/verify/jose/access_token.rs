//! Access tokens: those of RFC 9068, and plain ones that say less of themselves.

use std::time::Duration;

use super::claims::Claims;
use super::header::Typ;
use super::id_token::LevelRules;
use super::jws::SignedClaims;
use super::profile::ProfileRules;
use super::registered::{self, Registered};
use super::rules::{audience, issuer, past, required, times};
use super::{KeySet, Value};
use crate::base::UnixTime;
use crate::crypto::trusted::AlgorithmSet;
use crate::verify::level::may_assert;
use crate::verify::{Reason, Reject, Verified};

/// What an access token is held against. Borrowed: building one costs nothing.
#[derive(Clone, Debug)]
pub struct AccessTokenExpect<'a> {
    /// The authorization server, compared exactly.
    pub issuer: &'a str,
    /// The names of this service as a resource: one of them must be in `aud`.
    pub audience: &'a [String],
    /// The server's keys.
    pub keys: &'a KeySet,
    /// What it may sign with.
    pub algorithms: AlgorithmSet,
    /// Whether `typ` must be `at+jwt`. If not, `JWT` and none at all pass too.
    pub require_at_jwt: bool,
    /// Where claims are.
    pub profile: &'a ProfileRules,
    /// How a level is found and what it may be. A level that the server may not assert counts as none.
    pub level: LevelRules<'a>,
    /// How far clocks may differ.
    pub clock_skew: Duration,
}

/// What a verified access token says. It has no `Debug`: claims are personal data.
pub struct AccessToken {
    /// `iss`.
    pub issuer: String,
    /// `sub`, where it is there: a person, or the client itself.
    pub subject: Option<String>,
    /// `client_id`, else `azp`.
    pub client_id: Option<String>,
    /// `scope`, as it was written: words with spaces between them.
    pub scope: String,
    /// `iat`.
    pub issued_at: Option<UnixTime>,
    /// `auth_time`.
    pub auth_time: Option<UnixTime>,
    /// `exp`.
    pub expires_at: UnixTime,
    /// No instant from this one on accepts it, skew included: nothing remembers it for longer.
    pub acceptable_until: UnixTime,
    /// The level, where there is one that the server may assert.
    pub loa: Option<String>,
    /// The level as it was stated, whether the server may assert it or not: what else the token says is held against it.
    pub stated_loa: Option<String>,
    /// Whether a program acts for itself: the token names nobody, or the program that it was given to (RFC 9068, 2.2).
    pub is_client: bool,
    /// The thumbprint of the key that it is bound to (RFC 9449, 6).
    pub key_thumbprint: Option<String>,
    /// Every claim.
    pub claims: Claims,
}

/// Checks the claims of a signed access token.
///
/// # Errors
/// The first rule that does not hold.
pub(super) fn read(
    signed: SignedClaims<'_>,
    expect: &AccessTokenExpect<'_>,
    now: UnixTime,
) -> Result<Verified<AccessToken>, Reject> {
    let claims = Registered::read(signed.document())?;
    kind(&signed, &claims, expect)?;
    issuer(&claims, expect.issuer)?;
    audience(&claims, expect.audience)?;
    let exp = required(claims.exp, "exp")?;
    if signed.typ() == Typ::AccessToken {
        // What says to be of RFC 9068 has all that it demands (2.2).
        required(claims.sub.as_deref(), "sub")?;
        required(claims.client_id.as_deref(), "client_id")?;
        required(claims.iat, "iat")?;
        required(claims.jti.as_deref(), "jti")?;
    }
    times(&claims, expect.clock_skew, now)?;
    past(claims.auth_time, "auth_time", expect.clock_skew, now)?;
    let key_thumbprint = confirmation(&claims)?;
    let stated_loa = level(&signed, &claims, expect);
    let may = |loa: &String| may_assert(loa, &[], expect.level.certified, expect.level.eidas_connector).is_ok();
    let loa = stated_loa.clone().filter(may);
    let signed_by = signed.signed_by();
    let party = |name: Option<&str>| name.is_some() && name == claims.sub.as_deref();
    let is_client = claims.sub.is_none() || party(claims.client_id.as_deref()) || party(claims.azp.as_deref());
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let token = AccessToken {
        issuer: expect.issuer.to_owned(),
        subject: owned(claims.sub.as_deref()),
        client_id: owned(claims.client_id.as_deref().or(claims.azp.as_deref())),
        scope: owned(claims.scope.as_deref()).unwrap_or_default(),
        issued_at: claims.iat,
        auth_time: claims.auth_time,
        expires_at: exp,
        acceptable_until: exp.plus(expect.clock_skew),
        loa,
        stated_loa,
        is_client,
        key_thumbprint,
        claims: Claims::new(signed.into_document()),
    };
    Ok(Verified::new(token).by(signed_by))
}

/// An access token, and none of the others (RFC 8725, 3.11 and 3.12; RFC 9068, 4).
fn kind(signed: &SignedClaims<'_>, claims: &Registered<'_>, expect: &AccessTokenExpect<'_>) -> Result<(), Reject> {
    let refused = |what| Err(Reject::new(Reason::TokenType, what));
    match signed.typ() {
        Typ::AccessToken => return Ok(()),
        Typ::Plain if !expect.require_at_jwt => {}
        _ => return refused("by its `typ` it is no access token"),
    }
    // A token that does not say what it is must not look like something else: an ID token has our name at the provider
    // as its audience, which may be the resource's name as well.
    if claims.nonce.is_some() || claims.at_hash.is_some() || claims.c_hash.is_some() {
        return refused("an ID token where an access token is expected");
    }
    if claims.events.is_some() {
        return refused("a token with `events` is no access token");
    }
    // What some servers write into the claims to tell their tokens apart.
    let says = signed.document().root().get("typ").and_then(Value::as_text);
    if says.is_some_and(|typ| ["ID", "Refresh", "Logout"].iter().any(|other| typ.eq_ignore_ascii_case(other))) {
        return refused("by its claim `typ` it is another kind of token");
    }
    Ok(())
}

/// `cnf` (RFC 7800, 3.1): a binding that we do not know cannot be checked, and what is not checked does not count.
fn confirmation(claims: &Registered<'_>) -> Result<Option<String>, Reject> {
    let Some(cnf) = claims.cnf else { return Ok(None) };
    let mut thumbprint = None;
    for member in cnf.members() {
        if member.name != "jkt" {
            let detail = format_args!("bound by `cnf` to {:?}; only `jkt` is taken", member.name);
            return Err(Reject::new(Reason::ConfirmationUnsupported, detail));
        }
        thumbprint = Some(registered::text(member.value, "jkt")?.into_owned());
    }
    // An empty one binds to nothing, and its maker meant something.
    thumbprint.map(Some).ok_or_else(|| Reject::new(Reason::ConfirmationUnsupported, "an empty `cnf`"))
}

/// The level that the token states. Most access tokens say `1`, or nothing.
fn level(signed: &SignedClaims<'_>, claims: &Registered<'_>, expect: &AccessTokenExpect<'_>) -> Option<String> {
    let name = expect.level.claim.unwrap_or(expect.profile.loa_claim);
    let own = signed.document().root().get(name).filter(|_| name != "acr").and_then(Value::as_text);
    let word = if name == "acr" { claims.acr.as_deref() } else { own.as_deref() };
    let loa = word.map(|word| expect.level.meant(word, expect.profile));
    loa.or_else(|| expect.level.when_absent.map(str::to_owned))
}
