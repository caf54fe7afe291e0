//! The services that a demo OpenID provider knows, and how each shows who it is.

use crate::encrypt::EncryptionKey;
use crate::form;

use super::jose::{ClientKeys, from_base64url};

/// How a client authenticates (OpenID Connect Core, 9).
#[derive(Clone)]
pub enum ClientAuth {
    /// `private_key_jwt`, by one of these keys.
    Key(ClientKeys),
    /// `client_secret_basic`.
    Secret(String),
    /// Not at all: a public client, whose logins PKCE alone protects.
    Public,
}

/// A client as it is registered.
#[derive(Clone)]
pub struct OpClient {
    pub(super) id: String,
    pub(super) auth: ClientAuth,
    /// The keys that its request objects are signed by; those of its authentication until told otherwise.
    pub(super) keys: ClientKeys,
    pub(super) redirect_uris: Vec<String>,
    pub(super) after_logout: Vec<String>,
    pub(super) backchannel: Option<String>,
    pub(super) encrypt_to: Option<EncryptionKey>,
    pub(super) userinfo_signed: bool,
    pub(super) scopes: Vec<String>,
}

impl OpClient {
    /// A client that may be sent back to `redirect_uri` and nowhere else. It gets UserInfo signed until told otherwise.
    pub fn new(id: &str, auth: ClientAuth, redirect_uri: &str) -> Self {
        let keys = match &auth {
            ClientAuth::Key(keys) => keys.clone(),
            ClientAuth::Secret(_) | ClientAuth::Public => ClientKeys::default(),
        };
        Self {
            id: id.to_owned(),
            auth,
            keys,
            redirect_uris: vec![redirect_uri.to_owned()],
            after_logout: Vec::new(),
            backchannel: None,
            encrypt_to: None,
            userinfo_signed: true,
            scopes: Vec::new(),
        }
    }

    /// A program: it is sent nowhere, and gets access tokens in its own name for `scopes` (RFC 6749, 4.4).
    pub fn program(id: &str, secret: &str, scopes: &[&str]) -> Self {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let auth = ClientAuth::Secret(secret.to_owned());
        Self { redirect_uris: Vec::new(), scopes, ..Self::new(id, auth, "") }
    }

    /// Where the browser may go once it is logged out.
    #[must_use]
    pub fn after_logout(mut self, uri: &str) -> Self {
        self.after_logout.push(uri.to_owned());
        self
    }

    /// Where it is told of a logout.
    #[must_use]
    pub fn backchannel(mut self, uri: &str) -> Self {
        self.backchannel = Some(uri.to_owned());
        self
    }

    /// Its ID tokens are encrypted to this key.
    #[must_use]
    pub fn encrypted_to(mut self, key: Option<EncryptionKey>) -> Self {
        self.encrypt_to = key;
        self
    }

    /// Whether its UserInfo comes signed.
    #[must_use]
    pub fn userinfo_signed(mut self, signed: bool) -> Self {
        self.userinfo_signed = signed;
        self
    }

    /// The keys of its request objects, for a client that authenticates otherwise.
    #[must_use]
    pub fn with_keys(mut self, keys: ClientKeys) -> Self {
        self.keys = keys;
        self
    }
}

/// What a request to one of the back endpoints says of who makes it.
pub(super) enum Shown<'r> {
    /// `Authorization: Basic`.
    Basic { id: String, secret: String },
    /// `client_assertion`.
    Assertion(&'r str),
    /// `client_id` alone.
    Name(&'r str),
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Reads it. A client uses one method in a request (RFC 6749, 2.3).
pub(super) fn shown<'r>(
    authorization: Option<&str>,
    fields: &'r [(String, String)],
) -> Result<Shown<'r>, &'static str> {
    let assertion = form::get(fields, "client_assertion");
    let id = form::get(fields, "client_id");
    match (authorization, assertion, form::get(fields, "client_secret")) {
        (Some(text), None, None) => {
            let text = text.strip_prefix("Basic ").ok_or("no Basic authentication")?;
            let text = base64_simd::STANDARD.decode_to_vec(text).map_err(|_| "no base64")?;
            let text = String::from_utf8(text).map_err(|_| "no UTF-8")?;
            let (name, secret) = text.split_once(':').ok_or("no secret")?;
            // Each of the two is form-encoded first (RFC 6749, 2.3.1).
            let plain = |text: &str| form::parse(&format!("v={text}")).pop().map(|(_, value)| value).ok_or("no form");
            Ok(Shown::Basic { id: plain(name)?, secret: plain(secret)? })
        }
        (None, Some(assertion), None) if form::get(fields, "client_assertion_type") == Some(JWT_BEARER) => {
            Ok(Shown::Assertion(assertion))
        }
        (None, None, None) => id.map(Shown::Name).ok_or("nobody is named"),
        _ => Err("several ways at once, or one that is not offered"),
    }
}

/// Whose assertion it says to be: read without checking, to find the keys that check it.
pub(super) fn claimed_issuer(assertion: &str) -> Option<String> {
    let payload = from_base64url(assertion.split('.').nth(1)?)?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    Some(claims.get("iss")?.as_str()?.to_owned())
}
