//! `login`, `login/confirm` and the assertion consumer service.

use bytes::Bytes;
use http::Response;

use super::{OwnPaths, OwnRequest};
use crate::gate::{BeginLogin, Confirm, ConfirmLogin, FinishLogin, LoginDone, LoginStart, Refusal, SetCookie};
use crate::http::respond::{self, Asked, Fault};
use crate::http::{cookies, form, navigation, pages};

impl OwnPaths {
    /// Begins a login, or offers the choice.
    pub(super) async fn login(&self, request: &OwnRequest<'_>) -> Response<Bytes> {
        let (rd, eid) = (request.query.get("rd"), request.query.get("eid"));
        let asked = self.asked(request);
        // What says that the person has read what our page says: a link from elsewhere cannot say that for them.
        let by_ours = !navigation::is_from_elsewhere(request.headers, &self.site.origin);
        let instead_of = request.query.get("instead_of").filter(|_| by_ours);
        let begun = self.gate.begin_login(BeginLogin {
            rd: rd.as_deref(),
            eid: eid.as_deref(),
            choose: request.query.flag("choose"),
            anyway: request.query.flag("anyway") && by_ours,
            instead_of: instead_of.as_deref(),
            counts: navigation::is_a_persons(request.method, request.headers, &self.site.origin),
            from: request.from,
            locale: asked.locale,
            cookies: request.cookies,
        });
        match begun.await {
            Ok(LoginStart::Redirect { location, set_cookies }) => with(respond::see_other(&location), &set_cookies),
            Ok(LoginStart::Post { action, fields, set_cookies }) => {
                let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                with(pages::to_provider(asked.view(&self.site), &action, &fields), &set_cookies)
            }
            Ok(LoginStart::Choose { options, why, cannot, if_mapped, last, rd }) => {
                let (options, cannot, if_mapped) = (&options, &cannot, &if_mapped);
                let offer = pages::Offer { options, why: &why, cannot, if_mapped, last: last.as_ref(), rd: &rd };
                pages::choose(asked.view(&self.site), &offer)
            }
            Ok(LoginStart::AlreadySignedIn { location }) => respond::see_other(&location),
            Err(refusal) => self.refused(&asked, &refusal),
        }
    }

    /// Takes a Response (SAML Bindings 3.5.4).
    pub(super) async fn acs(&self, request: &OwnRequest<'_>, body: &[u8]) -> Response<Bytes> {
        let asked = self.asked(request);
        let Ok(posted) = form::Posted::read(body) else {
            return self.fault(&asked, Fault::BadForm);
        };
        let finished = self.gate.finish_login(FinishLogin {
            saml_response: posted.saml_response,
            relay_state: posted.relay_state.as_deref(),
            reposted: posted.reposted,
            from: request.from,
            locale: asked.locale,
            cookies: request.cookies,
        });
        match finished.await {
            Ok(done) => self.done(&asked, done),
            // Once, and not again: a browser without cookies would go round for ever.
            Err(refusal) if refusal.repost => {
                let mut fields = vec![("SAMLResponse", posted.encoded.as_str()), (form::REPOSTED, "1")];
                fields.extend(posted.relay_state.as_deref().map(|state| ("RelayState", state)));
                pages::repost(asked.in_language(refusal.locale).view(&self.site), &fields)
            }
            Err(refusal) => self.refused(&asked, &refusal),
        }
    }

    /// Takes the person's yes.
    pub(super) async fn confirm(&self, request: &OwnRequest<'_>, body: &[u8]) -> Response<Bytes> {
        let asked = self.asked(request);
        let Some(token) = form::field(body, "token") else {
            return self.fault(&asked, Fault::BadForm);
        };
        match self.gate.confirm_login(ConfirmLogin { token: &token, cookies: request.cookies }).await {
            Ok(done) => self.done(&asked, done),
            Err(refusal) => self.refused(&asked, &refusal),
        }
    }

    pub(super) fn done(&self, asked: &Asked<'_>, done: LoginDone) -> Response<Bytes> {
        match done {
            LoginDone::SignedIn { location, set_cookies } => with(respond::see_other(&location), &set_cookies),
            LoginDone::Confirm(confirm) => {
                let confirm: &Confirm = &confirm;
                with(pages::confirm(asked.view(&self.site), confirm), &confirm.set_cookies)
            }
        }
    }

    pub(super) fn refused(&self, asked: &Asked<'_>, refusal: &Refusal) -> Response<Bytes> {
        with(respond::refused(&self.site, asked, refusal), &refusal.set_cookies)
    }
}

fn with(mut answer: Response<Bytes>, set_cookies: &[SetCookie]) -> Response<Bytes> {
    cookies::set_all(answer.headers_mut(), set_cookies);
    answer
}
