//! Finishing: from an authorization response to a session. The browser's own state first, since it says whom to expect;
//! then the code, which only the provider and we can do anything with; the tokens, the person and the route; single use
//! last.

use std::sync::Arc;
use std::time::Duration;

use super::super::finish::{Begun, Context, not_first, rejected};
use super::super::judge::Judge;
use super::super::relay::RelayState;
use super::super::{Cookies, Denial, FinishOidc, Gate, LoginDone, Refusal};
use super::exchange::{Asker, UserInfoBody};
use crate::base::limits::EXCHANGE_SECS;
use crate::base::{ProviderId, UnixTime};
use crate::identity::from_claims;
use crate::provider::{ProviderEntry, Snapshot};
use crate::replay::ReplayKey;
use crate::session::{Instance, LoginState, Sent};
use crate::telemetry::{Judged, Stopwatch, VerifiedProtocol};
use crate::verify::jose::{Asked, Discovery, IdToken, Nonce, Received, TokenResponse, UserInfo, plain_userinfo};
use crate::verify::{Reason, Reject, Verified};

/// How long an exchange may take: the token endpoint and UserInfo, each with all of its time. Whoever asked may have gone
/// away in the middle of it, so that nobody lets the claim go.
const ON_ITS_WAY: Duration = Duration::from_secs(2 * EXCHANGE_SECS);

/// What an error of the provider means (RFC 6749, 4.1.2.1; OpenID Connect Core, 3.1.2.6; OSP 2.2 and 2.3). Nobody signs it:
/// it ends this login, and says nothing of the provider that could be relied on.
fn error_reason(error: &str) -> Reason {
    match error {
        // Cancelled, or not completed: no code tells which.
        "access_denied" => Reason::StatusCancel,
        "unmet_authentication_requirements" => Reason::StatusNoAuthnContext,
        "login_required" | "interaction_required" | "account_selection_required" | "consent_required" => {
            Reason::StatusAuthnFailed
        }
        "server_error" | "temporarily_unavailable" => Reason::ProviderFailed,
        _ => Reason::RequestRefused,
    }
}

