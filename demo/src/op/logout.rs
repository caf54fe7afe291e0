//! Logout: asked for by a client (OpenID Connect RP-Initiated Logout 1.0), and told to all of them (OpenID Connect
//! Back-Channel Logout 1.0).

use bytes::Bytes;
use grindvakt::base::UnixTime;
use http::{Method, Request, StatusCode};
use serde_json::Value;

use super::authorize::is_for;
use super::front::{redirect, session, with_query};
use super::jose::ClientKeys;
use super::provider::subject;
use super::state::{Session, State};
use super::{page, tokens};
use crate::browser::Browser;
use crate::form;
use crate::serve::Answer;

/// A logout token on its way to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutNotice {
    /// Whom it is for.
    pub client_id: String,
    /// Where that client wants to be told; none when it does not.
    pub uri: Option<String>,
    /// The token.
    pub token: String,
}

/// Ends a session: the notices that its clients must get.
pub(super) fn end(state: &mut State, sid: &str, now: UnixTime) -> Vec<LogoutNotice> {
    let Some(at) = state.sessions.iter().position(|session| session.sid == sid) else { return Vec::new() };
    let Some(session) = state.sessions.remove(at) else { return Vec::new() };
    // What is left of it opens nothing any more.
    state.access.retain(|access| access.grant.session != session.sid);
    notices(state, &session, now)
}

fn notices(state: &State, session: &Session, now: UnixTime) -> Vec<LogoutNotice> {
    let notice = |id: &String| {
        let client = state.client(id)?;
        let who = subject(state.op.issuer(), &session.person);
        let token = tokens::logout_token(&state.op, id, Some(&who), Some(&session.sid), now);
        Some(LogoutNotice { client_id: id.clone(), uri: client.backchannel.clone(), token })
    };
    session.clients.iter().filter_map(notice).collect()
}

/// Sends them; what each client said. Nobody is tried twice: a demo's services are there or they are not.
pub(super) async fn send(notices: Vec<LogoutNotice>) -> Vec<(String, Option<StatusCode>)> {
    let mut said = Vec::new();
    for notice in notices {
        let Some(uri) = notice.uri else { continue };
        let body = form::encode([("logout_token", notice.token.as_str())]);
        let answer = Browser::program().once(Method::POST, &uri, Some(&body), None).await;
        said.push((notice.client_id, answer.ok().map(|page| page.status)));
    }
    said
}

/// `/logout`: the answer, and the notices that go out.
pub(super) fn logout(state: &mut State, request: &Request<Bytes>, now: UnixTime) -> (Answer, Vec<LogoutNotice>) {
    let fields = if request.method() == Method::POST {
        form::parse(&String::from_utf8_lossy(request.body()))
    } else {
        form::parse(request.uri().query().unwrap_or_default())
    };
    let field = |name: &str| form::get(&fields, name).filter(|value| !value.is_empty());
    let here = session(state, request).cloned();
    let refuse = |state: &State, why: &str| (page::refused(&state.op.likeness, why), Vec::new());
    let Some(hint) = field("id_token_hint") else {
        let client = field("client_id").and_then(|id| state.client(id)).cloned();
        let after = field("post_logout_redirect_uri").map(str::to_owned);
        let registered = |uri: &String| client.as_ref().is_some_and(|client| client.after_logout.contains(uri));
        if after.as_ref().is_some_and(|uri| !registered(uri)) {
            return refuse(state, "`post_logout_redirect_uri` is not registered");
        }
        // Any page could lead here: without a hint the person must press a button of ours (2).
        return match here {
            Some(session) if request.method() == Method::POST && field("confirm") == Some("yes") => {
                let notices = end(state, &session.sid, now);
                (gone(state, after.as_deref(), field("state")), notices)
            }
            Some(session) => {
                let kept = ["client_id", "post_logout_redirect_uri", "state"];
                let kept = kept.into_iter().filter_map(|name| Some((name, field(name)?)));
                let who = session.person.display_name();
                (page::logout(&state.op.likeness, &who, kept.collect()), Vec::new())
            }
            None => (gone(state, after.as_deref(), field("state")), Vec::new()),
        };
    };
    // An ID token of ours, whatever its age (2).
    let Some(claims) = ClientKeys::from_jwks(&state.op.jwks()).verify(hint) else {
        return refuse(state, "`id_token_hint` is no ID token of this provider");
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let client = state.clients.iter().find(|client| is_for(&claims, &client.id)).cloned();
    let Some(client) = client.filter(|_| text("iss") == Some(state.op.issuer())) else {
        return refuse(state, "`id_token_hint` was given to no client of this provider");
    };
    if field("client_id").is_some_and(|id| id != client.id) {
        return refuse(state, "`client_id` is another than that of the hint");
    }
    let after = field("post_logout_redirect_uri");
    if after.is_some_and(|uri| !client.after_logout.iter().any(|known| known == uri)) {
        return refuse(state, "`post_logout_redirect_uri` is not registered");
    }
    let notices = text("sid").map(|sid| end(state, sid, now)).unwrap_or_default();
    (gone(state, after, field("state")), notices)
}

/// Where the browser goes once nobody is logged in any more.
fn gone(state: &State, after: Option<&str>, theirs: Option<&str>) -> Answer {
    match (after, theirs) {
        (Some(uri), Some(theirs)) => redirect(&with_query(uri, &[("state", theirs)])),
        (Some(uri), None) => redirect(uri),
        (None, _) => page::logged_out(&state.op.likeness),
    }
}
