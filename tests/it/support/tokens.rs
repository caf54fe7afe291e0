//! An authorization server's and a client's keys, by ring alone: what they sign was made by none of our code.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

/// A P-256 key with a name.
pub struct TokenKey {
    pair: EcdsaKeyPair,
    pub kid: String,
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

impl TokenKey {
    pub fn new(kid: &str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Self { pair, kid: kid.to_owned() }
    }

    /// The public key as a JWK.
    pub fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "x": base64url(&point[1..33]), "y": base64url(&point[33..]) })
    }

    /// A key set with this key alone.
    pub fn jwks(&self) -> String {
        let mut jwk = self.jwk();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        json!({ "keys": [jwk] }).to_string()
    }

    /// RFC 7638.
    pub fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let text = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
        base64url(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()))
    }

    /// A token by ES256.
    pub fn sign(&self, header: Value, claims: &Value) -> String {
        let mut header = header;
        header["alg"] = json!("ES256");
        let input = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", base64url(signature))
    }

    /// An access token.
    pub fn access_token(&self, claims: &Value) -> String {
        self.sign(json!({ "typ": "at+jwt", "kid": self.kid }), claims)
    }

    /// A proof of this key (RFC 9449, 4.2).
    pub fn proof(&self, method: &str, uri: &str, token: &str, now: i64, jti: &str, nonce: Option<&str>) -> String {
        let ath = base64url(ring::digest::digest(&ring::digest::SHA256, token.as_bytes()));
        let mut claims = json!({ "htm": method, "htu": uri, "ath": ath, "iat": now, "jti": jti });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        self.sign(json!({ "typ": "dpop+jwt", "jwk": self.jwk() }), &claims)
    }
}
