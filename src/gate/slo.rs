//! Messages of SAML single logout that the browser brings from a provider: orders to end sessions, and answers to ours
//! (SAML Profiles 4.4). No cookie is needed: what a session is called there is a mark that ends it (`replay::mark`).

use std::sync::Arc;

use super::begin::Outgoing;
use super::finish::rejected;
use super::provider_order::{CarriedOut, OrderAtProvider};
use super::{Cookies, Denial, Gate, IdentityHeaders, Reference, SetCookie};
use crate::base::{ProviderId, UnixTime};
use crate::config::SecondReader;
use crate::crypto::digest::random_bytes;
use crate::provider::{ProviderEntry, Snapshot};
use crate::replay::{ProviderMark, ReplayKey};
use crate::request::{self, LogoutResponse, LogoutStatus};
use crate::session::Session;
use crate::telemetry::{LogoutUnanswered, ProviderLogout, ProviderLogoutRefused};
use crate::verify::saml::{
    Carried, LogoutExpect, LogoutMessage, LogoutRequest, ReceivedLogout, SloEndpoint, SsoBinding,
};
use crate::verify::{Reason, Reject, Verified};

/// What a message of single logout led to.
pub enum SingleLogout {
    /// Sessions were ended, and the provider gets its answer.
    Ended(Ended),
    /// The provider has answered: whether its own session is over, and every other that hung on it.
    Answered {
        /// The e-ID's label.
        label: String,
        /// Whether it could.
        ended: bool,
    },
}

/// Sessions that a provider has ended.
pub struct Ended {
    /// Its answer; none where its metadata names no address that takes one, or where none could be signed now.
    pub answer: Option<Answer>,
    /// Whether every replica knows that they are over.
    pub everywhere: bool,
    /// What the e-service is told, where the browser that brought the order had one of the sessions.
    pub tell: Option<Arc<IdentityHeaders>>,
    /// Cookies to expire.
    pub set_cookies: Vec<SetCookie>,
}

/// How an answer goes back, by the browser.
pub enum Answer {
    /// To this address.
    Redirect(String),
    /// By this form.
    Post {
        /// The provider's address.
        action: String,
        /// The fields, unescaped.
        fields: Vec<(&'static str, String)>,
    },
}

/// A message of single logout that was refused. Nothing was ended.
pub struct SingleLogoutRefused {
    /// Why.
    pub denial: Denial,
    /// The same in our log.
    pub reference: Reference,
}

impl Gate {
    /// Takes a message of single logout; an error is one of its form, which `http` has found.
    ///
    /// # Errors
    /// It was refused, or used before: nothing was ended.
    pub async fn single_logout(
        &self,
        carried: Result<Carried, Reject>,
        cookies: &Cookies<'_>,
    ) -> Result<SingleLogout, SingleLogoutRefused> {
        let mut found = None;
        let done = match carried {
            Ok(carried) => self.by_message(&carried, cookies, &mut found).await,
            Err(reject) => Err(Denial::Rejected(reject)),
        };
        done.map_err(|denial| {
            let (reference, provider) = (self.reference(), found.as_ref());
            let (code, detail) = (denial.code(), denial.detail());
            self.telemetry.emit(ProviderLogoutRefused { provider, code, detail, reference: Some(reference.as_str()) });
            SingleLogoutRefused { denial, reference }
        })
    }

    async fn by_message(
        &self,
        carried: &Carried,
        cookies: &Cookies<'_>,
        found: &mut Option<ProviderId>,
    ) -> Result<SingleLogout, Denial> {
        let mut snapshot = self.registry.owned();
        let id = self.sender(carried, &snapshot).map_err(Denial::Rejected)?;
        *found = Some(id.clone());
        let mut judged = self.judge_single_logout(carried, &id, &snapshot);
        if let Err(reject) = &judged
            && let Some(newer) = self.newer_keys(reject, &id, &snapshot).await
        {
            snapshot = newer;
            judged = self.judge_single_logout(carried, &id, &snapshot);
        }
        let message = judged.map_err(Denial::Rejected)?.into_claims();
        let provider = snapshot.by_id(&id).ok_or_else(|| rejected(Reason::IssuerUnknown, "no longer configured"))?;
        match message {
            LogoutMessage::Response(answer) => {
                if !self.is_order(&answer.in_response_to, provider, self.clock.now()) {
                    return Err(rejected(Reason::LogoutUnasked, "an answer to no order of ours of the last hour"));
                }
                Ok(SingleLogout::Answered { label: provider.config().label.clone(), ended: answer.ended })
            }
            LogoutMessage::Request(order) => {
                self.carry_out(&order, carried.relay_state(), provider, cookies).await.map(SingleLogout::Ended)
            }
        }
    }

    /// Whom the message says to be from, which decides nothing but whose keys it is held against.
    fn sender(&self, carried: &Carried, snapshot: &Snapshot) -> Result<ProviderId, Reject> {
        let received = ReceivedLogout::parse(carried, self.second_reader())?;
        let issuer = received.issuer_hint().ok_or_else(|| Reject::new(Reason::IssuerMissing, "no Issuer"))?;
        let unknown = || Reject::new(Reason::IssuerUnknown, format_args!("no provider is called {issuer:?}"));
        Ok(snapshot.by_entity_id(&issuer).ok_or_else(unknown)?.config().id.clone())
    }

    fn second_reader(&self) -> bool {
        self.config.verification.second_reader == SecondReader::Always
    }

