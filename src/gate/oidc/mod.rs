//! Logins by OpenID Connect: what a SAML login does with one message, in two steps. The browser brings a code; the
//! provider gives its tokens for it to nobody but us.

mod ask;
mod backchannel;
mod exchange;
mod finish;

use std::collections::HashMap;

use tokio::sync::{Semaphore, SemaphorePermit};

pub(super) use exchange::Asker;

use super::Denial;
use crate::base::limits::EXCHANGES_AT_ONCE;
use crate::base::{ProviderId, Secret};
use crate::config::{ClientCredential, Provider};
use crate::request::ClientKey;

pub use backchannel::LogoutRefused;

/// How we show a provider that we are its client.
enum Credential {
    /// `private_key_jwt`.
    Key(ClientKey),
    /// `client_secret_basic`.
    Secret(Secret<String>),
}

/// What we are to one provider.
struct Client {
    /// None where it knows us as a public client.
    credential: Option<Credential>,
    /// Room for logins that wait for it.
    waiting: Semaphore,
}

/// The same for every provider of logins by OpenID Connect.
pub(super) struct Clients(HashMap<ProviderId, Client>);

impl Clients {
    pub(super) fn new(providers: &[Provider], credentials: Vec<(ProviderId, ClientCredential)>) -> Self {
        let ready = |credential| match credential {
            ClientCredential::Key(key, kid) => Credential::Key(ClientKey::new(key, kid)),
            ClientCredential::Secret(secret) => Credential::Secret(secret),
        };
        let mut credentials: HashMap<ProviderId, ClientCredential> = credentials.into_iter().collect();
        let ids = providers.iter().filter(|provider| provider.oidc().is_some()).map(|provider| provider.id.clone());
        let client = |id: ProviderId| {
            let credential = credentials.remove(&id).map(ready);
            (id, Client { credential, waiting: Semaphore::new(EXCHANGES_AT_ONCE) })
        };
        Self(ids.map(client).collect())
    }

    fn get(&self, provider: &ProviderId) -> Option<&Credential> {
        self.0.get(provider)?.credential.as_ref()
    }

    /// A place among those who wait for this provider, kept for as long as the value lives.
    ///
    /// # Errors
    /// [`Denial::Overloaded`] when every place is taken.
    fn place(&self, provider: &ProviderId) -> Result<SemaphorePermit<'_>, Denial> {
        let client = self.0.get(provider).ok_or(Denial::ProvidersDown)?;
        client.waiting.try_acquire().map_err(|_| Denial::Overloaded)
    }
}
