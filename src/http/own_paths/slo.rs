//! `saml/logout`: messages of single logout, by the browser (SAML Bindings 3.4, 3.5).

use bytes::Bytes;
use http::{Method, Response};

use super::{OwnPaths, OwnRequest};
use crate::gate::{Answer, Ended, SingleLogout};
use crate::http::respond;
use crate::http::{cookies, form, pages};
use crate::verify::saml::Carried;

impl OwnPaths {
    /// Carries out a provider's order, or shows what it answered to ours.
    pub(super) async fn single_logout(&self, request: &OwnRequest<'_>, body: &[u8]) -> Response<Bytes> {
        let asked = self.asked(request);
        let carried = if request.method == Method::POST {
            form::single_logout(body)
        } else {
            Carried::redirected(request.query.raw())
        };
        match self.gate.single_logout(carried, &request.cookies).await {
            Ok(SingleLogout::Ended(Ended { answer, tell, everywhere, set_cookies })) => {
                let untold = match tell {
                    // The provider's answer goes on all the same: then it is in the log alone.
                    Some(headers) => !request.e_service.told(headers).await,
                    None => false,
                };
                let mut out = match answer {
                    Some(Answer::Redirect(location)) => respond::see_other(&location),
                    Some(Answer::Post { action, fields }) => {
                        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, value)| (*n, value.as_str())).collect();
                        pages::to_provider(asked.view(&self.site), &action, &fields)
                    }
                    None => {
                        let what = pages::LoggedOut { spreading: !everywhere, untold, ..Default::default() };
                        pages::logged_out(asked.view(&self.site), &what)
                    }
                };
                cookies::set_all(out.headers_mut(), &set_cookies);
                out
            }
            Ok(SingleLogout::Answered { label, ended }) => {
                let there = Some((label.as_str(), ended));
                pages::logged_out(asked.view(&self.site), &pages::LoggedOut { there, ..Default::default() })
            }
            Err(refused) => respond::logout_refused(&self.site, &asked, &refused.denial, refused.reference),
        }
    }
}