/// An error's code as a provider writes it, for the log: anything else is the browser's own.
fn is_code(error: &str) -> bool {
    error.len() <= 64 && error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

impl Gate {
    /// Finishes a login with the authorization response that the browser brought to the address of one provider.
    ///
    /// # Errors
    /// The [`Refusal`] to show. It never leaves a session.
    pub async fn finish_oidc(&self, login: FinishOidc<'_>) -> Result<LoginDone, Refusal> {
        let now = self.clock.now();
        let Some(relay) = login.state.and_then(RelayState::parse) else {
            let stray = rejected(Reason::StateMissing, "the state is of no login of ours");
            let snapshot = self.registry.owned();
            let context = Context { provider: snapshot.by_id(login.provider), ..Context::default() };
            return Err(self.refuse(stray, &context));
        };
        let (begun, line) = self.begun(relay, &login.cookies, false).await?;
        let mut snapshot = self.registry.owned();
        let done = match &line {
            Ok(line) => self.answered(&mut snapshot, &begun, &line.instance, &login, now).await,
            // Nobody could take it. The code is not spent: it can be brought once more when somebody can.
            Err(denial) => Err(denial.clone()),
        };
        self.tell_board(&begun, done.as_ref().map(drop), None, self.clock.now());
        let provider = snapshot.by_id(&begun.state.provider);
        let context = Context { provider, begun: Some(&begun), ..Context::default() };
        done.map_err(|denial| self.refuse(denial, &context))
    }

    /// A malformed answer: what is known of it is who it says to be from.
    pub fn malformed_callback(&self, provider: &ProviderId, detail: &str) -> Refusal {
        let snapshot = self.registry.owned();
        let context = Context { provider: snapshot.by_id(provider), ..Context::default() };
        self.refuse(rejected(Reason::CallbackMalformed, detail), &context)
    }

    async fn answered(
        &self,
        snapshot: &mut Arc<Snapshot>,
        begun: &Begun,
        instance: &Instance,
        login: &FinishOidc<'_>,
        now: UnixTime,
    ) -> Result<LoginDone, Denial> {
        let state = &begun.state;
        // Whoever is configured and hostile could bring another's code here, to be told of it at their token endpoint
        // (RFC 9700, 4.4).
        if state.provider != *login.provider {
            let detail = format_args!("begun at {}, answered by {}", state.provider, login.provider);
            return Err(rejected(Reason::StateOtherProvider, detail));
        }
        let Sent::Oidc { verifier, .. } = &state.sent else {
            return Err(rejected(Reason::StateOtherProvider, "the login was begun by another protocol"));
        };
        state.usable(now, instance).map_err(Denial::Rejected)?;
        let first = Arc::clone(snapshot);
        let gone = || rejected(Reason::IssuerUnknown, "the provider is no longer configured");
        let provider = first.by_id(&state.provider).ok_or_else(gone)?;
        let entry = provider.oidc(now).map_err(Denial::Rejected)?;
        let discovery = entry.discovery().map_err(Denial::Rejected)?;
        from_itself(login.iss, &entry.own.issuer, discovery).map_err(Denial::Rejected)?;
        if let Some(error) = login.error {
            let said = if is_code(error) { error } else { "an error that is no code" };
            return Err(rejected(error_reason(error), format_args!("the provider answered with {said}")));
        }
        let code = login.code.filter(|code| !code.is_empty());
        let code = code.ok_or_else(|| rejected(Reason::CallbackMalformed, "neither a code nor an error"))?;

        // Of answers that come at once the first goes on: a provider that is shown a code again takes back what it gave for
        // it (RFC 6749, 4.1.2), so that otherwise neither would. For the same reason none is sent once the login is over.
        // One claim for a login, whatever the code: whoever makes codes up takes no more room than one at a time.
        let handle = begun.handle.to_string();
        let claimed = self.once(|key| ReplayKey::exchange(key, &handle));
        let over = self.once(|key| ReplayKey::login(key, &handle));
        let claim = self.lasting.store.claim(&claimed, &over, &state.instance, ON_ITS_WAY, now).await;
        let claim = claim.map_err(not_first)?;
        let comes = (begun, &login.cookies);
        let done = self.exchanged(snapshot, comes, provider, code, verifier, Asker { now, from: login.from }).await;
        if done.is_err() {
            // The same answer can be brought again, and is told to be where we or the provider had too much to do.
            self.lasting.store.release(claim).await;
        }
        done
    }

    /// From the code of a login that is claimed to its session.
    async fn exchanged(
        &self,
        snapshot: &mut Arc<Snapshot>,
        (begun, cookies): (&Begun, &Cookies<'_>),
        provider: &ProviderEntry,
        code: &str,
        verifier: &str,
        asker: Asker,
    ) -> Result<LoginDone, Denial> {
        let state = &begun.state;
        let entry = provider.oidc(asker.now).map_err(Denial::Rejected)?;
        let discovery = entry.discovery().map_err(Denial::Rejected)?;
        let place = self.clients.place(&state.provider)?;
        let tokens = self.tokens_for(provider, entry, discovery, code, verifier, asker).await?;
        if tokens.dpop {
            let detail = "an access token that is bound to a key, which was not asked for";
            return Err(rejected(Reason::TokenResponseMalformed, detail));
        }
        // Judged by the clock of now: the exchange may have taken a while.
        let ticket = Arc::new(Ticket { state: state.clone(), code: code.to_owned(), tokens });
        let id_token = self.judged(snapshot, &state.provider, |snapshot, now| {
            let (judge, ticket) = (Arc::clone(&self.judge), Arc::clone(&ticket));
            async move {
                let encrypted = is_encrypted(ticket.tokens.id_token.as_bytes());
                let job = move || {
                    // Without the time that it has waited for its turn.
                    let watch = Stopwatch::start();
                    (judge.id_token(&snapshot, &ticket, now), watch)
                };
                let (judged, watch) = self.in_pool(encrypted, job).await?;
                self.telemetry.emit(Judged {
                    provider: &state.provider,
                    protocol: VerifiedProtocol::Oidc,
                    code: judged.as_ref().err().map(Reject::code),
                    watch,
                    made: judged.as_ref().ok().map(|verified| (verified.claims().issued_at, now)),
                });
                Ok(judged)
            }
        });
        let id_token = id_token.await?;

        let userinfo = match discovery.userinfo_endpoint.as_deref().filter(|_| entry.own.userinfo) {
            None => None,
            Some(endpoint) => {
                let body = self.userinfo(endpoint, &ticket.tokens.access_token).await?;
                let (body, subject) = (Arc::new(body), id_token.claims().subject.clone());
                let judged = self.judged(snapshot, &state.provider, |snapshot, now| {
                    let (judge, body) = (Arc::clone(&self.judge), Arc::clone(&body));
                    let (provider, subject) = (state.provider.clone(), subject.clone());
                    let encrypted = matches!(&*body, UserInfoBody::Token(token) if is_encrypted(token));
                    self.in_pool(encrypted, move || judge.userinfo(&snapshot, &provider, &body, &subject, now))
                });
                Some(judged.await?)
            }
        };
        drop(place);

        let now = self.clock.now();
        // The same that judged: keys may be newer than when the answer came, and the settings are this generation's.
        let last = Arc::clone(snapshot);
        let gone = || rejected(Reason::IssuerUnknown, "the provider is no longer configured");
        let provider = last.by_id(&state.provider).ok_or_else(gone)?;
        let rules = provider.oidc(now).map_err(Denial::Rejected)?.claim_rules(&self.config);
        let who = from_claims(id_token, userinfo, &rules, &self.digest).map_err(Denial::Rejected)?;
        let meets = self.meets(&who, provider, &state.rd, now)?;
        self.sign_in(who, meets, provider, (begun, cookies), now).await
    }

    /// A verdict by the keys at hand, and once more by newer ones where those could change it.
    async fn judged<T, F>(
        &self,
        snapshot: &mut Arc<Snapshot>,
        provider: &ProviderId,
        judge: impl Fn(Arc<Snapshot>, UnixTime) -> F,
    ) -> Result<T, Denial>
    where
        F: Future<Output = Result<Result<T, Reject>, Denial>>,
    {
        match judge(Arc::clone(snapshot), self.clock.now()).await? {
            Ok(verdict) => Ok(verdict),
            Err(reject) => match self.newer_keys(&reject, provider, snapshot).await {
                None => Err(Denial::Rejected(reject)),
                Some(newer) => {
                    *snapshot = newer;
                    judge(Arc::clone(snapshot), self.clock.now()).await?.map_err(Denial::Rejected)
                }
            },
        }
    }

    /// Does `job` here, or in the pool where it takes a private key: logins never slow live sessions.
    pub(super) async fn in_pool<T: Send + 'static>(
        &self,
        private_key: bool,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Denial> {
        if private_key { self.pool.run(job).await.map_err(|_| Denial::Overloaded) } else { Ok(job()) }
    }
}

/// Whether an answer is from who was asked, as far as it says (RFC 9207, 2.4): who says that they say it, must.
fn from_itself(iss: Option<&str>, issuer: &str, discovery: &Discovery) -> Result<(), Reject> {
    match iss {
        Some(iss) if iss == issuer => Ok(()),
        Some(iss) => Err(Reject::new(Reason::IssuerMismatch, format_args!("the answer is of {iss:?}"))),
        None if discovery.response_iss => {
            Err(Reject::new(Reason::IssuerMissing, "no `iss`, which this provider says to send"))
        }
        None => Ok(()),
    }
}

/// Whether it takes a private key to read a token. One that cannot be taken apart takes none.
pub(super) fn is_encrypted(token: &[u8]) -> bool {
    Received::parse(token).is_ok_and(|received| received.is_encrypted())
}

/// What an ID token is held against.
pub(in crate::gate) struct Ticket {
    state: LoginState,
    code: String,
    tokens: TokenResponse,
}

impl Judge {
    /// The claims of the ID token that answers a login.
    fn id_token(&self, snapshot: &Snapshot, ticket: &Ticket, now: UnixTime) -> Result<Verified<IdToken>, Reject> {
        let Ticket { state, code, tokens } = ticket;
        let entry = entry(snapshot, &state.provider)?.oidc(now)?;
        let Sent::Oidc { nonce, .. } = &state.sent else {
            return Err(Reject::new(Reason::StateOtherProvider, "the login was begun by another protocol"));
        };
        let asked = Asked {
            nonce: Nonce::Sent(nonce),
            fresh_since: state.force_authn.then_some(state.issued_at),
            max_age: (!state.force_authn).then(|| entry.longest_ago(&self.config)),
            loa: &state.loa,
        };
        let access_token = Some(tokens.access_token.expose().as_str());
        let expect = entry.id_token_expect(&self.config, asked, access_token, Some(code), &self.decryption);
        Received::parse(tokens.id_token.as_bytes())?.id_token(&expect, now)
    }

    /// What UserInfo says of whom the ID token named.
    fn userinfo(
        &self,
        snapshot: &Snapshot,
        provider: &ProviderId,
        body: &UserInfoBody,
        subject: &str,
        now: UnixTime,
    ) -> Result<Verified<UserInfo>, Reject> {
        let entry = entry(snapshot, provider)?.oidc(now)?;
        let expect = entry.userinfo_expect(&self.config, subject, &self.decryption);
        match body {
            UserInfoBody::Token(token) => Received::parse(token)?.userinfo(&expect, now),
            UserInfoBody::Json(body) => plain_userinfo(body, &expect),
        }
    }
}

fn entry<'s>(snapshot: &'s Snapshot, provider: &ProviderId) -> Result<&'s ProviderEntry, Reject> {
    let gone = || Reject::new(Reason::IssuerUnknown, "the provider is no longer configured");
    snapshot.by_id(provider).ok_or_else(gone)
}