    fn judge_single_logout(
        &self,
        carried: &Carried,
        id: &ProviderId,
        snapshot: &Snapshot,
    ) -> Result<Verified<LogoutMessage>, Reject> {
        let gone = || Reject::new(Reason::IssuerUnknown, "the provider is no longer configured");
        let now = self.clock.now();
        let saml = snapshot.by_id(id).ok_or_else(gone)?.saml(now)?;
        let (verification, here) = (&self.config.verification, self.config.slo_url());
        let expect = LogoutExpect {
            idp: saml.idp,
            here: &here,
            clock_skew: verification.clock_skew,
            max_age: verification.max_age,
        };
        ReceivedLogout::parse(carried, self.second_reader())?.verify(&expect, now)
    }

    pub(super) async fn carry_out(
        &self,
        order: &LogoutRequest,
        relay_state: Option<&str>,
        provider: &ProviderEntry,
        cookies: &Cookies<'_>,
    ) -> Result<Ended, Denial> {
        let now = self.clock.now();
        let end = self.order_at_provider(order);
        // The browser that brings the order may be the person's own: what it holds is seen before it is over.
        let here = self.live_session(cookies, now).ok().flatten().or_else(|| self.held_session(cookies, now));
        let carried_out = self.carry_out_once(&end, now).await?;
        // An order that may have been shown before ends none that was opened since.
        let over = |session: &Session| match carried_out {
            CarriedOut::Everywhere | CarriedOut::Here => end.means(session),
            CarriedOut::Unremembered(_) => self.is_ended(session),
        };
        let here = here.filter(over);
        // Where other replicas cannot be told yet they will be.
        let everywhere = carried_out == CarriedOut::Everywhere;
        let by = if order.session_indexes.is_empty() { "name_id" } else { "session_index" };
        self.telemetry.emit(ProviderLogout { provider: &provider.config().id, by, everywhere });

        let (tell, set_cookies) = match &here {
            Some(session) => self.ended_here(session, cookies, now),
            None => (None, Vec::new()),
        };
        let status = if everywhere { LogoutStatus::Success } else { LogoutStatus::Partial };
        // What was ended stays so: without an answer the page here says it, and the e-service is told all the same.
        let answer = self.answer(order, relay_state, provider, status, now).await.unwrap_or_else(|cause| {
            self.telemetry.emit(LogoutUnanswered { provider: &provider.config().id, cause: &cause });
            None
        });
        Ok(Ended { answer, tell, everywhere, set_cookies })
    }

    /// What an order means: the person's sessions, or those of the SessionIndexes that it names.
    fn order_at_provider(&self, order: &LogoutRequest) -> OrderAtProvider {
        let (issuer, name) = (order.issuer.as_str(), order.name_id.value.as_str());
        let (mut named, mut unnamed) = (Vec::new(), Vec::new());
        for key in self.digests() {
            if order.session_indexes.is_empty() {
                named.push(ProviderMark::name_id(key, issuer, name));
                continue;
            }
            named.extend(
                order.session_indexes.iter().map(|index| ProviderMark::session_index(key, issuer, name, index)),
            );
            // One that we were given no SessionIndex of may be the one that is meant, and our answer says that it is over.
            unnamed.push(ProviderMark::without_index(key, issuer, name));
        }
        let once = self.once(|key| ReplayKey::assertion(key, &order.issuer, &order.id));
        OrderAtProvider { named, unnamed, ordered: order.issued, acceptable_until: order.acceptable_until, once }
    }

    fn ended_here(
        &self,
        session: &Session,
        cookies: &Cookies<'_>,
        now: UnixTime,
    ) -> (Option<Arc<IdentityHeaders>>, Vec<SetCookie>) {
        let expired = std::iter::once(self.expire_cookie(self.names.session())).chain(self.begun_here(cookies));
        (self.tells_e_service(session, now), expired.chain(self.cookies_of_the_e_service()).collect())
    }

    /// Our answer, signed off this thread. By Redirect where the provider takes it, which also goes through where it has
    /// put us into a frame.
    async fn answer(
        &self,
        order: &LogoutRequest,
        relay_state: Option<&str>,
        provider: &ProviderEntry,
        status: LogoutStatus,
        now: UnixTime,
    ) -> Result<Option<Answer>, String> {
        let saml = provider.saml(now).map_err(|reject| reject.to_string())?;
        let Some(endpoint) = saml.logout_endpoint(SsoBinding::Redirect) else { return Ok(None) };
        let SloEndpoint { binding, response_location: destination, .. } = endpoint.clone();
        let random: [u8; 16] = random_bytes(&*self.random).map_err(|error| error.to_string())?;
        let id = format!("_{}", random.map(|byte| format!("{byte:02x}")).concat());
        let (keys, issuer) = (Arc::clone(&self.signing), self.config.service.entity_id.clone());
        let (in_response_to, relay_state) =
            (order.id.clone(), relay_state.filter(|s| !s.is_empty()).map(str::to_owned));
        let job = move || {
            let (destination, in_response_to) = (destination.as_str(), in_response_to.as_str());
            let answer =
                LogoutResponse { id: &id, in_response_to, issue_instant: now, destination, issuer: &issuer, status };
            let key = keys.first()?;
            Some(match binding {
                SsoBinding::Redirect => request::redirect(&answer, relay_state.as_deref(), key).map(Outgoing::Redirect),
                SsoBinding::Post => request::post(&answer, relay_state.as_deref(), key).map(Outgoing::Post),
            })
        };
        match self.pool.run(job).await.map_err(|_| "the pool of private keys is full".to_owned())? {
            Some(Ok(Outgoing::Redirect(location))) => Ok(Some(Answer::Redirect(location))),
            Some(Ok(Outgoing::Post(form))) => Ok(Some(Answer::Post { action: form.action, fields: form.fields })),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("no signing key".to_owned()),
        }
    }
}
