//! Logging out: the question, and what was and was not ended.

use std::borrow::Cow;

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};

use super::page;
use super::post::PostPage;
use super::site::{Frame, Link, View, other};
use crate::gate::Logout;
use crate::http::text::{fill, words};
use crate::session::Locale;

#[derive(Template)]
#[template(path = "logged_out.html")]
struct LoggedOutPage<'a> {
    frame: Frame<'a>,
    said: Said,
    other: Said,
    tag: &'static str,
    home: &'a str,
    /// Where the login at the provider can be ended.
    at_provider: Option<&'a str>,
}

/// The matter of the page, in one language.
struct Said {
    title: &'static str,
    /// What was ended, or that there was nothing to end.
    ended: String,
    spreading: Option<&'static str>,
    left_title: &'static str,
    /// What goes on elsewhere.
    left: Vec<Cow<'static, str>>,
    /// What ends the login at the provider.
    there: &'static str,
    close: &'static str,
    to_service: &'static str,
    language: &'static str,
}

/// After logging out: what was ended, and what was not. None: the person comes back from logging out at the provider.
pub fn logged_out(view: View<'_>, logout: Option<&Logout>) -> Response<Bytes> {
    let there = logout.and_then(|logout| logout.at_provider.as_ref());
    let said = |locale: Locale| {
        let words = words(locale);
        let ended = match logout {
            None => words.back_from_provider,
            Some(logout) if logout.was_signed_in => words.ended,
            Some(_) => words.nothing_ended,
        };
        let left_eid = match there {
            Some(there) => Some(fill(words.left_there, &[("eid", &there.label)]).into()),
            None => logout.is_some().then_some(Cow::Borrowed(words.left_eid)),
        };
        Said {
            title: words.logged_out_title,
            ended: fill(ended, &[("service", view.site.service_name.get(locale))]),
            spreading: logout.is_some_and(|logout| !logout.everywhere).then_some(words.spreading),
            left_title: words.left_title,
            left: left_eid.into_iter().chain([words.left_services.into()]).collect(),
            there: words.logout_there,
            close: words.close,
            to_service: words.to_service,
            language: words.this_language,
        }
    };
    let other = other(view.locale);
    let out = LoggedOutPage {
        frame: Frame::new(view),
        said: said(view.locale),
        other: said(other),
        tag: other.tag(),
        home: &view.site.home,
        at_provider: there.map(|there| there.location.as_str()),
    };
    page(StatusCode::OK, &out)
}

/// Asks whether to log out: a link from anywhere may lead here, and only the button logs out.
pub fn logout_ask(view: View<'_>) -> Response<Bytes> {
    let (site, words) = (view.site, view.words());
    let post = PostPage {
        frame: Frame::new(view).in_both(|tag| format!("{}?locale={tag}", site.path("logout"))),
        says: words.logout_ask,
        who: None,
        action: &site.path("logout"),
        fields: &[("locale", view.locale.tag())],
        button: words.logout_button,
        link: Some(Link { href: site.home.clone(), text: words.to_service }),
        translated: None,
        script: None,
    };
    page(StatusCode::OK, &post)
}
