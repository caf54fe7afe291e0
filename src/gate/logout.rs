//! Logging out: here always, and where the person logged in as far as that can be done from here.

use std::sync::Arc;
use std::time::Duration;

use super::begin::Outgoing;
use super::headers::build;
use super::{AtProvider, Cookies, Gate, IdentityHeaders, Logout, SameSite, SetCookie};
use crate::base::UnixTime;
use crate::base::limits::LOGIN_LIFETIME_SECS;
use crate::config;
use crate::crypto::digest::{HmacKey, random_bytes};
use crate::identity::Identity;
use crate::provider::ProviderEntry;
use crate::request::oidc::location;
use crate::request::{self, LogoutRequest};
use crate::session::{NameThere, Session};
use crate::verify::saml::{SloEndpoint, SsoBinding};

/// How long a browser is held to a fresh login after a logout. A provider's own session is over by then.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an order of ours may be carried out. The person reads the page first that holds it.
const ORDER: Duration = Duration::from_secs(10 * 60);

/// A qualifier that says what it is expected to: a cookie has little room.
const EXPECTED: &str = "=";

fn shortened(qualifier: &str, expected: &str) -> String {
    if qualifier == expected { EXPECTED.to_owned() } else { qualifier.to_owned() }
}

fn lengthened<'q>(kept: &'q str, expected: &'q str) -> &'q str {
    if kept == EXPECTED { expected } else { kept }
}

fn order_proof(key: &HmacKey, provider: &ProviderEntry, id: &[u8]) -> [u8; 32] {
    key.tag(&[b"logout request", provider.config().id.as_str().as_bytes(), id])
}

impl Gate {
    /// Ends the session here: its id is dead from now on, also in a copied cookie. Whatever else fails, this does not.
    ///
    /// `http` must have made sure that the request came from our own origin.
    pub async fn logout(&self, cookies: &Cookies<'_>) -> Logout {
        let now = self.clock.now();
        let lingering = self.lingering(cookies, now);
        // With its fields where they are at hand; without them it ends just as well.
        let session = match self.live_session(cookies, now) {
            Ok(Some(full)) => Some(full),
            Ok(None) | Err(_) => {
                let idle = || lingering.iter().find(|session| self.still_counts(session, now)).cloned();
                self.held_session(cookies, now).or_else(idle)
            }
        };
        let mut everywhere = true;
        for old in &lingering {
            everywhere &= self.end_session(old.id(), old.ends(), now, "logout").await.is_ok();
        }
        let mut set_cookies = vec![self.expire_cookie(self.names.session())];
        set_cookies.extend(self.cookies_of_the_e_service());
        set_cookies.extend(self.asks_for_a_fresh_login());
        set_cookies.extend(self.begun_here(cookies));
        let (mut at_provider, mut tell) = (None, None);
        if let Some(session) = &session {
            // Whoever sits there after so long need not be who it was: the provider's name for them is nothing to show.
            if session.alive(now, &self.times).is_ok() {
                at_provider = self.logout_at(session, now).await;
            }
            tell = self.tells_e_service(session, now);
        }
        Logout { at_provider, was_signed_in: session.is_some(), everywhere, tell, set_cookies }
    }

    /// The e-service's own cookies that end with a session.
    pub(super) fn cookies_of_the_e_service(&self) -> impl Iterator<Item = SetCookie> {
        self.config.logout.clear_cookies.iter().map(|name| self.expire_cookie(name))
    }

    /// Where a provider may let somebody in by what was before, whoever comes to this browser next would be let in as who has
    /// just left. It is no secret: whoever takes it away had the browser.
    pub(super) fn asks_for_a_fresh_login(&self) -> Option<SetCookie> {
        self.knows_people_of_before()
            .then(|| self.set_cookie(self.names.fresh(), "1".to_owned(), Some(FRESH), SameSite::Lax))
    }

    /// Whether a provider may be asked for less than a fresh login, or may send somebody of its own accord.
    pub(super) fn knows_people_of_before(&self) -> bool {
        let unasked = |provider: &config::Provider| provider.saml().is_some_and(|own| own.allow_unsolicited);
        let lenient = |provider: &config::Provider| provider.has_login() && !provider.force_authn;
        self.config.providers.iter().any(|provider| lenient(provider) || unasked(provider))
    }

    /// Whether somebody logged out in this browser since its last login.
    pub(super) fn must_be_fresh(&self, cookies: &Cookies<'_>) -> bool {
        cookies.all(self.names.fresh()).next().is_some()
    }

    /// What the e-service is told of a session that is over, where it wants to be told.
    pub(super) fn tells_e_service(&self, session: &Session, now: UnixTime) -> Option<Arc<IdentityHeaders>> {
        let path = self.config.logout.upstream_path.as_deref()?;
        match build(session, self.config.routes.find(path), &self.tokens, now) {
            Ok(headers) => Some(Arc::new(headers)),
            Err(error) => {
                tracing::error!(event = "logout_untold", cause = %error);
                None
            }
        }
    }

