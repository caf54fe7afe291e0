//! Something went wrong, or simply ended: one heading, one sentence, one way on.

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};

use super::site::{Frame, Link, Told, View, other};
use super::{forms_to_providers, page, with_forms_to};
use crate::gate::{Choice, Reference};
use crate::http::text::{Problem, Says, Way, fill, words};
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
    alternates: Vec<Alternate<'a>>,
    reference: Option<Reference>,
}

/// A button to another e-ID.
struct Alternate<'a> {
    eid: &'a str,
    text: String,
    rd: &'a str,
}

/// What a person can do about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ways<'a> {
    /// Where a new login should lead: a path on our base_url. None: nobody is invited to try again.
    pub retry: Option<&'a str>,
    /// Other e-IDs that lead to the same place.
    pub alternates: &'a [Choice],
}

/// Something went wrong, or simply ended.
pub fn problem(
    view: View<'_>,
    status: StatusCode,
    problem: Problem,
    reference: Option<Reference>,
    ways: Ways<'_>,
) -> Response<Bytes> {
    let way = problem.way();
    let link = |locale: Locale| {
        let (site, tag) = (view.site, locale.tag());
        let href = |rd| match way {
            Way::LogOut => format!("{}?locale={tag}", site.path("logout")),
            Way::Choose | Way::ChooseOther => site.login(rd, &[("choose", "true"), ("locale", tag)]),
            Way::Again | Way::Begin | Way::LogIn => site.login(rd, &[("locale", tag)]),
        };
        ways.retry.map(|rd| Link { href: href(rd), text: way.text(words(locale)) })
    };
    let own = view.words();
    let to = |rd| {
        let alternate = move |choice: &'_ Choice| fill(own.log_in_with, &[("eid", &choice.label)]);
        // Those in trouble are on the chooser, where their trouble is told of.
        let fine =
            |choice: &&Choice| choice.usable && choice.trouble.is_none() && !view.in_maintenance(&choice.provider);
        let fine = ways.alternates.iter().filter(fine);
        fine.map(|choice| Alternate { eid: choice.eid.as_str(), text: alternate(choice), rd }).collect()
    };
    let page_of = ProblemPage {
        frame: Frame::new(view),
        says: problem.says(view.locale),
        retry: link(view.locale),
        translated: Translated::of(view.locale, |locale| problem.says(locale), link(other(view.locale))),
        // Maintenance is an answer to the question why; but only of what has to do with logging in.
        notices: if problem.is_of_a_login() { view.notices(true) } else { Vec::new() },
        alternates: ways.retry.map(to).unwrap_or_default(),
        reference,
    };
    let answer = page(status, &page_of);
    // Those buttons are answered by a redirect to whoever was chosen.
    if page_of.alternates.is_empty() { answer } else { with_forms_to(answer, forms_to_providers(view.site)) }
}
