//! Asking: the authorization request, pushed or signed where the provider wants that.

use serde_json::Value;

use super::super::{Denial, Gate};
use super::Credential;
use super::exchange::Asker;
use crate::base::UnixTime;
use crate::crypto::digest::random_bytes;
use crate::provider::{OidcEntry, ProviderEntry};
use crate::request::oidc::{AuthorizationRequest, Levels, as_texts, location};
use crate::session::{LoginState, Sent};
use crate::verify::jose::Discovery;
use crate::verify::{Reason, Reject};

impl Gate {
    /// The address to send the browser to.
    pub(in crate::gate) async fn oidc_location(
        &self,
        provider: &ProviderEntry,
        state: &LoginState,
        handle: &str,
        asker: Asker,
    ) -> Result<String, Denial> {
        let now = asker.now;
        let entry = provider.oidc(now).map_err(|_| Denial::ProvidersDown)?;
        let discovery = entry.discovery().map_err(|_| Denial::ProvidersDown)?;
        let Sent::Oidc { nonce, verifier } = &state.sent else {
            return Err(self.internal(&"a request of another protocol"));
        };
        let (redirect_uri, scope) = (self.redirect_uri(&provider.config().id), entry.own.scope());
        let words = provider.in_its_words(&state.loa);
        let request = AuthorizationRequest {
            client_id: &entry.own.client_id,
            redirect_uri: &redirect_uri,
            scope: &scope,
            state: handle,
            nonce,
            verifier,
            fresh: state.force_authn,
            max_age: entry.longest_ago(&self.config),
            locale: state.locale.tag(),
            levels: levels(entry, discovery, &words),
        };
        let parameters = request.parameters();
        let signed = entry.own.signed_requests || discovery.require_signed_request_object;
        let fields =
            if signed { self.signed_request(provider, entry, parameters, now).await? } else { as_texts(&parameters) };
        if !(entry.own.pushed_requests || discovery.require_pushed_authorization_requests) {
            return Ok(location(&discovery.authorization_endpoint, &fields));
        }
        let pushed = self.push(provider, entry, discovery, fields, asker).await?;
        // What else is in an authorization request is in what was pushed (RFC 9126, 4).
        let fields = [("client_id", entry.own.client_id.clone()), ("request_uri", pushed)];
        Ok(location(&discovery.authorization_endpoint, &fields))
    }

    /// The request as one signed token, beside what OpenID Connect wants outside of it too (Core, 6.1).
    async fn signed_request(
        &self,
        provider: &ProviderEntry,
        entry: OidcEntry<'_>,
        parameters: Vec<(&'static str, Value)>,
        now: UnixTime,
    ) -> Result<Vec<(&'static str, String)>, Denial> {
        let mut fields = as_texts(&parameters);
        fields.retain(|(name, _)| matches!(*name, "client_id" | "response_type" | "scope"));
        let id = self.token_id().map_err(|error| self.internal(&error))?;
        let (clients, provider) = (self.clients.clone(), provider.config().id.clone());
        let (client_id, issuer) = (entry.own.client_id.clone(), entry.own.issuer.clone());
        let job = move || match clients.get(&provider) {
            Some(Credential::Key(key)) => Some(key.request_object(&parameters, &client_id, &issuer, &id, now)),
            Some(Credential::Secret(_)) | None => None,
        };
        match self.pool.run(job).await.map_err(|_| Denial::Overloaded)? {
            Some(Ok(token)) => fields.push(("request", token)),
            Some(Err(error)) => return Err(self.internal(&error)),
            None => {
                let detail = "the provider wants signed requests, and there is no `client_key` to sign with";
                return Err(Denial::Rejected(Reject::new(Reason::RequestRefused, detail)));
            }
        }
        Ok(fields)
    }

    /// Where a provider's answers are brought: an address for each, so that none answers for another (RFC 9700, 4.4.2).
    pub(in crate::gate) fn redirect_uri(&self, provider: &crate::base::ProviderId) -> String {
        let service = &self.config.service;
        service.base_url.own_url(&service.prefix, &format!("oidc/callback/{provider}"))
    }

    /// A name for a token of ours: 128 random bits.
    pub(super) fn token_id(&self) -> Result<String, crate::crypto::digest::NoRandomness> {
        random_bytes::<16>(&*self.random).map(|bytes| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes))
    }
}

/// How the levels are asked for. Who writes the level into a claim of its own is not asked in `acr`, which it does not
/// know.
fn levels<'w>(entry: OidcEntry<'_>, discovery: &Discovery, words: &'w [String]) -> Levels<'w> {
    let claim = entry.own.tokens.loa_claim().unwrap_or(entry.own.profile.rules().loa_claim);
    if claim != "acr" || words.is_empty() {
        Levels::NotAsked
    } else if discovery.claims_parameter {
        Levels::Essential(words)
    } else {
        Levels::Wished(words)
    }
}
