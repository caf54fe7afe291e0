//! What OpenID providers send: a person with a code, and orders to end sessions.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{OwnPaths, OwnRequest};
use crate::base::limits::CALLBACK_PARAMETER_BYTES;
use crate::gate::{Denial, FinishOidc, LogoutRefused};
use crate::http::form;
use crate::http::query::{NotOnce, Query};
use crate::http::respond::{self, Fault};

/// The parameters of an authorization response. Others are not looked at.
struct Answer<'q> {
    code: Option<Cow<'q, str>>,
    state: Option<Cow<'q, str>>,
    iss: Option<Cow<'q, str>>,
    error: Option<Cow<'q, str>>,
}

impl<'q> Answer<'q> {
    fn read(query: Query<'q>) -> Result<Self, &'static str> {
        let one = |name| query.once(name, CALLBACK_PARAMETER_BYTES).map_err(|NotOnce| name);
        Ok(Self { code: one("code")?, state: one("state")?, iss: one("iss")?, error: one("error")? })
    }
}

impl OwnPaths {
    /// Takes an authorization response (RFC 6749, 4.1.2).
    pub(super) async fn callback(&self, place: usize, request: &OwnRequest<'_>) -> Response<Bytes> {
        let asked = self.asked(request);
        let Some(provider) = self.callbacks.get(place) else {
            return self.fault(&asked, Fault::NotFound);
        };
        let answer = match Answer::read(request.query) {
            Ok(answer) => answer,
            Err(name) => {
                let detail = format!("`{name}` stands twice, is too long, or is no text");
                return self.refused(&asked, &self.gate.malformed_callback(provider, &detail));
            }
        };
        // Rare beside what is passed on, whose future need not be as large as this one.
        let finished = Box::pin(self.gate.finish_oidc(FinishOidc {
            provider,
            code: answer.code.as_deref(),
            state: answer.state.as_deref(),
            iss: answer.iss.as_deref(),
            error: answer.error.as_deref(),
            from: request.from,
            cookies: request.cookies,
        }));
        match finished.await {
            Ok(done) => self.done(&asked, done),
            Err(refusal) => self.refused(&asked, &refusal),
        }
    }

    /// Takes a logout token (OpenID Connect Back-Channel Logout 1.0, 2.5 and 2.8).
    pub(super) async fn backchannel(&self, body: &[u8]) -> Response<Bytes> {
        let ended = match form::field(body, "logout_token") {
            Some(token) => Box::pin(self.gate.logout_by_provider(&token)).await.map_err(|LogoutRefused(why)| why),
            None => return refused(StatusCode::BAD_REQUEST, "no logout_token"),
        };
        match ended {
            Ok(()) => {
                let mut out = respond::document("application/json", Bytes::new());
                out.headers_mut().remove(http::header::CONTENT_TYPE);
                out
            }
            // Whether it was remembered as shown is not known. What it names is over here, where it could be judged; it can be
            // sent once more.
            Err(Denial::StoreDown(_) | Denial::Overloaded) => refused(StatusCode::SERVICE_UNAVAILABLE, "later"),
            Err(why) => refused(StatusCode::BAD_REQUEST, why.code()),
        }
    }
}

fn refused(status: StatusCode, why: &str) -> Response<Bytes> {
    let said = serde_json::json!({ "error": "invalid_request", "error_description": why });
    let mut out = respond::document("application/json", said.to_string());
    *out.status_mut() = status;
    out
}
