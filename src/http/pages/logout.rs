//! Logging out: the question, and what was and was not ended.

use std::borrow::Cow;

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};

use super::post::PostPage;
use super::site::{Frame, Link, Site, View, other};
use super::{forms_from, page, with_forms_to};
use crate::gate::AtProvider;
use crate::http::text::{fill, words};
use crate::session::Locale;

/// What became of the session here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Session {
    /// This logout ended it.
    Ended,
    /// There was none.
    None,
    /// It was over before: the person comes back from the provider, or the provider ended it.
    #[default]
    Over,
}

/// What there is to say after a logout.
#[derive(Clone, Copy, Default)]
pub struct LoggedOut<'a> {
    /// What became of the session here.
    pub session: Session,
    /// Where the login may live on, which the person can end.
    pub at_provider: Option<&'a AtProvider>,
    /// What a provider said of its own session: the e-ID's label, and whether it is over.
    pub there: Option<(&'a str, bool)>,
    /// Other replicas do not know yet.
    pub spreading: bool,
    /// The e-service should have been told, and could not be.
    pub untold: bool,
}

#[derive(Template)]
#[template(path = "logged_out.html")]
struct LoggedOutPage<'a> {
    frame: Frame<'a>,
    said: Said,
    other: Said,
    tag: &'static str,
    home: &'a str,
    at_provider: Option<&'a AtProvider>,
}

/// The matter of the page, in one language.
struct Said {
    title: &'static str,
    /// What was ended, or that there was nothing to end.
    ended: Vec<Cow<'static, str>>,
    left_title: &'static str,
    /// What was not, and goes on.
    left: Vec<Cow<'static, str>>,
    /// What ends the login at the provider.
    there: &'static str,
    close: &'static str,
    to_service: &'static str,
    language: &'static str,
}

impl Said {
    fn of(what: &LoggedOut<'_>, site: &Site, locale: Locale) -> Self {
        let words = words(locale);
        let eid = |text: &'static str, label: &str| Cow::Owned(fill(text, &[("eid", label)]));
        let here = match what.session {
            Session::Ended => words.ended,
            Session::None => words.nothing_ended,
            Session::Over => words.back_from_provider,
        };
        let mut ended = vec![Cow::Owned(fill(here, &[("service", site.service_name.get(locale))]))];
        let mut left: Vec<Cow<'static, str>> = Vec::new();
        match (what.at_provider, what.there) {
            (_, Some((label, true))) => ended.push(eid(words.ended_there, label)),
            (_, Some((label, false))) => left.push(eid(words.not_ended_there, label)),
            (Some(there), None) => left.push(eid(words.left_there, &there.label)),
            (None, None) if what.session != Session::Over => left.push(words.left_eid.into()),
            (None, None) => {}
        }
        left.push(words.left_services.into());
        left.extend(what.spreading.then_some(Cow::Borrowed(words.spreading)));
        left.extend(what.untold.then_some(Cow::Borrowed(words.untold)));
        Self {
            title: words.logged_out_title,
            ended,
            left_title: words.left_title,
            left,
            there: words.logout_there,
            close: words.close,
            to_service: words.to_service,
            language: words.this_language,
        }
    }
}

/// After a logout: what was ended, and what was not.
pub fn logged_out(view: View<'_>, what: &LoggedOut<'_>) -> Response<Bytes> {
    let other = other(view.locale);
    let out = LoggedOutPage {
        frame: Frame::new(view),
        said: Said::of(what, view.site, view.locale),
        other: Said::of(what, view.site, other),
        tag: other.tag(),
        home: &view.site.home,
        at_provider: what.at_provider,
    };
    let answer = page(StatusCode::OK, &out);
    match what.at_provider.filter(|there| !there.fields.is_empty()) {
        Some(there) => with_forms_to(answer, forms_from(&there.location)),
        None => answer,
    }
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
