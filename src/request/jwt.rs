//! Tokens that we sign: what authenticates us as a client (RFC 7523, 2.2; OpenID Connect Core, 9), and requests that
//! nobody between us and the provider can change (RFC 9101).

use serde_json::{Map, Value, json};

use super::RequestError;
use crate::base::UnixTime;
use crate::crypto::own::SigningKey;
use crate::crypto::trusted::PublicJwk;

/// How long one is good for, in seconds: made for one exchange, and clocks may differ.
const LIFETIME_SECS: i64 = 120;

/// Where a client's token says to be from (RFC 7523, 2.2).
pub const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A key that signs tokens of ours, and how it is called.
pub struct ClientKey {
    key: SigningKey,
    kid: String,
}

impl ClientKey {
    /// With the name that the provider knows it by; none: its thumbprint (RFC 7638), which is what we publish.
    pub fn new(key: SigningKey, kid: Option<String>) -> Self {
        let kid = kid.unwrap_or_else(|| thumbprint(key.certificate()).unwrap_or_default());
        Self { key, kid }
    }

    /// The public key as a provider is told of it (RFC 7517, 4).
    pub fn jwk(&self) -> Option<Value> {
        let mut members = public(self.key.certificate(), "sig", self.key.jws_algorithm().name())?;
        members.insert("kid".into(), self.kid.as_str().into());
        Some(Value::Object(members))
    }

    fn sign(&self, typ: &str, claims: &Map<String, Value>) -> Result<String, RequestError> {
        let header = json!({ "alg": self.key.jws_algorithm().name(), "typ": typ, "kid": self.kid });
        let mut token = base64url(header.to_string().as_bytes());
        token.push('.');
        token.push_str(&base64url(serde_json::to_string(claims).unwrap_or_default().as_bytes()));
        let signature = self.key.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url(&signature));
        Ok(token)
    }

    /// What shows a provider that we are `client_id`. `audience` is the provider's issuer, so that one provider cannot show
    /// it to another. `id` is new for each.
    ///
    /// # Errors
    /// [`RequestError::Sign`].
    pub fn client_assertion(
        &self,
        client_id: &str,
        audience: &str,
        id: &str,
        now: UnixTime,
    ) -> Result<String, RequestError> {
        let mut claims = times(now);
        for (name, value) in [("iss", client_id), ("sub", client_id), ("aud", audience), ("jti", id)] {
            claims.insert(name.into(), value.into());
        }
        self.sign("JWT", &claims)
    }

    /// A signed request object with the parameters of a request (RFC 9101, 4).
    ///
    /// # Errors
    /// [`RequestError::Sign`].
    pub fn request_object(
        &self,
        parameters: &[(&'static str, Value)],
        client_id: &str,
        audience: &str,
        id: &str,
        now: UnixTime,
    ) -> Result<String, RequestError> {
        let mut claims = times(now);
        for (name, value) in [("iss", client_id), ("aud", audience), ("jti", id)] {
            claims.insert(name.into(), value.into());
        }
        claims.extend(parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        self.sign("oauth-authz-req+jwt", &claims)
    }
}

/// A key that others encrypt to, as they are told of it; none where it is no RSA key.
pub fn encryption_jwk(certificate: &[u8]) -> Option<Value> {
    let mut members = public(certificate, "enc", "RSA-OAEP-256")?;
    members.insert("kid".into(), thumbprint(certificate)?.into());
    Some(Value::Object(members))
}

fn public(certificate: &[u8], for_what: &str, algorithm: &str) -> Option<Map<String, Value>> {
    let jwk = PublicJwk::from_certificate(certificate)?;
    let mut members: Map<String, Value> =
        jwk.members().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    members.insert("use".into(), for_what.into());
    members.insert("alg".into(), algorithm.into());
    Some(members)
}

fn thumbprint(certificate: &[u8]) -> Option<String> {
    PublicJwk::from_certificate(certificate).map(|jwk| base64url(&jwk.thumbprint()))
}

fn times(now: UnixTime) -> Map<String, Value> {
    let at = now.as_secs();
    [("iat", at), ("nbf", at), ("exp", at.saturating_add(LIFETIME_SECS))]
        .map(|(name, at)| (name.to_owned(), at.into()))
        .into_iter()
        .collect()
}

pub(super) fn base64url(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}
