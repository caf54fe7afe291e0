//! `X-Eid-Assertion`: a short-lived ES256 JWT, so that an e-service need not trust plain headers (RFC 7515, RFC 7519).

use serde_json::{Map, Value, json};

use crate::base::UnixTime;
use crate::crypto::digest::sha256;
use crate::crypto::own::{OwnKeyError, SigningKey};

/// How long a token is good for, in seconds. Five minutes is the limit that e-services are told.
const LIFETIME_SECS: i64 = 300;

/// Signs identity tokens, and says with which key.
pub(crate) struct TokenSigner {
    key: SigningKey,
    /// The encoded header with its dot: the same for every token.
    header: String,
    jwks: String,
    issuer: String,
    audience: String,
}

/// The thumbprint and the public half of a P-256 key (RFC 7517, RFC 7638).
fn jwk(key: &SigningKey) -> Option<(String, Value)> {
    let point = key.p256_point()?;
    let (x, y) = point.split_at_checked(32)?;
    let (x, y) = (base64url(x), base64url(y));
    // RFC 7638: the members that make the key, in this order and form.
    let kid = base64url(&sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes()));
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": kid,
    });
    Some((kid, jwk))
}

impl TokenSigner {
    /// With a P-256 key, and those that are published beside it; none for any other (ES256 is that curve alone, RFC 7518, 3.4).
    pub(crate) fn new(key: SigningKey, also: &[SigningKey], issuer: &str, audience: &str) -> Option<Self> {
        let (kid, own) = jwk(&key)?;
        let others: Option<Vec<Value>> = also.iter().map(|key| jwk(key).map(|(_, jwk)| jwk)).collect();
        let header = json!({ "alg": "ES256", "typ": "grindvakt+jwt", "kid": kid });
        // The one that signs first: whoever takes the first key that fits is right too.
        let keys: Vec<Value> = std::iter::once(own).chain(others?).collect();
        let jwks = json!({ "keys": keys });
        Some(Self {
            header: format!("{}.", base64url(header.to_string().as_bytes())),
            jwks: jwks.to_string(),
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            key,
        })
    }

    /// The key set to verify with (RFC 7517).
    pub(crate) fn jwks(&self) -> &str {
        &self.jwks
    }

    /// A token about `subject`, made at `now`, that holds no longer than `ends`, the session's end.
    pub(crate) fn sign(
        &self,
        subject: &str,
        mut claims: Map<String, Value>,
        now: UnixTime,
        ends: UnixTime,
    ) -> Result<String, OwnKeyError> {
        let issued = now.as_secs();
        claims.insert("iss".into(), self.issuer.as_str().into());
        claims.insert("aud".into(), self.audience.as_str().into());
        claims.insert("sub".into(), subject.into());
        claims.insert("iat".into(), issued.into());
        claims.insert("exp".into(), issued.saturating_add(LIFETIME_SECS).min(ends.as_secs()).into());
        let mut token = self.header.clone();
        token.push_str(&base64url(Value::Object(claims).to_string().as_bytes()));
        // ES256 is r and s, 32 bytes each: what the key gives (RFC 7518, 3.4).
        let signature = self.key.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url(&signature));
        Ok(token)
    }
}

fn base64url(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(crate) mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::crypto::own::{generate_p256_pem, generate_rsa_pem};
    use crate::crypto::trusted::{PublicKey, SignatureAlgorithm};

    /// Header and claims of a token whose signature holds.
    pub(crate) fn verified(token: &str, key: &PublicKey) -> (Value, Value) {
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts.len(), 3);
        let decode = |part: &str| base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).unwrap();
        let signed = format!("{}.{}", parts[0], parts[1]);
        let verdict = key.verify(SignatureAlgorithm::EcdsaSha256, signed.as_bytes(), &decode(parts[2]));
        assert_eq!(verdict, Ok(()));
        (serde_json::from_slice(&decode(parts[0])).unwrap(), serde_json::from_slice(&decode(parts[1])).unwrap())
    }

    fn key(pem: &Secret<String>) -> SigningKey {
        SigningKey::from_pem(&Secret::new(pem.expose().clone().into_bytes()), "token").unwrap()
    }

    #[test]
    fn a_token_says_who_for_whom_and_how_long() {
        let key = key(&generate_p256_pem().unwrap());
        let public = PublicKey::from_certificate(key.certificate()).unwrap();
        let signer = TokenSigner::new(key, &[], "https://e.example.se", "etjanst").unwrap();
        let claims = Map::from_iter([("name".to_owned(), Value::from("Åsa Öberg"))]);
        let now = UnixTime::from_secs(1_000_000);
        let token = signer.sign("pnr:x", claims, now, UnixTime::from_secs(2_000_000)).unwrap();
        let (header, claims) = verified(&token, &public);
        assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("grindvakt+jwt")));
        let jwks: Value = serde_json::from_str(signer.jwks()).unwrap();
        assert_eq!(jwks["keys"][0]["kid"], header["kid"]);
        assert_eq!(jwks["keys"][0]["x"].as_str().unwrap().len(), 43);
        assert_eq!(
            claims,
            json!({
                "iss": "https://e.example.se", "aud": "etjanst", "sub": "pnr:x", "name": "Åsa Öberg",
                "iat": 1_000_000, "exp": 1_000_300,
            })
        );
        let token = signer.sign("pnr:x", Map::new(), now, UnixTime::from_secs(1_000_060)).unwrap();
        assert_eq!(verified(&token, &public).1["exp"], json!(1_000_060), "no longer than the session");
    }

    #[test]
    fn the_key_to_come_and_the_one_before_are_published_beside_the_one_that_signs() {
        let pems: Vec<_> = (0..3).map(|_| generate_p256_pem().unwrap()).collect();
        let [now, next, before] = [0, 1, 2].map(|n: usize| key(pems.get(n).unwrap()));
        let kid = |signer: &TokenSigner, n: usize| {
            let jwks: Value = serde_json::from_str(signer.jwks()).unwrap();
            jwks["keys"].get(n).map(|key| key["kid"].as_str().unwrap().to_owned())
        };
        let signer = TokenSigner::new(now, &[next, before], "i", "a").unwrap();
        let turned = TokenSigner::new(key(pems.get(1).unwrap()), &[key(pems.first().unwrap())], "i", "a").unwrap();
        assert_eq!(kid(&signer, 1), kid(&turned, 0), "an e-service knows the next key before it signs");
        assert_eq!(kid(&signer, 0), kid(&turned, 1), "and the one before for as long as its tokens hold");
        assert!(kid(&signer, 2).is_some() && kid(&signer, 3).is_none());
    }

    #[test]
    fn another_kind_of_key_signs_no_es256() {
        assert!(TokenSigner::new(key(&generate_rsa_pem().unwrap()), &[], "i", "a").is_none());
        let rsa = key(&generate_rsa_pem().unwrap());
        assert!(TokenSigner::new(key(&generate_p256_pem().unwrap()), &[rsa], "i", "a").is_none());
    }
}
