//! Rules that the kinds of tokens share: who made it, for whom, when.

use std::time::Duration;

use super::registered::Registered;
use super::{jws::SignedClaims, registered};
use crate::base::UnixTime;
use crate::crypto::digest::{DigestAlgorithm, Hasher};
use crate::verify::{Reason, Reject};

/// A claim that must be there.
pub(super) fn required<T>(claim: Option<T>, name: &str) -> Result<T, Reject> {
    claim.ok_or_else(|| Reject::new(Reason::ClaimMissing, format_args!("`{name}` is missing")))
}

/// `iss` is the configured issuer, compared exactly: a slash at the end counts (OpenID Connect Core, 3.1.3.7).
pub(super) fn issuer(claims: &Registered<'_>, expected: &str) -> Result<(), Reject> {
    match claims.iss.as_deref() {
        None => Err(Reject::new(Reason::IssuerMissing, "no `iss`")),
        Some(issuer) if issuer == expected => Ok(()),
        Some(issuer) => {
            let detail = format_args!("the issuer is {issuer:?}; {expected:?} is configured");
            Err(Reject::new(Reason::IssuerMismatch, detail))
        }
    }
}

/// `aud` names one of `ours`.
pub(super) fn audience(claims: &Registered<'_>, ours: &[impl AsRef<str>]) -> Result<(), Reject> {
    if claims.aud.is_none() {
        return Err(Reject::new(Reason::AudienceMissing, "no `aud`"));
    }
    let mut first = None;
    for audience in claims.audiences() {
        if ours.iter().any(|own| *own.as_ref() == *audience) {
            return Ok(());
        }
        first = first.or(Some(audience));
    }
    let detail =
        format_args!("it is for {:?}; we are {:?}", first.unwrap_or_default(), ours.first().map(AsRef::as_ref));
    Err(Reject::new(Reason::AudienceMismatch, detail))
}

/// `exp`, `nbf` and `iat`, as far as they are there (RFC 7519, 4.1.4 to 4.1.6).
pub(super) fn times(claims: &Registered<'_>, skew: Duration, now: UnixTime) -> Result<(), Reject> {
    if let Some(exp) = claims.exp {
        // Exclusive: at the instant itself it is over.
        if now >= exp.plus(skew) {
            return Err(Reject::new(Reason::Expired, format_args!("`exp` was {exp}; it is {now}")));
        }
        if claims.iat.is_some_and(|iat| iat > exp) || claims.nbf.is_some_and(|nbf| nbf > exp) {
            return Err(Reject::new(Reason::ClaimType, "`exp` is before `iat` or `nbf`"));
        }
    }
    if let Some(nbf) = claims.nbf.filter(|nbf| now.plus(skew) < *nbf) {
        return Err(Reject::new(Reason::NotYetValid, format_args!("`nbf` is {nbf}; it is {now}")));
    }
    past(claims.iat, "iat", skew, now)
}

/// An instant that lies in the past.
pub(super) fn past(instant: Option<UnixTime>, name: &str, skew: Duration, now: UnixTime) -> Result<(), Reject> {
    match instant {
        Some(at) if at > now.plus(skew) => {
            Err(Reject::new(Reason::IssuedInFuture, format_args!("`{name}` is {at}; it is {now}")))
        }
        _ => Ok(()),
    }
}

/// What a token that may be used once is remembered by: its `jti`, else what was signed. Two kinds of names never meet.
pub(super) fn replay_id(claims: &Registered<'_>, signed: &SignedClaims<'_>) -> String {
    match claims.jti.as_deref() {
        Some(jti) => format!("jti:{jti}"),
        None => {
            let digest = crate::crypto::digest::sha256(signed.input());
            format!("sha256:{}", base64_simd::URL_SAFE_NO_PAD.encode_to_string(digest))
        }
    }
}

/// Whether `hash` is the left half of the digest of `value` (OpenID Connect Core, 3.1.3.6).
pub(super) fn is_half_hash(hash: &str, value: &str, algorithm: DigestAlgorithm) -> bool {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(value.as_bytes());
    let digest = hasher.finish();
    let digest = digest.as_ref();
    let half = digest.get(..digest.len() / 2).unwrap_or_default();
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(half) == hash
}

/// A level in a claim of its own, which no registered claim is.
pub(super) fn own_text<'d>(
    signed: &'d SignedClaims<'_>,
    name: &str,
) -> Result<Option<std::borrow::Cow<'d, str>>, Reject> {
    signed.document().root().get(name).map(|value| registered::text(value, name)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_hashes_are_those_of_the_standard() {
        // OpenID Connect Core, A.3 and A.4: the access token and code of the examples.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        let code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk";
        assert!(is_half_hash("77QmUPtjPfzWtF2AnpK9RQ", token, DigestAlgorithm::Sha256));
        assert!(is_half_hash("LDktKdoQak3Pk0cnXxCltA", code, DigestAlgorithm::Sha256));
        assert!(!is_half_hash("77QmUPtjPfzWtF2AnpK9RQ", code, DigestAlgorithm::Sha256));
        assert!(!is_half_hash("77QmUPtjPfzWtF2AnpK9RQ", token, DigestAlgorithm::Sha512));
        assert!(!is_half_hash("", token, DigestAlgorithm::Sha256));
        assert!(!is_half_hash("77QmUPtjPfzWtF2AnpK9RQ==", token, DigestAlgorithm::Sha256));
    }
}
