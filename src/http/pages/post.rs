//! Pages with one form: to a provider, to ourselves once more, and the question whose login it is.

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};

use super::problem::Translated;
use super::site::{Frame, Link, View};
use super::{SUBMIT, SUBMIT_HASH, forms_from, page, with_forms_to, with_policy};
use crate::gate::Confirm;
use crate::http::text::{Says, words};

#[derive(Template)]
#[template(path = "post.html")]
pub(super) struct PostPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) says: Says,
    pub(super) who: Option<String>,
    pub(super) action: &'a str,
    pub(super) fields: &'a [(&'a str, &'a str)],
    pub(super) button: &'static str,
    pub(super) link: Option<Link>,
    pub(super) translated: Option<Translated>,
    /// What sends the form by itself.
    pub(super) script: Option<&'static str>,
}

/// Asks whose login it is that nobody here began (`allow_unsolicited`).
pub fn confirm(view: View<'_>, confirm: &Confirm) -> Response<Bytes> {
    let (site, own) = (view.site, view.words());
    let who = match &confirm.name {
        Some(name) => format!("{}: {name} ({})", own.confirm_who, confirm.label),
        None => format!("{}: {}", own.confirm_who, confirm.label),
    };
    let post = PostPage {
        frame: Frame::new(view),
        says: own.confirm,
        who: Some(who),
        action: &site.path("login/confirm"),
        fields: &[("token", &confirm.token)],
        button: own.confirm_button,
        link: Some(Link { href: site.home.clone(), text: own.confirm_not_me }),
        translated: Some(Translated::of(view.locale, |locale| words(locale).confirm, None)),
        script: None,
    };
    with_forms_to(page(StatusCode::OK, &post), forms_from(&site.origin))
}

/// Posts a request to the provider (SAML Bindings 3.5).
pub fn to_provider(view: View<'_>, action: &str, fields: &[(&str, &str)]) -> Response<Bytes> {
    auto_post(view, view.words().to_provider, action, fields, action)
}

/// Posts an answer to ourselves once more, from a page of ours: on a loopback `http` base_url the login's cookie is
/// SameSite=Lax and did not come along from the provider's site.
pub fn repost(view: View<'_>, fields: &[(&str, &str)]) -> Response<Bytes> {
    auto_post(view, view.words().repost, &view.site.path("saml/acs"), fields, &view.site.origin)
}

/// `at` is whoever takes the form: its address, or only its origin.
fn auto_post(view: View<'_>, says: Says, action: &str, fields: &[(&str, &str)], at: &str) -> Response<Bytes> {
    let post = PostPage {
        frame: Frame::new(view),
        says,
        who: None,
        action,
        fields,
        button: view.words().go_on,
        link: None,
        translated: None,
        script: Some(SUBMIT),
    };
    with_policy(page(StatusCode::OK, &post), forms_from(at), &format!("; script-src {}", *SUBMIT_HASH))
}
