//! Our own pages. Each is a whole answer with the headers that every page of ours carries; which one to show is decided
//! elsewhere.
//!
//! Everything that comes from outside reaches a page through a template, which escapes it. Nothing personal is shown,
//! but the name on the page that asks whose login it is.

mod logged_out;

use std::sync::LazyLock;

use askama::Template;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::text::{Problem, Says, Words, words};
use crate::crypto::digest::sha256;
use crate::gate::{Choice, Confirm, Reference};
use crate::session::Locale;

pub use logged_out::{LoggedOut, logged_out};

/// What every page knows: the service, and where our own paths are.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// What the service is called.
    pub service_name: String,
    /// The path of our own paths as a browser sees it: the base_url's path and the prefix, without a slash at the end.
    pub prefix: String,
    /// The path of the service's front page.
    pub home: String,
    /// The base_url's origin, as browsers write it in `Origin`.
    pub origin: String,
    /// An address to write to.
    pub contact: Option<String>,
    /// A number to call.
    pub phone: Option<String>,
    /// How to do the errand without an e-ID.
    pub other_ways_url: Option<String>,
    /// The accessibility statement.
    pub accessibility_url: Option<String>,
    /// How personal data is handled.
    pub privacy_url: Option<String>,
}

impl Site {
    /// The address of one of our own paths, such as `/eid/logout`.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// The address that begins a login for `rd`, a path with its query.
    pub fn login(&self, rd: &str, more: &[(&str, &str)]) -> String {
        let mut out = self.path("login");
        let mut mark = '?';
        for (name, value) in std::iter::once(("rd", rd)).chain(more.iter().copied()) {
            out.push(mark);
            out.push_str(name);
            out.push('=');
            out.extend(percent_encoding::utf8_percent_encode(value, QUERY_VALUE));
            mark = '&';
        }
        out
    }
}

/// A value in a query: slashes stay readable, everything else that means something is encoded (RFC 3986, 3.4).
const QUERY_VALUE: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A link with its text.
struct Link {
    href: String,
    text: &'static str,
}

struct OtherLanguage {
    href: String,
    tag: &'static str,
    name: &'static str,
}

/// What is around the matter of a page.
struct Frame<'a> {
    site: &'a Site,
    locale: Locale,
    other_language: Option<OtherLanguage>,
}

impl<'a> Frame<'a> {
    const fn new(site: &'a Site, locale: Locale) -> Self {
        Self { site, locale, other_language: None }
    }

    /// With a link to the same page in the other language, at `href` of that language's tag.
    fn in_both(mut self, href: impl FnOnce(&'static str) -> String) -> Self {
        let (tag, name) = match self.locale {
            Locale::Sv => (Locale::En.tag(), "In English"),
            Locale::En => (Locale::Sv.tag(), "På svenska"),
        };
        self.other_language = Some(OtherLanguage { href: href(tag), tag, name });
        self
    }

    const fn words(&self) -> &'static Words {
        words(self.locale)
    }
}

struct Option_<'a> {
    label: &'a str,
    href: String,
    usable: bool,
}

#[derive(Template)]
#[template(path = "choose.html")]
struct ChoosePage<'a> {
    frame: Frame<'a>,
    choices: Vec<Option_<'a>>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame<'a>,
    says: Says,
    retry: Option<Link>,
    reference: Option<Reference>,
}

#[derive(Template)]
#[template(path = "post.html")]
struct PostPage<'a> {
    frame: Frame<'a>,
    says: Says,
    who: Option<String>,
    action: &'a str,
    fields: &'a [(&'a str, &'a str)],
    button: &'static str,
    link: Option<Link>,
    submits_itself: bool,
    script: &'static str,
}

/// The one script that we have. The page works without it: there is a button.
const SUBMIT: &str = "document.forms[0].submit()";

/// Its digest, which is what the policy lets run (CSP 3, 2.3.1).
static SUBMIT_HASH: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", base64_simd::STANDARD.encode_to_string(sha256(SUBMIT.as_bytes()))));

/// What a page may load and send: its own style sheet, and forms to ourselves.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The part of it that pages widen whose form is answered by a redirect.
const FORMS_TO_OURSELVES: &str = "form-action 'self'";

/// The headers of everything that we answer ourselves. `same-origin`, and not `no-referrer`, which would make browsers
/// write `Origin: null` on our own forms (Fetch, "append a request Origin header").
pub fn own_headers(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
}

fn page(status: StatusCode, page: &impl Template) -> Response<Bytes> {
    let mut answer = match page.render() {
        Ok(html) => Response::new(Bytes::from(html)),
        // Writing to a string does not fail; if it ever does, nothing half-made goes out.
        Err(_) => {
            let mut plain = Response::new(Bytes::from_static(b"<!doctype html><title>Fel</title><h1>Fel</h1>"));
            *plain.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            own_headers(plain.headers_mut());
            return plain;
        }
    };
    *answer.status_mut() = status;
    own_headers(answer.headers_mut());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer
}

