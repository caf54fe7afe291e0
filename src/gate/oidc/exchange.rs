//! What we ask the provider ourselves: tokens for a code (RFC 6749, 4.1.3), UserInfo (OpenID Connect Core, 5.3), and a
//! place for a request (RFC 9126, 2.1). Every address was checked when the discovery document was read.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use super::super::finish::rejected;
use super::super::{Denial, Gate};
use super::Credential;
use crate::base::limits::{EXCHANGE_SECS, FETCH_CONNECT_SECS};
use crate::base::{Secret, UnixTime};
use crate::config::RemoteUrl;
use crate::provider::fetch::{Answer, Fetcher, Request, Times};
use crate::provider::{OidcEntry, ProviderEntry};
use crate::request::CLIENT_ASSERTION_TYPE;
use crate::verify::Reason;
use crate::verify::jose::{Discovery, EndpointError, PushedRequest, TokenResponse};

/// UserInfo as it came.
pub(super) enum UserInfoBody {
    /// `application/jwt`: vouched for by a signature.
    Token(Bytes),
    /// `application/json`: vouched for by the connection alone.
    Json(Bytes),
}

/// For whom we ask, and when.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) struct Asker {
    /// The instant.
    pub(in crate::gate) now: UnixTime,
    /// Where the client is, as far as we know it.
    pub(in crate::gate) from: Option<IpAddr>,
}

/// A person waits for it.
const fn times() -> Times {
    let whole = Duration::from_secs(EXCHANGE_SECS);
    Times { connect: Duration::from_secs(FETCH_CONNECT_SECS), head: whole, whole }
}

