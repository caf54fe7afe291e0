//! What we ask of an OpenID provider: the authorization request (OpenID Connect Core, 3.1.2.1; RFC 7636; RFC 9126;
//! RFC 9101) and the addresses that a browser is sent to.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::jwt::base64url;
use crate::crypto::digest::sha256;

/// Everything but what RFC 3986 (2.3) calls unreserved.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How levels are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels<'a> {
    /// Not: the provider says its level in a claim of its own, and is not asked for one.
    NotAsked,
    /// As an essential claim: the provider gives one of them or an error (OpenID Connect Core, 5.5.1.1; OSP 2.1.6).
    Essential(&'a [String]),
    /// As a wish (`acr_values`), from providers that know nothing else.
    Wished(&'a [String]),
}

/// An authorization request.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest<'a> {
    /// What the provider calls us.
    pub client_id: &'a str,
    /// Where the answer is brought: one address for each provider.
    pub redirect_uri: &'a str,
    /// `openid` and what else is asked for.
    pub scope: &'a str,
    /// What the answer brings back: the login's handle.
    pub state: &'a str,
    /// What the ID token must hold.
    pub nonce: &'a str,
    /// What only we can exchange the code with: the secret half of PKCE.
    pub verifier: &'a str,
    /// Whether the login must be a fresh one.
    pub fresh: bool,
    /// How old a login may be, where it need not be fresh.
    pub max_age: Duration,
    /// The person's language (BCP 47).
    pub locale: &'a str,
    /// Which levels.
    pub levels: Levels<'a>,
}

impl AuthorizationRequest<'_> {
    /// The parameters, with the types that they have in a request object.
    pub fn parameters(&self) -> Vec<(&'static str, Value)> {
        let mut out = vec![
            ("response_type", "code".into()),
            ("client_id", self.client_id.into()),
            ("redirect_uri", self.redirect_uri.into()),
            ("scope", self.scope.into()),
            ("state", self.state.into()),
            ("nonce", self.nonce.into()),
            ("code_challenge", code_challenge(self.verifier).into()),
            ("code_challenge_method", "S256".into()),
            ("ui_locales", self.locale.into()),
        ];
        if self.fresh {
            out.push(("prompt", "login".into()));
        }
        // With it the provider must tell when the person logged in, which is held against the request (2).
        out.push(("max_age", if self.fresh { 0.into() } else { self.max_age.as_secs().into() }));
        match self.levels {
            Levels::NotAsked => {}
            Levels::Essential(levels) => {
                out.push(("claims", json!({ "id_token": { "acr": { "essential": true, "values": levels } } })));
            }
            Levels::Wished(levels) => out.push(("acr_values", levels.join(" ").into())),
        }
        out
    }
}

/// `parameters` as the fields of a form or a query.
pub fn as_texts(parameters: &[(&'static str, Value)]) -> Vec<(&'static str, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    parameters.iter().map(|(name, value)| (*name, text(value))).collect()
}

/// `endpoint` with `parameters` behind what its own query may hold.
pub fn location(endpoint: &str, parameters: &[(&'static str, String)]) -> String {
    let mut out = endpoint.to_owned();
    let mut joint = match endpoint.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    for (name, value) in parameters {
        out.push_str(joint);
        out.push_str(name);
        out.push('=');
        out.extend(utf8_percent_encode(value, QUERY));
        joint = "&";
    }
    out
}

/// The public half of PKCE (RFC 7636, 4.2).
pub fn code_challenge(verifier: &str) -> String {
    base64url(&sha256(verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn a_challenge_is_that_of_the_standard() {
        assert_eq!(
            code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    fn request(levels: Levels<'_>) -> AuthorizationRequest<'_> {
        AuthorizationRequest {
            client_id: "etjanst",
            redirect_uri: "https://e.example.se/eid/oidc/callback/freja",
            scope: "openid profile",
            state: "s",
            nonce: "n",
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            fresh: true,
            max_age: Duration::from_secs(600),
            locale: "sv",
            levels,
        }
    }

    #[test]
    fn a_request_asks_for_a_fresh_login_at_a_level() {
        let levels = ["http://id.elegnamnden.se/loa/1.0/loa3".to_owned()];
        let texts = as_texts(&request(Levels::Essential(&levels)).parameters());
        let of = |name: &str| texts.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        assert_eq!(of("prompt"), Some("login"));
        assert_eq!(of("max_age"), Some("0"));
        assert_eq!(
            of("claims"),
            Some(r#"{"id_token":{"acr":{"essential":true,"values":["http://id.elegnamnden.se/loa/1.0/loa3"]}}}"#)
        );
        assert_eq!(of("acr_values"), None, "a wish beside an essential claim is noise (OSP 2.1.6)");
        let wished = as_texts(&request(Levels::Wished(&levels)).parameters());
        assert!(
            wished.contains(&("acr_values", levels[0].clone())) && !wished.iter().any(|(name, _)| *name == "claims")
        );
        let sso = AuthorizationRequest { fresh: false, ..request(Levels::NotAsked) };
        let texts = as_texts(&sso.parameters());
        assert!(texts.contains(&("max_age", "600".to_owned())) && !texts.iter().any(|(name, _)| *name == "prompt"));
    }

    #[test]
    fn an_address_keeps_its_own_query() {
        let fields = [("a", "1 &".to_owned()), ("b", "å".to_owned())];
        for (endpoint, expect) in [
            ("https://op/x", "https://op/x?a=1%20%26&b=%C3%A5"),
            ("https://op/x?", "https://op/x?a=1%20%26&b=%C3%A5"),
            ("https://op/x?t=1", "https://op/x?t=1&a=1%20%26&b=%C3%A5"),
            ("https://op/x?t=1&", "https://op/x?t=1&a=1%20%26&b=%C3%A5"),
        ] {
            assert_eq!(location(endpoint, &fields), expect);
        }
    }
}
