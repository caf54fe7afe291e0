//! Something went wrong, or simply ended: one heading, one sentence, one way on.

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};

use super::page;
use super::site::{Frame, Link, Told, View, other};
use crate::gate::Reference;
use crate::http::text::{Problem, Says, Way, Words, words};
use crate::session::Locale;

/// A page is the answer to what somebody sent, which a link cannot send again: so the other language is on it too.
pub(super) struct Translated {
    pub(super) tag: &'static str,
    pub(super) name: &'static str,
    pub(super) says: Says,
    pub(super) link: Option<Link>,
}

impl Translated {
    /// What is said in the language that is not `locale`.
    pub(super) fn of(locale: Locale, says: impl FnOnce(Locale) -> Says, link: Option<Link>) -> Self {
        let other = other(locale);
        Self { tag: other.tag(), name: words(other).this_language, says: says(other), link }
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame<'a>,
    says: Says,
    retry: Option<Link>,
    translated: Translated,
    notices: Vec<Told<'a>>,
    reference: Option<Reference>,
}

/// Something went wrong. `retry` is a path on our base_url that a new login should lead to.
pub fn problem(
    view: View<'_>,
    status: StatusCode,
    problem: Problem,
    reference: Option<Reference>,
    retry: Option<&str>,
) -> Response<Bytes> {
    let way = problem.way();
    let link = |locale: Locale, words: &'static Words| {
        let (site, tag) = (view.site, locale.tag());
        let href = |rd| match way {
            Way::LogOut => format!("{}?locale={tag}", site.path("logout")),
            Way::Choose | Way::ChooseOther => site.login(rd, &[("choose", "true"), ("locale", tag)]),
            Way::Again | Way::Begin | Way::LogIn => site.login(rd, &[("locale", tag)]),
        };
        retry.map(|rd| Link { href: href(rd), text: way.text(words) })
    };
    let other = other(view.locale);
    let translated = Translated::of(view.locale, |locale| problem.says(locale), link(other, words(other)));
    // Maintenance is an answer to the question why; but only of what has to do with logging in.
    let notices = if problem.is_of_a_login() { view.notices(true) } else { Vec::new() };
    let retry = link(view.locale, view.words());
    let says = problem.says(view.locale);
    page(status, &ProblemPage { frame: Frame::new(view), says, retry, translated, notices, reference })
}