/// The choice of an e-ID. Each leads back to `login` and keeps `rd`.
pub fn choose(site: &Site, locale: Locale, options: &[Choice], rd: &str) -> Response<Bytes> {
    let choices = options
        .iter()
        .map(|choice| Option_ {
            label: &choice.label,
            href: site.login(rd, &[("eid", choice.eid.as_str()), ("locale", locale.tag())]),
            usable: choice.usable,
        })
        .collect();
    let frame = Frame::new(site, locale).in_both(|tag| site.login(rd, &[("choose", "true"), ("locale", tag)]));
    page(StatusCode::OK, &ChoosePage { frame, choices })
}

/// Something went wrong. `retry` is a path on our base_url that a new login should lead to.
pub fn problem(
    site: &Site,
    locale: Locale,
    status: StatusCode,
    problem: Problem,
    reference: Option<Reference>,
    retry: Option<&str>,
) -> Response<Bytes> {
    let text = match problem {
        Problem::NotSignedIn | Problem::NotSent | Problem::NotSentLevel => words(locale).log_in,
        _ if problem.begins_again() => words(locale).begin_again,
        _ => words(locale).try_again,
    };
    let retry = retry.map(|rd| Link { href: site.login(rd, &[("locale", locale.tag())]), text });
    page(status, &ProblemPage { frame: Frame::new(site, locale), says: problem.says(locale), retry, reference })
}

/// Asks whether to log out: a link from anywhere may lead here, and only the button logs out.
pub fn logout_ask(site: &Site, locale: Locale) -> Response<Bytes> {
    let frame = Frame::new(site, locale).in_both(|tag| format!("{}?locale={tag}", site.path("logout")));
    let post = PostPage {
        says: words(locale).logout_ask,
        who: None,
        action: &site.path("logout"),
        fields: &[("locale", locale.tag())],
        button: words(locale).logout_button,
        link: Some(Link { href: site.home.clone(), text: words(locale).back_to_service }),
        submits_itself: false,
        script: SUBMIT,
        frame,
    };
    page(StatusCode::OK, &post)
}

/// Asks whose login it is that nobody here began (`allow_unsolicited`).
pub fn confirm(site: &Site, locale: Locale, confirm: &Confirm) -> Response<Bytes> {
    let words = words(locale);
    let who = match &confirm.name {
        Some(name) => format!("{}: {name} ({})", words.confirm_who, confirm.label),
        None => format!("{}: {}", words.confirm_who, confirm.label),
    };
    let post = PostPage {
        frame: Frame::new(site, locale),
        says: words.confirm,
        who: Some(who),
        action: &site.path("login/confirm"),
        fields: &[("token", &confirm.token)],
        button: words.confirm_button,
        link: Some(Link { href: site.home.clone(), text: words.confirm_not_me }),
        submits_itself: false,
        script: SUBMIT,
    };
    let answer = page(StatusCode::OK, &post);
    with_policy(answer, POLICY.replace(FORMS_TO_OURSELVES, forms_from(&site.origin)))
}

/// Posts a request to the provider (SAML Bindings 3.5).
pub fn to_provider(site: &Site, locale: Locale, action: &str, fields: &[(&str, &str)]) -> Response<Bytes> {
    auto_post(site, locale, words(locale).to_provider, action, fields, action)
}

/// Posts an answer to ourselves once more, from a page of ours: on a loopback `http` base_url the login's cookie is
/// SameSite=Lax and did not come along from the provider's site.
pub fn repost(site: &Site, locale: Locale, fields: &[(&str, &str)]) -> Response<Bytes> {
    auto_post(site, locale, words(locale).repost, &site.path("saml/acs"), fields, &site.origin)
}

/// `at` is whoever takes the form: its address, or only its origin.
fn auto_post(
    site: &Site,
    locale: Locale,
    says: Says,
    action: &str,
    fields: &[(&str, &str)],
    at: &str,
) -> Response<Bytes> {
    let post = PostPage {
        frame: Frame::new(site, locale),
        says,
        who: None,
        action,
        fields,
        button: words(locale).go_on,
        link: None,
        submits_itself: true,
        script: SUBMIT,
    };
    let answer = page(StatusCode::OK, &post);
    with_policy(answer, POLICY.replace(FORMS_TO_OURSELVES, forms_from(at)) + "; script-src " + &SUBMIT_HASH)
}

fn with_policy(mut answer: Response<Bytes>, policy: String) -> Response<Bytes> {
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

/// Where a form may lead in the end that is taken at `address`, as a directive. A provider sends the browser on to another
/// of its hosts, and the e-service that a login comes back to may do so too; Chromium holds the directive against each
/// redirect that follows a form. With one origin alone people would stay on our page, with a button that does nothing.
/// Plain http may follow on plain http only, which the configuration takes on loopback.
fn forms_from(address: &str) -> &'static str {
    match address.split_once(':') {
        Some(("https", _)) => "form-action 'self' https:",
        Some(("http", _)) => "form-action 'self' http: https:",
        _ => FORMS_TO_OURSELVES,
    }
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
