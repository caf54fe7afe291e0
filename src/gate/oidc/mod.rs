//! Logins by OpenID Connect: what a SAML login does with one message, in two steps. The browser brings a code; the
//! provider gives its tokens for it to nobody but us.

mod ask;
mod backchannel;
mod exchange;
mod finish;

use std::collections::HashMap;

use crate::base::{ProviderId, Secret};
use crate::config::ClientCredential;
use crate::request::ClientKey;

pub use backchannel::LogoutRefused;

/// How we show a provider that we are its client.
enum Credential {
    /// `private_key_jwt`.
    Key(ClientKey),
    /// `client_secret_basic`.
    Secret(Secret<String>),
}

/// The same for every provider; one that is not here knows us as a public client.
#[derive(Default)]
pub(super) struct Clients(HashMap<ProviderId, Credential>);

impl Clients {
    pub(super) fn new(credentials: Vec<(ProviderId, ClientCredential)>) -> Self {
        let ready = |credential| match credential {
            ClientCredential::Key(key, kid) => Credential::Key(ClientKey::new(key, kid)),
            ClientCredential::Secret(secret) => Credential::Secret(secret),
        };
        Self(credentials.into_iter().map(|(id, credential)| (id, ready(credential))).collect())
    }

    fn get(&self, provider: &ProviderId) -> Option<&Credential> {
        self.0.get(provider)
    }
}