    /// What a provider that has single logout calls the person and their session: kept for the day that they leave.
    pub(super) fn name_there(&self, who: &Identity, provider: &ProviderEntry, now: UnixTime) -> Option<NameThere> {
        let saml = provider.saml(now).ok().filter(|saml| saml.offers_logout())?;
        saml.logout_endpoint(SsoBinding::Post)?;
        let name = who.name_id();
        Some(NameThere {
            value: name.value.clone(),
            format: name.format.clone(),
            name_qualifier: name.name_qualifier.as_deref().map(|text| shortened(text, who.issuer())),
            sp_name_qualifier: name
                .sp_name_qualifier
                .as_deref()
                .map(|text| shortened(text, &self.config.service.entity_id)),
            session_index: who.session_index().map(str::to_owned),
        })
    }

    /// Where a person whose session ends here can log out at the provider too.
    async fn logout_at(&self, session: &Session, now: UnixTime) -> Option<AtProvider> {
        let providers = self.registry.owned();
        let provider = providers.by_id(session.provider())?;
        match provider.config().oidc() {
            Some(_) => self.logout_at_oidc(provider, now),
            None => self.logout_at_saml(provider, session, now).await,
        }
    }

    /// Their ID token, which would spare them a question there, is not kept: it is too large for a cookie and says too
    /// much for one.
    fn logout_at_oidc(&self, provider: &ProviderEntry, now: UnixTime) -> Option<AtProvider> {
        let entry = provider.oidc(now).ok().filter(|entry| entry.own.logout_at_provider)?;
        let endpoint = entry.discovery().ok()?.end_session_endpoint.as_deref()?;
        let service = &self.config.service;
        let back = service.base_url.own_url(&service.prefix, "logout?done");
        let fields = [("client_id", entry.own.client_id.clone()), ("post_logout_redirect_uri", back)];
        let location = location(endpoint, &fields);
        Some(AtProvider { label: provider.config().label.clone(), location, fields: Vec::new() })
    }

    /// A signed LogoutRequest (SAML Profiles 4.4.3.1). By POST where the provider takes it: the person's name there is
    /// then in no address, no history and no log of one.
    async fn logout_at_saml(&self, provider: &ProviderEntry, session: &Session, now: UnixTime) -> Option<AtProvider> {
        let saml = provider.saml(now).ok().filter(|saml| saml.offers_logout())?;
        let SloEndpoint { binding, location: destination, .. } = saml.logout_endpoint(SsoBinding::Post)?.clone();
        let name = session.there()?;
        let id = self.order_id(provider, now)?;
        let idp = Arc::clone(saml.idp);
        let (keys, issuer) = (Arc::clone(&self.signing), self.config.service.entity_id.clone());
        let job = move || {
            let order = LogoutRequest {
                id: &id,
                issue_instant: now,
                not_on_or_after: now.plus(ORDER),
                destination: &destination,
                issuer: &issuer,
                name_id: &name.value,
                format: name.format.as_deref(),
                name_qualifier: name.name_qualifier.as_deref().map(|text| lengthened(text, &idp.entity_id)),
                sp_name_qualifier: name.sp_name_qualifier.as_deref().map(|text| lengthened(text, &issuer)),
                session_index: name.session_index.as_deref(),
            };
            let key = keys.first()?;
            match binding {
                SsoBinding::Redirect => request::redirect(&order, None, key).map(Outgoing::Redirect),
                SsoBinding::Post => request::post(&order, None, key).map(Outgoing::Post),
            }
            .ok()
        };
        // The session is over here, whatever becomes of this: a full pool costs the person one link.
        let (location, fields) = match self.pool.run(job).await.ok().flatten()? {
            Outgoing::Redirect(location) => (location, Vec::new()),
            Outgoing::Post(form) => (form.action, form.fields),
        };
        Some(AtProvider { label: provider.config().label.clone(), location, fields })
    }

    /// An ID for an order to `provider` that proves itself: its answer is known as one without anything being kept, by
    /// whichever replica it comes to.
    fn order_id(&self, provider: &ProviderEntry, now: UnixTime) -> Option<String> {
        let random: [u8; 8] = random_bytes(&*self.random).ok()?;
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(now.as_millis().to_be_bytes().into_iter().chain(random)) {
            *to = from;
        }
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Some(format!("_{}{}", hex(&id), hex(order_proof(&self.digest, provider, &id).get(..16)?)))
    }

    /// Whether `id` is that of an order of ours to `provider`, of the last hour.
    pub(super) fn is_order(&self, id: &str, provider: &ProviderEntry, now: UnixTime) -> bool {
        let digits = id.strip_prefix('_').filter(|rest| rest.len() == 64 && rest.is_ascii());
        let Some(digits) = digits else { return false };
        let bytes: Option<Vec<u8>> = (0..32)
            .map(|at| digits.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect();
        let Some(bytes) = bytes else { return false };
        let (Some(own), Some(proof)) = (bytes.get(..16), bytes.get(16..)) else { return false };
        let Some(at) = own.first_chunk::<8>() else { return false };
        let at = UnixTime::from_millis(i64::from_be_bytes(*at));
        let young = at <= now && now < at.plus(Duration::from_secs(LOGIN_LIFETIME_SECS));
        // It opens nothing, so the time that comparing takes may be seen.
        young && self.digests().any(|key| order_proof(key, provider, own).get(..16) == Some(proof))
    }
}