impl Gate {
    /// The provider's tokens for a code.
    pub(super) async fn tokens_for(
        &self,
        provider: &ProviderEntry,
        entry: OidcEntry<'_>,
        discovery: &Discovery,
        code: &str,
        verifier: &str,
        asker: Asker,
    ) -> Result<TokenResponse, Denial> {
        let redirect_uri = self.redirect_uri(&provider.config().id);
        let fields = [
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.to_owned()),
        ];
        let answer = self
            .post(provider, entry, &discovery.token_endpoint, fields.into(), Reason::TokenEndpointFailed, asker)
            .await?;
        if answer.code() != 200 {
            return Err(refused(&answer, Reason::TokenEndpointFailed));
        }
        TokenResponse::read(answer.body()).map_err(Denial::Rejected)
    }

    /// The name of a request that the provider keeps.
    pub(super) async fn push(
        &self,
        provider: &ProviderEntry,
        entry: OidcEntry<'_>,
        discovery: &Discovery,
        fields: Vec<(&'static str, String)>,
        asker: Asker,
    ) -> Result<String, Denial> {
        let none = || rejected(Reason::PushFailed, "the provider has no endpoint for pushed requests");
        let _place = self.clients.place(&provider.config().id)?;
        let endpoint = discovery.pushed_authorization_request_endpoint.as_deref().ok_or_else(none)?;
        let answer = self.post(provider, entry, endpoint, fields, Reason::PushFailed, asker).await?;
        // 201, and 200 of those who read the draft.
        if !matches!(answer.code(), 200 | 201) {
            return Err(refused(&answer, Reason::PushFailed));
        }
        Ok(PushedRequest::read(answer.body()).map_err(Denial::Rejected)?.request_uri)
    }

    /// A form to one of the provider's endpoints, in our own name.
    async fn post(
        &self,
        provider: &ProviderEntry,
        entry: OidcEntry<'_>,
        endpoint: &str,
        mut fields: Vec<(&'static str, String)>,
        failed: Reason,
        asker: Asker,
    ) -> Result<Answer, Denial> {
        let url = RemoteUrl::parse(endpoint).map_err(|message| rejected(Reason::EndpointMalformed, message))?;
        let named = fields.iter().any(|(name, _)| *name == "client_id");
        let credential = self.clients.get(&provider.config().id);
        match credential {
            Some(Credential::Key(_)) => {
                let assertion = self.client_assertion(provider, entry, asker.now).await?;
                fields.push(("client_assertion_type", CLIENT_ASSERTION_TYPE.to_owned()));
                fields.push(("client_assertion", assertion));
            }
            Some(Credential::Secret(_)) => {}
            // A public client says its name, and PKCE shows that it asked (RFC 6749, 4.1.3).
            None if named => {}
            None => fields.push(("client_id", entry.own.client_id.clone())),
        }
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut request = Request::form(url, &fields).accept("application/json").within(times());
        if let Some(Credential::Secret(secret)) = credential {
            request = request.basic(&entry.own.client_id, secret);
        }
        let answer = self.way_out(failed)?.send(request).await;
        self.tell_endpoint(&provider.config().id, &answer, asker.from);
        answer.map_err(|error| rejected(failed, error))
    }

    /// A new one for each exchange: whoever sees one can do nothing with it (RFC 7523, 3).
    async fn client_assertion(
        &self,
        provider: &ProviderEntry,
        entry: OidcEntry<'_>,
        now: UnixTime,
    ) -> Result<String, Denial> {
        let id = self.token_id().map_err(|error| self.internal(&error))?;
        let (clients, provider) = (self.clients.clone(), provider.config().id.clone());
        let (client_id, issuer) = (entry.own.client_id.clone(), entry.own.issuer.clone());
        let job = move || match clients.get(&provider) {
            Some(Credential::Key(key)) => Some(key.client_assertion(&client_id, &issuer, &id, now)),
            Some(Credential::Secret(_)) | None => None,
        };
        match self.pool.run(job).await.map_err(|_| Denial::Overloaded)? {
            Some(signed) => signed.map_err(|error| self.internal(&error)),
            None => Err(self.internal(&"no key to sign the client's assertion with")),
        }
    }

    /// UserInfo about whoever the access token is of.
    pub(super) async fn userinfo(&self, endpoint: &str, access_token: &Secret<String>) -> Result<UserInfoBody, Denial> {
        let url = RemoteUrl::parse(endpoint).map_err(|message| rejected(Reason::EndpointMalformed, message))?;
        let failed = |what: &dyn std::fmt::Display| rejected(Reason::UserInfoFailed, what);
        let no_header = || rejected(Reason::TokenResponseMalformed, "an access token that fits no header");
        let request = Request::get(url).accept("application/jwt, application/json;q=0.9").within(times());
        let request = request.bearer(access_token).ok_or_else(no_header)?;
        let answer = self.way_out(Reason::UserInfoFailed)?.send(request).await;
        let answer = answer.map_err(|error| failed(&error))?;
        if answer.code() != 200 {
            return Err(failed(&format_args!("UserInfo was answered with {}", answer.code())));
        }
        match answer.media_type().as_deref() {
            Some("application/jwt") => Ok(UserInfoBody::Token(answer.body().clone())),
            Some("application/json") => Ok(UserInfoBody::Json(answer.body().clone())),
            other => Err(failed(&format_args!("UserInfo of the type {:?}", other.unwrap_or("none")))),
        }
    }

    fn way_out(&self, failed: Reason) -> Result<&Fetcher, Denial> {
        let none = || rejected(failed, "there is no way out");
        self.refresher.get().and_then(|refresher| refresher.fetcher()).ok_or_else(none)
    }
}

/// Why an endpoint did not give what was asked for. What the provider has written besides its code is for nobody's log.
fn refused(answer: &Answer, failed: Reason) -> Denial {
    let status = answer.code();
    let Some(EndpointError { code }) = EndpointError::read(answer.body()) else {
        return rejected(failed, format_args!("answered with {status}"));
    };
    let reason = match code.as_str() {
        "invalid_grant" => Reason::CodeRefused,
        "invalid_client" | "unauthorized_client" => Reason::ClientRefused,
        "server_error" | "temporarily_unavailable" => failed,
        _ if status >= 500 => failed,
        _ => Reason::RequestRefused,
    };
    rejected(reason, format_args!("answered with {status}, {code}"))
}
