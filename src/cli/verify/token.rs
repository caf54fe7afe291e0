//! Tokens judged: ID tokens of logins by OpenID Connect, and access tokens.

use super::judge::{Judge, Question, Verdict};
use crate::base::UnixTime;
use crate::config::Protocol;
use crate::identity::{Field, Identity, from_access_token, from_claims};
use crate::policy::meets_by_token;
use crate::provider::ProviderEntry;
use crate::verify::jose::{Asked, Hint, Nonce, Received};
use crate::verify::{Reason, Reject};

impl Judge {
    pub(super) async fn token(
        &self,
        token: &[u8],
        asked: Option<&ProviderEntry>,
        question: &Question<'_>,
        now: UnixTime,
        verdict: &mut Verdict,
    ) -> Result<Identity, Reject> {
        let entry = match asked {
            Some(entry) => entry,
            None => self.by_hint(&self.hint(token)?)?,
        };
        verdict.found(entry);
        let received = Received::parse(token)?;
        let identity = match &entry.config().protocol {
            Protocol::Oidc(_) => {
                let oidc = entry.oidc(now)?;
                let nonce = match question.in_response_to {
                    Some(nonce) if nonce != "*" => Nonce::Sent(nonce),
                    _ => {
                        verdict.unchecked.push("request_binding");
                        Nonce::Unchecked
                    }
                };
                // What the request asked for is not known; the profile's own rules hold all the same.
                let asked = Asked { nonce, fresh_since: None, max_age: None, loa: &[] };
                let expect = oidc.id_token_expect(&self.config, asked, None, None, &self.decryption);
                let verified = received.id_token(&expect, now)?;
                from_claims(verified, None, &oidc.claim_rules(&self.config), &self.key)?
            }
            Protocol::Jwt(_) => {
                let jwt = entry.jwt(now)?;
                let verified = received.access_token(&jwt.access_token_expect(&self.config), now)?;
                if jwt.own.require_dpop && verified.claims().key_thumbprint.is_none() {
                    return Err(Reject::new(Reason::DpopMissing, "only tokens that are bound to a key are taken"));
                }
                let scope = verified.claims().scope.clone();
                verdict.no_login = verified.claims().auth_time.is_none() || verified.claims().is_client;
                // Who presents it is not known.
                if verified.claims().key_thumbprint.is_some() {
                    verdict.unchecked.push("key_binding");
                }
                let identity = from_access_token(verified, &jwt.claim_rules(&self.config), &self.key)?;
                self.token_on_route(&identity, entry, &scope, question)?;
                return Ok(identity);
            }
            Protocol::Saml(_) => {
                return Err(Reject::new(Reason::ProtocolUnsupported, "a token from a provider that speaks SAML"));
            }
        };
        self.on_route(&identity, entry, question, now)?;
        // An ID token logs in once; an access token may be used until it ends.
        self.once(&identity, now).await?;
        Ok(identity)
    }

    /// Whether the route, if one is asked about, lets the token in.
    fn token_on_route(
        &self,
        identity: &Identity,
        entry: &ProviderEntry,
        scope: &str,
        question: &Question<'_>,
    ) -> Result<(), Reject> {
        let Some(route) = self.route(question)? else { return Ok(()) };
        // By which e-ID it was, a token does not say.
        let has = |field| field != Field::Eid && identity.field(field).is_some();
        meets_by_token(route, &entry.config().id, scope, identity.loa(), has).map(drop)
    }

    /// What the token says of itself; of an encrypted one, what is inside says it.
    fn hint(&self, token: &[u8]) -> Result<Hint, Reject> {
        let mut received = Received::parse(token)?;
        if !received.is_encrypted() {
            return received.hint();
        }
        match received.open(&self.decryption)? {
            Some(opened) => opened.token()?.hint(),
            None => Ok(Hint::default()),
        }
    }

    /// The provider by issuer. Where one issuer has logins and access tokens, the token's type and audience say which.
    fn by_hint(&self, hint: &Hint) -> Result<&ProviderEntry, Reject> {
        let issuer = hint.issuer.as_deref().ok_or_else(|| Reject::new(Reason::IssuerMissing, "no `iss`"))?;
        let all: Vec<&ProviderEntry> = self.snapshot.by_issuer(issuer).collect();
        let meant = |entry: &&&ProviderEntry| match &entry.config().protocol {
            Protocol::Saml(_) => false,
            Protocol::Oidc(own) => !hint.access_token && hint.audiences.contains(&own.client_id),
            Protocol::Jwt(own) => hint.access_token || own.audience.iter().any(|own| hint.audiences.contains(own)),
        };
        let found = all.iter().find(meant).or(all.first()).copied();
        found.ok_or_else(|| Reject::new(Reason::IssuerUnknown, format_args!("no provider is called {issuer:?}")))
    }
}
