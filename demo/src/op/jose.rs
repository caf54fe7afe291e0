//! The little of JOSE that a provider needs: signing by its key, checking its clients' signatures, public keys as JWKs
//! (RFC 7515, 7517, 7518). None of it is the sidecar's code.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Map, Value, json};

use crate::key::{Algorithm, DemoKey, Public};

/// How the names of demo keys begin in key sets: the sidecar takes none of them outside of development (decision 10).
const DEMO_KID: &str = "grindvakt-demo";

/// Claims of a token, or a header.
pub type Claims = Map<String, Value>;

/// base64url without padding (RFC 7515, 2).
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// The bytes of base64url; none for what is not.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}

/// The left half of the SHA-256 of `value`: `at_hash` of a token by an algorithm with SHA-256 (OpenID Connect Core, 3.1.3.6).
pub fn half_hash(value: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, value.as_bytes());
    base64url(digest.as_ref().get(..16).unwrap_or_default())
}

/// The challenge of a PKCE verifier by S256 (RFC 7636, 4.2).
pub fn s256(verifier: &str) -> String {
    base64url(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()))
}

const fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RsaSha256 => "RS256",
        Algorithm::RsaSha384 => "RS384",
        Algorithm::RsaSha512 => "RS512",
        Algorithm::EcdsaP256 => "ES256",
    }
}

fn input(header: &Claims, claims: &Claims) -> String {
    let part = |part: &Claims| base64url(Value::Object(part.clone()).to_string());
    format!("{}.{}", part(header), part(claims))
}

impl DemoKey {
    /// The name of the algorithm that it signs with (RFC 7518, 3.1).
    pub const fn jws_algorithm(&self) -> &'static str {
        name(self.algorithm())
    }

    /// Its name in a key set: what its public half hashes to, so that it is the same wherever the key goes.
    pub fn kid(&self) -> String {
        let bytes = match self.public() {
            Public::Rsa { n, .. } => n,
            Public::P256 { x, .. } => x,
        };
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
        let name = base64url(digest.as_ref().get(..12).unwrap_or_default());
        if self.is_marked() { format!("{DEMO_KID}-{name}") } else { name }
    }

    /// Its public half alone, as a JWK (RFC 7518, 6).
    fn public_jwk(&self) -> Claims {
        let jwk = match self.public() {
            Public::Rsa { n, e } => json!({ "kty": "RSA", "n": base64url(n), "e": base64url(e) }),
            Public::P256 { x, y } => {
                json!({ "kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y) })
            }
        };
        jwk.as_object().cloned().unwrap_or_default()
    }

    /// Its public half, as a member of a key set (RFC 7517, 4).
    pub fn jwk(&self) -> Value {
        let mut jwk = self.public_jwk();
        for (member, value) in [("use", json!("sig")), ("alg", json!(self.jws_algorithm())), ("kid", json!(self.kid()))]
        {
            jwk.insert(member.to_owned(), value);
        }
        Value::Object(jwk)
    }

    /// A key set with this key alone.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    /// A token: `header` gets `alg`, and `kid` where it has none.
    pub fn sign_jwt(&self, header: Claims, claims: &Claims) -> String {
        let mut header = header;
        header.insert("alg".to_owned(), json!(self.jws_algorithm()));
        header.entry("kid").or_insert_with(|| json!(self.kid()));
        let input = input(&header, claims);
        format!("{input}.{}", base64url(self.sign(input.as_bytes())))
    }
}

/// A token that nobody signed.
pub(super) fn unsigned(claims: &Claims) -> String {
    let header: Claims = [("alg".to_owned(), json!("none"))].into_iter().collect();
    format!("{}.", input(&header, claims))
}

/// A token by HMAC with `secret`.
pub(super) fn hmac_token(secret: &[u8], kid: &str, claims: &Claims) -> String {
    let header: Claims = [("alg".to_owned(), json!("HS256")), ("kid".to_owned(), json!(kid))].into_iter().collect();
    let input = input(&header, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    format!("{input}.{}", base64url(tag))
}

/// A client's public keys, as it registered them.
#[derive(Clone, Debug, Default)]
pub struct ClientKeys(Vec<ClientKey>);

#[derive(Clone, Debug)]
enum ClientKey {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
}

impl ClientKeys {
    /// From a JWKS: its RSA and P-256 keys.
    pub fn from_jwks(jwks: &Value) -> Self {
        let keys = jwks.get("keys").and_then(Value::as_array).into_iter().flatten();
        let key = |jwk: &Value| {
            let part = |member: &str| jwk.get(member).and_then(Value::as_str).and_then(from_base64url);
            match jwk.get("kty").and_then(Value::as_str)? {
                "RSA" => Some(ClientKey::Rsa { n: part("n")?, e: part("e")? }),
                "EC" => Some(ClientKey::P256([vec![4], part("x")?, part("y")?].concat())),
                _ => None,
            }
        };
        Self(keys.filter_map(key).collect())
    }

    /// The claims of a token that one of the keys signed; none when none did, or when it is no token.
    pub fn verify(&self, token: &str) -> Option<Claims> {
        let (input, signature) = token.rsplit_once('.')?;
        let (header, payload) = input.split_once('.')?;
        let header: Claims = serde_json::from_slice(&from_base64url(header)?).ok()?;
        let signature = from_base64url(signature)?;
        let algorithm = header.get("alg")?.as_str()?;
        if !self.0.iter().any(|key| key.verify(algorithm, input.as_bytes(), &signature)) {
            return None;
        }
        serde_json::from_slice(&from_base64url(payload)?).ok()
    }
}

impl ClientKey {
    fn verify(&self, algorithm: &str, input: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { n, e } => {
                let parameters: &RsaParameters = match algorithm {
                    "RS256" => &RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &RSA_PKCS1_2048_8192_SHA384,
                    "RS512" => &RSA_PKCS1_2048_8192_SHA512,
                    "PS256" => &RSA_PSS_2048_8192_SHA256,
                    _ => return false,
                };
                RsaPublicKeyComponents { n, e }.verify(parameters, input, signature).is_ok()
            }
            Self::P256(point) => {
                algorithm == "ES256"
                    && UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(input, signature).is_ok()
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_signs_its_published_half_verifies_and_another_does_not() {
        let claims: Claims = [("sub".to_owned(), json!("a"))].into_iter().collect();
        let stranger = ClientKeys::from_jwks(&DemoKey::p256("stranger").jwks());
        for key in [DemoKey::rsa("a"), DemoKey::rsa("b").with_algorithm(Algorithm::RsaSha512), DemoKey::p256("c")] {
            let token = key.sign_jwt(Claims::new(), &claims);
            let keys = ClientKeys::from_jwks(&key.jwks());
            assert_eq!(keys.verify(&token), Some(claims.clone()), "{}", key.jws_algorithm());
            assert_eq!(stranger.verify(&token), None);
            let (input, signature) = token.rsplit_once('.').unwrap();
            let (header, _) = input.split_once('.').unwrap();
            assert_eq!(keys.verify(&format!("{header}.{}.{signature}", base64url(r#"{"sub":"b"}"#))), None);
        }
        assert_eq!(stranger.verify(&unsigned(&claims)), None);
    }

    #[test]
    fn challenges_are_those_of_the_standard() {
        // RFC 7636, appendix B; OpenID Connect Core, A.3.
        assert_eq!(s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
