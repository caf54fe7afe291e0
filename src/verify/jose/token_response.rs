//! The answer of a token endpoint (RFC 6749, 5.1 and 5.2; OpenID Connect Core, 3.1.3.3), and of a pushed request
//! (RFC 9126, 2.2).

use std::time::Duration;

use super::json::{Document, Object, Value};
use crate::base::{Secret, limits};
use crate::verify::{Reason, Reject};

/// What a token endpoint gave. It has no `Debug`: a token is a key.
pub struct TokenResponse {
    /// `id_token`: to be verified like one that came by post.
    pub id_token: String,
    /// `access_token`: for UserInfo.
    pub access_token: Secret<String>,
    /// Whether the access token is bound to a key (`token_type` DPoP).
    pub dpop: bool,
    /// `expires_in`.
    pub expires_in: Option<Duration>,
}

/// What a token or pushed-request endpoint said instead: an error's code, which is a word of a closed alphabet
/// (RFC 6749, 5.2), and nothing that a person wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointError {
    /// `error`.
    pub code: String,
}

/// What a pushed request is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedRequest {
    /// `request_uri`.
    pub request_uri: String,
    /// `expires_in`.
    pub expires_in: Duration,
}

fn malformed(what: impl std::fmt::Display) -> Reject {
    Reject::new(Reason::TokenResponseMalformed, what)
}

fn read(body: &[u8]) -> Result<Document, Reject> {
    Document::read(body.to_vec(), &limits::PROVIDER_DOCUMENT)
}

/// A text that is not empty.
fn text(all: Object<'_>, name: &str) -> Result<Option<String>, Reject> {
    let Some(value) = all.get(name) else { return Ok(None) };
    let text = value.as_text().filter(|text| !text.is_empty());
    text.map(|text| Some(text.into_owned())).ok_or_else(|| malformed(format_args!("`{name}` is no text")))
}

fn needed(all: Object<'_>, name: &str) -> Result<String, Reject> {
    text(all, name)?.ok_or_else(|| malformed(format_args!("no `{name}`")))
}

fn seconds(all: Object<'_>, name: &str) -> Result<Option<Duration>, Reject> {
    let Some(value) = all.get(name) else { return Ok(None) };
    let seconds = Value::as_whole(value).map(Duration::from_secs);
    seconds.map(Some).ok_or_else(|| malformed(format_args!("`{name}` is no number of seconds")))
}

impl TokenResponse {
    /// Reads the body of a successful answer to a code.
    ///
    /// # Errors
    /// The JSON reader's, or `token_response_malformed`.
    pub fn read(body: &[u8]) -> Result<Self, Reject> {
        let document = read(body)?;
        let all = document.root();
        let kind = needed(all, "token_type")?;
        let dpop = kind.eq_ignore_ascii_case("DPoP");
        if !dpop && !kind.eq_ignore_ascii_case("Bearer") {
            // A token whose kind the client does not know must not be used (RFC 6749, 7.1).
            return Err(malformed("`token_type` is neither Bearer nor DPoP"));
        }
        // Not ours to keep, and typed all the same.
        text(all, "refresh_token")?;
        Ok(Self {
            id_token: needed(all, "id_token")?,
            access_token: Secret::new(needed(all, "access_token")?),
            dpop,
            expires_in: seconds(all, "expires_in")?,
        })
    }
}

impl EndpointError {
    /// Reads the body of a refusal. None when it is none: whatever stands before the provider answered.
    pub fn read(body: &[u8]) -> Option<Self> {
        let document = read(body).ok()?;
        let code = text(document.root(), "error").ok()??;
        // %x20-21 / %x23-5B / %x5D-7E (RFC 6749, 5.2), without the space, and no longer than any that is registered.
        let good = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'));
        good.then_some(Self { code })
    }
}

impl PushedRequest {
    /// Reads the body of a successful answer to a pushed request.
    ///
    /// # Errors
    /// The JSON reader's, or `token_response_malformed`.
    pub fn read(body: &[u8]) -> Result<Self, Reject> {
        let document = read(body)?;
        let all = document.root();
        let expires_in = seconds(all, "expires_in")?.ok_or_else(|| malformed("no `expires_in`"))?;
        Ok(Self { request_uri: needed(all, "request_uri")?, expires_in })
    }
}
