//! `[[provider]]` of tokens: logins by OpenID Connect, and bearer tokens.

use std::time::Duration;

use super::keys::source;
use super::reader::Section;
use super::remote::host_name;
use super::{ClientAuth, Encryption, JwtProvider, OidcProfile, OidcProvider, Published, RemoteUrl, TokenSettings, url};
use crate::base::limits::KEYS_MAX_STALE_SECS;
use crate::crypto::trusted::{AlgorithmSet, JwsAlgorithm};
use crate::identity::Field;

pub(super) fn read_oidc(s: &mut Section<'_>) -> Option<OidcProvider> {
    let profile = s.choice("profile", &OidcProfile::ALL.map(|p| (p.name(), p))).unwrap_or(OidcProfile::Generic);
    let issuer = issuer(s);
    let published = published(s, issuer.as_ref());
    let client_id = s.required("client_id", "what the provider calls this service");
    let key = source(s, "client_key", "client_key_env");
    let secret = source(s, "client_secret_file", "client_secret_env");
    let client = match (key, secret) {
        (Some(key), None) => Some(ClientAuth::PrivateKeyJwt(key)),
        (None, Some(secret)) => Some(ClientAuth::SecretBasic(secret)),
        // A public client: enough for `grindvakt verify`, and PKCE alone protects its logins.
        (None, None) => None,
        (Some(_), Some(_)) => {
            s.problem(&s.at().clone(), "`client_key` and `client_secret_file` are both there; keep one");
            None
        }
    };
    let key_id = s.text("client_key_id");
    if let (Some(id), false) = (&key_id, matches!(client, Some(ClientAuth::PrivateKeyJwt(_)))) {
        s.problem(&id.at, "`client_key_id` is of a `client_key`");
    }
    let scopes = scopes(s);
    let has_max_age = s.has("max_age");
    let max_age = s.duration("max_age", Duration::ZERO);
    let pushed = s.flag("pushed_requests", false);
    let signed = s.flag("signed_requests", false);
    if signed && !matches!(client, Some(ClientAuth::PrivateKeyJwt(_))) {
        s.problem(&s.at().clone(), "`signed_requests` needs a `client_key` to sign with");
    }
    let userinfo = s.flag("userinfo", true);
    let logout = s.flag("logout_at_provider", true);
    let tokens = tokens(s);
    let encryption = s.choice("encryption", &[("required", Encryption::Required), ("optional", Encryption::Optional)]);
    let trusted_audiences = s.some_texts("trusted_audiences").into_iter().map(|text| text.text).collect();
    let eidas_connector = s.flag("eidas_connector", false);
    Some(OidcProvider {
        profile,
        issuer: issuer?,
        client_id: client_id?.text,
        client,
        client_key_id: key_id.map(|text| text.text),
        published: published?,
        scopes,
        max_age: has_max_age.then_some(max_age),
        pushed_requests: pushed,
        signed_requests: signed,
        userinfo,
        logout_at_provider: logout,
        tokens,
        encryption: encryption.unwrap_or(Encryption::Optional),
        trusted_audiences,
        eidas_connector,
    })
}

/// `algorithms` and `claims`.
fn tokens(s: &mut Section<'_>) -> TokenSettings {
    let mut algorithms = None;
    for text in s.some_texts("algorithms") {
        match JwsAlgorithm::from_name(&text.text) {
            Some(algorithm) => algorithms = Some(algorithms.unwrap_or(AlgorithmSet::NONE).with(algorithm)),
            None => {
                let known: Vec<&str> = JwsAlgorithm::ALL.iter().map(|known| known.name()).collect();
                s.problem(
                    &text.at,
                    format!("`algorithms`: {:?} is not taken; these are: {}", text.text, known.join(", ")),
                );
            }
        }
    }
    let mut claims = Vec::new();
    if let Some(mut table) = s.section("claims") {
        for (name, text) in table.free_texts() {
            match Field::parse(&name).filter(|field| *field != Field::Eid) {
                Some(field) => claims.push((field, text.text)),
                None => table.problem(&text.at, format!("`{name}` is no field that a claim can hold")),
            }
        }
    }
    TokenSettings { algorithms: algorithms.unwrap_or(AlgorithmSet::ALL), claims }
}

