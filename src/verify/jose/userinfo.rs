//! UserInfo (OpenID Connect Core, 5.3): more of the person that an ID token named.

use std::time::Duration;

use super::claims::Claims;
use super::header::Typ;
use super::json::Document;
use super::jws::SignedClaims;
use super::profile::ProfileRules;
use super::registered::Registered;
use super::rules::{audience, issuer, required, times};
use super::{Decryption, KeySet};
use crate::base::{UnixTime, limits};
use crate::crypto::trusted::AlgorithmSet;
use crate::verify::{Reason, Reject, Verified};

/// What UserInfo is held against. Borrowed: building one costs nothing.
#[derive(Clone, Debug)]
pub struct UserInfoExpect<'a> {
    /// The provider, compared exactly.
    pub issuer: &'a str,
    /// Our name at the provider.
    pub client_id: &'a str,
    /// `sub` of the ID token: whoever else it speaks of is not who logged in.
    pub subject: &'a str,
    /// The provider's keys.
    pub keys: &'a KeySet,
    /// What it may sign with.
    pub algorithms: AlgorithmSet,
    /// Whether and how it is encrypted.
    pub decryption: Decryption<'a>,
    /// Which rules.
    pub profile: &'a ProfileRules,
    /// How far clocks may differ.
    pub clock_skew: Duration,
}

/// What the provider says besides. It has no `Debug`: claims are personal data.
pub struct UserInfo {
    /// Every claim.
    pub claims: Claims,
}

/// Checks UserInfo that came signed (`application/jwt`).
///
/// # Errors
/// The first rule that does not hold.
pub(super) fn read(
    signed: SignedClaims<'_>,
    expect: &UserInfoExpect<'_>,
    now: UnixTime,
) -> Result<Verified<UserInfo>, Reject> {
    let claims = Registered::read(signed.document())?;
    if signed.typ() != Typ::Plain || claims.events.is_some() {
        return Err(Reject::new(Reason::TokenType, "a token of another kind than UserInfo"));
    }
    issuer(&claims, expect.issuer)?;
    audience(&claims, &[expect.client_id])?;
    times(&claims, expect.clock_skew, now)?;
    same_subject(&claims, expect)?;
    Ok(Verified::new(UserInfo { claims: Claims::new(signed.into_document()) }))
}

/// Reads UserInfo that came in clear (`application/json`). Nothing but the connection vouches for it: it must have been
/// asked for at the provider's own address, with certificate and all.
///
/// # Errors
/// `userinfo_not_signed` where the profile asks for a signature, and the first rule that does not hold.
pub fn plain_userinfo(body: &[u8], expect: &UserInfoExpect<'_>) -> Result<Verified<UserInfo>, Reject> {
    if expect.profile.userinfo_signed {
        return Err(Reject::new(Reason::UserInfoNotSigned, "UserInfo is not signed, and the profile asks for it"));
    }
    let document = Document::read(body.to_vec(), &limits::TOKEN_CLAIMS)?;
    same_subject(&Registered::read(&document)?, expect)?;
    Ok(Verified::new(UserInfo { claims: Claims::new(document) }))
}

fn same_subject(claims: &Registered<'_>, expect: &UserInfoExpect<'_>) -> Result<(), Reject> {
    if required(claims.sub.as_deref(), "sub")? == expect.subject {
        return Ok(());
    }
    Err(Reject::new(Reason::SubjectMismatch, "UserInfo is of another person than the ID token"))
}
