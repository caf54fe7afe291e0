//! DPoP proofs (RFC 9449, 4): whoever sends the request holds this key.
//!
//! The one place where a key is read from a token's header: the proof says nothing of who its maker is, and an access
//! token that is bound to the key's thumbprint says the rest.

use std::time::Duration;

use super::header::Typ;
use super::jwks;
use super::jws::{self, Jws};
use super::registered::Registered;
use super::rules::{past, required};
use crate::base::UnixTime;
use crate::crypto::digest::sha256;
use crate::crypto::trusted::{AlgorithmSet, PublicKey};
use crate::verify::{Reason, Reject, Verified};

/// What a proof is held against. Borrowed: building one costs nothing.
#[derive(Clone, Debug)]
pub struct DpopExpect<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The request's address as the client knows it: by our public address, whatever the path. A query does not count.
    pub uri: &'a str,
    /// The access token that it came with.
    pub access_token: &'a str,
    /// What it may be signed with.
    pub algorithms: AlgorithmSet,
    /// Nonces that we gave out and that are still good; none asks for none.
    pub nonces: Option<&'a [String]>,
    /// How old it may be, skew apart.
    pub max_age: Duration,
    /// How far clocks may differ.
    pub clock_skew: Duration,
}

/// A proof that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpopProof {
    /// The thumbprint of the key (RFC 7638), in base64url: what `cnf.jkt` of the access token must be.
    pub key_thumbprint: String,
    /// What single use is counted by: the key and `jti`.
    pub replay_id: String,
    /// No instant after this one could accept it: how long it must be remembered.
    pub acceptable_until: UnixTime,
}

/// Verifies the value of a `DPoP` header.
///
/// # Errors
/// The first rule that does not hold.
pub fn dpop_proof(proof: &[u8], expect: &DpopExpect<'_>, now: UnixTime) -> Result<Verified<DpopProof>, Reject> {
    jws::bounded(proof)?;
    let parts = jws::parts(proof).unwrap_or_default();
    let [header, payload, signature] = parts.as_slice() else {
        return Err(Reject::new(Reason::TokenMalformed, "a DPoP proof has three parts"));
    };
    let jws = Jws::parse(proof, header, payload, signature)?;
    if jws.header().typ != Typ::Dpop {
        return Err(Reject::new(Reason::TokenType, "by its `typ` it is no DPoP proof"));
    }
    if !expect.algorithms.contains(jws.header().algorithm) {
        let detail = format_args!("{} is not taken", jws.header().algorithm.name());
        return Err(Reject::new(Reason::SignatureAlgorithm, detail));
    }
    let malformed = |what: String| Reject::new(Reason::DpopKey, what);
    let jwk = jws.header().jwk().ok_or_else(|| malformed("no `jwk` in the header".into()))?;
    let jwk = jwks::proof_key(jwk).map_err(|fault| malformed(format!("a `jwk` that is not taken: {fault:?}")))?;
    let key = PublicKey::from_jwk(&jwk).map_err(|e| malformed(e.to_string()))?;
    let signed = jws.verify_by(|algorithm, input, signature| key.verify_jws(algorithm, input, signature))?;
    let claims = Registered::read(signed.document())?;

    let jti = required(claims.jti.as_deref(), "jti")?;
    let method = required(claims.htm.as_deref(), "htm")?;
    if method != expect.method {
        let detail = format_args!("made for {method:?}; the request is {:?}", expect.method);
        return Err(Reject::new(Reason::DpopMethodMismatch, detail));
    }
    let uri = required(claims.htu.as_deref(), "htu")?;
    if !same_uri(uri, expect.uri) {
        return Err(Reject::new(Reason::DpopUriMismatch, "made for another address than the request's"));
    }
    let issued = required(claims.iat, "iat")?;
    past(Some(issued), "iat", expect.clock_skew, now)?;
    let acceptable_until = issued.plus(expect.max_age).plus(expect.clock_skew);
    if now > acceptable_until {
        return Err(Reject::new(Reason::IssuedTooLongAgo, format_args!("made at {issued}; it is {now}")));
    }
    match (expect.nonces, claims.nonce.as_deref()) {
        (None, _) => {}
        (Some(good), Some(nonce)) if good.iter().any(|known| known == nonce) => {}
        _ => return Err(Reject::new(Reason::DpopNonce, "without a `nonce` of ours that is still good")),
    }
    let hash = base64_simd::URL_SAFE_NO_PAD.encode_to_string(sha256(expect.access_token.as_bytes()));
    if required(claims.ath.as_deref(), "ath")? != hash {
        return Err(Reject::new(Reason::DpopTokenMismatch, "made for another access token"));
    }
    let key_thumbprint = base64_simd::URL_SAFE_NO_PAD.encode_to_string(jwk.thumbprint());
    let replay_id = format!("dpop:{key_thumbprint}:{jti}");
    Ok(Verified::new(DpopProof { key_thumbprint, replay_id, acceptable_until }))
}

/// Whether two addresses are one, query and fragment apart (RFC 9449, 4.3, step 9): scheme and host in any case, the
/// usual port written out or not, an empty path or a slash, `%` escapes in either case. Dots in a path are not resolved:
/// the request's own path has none.
fn same_uri(a: &str, b: &str) -> bool {
    match (normal(a), normal(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn normal(uri: &str) -> Option<String> {
    let end = uri.find(['?', '#']).unwrap_or(uri.len());
    let (scheme, rest) = uri.get(..end)?.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    let authority = authority.to_ascii_lowercase();
    let port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let authority = authority.strip_suffix(port).unwrap_or(&authority);
    let mut out = format!("{scheme}://{authority}");
    if path.is_empty() {
        out.push('/');
    }
    let mut digits = 0u8;
    for c in path.chars() {
        out.push(if digits > 0 { c.to_ascii_uppercase() } else { c });
        digits = if c == '%' { 2 } else { u8::saturating_sub(digits, 1) };
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_compared_without_its_query_and_in_one_form() {
        let ours = "https://api.example.se/v1/cases";
        for same in [
            "https://api.example.se/v1/cases",
            "HTTPS://API.example.SE:443/v1/cases",
            "https://api.example.se/v1/cases?x=1",
            "https://api.example.se/v1/cases#part",
        ] {
            assert!(same_uri(same, ours), "{same}");
        }
        for other in [
            "",
            "https://api.example.se",
            "https://api.example.se/v1/cases/",
            "https://api.example.se/V1/cases",
            "https://api.example.se:8443/v1/cases",
            "http://api.example.se/v1/cases",
            "https://api.example.se.evil.example/v1/cases",
            "https://api.example.se@evil.example/v1/cases",
            "https://x@api.example.se/v1/cases",
            "//api.example.se/v1/cases",
            "/v1/cases",
            "https:///v1/cases",
            "ftp://api.example.se/v1/cases",
        ] {
            assert!(!same_uri(other, ours), "{other}");
        }
        assert!(same_uri("https://a.se", "https://a.se/"));
        assert!(same_uri("https://a.se/%c3%a5b", "https://a.se/%C3%A5b"));
        assert!(!same_uri("https://a.se/%c3%a5b", "https://a.se/%C3%A5B"));
        assert!(!same_uri("javascript:alert(1)", "javascript:alert(1)"));
    }
}
