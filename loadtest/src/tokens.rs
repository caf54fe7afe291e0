//! An authorization server's key, and the access tokens that it signs.

use grindvakt::base::{Clock as _, Secret, SystemClock};
use grindvakt::crypto::own::SigningKey;
use grindvakt_demo::DemoKey;
use serde_json::json;

use crate::Failed;

/// The server's name.
pub const ISSUER: &str = "https://as.example.se";
/// The service's name at it.
pub const AUDIENCE: &str = "https://etjanst.example.se/api";
/// What the route asks for.
pub const SCOPE: &str = "cases.read";

/// The server.
pub struct Issuer {
    key: DemoKey,
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

impl Issuer {
    /// With a new key.
    pub fn new() -> Self {
        Self { key: DemoKey::p256("Load test authorization server") }
    }

    /// Its key set.
    ///
    /// # Errors
    /// When its key cannot be read back, which it can.
    pub fn jwks(&self) -> Result<String, Failed> {
        let pem = Secret::new(self.key.private_pem().into_bytes());
        let key = SigningKey::from_pem(&pem, "as").map_err(|e| Failed(e.to_string()))?;
        let point = key.p256_point().unwrap_or_default();
        let (x, y) = point.split_at_checked(32).unwrap_or_default();
        let key =
            json!({ "kty": "EC", "crv": "P-256", "kid": "as-1", "use": "sig", "x": base64url(x), "y": base64url(y) });
        Ok(json!({ "keys": [key] }).to_string())
    }

    /// An access token (RFC 9068) of a person, good for an hour. `number` makes it another one.
    pub fn token(&self, number: usize) -> String {
        let now = SystemClock.now().as_secs();
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "as-1" });
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": format!("person-{}", number % 1000), "client_id": "app",
            "jti": format!("t-{number}"), "iat": now, "exp": now.saturating_add(3600), "auth_time": now, "scope": SCOPE,
            "https://id.oidc.se/claim/personalIdentityNumber": "199001012385",
        });
        let input = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = base64url(self.key.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }
}

impl Default for Issuer {
    fn default() -> Self {
        Self::new()
    }
}
