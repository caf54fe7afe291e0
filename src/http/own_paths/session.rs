//! `logout`, `session` and `session/extend`.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{OwnPaths, OwnRequest};
use crate::gate::SessionInfo;
use crate::http::respond::{self, Asked, Fault};
use crate::http::{cookies, pages};

impl OwnPaths {
    /// The question; a link from anywhere may lead here.
    pub(super) fn logout_ask(&self, request: &OwnRequest<'_>) -> Response<Bytes> {
        let asked = self.asked(request);
        // Back from a logout at the provider.
        if request.query.flag("done") && self.gate.session_info(&request.cookies).is_none() {
            return pages::logged_out(asked.view(&self.site), &pages::LoggedOut::default());
        }
        pages::logout_ask(asked.view(&self.site))
    }

    /// Ends the session, and says what was ended and what was not.
    pub(super) async fn logout(&self, request: &OwnRequest<'_>) -> Response<Bytes> {
        let mut ended = self.gate.logout(&request.cookies).await;
        let untold = match ended.tell.take() {
            Some(headers) => !request.e_service.told(headers).await,
            None => false,
        };
        let asked = self.asked(request);
        let mut out = if asked.page {
            let session = if ended.was_signed_in { pages::Session::Ended } else { pages::Session::None };
            let (at_provider, spreading) = (ended.at_provider.as_ref(), !ended.everywhere);
            let said = pages::LoggedOut { session, at_provider, spreading, untold, ..Default::default() };
            pages::logged_out(asked.view(&self.site), &said)
        } else {
            let mut out = respond::document("application/json", Bytes::new());
            out.headers_mut().remove(http::header::CONTENT_TYPE);
            *out.status_mut() = StatusCode::NO_CONTENT;
            out
        };
        cookies::set_all(out.headers_mut(), &ended.set_cookies);
        out
    }

    /// What a page's script may know of the session. Looking does not extend it.
    pub(super) fn session(&self, request: &OwnRequest<'_>) -> Response<Bytes> {
        match self.gate.session_info(&request.cookies) {
            Some(info) => respond::document("application/json", json(&info)),
            None => self.no_session(request),
        }
    }

    /// Extends the session as a visit would.
    pub(super) fn extend(&self, request: &OwnRequest<'_>) -> Response<Bytes> {
        match self.gate.extend_session(&request.cookies) {
            Some((info, cookie)) => {
                let mut out = respond::document("application/json", json(&info));
                cookies::set_all(out.headers_mut(), &[cookie]);
                out
            }
            None => self.no_session(request),
        }
    }

    /// Always for a program: whoever asks for JSON gets JSON.
    fn no_session(&self, request: &OwnRequest<'_>) -> Response<Bytes> {
        let asked = Asked { page: false, ..self.asked(request) };
        respond::fault(&self.site, &asked, Fault::NoSession, None)
    }
}

fn json(info: &SessionInfo) -> String {
    serde_json::json!({
        "authenticated": true,
        "authenticated_at": info.authenticated_at.to_string(),
        "ends_in_seconds": info.ends_in.as_secs(),
        "idle_in_seconds": info.idle_in.as_secs(),
        "loa": info.loa,
        "eid": info.eid.as_str(),
        "provider": info.provider.as_str(),
    })
    .to_string()
}
