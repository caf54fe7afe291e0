//! A demo OpenID provider's web site: discovery, JWKS, authorization code with PKCE, pushed and signed requests, tokens,
//! UserInfo, logout. It is strict with its clients, and answers wrongly when it is told to.
//!
//! Nothing of the sidecar's own code signs or checks anything here.

mod authorize;
mod back;
mod client;
mod front;
pub mod jose;
mod logout;
mod outcome;
mod page;
mod provider;
mod state;
mod tokens;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use grindvakt::base::Clock;
use http::{Method, Request, StatusCode};

pub use authorize::AuthorizationRequest;
pub use back::basic;
pub use client::{ClientAuth, OpClient};
pub use jose::ClientKeys;
pub use logout::LogoutNotice;
pub use outcome::OpOutcome;
pub use provider::{Asked, DemoOp, Dialect};

use crate::form;
use crate::key::DemoKey;
use crate::person::TestPerson;
use crate::serve::{Answer, json, text};
use state::State;

/// A provider with its web site. Clones share one state.
#[derive(Clone)]
pub struct OpSite {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    people: Vec<TestPerson>,
    state: Mutex<State>,
}

impl OpSite {
    /// A site for `op` with the persons of the demo. It refuses every client until [`Self::knows`].
    pub fn new(op: DemoOp, clock: Arc<dyn Clock>) -> Self {
        let (people, state) = (TestPerson::of_the_demo(), Mutex::new(State::new(op)));
        Self { shared: Arc::new(Shared { clock, people, state }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in one request leaves nothing half-done here that another could trip over.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on requests of this client are taken; one that was known by its name is forgotten.
    pub fn knows(&self, client: OpClient) {
        let mut state = self.state();
        state.clients.retain(|known| known.id != client.id);
        state.clients.push(client);
    }

    /// The provider behind the site, as it is now.
    pub fn op(&self) -> DemoOp {
        self.state().op.clone()
    }

    /// Changes the provider under way: another word in its discovery document, another key.
    pub fn change(&self, change: impl FnOnce(DemoOp) -> DemoOp) {
        let mut state = self.state();
        state.op = change(state.op.clone());
    }

    /// A key roll-over: from now on it signs with `key`, and publishes `published`.
    pub fn roll_over(&self, key: Arc<DemoKey>, published: Vec<Arc<DemoKey>>) {
        let mut state = self.state();
        state.op.key = key;
        state.op.published = published;
    }

    /// Who can log in here.
    pub fn people(&self) -> &[TestPerson] {
        &self.shared.people
    }

    /// The authorization request that was taken last.
    pub fn last_request(&self) -> Option<AuthorizationRequest> {
        self.state().last_request.as_deref().cloned()
    }

    /// The ID token of the last login that was answered well.
    pub fn last_id_token(&self) -> Option<String> {
        self.state().last_id_token.clone()
    }

    /// Ends the session that was begun last: what its clients must be told. For whoever delivers it by other means.
    pub fn end_last_session(&self) -> Vec<LogoutNotice> {
        let mut state = self.state();
        let last = state.sessions.back().map(|session| session.sid.clone());
        last.map(|sid| logout::end(&mut state, &sid, self.shared.clock.now())).unwrap_or_default()
    }

    /// The same, and tells the clients: what each of them said, none for one that did not answer.
    pub async fn log_out_last(&self) -> Vec<(String, Option<StatusCode>)> {
        let notices = self.end_last_session();
        logout::send(notices).await
    }

    /// Answers one HTTP request: the endpoints of the discovery document, `/answer`, and a page about itself at `/`.
    pub fn handle(&self, request: Request<Bytes>) -> Answer {
        let now = self.shared.clock.now();
        let mut state = self.state();
        let state = &mut *state;
        let people = &self.shared.people;
        let path = request.uri().path();
        // An issuer may have a path of its own, and so have its endpoints.
        let base = state.op.issuer().splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
        let path = path.strip_prefix(base.as_str()).unwrap_or(path);
        match (request.method(), path) {
            (&Method::GET, "/.well-known/openid-configuration") => json(StatusCode::OK, &state.op.discovery()),
            (&Method::GET, "/jwks") => json(StatusCode::OK, &state.op.jwks()),
            (&Method::GET | &Method::POST, "/authorize") => front::authorize(state, people, &request, now),
            (&Method::POST, "/answer") => {
                let fields = form::parse(&String::from_utf8_lossy(request.body()));
                front::answer(state, people, &fields, now)
            }
            (&Method::POST, "/par") => back::push(state, &request, now),
            (&Method::POST, "/token") => back::token(state, &request, now),
            (&Method::GET | &Method::POST, "/userinfo") => back::userinfo(state, &request, now),
            (&Method::GET | &Method::POST, "/logout") => {
                let (answer, notices) = logout::logout(state, &request, now);
                // The person does not wait for services that do not answer.
                if let Ok(runtime) = tokio::runtime::Handle::try_current()
                    && !notices.is_empty()
                {
                    runtime.spawn(logout::send(notices));
                }
                answer
            }
            (&Method::GET, "/") => {
                let who = front::session(state, &request).map(|session| session.person.display_name());
                page::home(&state.op.likeness, who.as_deref())
            }
            _ => text(StatusCode::NOT_FOUND, "404\n"),
        }
    }
}
