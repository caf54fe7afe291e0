//! Logging out: the question, and what was and was not ended.

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
}

/// The matter of the page, in one language.
struct Said {
    title: &'static str,
    /// What was ended, or that there was nothing to end.
    ended: String,
    spreading: Option<&'static str>,
    left_title: &'static str,
    /// What goes on elsewhere.
    left: Vec<&'static str>,
    close: &'static str,
    to_service: &'static str,
    language: &'static str,
}

/// After logging out: what was ended, and what was not.
pub fn logged_out(view: View<'_>, logout: &Logout) -> Response<Bytes> {
    let said = |locale: Locale| {
        let words = words(locale);
        let ended = if logout.was_signed_in { words.ended } else { words.nothing_ended };
        Said {
            title: words.logged_out_title,
            ended: fill(ended, &[("service", view.site.service_name.get(locale))]),
            spreading: (!logout.everywhere).then_some(words.spreading),
            left_title: words.left_title,
            left: vec![words.left_eid, words.left_services],
            close: words.close,
            to_service: words.to_service,
            language: words.this_language,
        }
    };
    let other = other(view.locale);
    let frame = Frame::new(view);
    let out =
        LoggedOutPage { frame, said: said(view.locale), other: said(other), tag: other.tag(), home: &view.site.home };
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
