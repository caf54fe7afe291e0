//! What a provider remembers: logins under way, codes, access tokens, sessions. All of it is bounded: the oldest makes room.

use std::collections::VecDeque;
use std::sync::Arc;

use grindvakt::base::UnixTime;

use super::authorize::{AuthorizationRequest, Fields};
use super::client::OpClient;
use super::outcome::OpOutcome;
use super::provider::DemoOp;
use crate::person::Person;

/// How many of each kind are remembered.
const KEPT: usize = 200;

/// A login that waits for the visitor's choice.
#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) handle: String,
    pub(super) request: Arc<AuthorizationRequest>,
}

/// A request that was pushed.
pub(super) struct Pushed {
    pub(super) uri: String,
    pub(super) client_id: String,
    pub(super) fields: Fields,
    pub(super) signed: bool,
    pub(super) ends: UnixTime,
}

/// A login that has ended well: what a code stands for, and then an access token.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) request: Arc<AuthorizationRequest>,
    pub(super) person: Person,
    pub(super) loa: String,
    pub(super) auth_time: UnixTime,
    pub(super) session: String,
    pub(super) outcome: OpOutcome,
}

/// A code.
pub(super) struct Code {
    pub(super) code: String,
    pub(super) grant: Grant,
    pub(super) ends: UnixTime,
    /// The access token that it was exchanged for.
    pub(super) used: Option<String>,
}

/// An access token for UserInfo.
pub(super) struct Access {
    pub(super) token: String,
    pub(super) grant: Grant,
    pub(super) ends: UnixTime,
}

/// A browser that is logged in here.
#[derive(Clone)]
pub(super) struct Session {
    /// What its cookie holds.
    pub(super) cookie: String,
    /// Its name in tokens.
    pub(super) sid: String,
    pub(super) person: Person,
    pub(super) loa: String,
    pub(super) auth_time: UnixTime,
    /// The clients that were told of it.
    pub(super) clients: Vec<String>,
}

/// Everything.
pub(super) struct State {
    pub(super) op: DemoOp,
    pub(super) clients: Vec<OpClient>,
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) pushed: VecDeque<Pushed>,
    pub(super) codes: VecDeque<Code>,
    pub(super) access: VecDeque<Access>,
    pub(super) sessions: VecDeque<Session>,
    /// The `jti` of client assertions that were used.
    pub(super) assertions: VecDeque<String>,
    pub(super) last_request: Option<Arc<AuthorizationRequest>>,
    /// The ID token of the last login that was answered well.
    pub(super) last_id_token: Option<String>,
}

impl State {
    pub(super) const fn new(op: DemoOp) -> Self {
        Self {
            op,
            clients: Vec::new(),
            waiting: VecDeque::new(),
            pushed: VecDeque::new(),
            codes: VecDeque::new(),
            access: VecDeque::new(),
            sessions: VecDeque::new(),
            assertions: VecDeque::new(),
            last_request: None,
            last_id_token: None,
        }
    }

    pub(super) fn client(&self, id: &str) -> Option<&OpClient> {
        self.clients.iter().find(|client| client.id == id)
    }
}

/// Puts one in and lets the oldest go.
pub(super) fn keep<T>(queue: &mut VecDeque<T>, item: T) {
    while queue.len() >= KEPT {
        queue.pop_front();
    }
    queue.push_back(item);
}