pub(super) fn read_jwt(s: &mut Section<'_>) -> Option<JwtProvider> {
    let profile = s.choice("profile", &OidcProfile::ALL.map(|p| (p.name(), p))).unwrap_or(OidcProfile::Generic);
    let issuer = issuer(s);
    let published = published(s, issuer.as_ref());
    if !s.has("audience") {
        s.missing("audience", "what the tokens must be meant for");
    }
    let audience: Vec<String> = s.some_texts("audience").into_iter().map(|text| text.text).collect();
    let require_at_jwt = s.flag("require_at_jwt", false);
    let require_dpop = s.flag("require_dpop", false);
    let dpop_nonce = s.flag("dpop_nonce", false);
    let tokens = tokens(s);
    let (issuer, published) = (issuer?, published?);
    (!audience.is_empty()).then_some(JwtProvider {
        profile,
        issuer,
        audience,
        published,
        require_at_jwt,
        require_dpop,
        dpop_nonce,
        tokens,
    })
}

/// An issuer: https, or http on loopback, without query and fragment (OpenID Connect Discovery 3, RFC 8414, 2).
fn issuer(s: &mut Section<'_>) -> Option<String> {
    let text = s.required("issuer", "the provider's name in its tokens")?;
    match url::issuer(&text.text) {
        Ok(()) => Some(text.text),
        Err(message) => {
            s.problem(&text.at, format!("`issuer` {message}"));
            None
        }
    }
}

/// Where the provider's documents are, and whom they may lead us to.
fn published(s: &mut Section<'_>, issuer: Option<&String>) -> Option<Published> {
    let jwks_file = s.path("jwks_file");
    let url = s.text("jwks_url");
    let jwks_url = url.as_ref().and_then(|text| match RemoteUrl::parse(&text.text) {
        Ok(url) => Some(url),
        Err(message) => {
            s.problem(&text.at, format!("`jwks_url` {message}"));
            None
        }
    });
    if jwks_file.is_some() && url.is_some() {
        s.problem(&s.at().clone(), "`jwks_file` and `jwks_url` are both there; keep one");
    }
    let mut hosts = Vec::new();
    for text in s.some_texts("hosts") {
        match host_name(&text.text) {
            Some(host) => hosts.push(host),
            None => s.problem(&text.at, format!("`hosts`: {:?} is no name of a host", text.text)),
        }
    }
    let max_stale = s.duration("max_stale", Duration::from_secs(KEYS_MAX_STALE_SECS));
    if max_stale.is_zero() {
        s.problem(&s.at().clone(), "`max_stale` must be above zero: keys could never be used");
    }
    // OpenID Connect Discovery, 4: behind the issuer, whose own slash at its end is taken off for that.
    let discovery = format!("{}/.well-known/openid-configuration", issuer?.trim_end_matches('/'));
    let discovery = RemoteUrl::parse(&discovery).map_err(|message| {
        s.problem(&s.at().clone(), format!("`issuer` {message}"));
    });
    Some(Published { jwks_file, jwks_url, discovery: discovery.ok()?, hosts, max_stale })
}

/// `scopes`: what is asked for instead of the profile's. Without `openid` it would be no OpenID Connect.
fn scopes(s: &mut Section<'_>) -> Option<Vec<String>> {
    if !s.has("scopes") {
        return None;
    }
    let mut scopes = Vec::new();
    for text in s.some_texts("scopes") {
        // RFC 6749, 3.3.
        let good =
            !text.text.is_empty() && text.text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'));
        if good {
            scopes.push(text.text);
        } else {
            s.problem(&text.at, format!("`scopes`: {:?} is no scope", text.text));
        }
    }
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".to_owned());
    }
    Some(scopes)
}
