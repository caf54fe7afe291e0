//! Our own pages. Each is a whole answer with the headers that every page of ours carries; which one to show is decided
//! elsewhere.
//!
//! Everything that comes from outside reaches a page through a template, which escapes it. Nothing personal is shown,
//! but the name on the page that asks whose login it is.

mod choose;
mod logout;
mod post;
mod problem;
mod site;
mod status;

use std::sync::LazyLock;

use askama::Template;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::crypto::digest::sha256;

pub use choose::{Offer, choose};
pub use logout::{LoggedOut, Session, logged_out, logout_ask};
pub use post::{confirm, repost, to_provider};
pub use problem::{Ways, problem};
pub use site::{Site, View};
pub use status::status;

/// The one script that we have. The page works without it: there is a button.
const SUBMIT: &str = "document.forms[0].submit()";

/// Its digest, which is what the policy lets run (CSP 3, 2.3.1).
static SUBMIT_HASH: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", base64_simd::STANDARD.encode_to_string(sha256(SUBMIT.as_bytes()))));

/// What a page may load and send: its own style sheet and logo, and forms to ourselves.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'";

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

/// The policy of a page whose form may lead on, by `forms`, with more directives after it.
fn with_policy(mut answer: Response<Bytes>, forms: &'static str, more: &str) -> Response<Bytes> {
    if let Ok(policy) = HeaderValue::from_str(&(POLICY.replace(FORMS_TO_OURSELVES, forms) + more)) {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

fn with_forms_to(answer: Response<Bytes>, forms: &'static str) -> Response<Bytes> {
    with_policy(answer, forms, "")
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

/// The same for buttons that lead to providers.
fn forms_to_providers(site: &Site) -> &'static str {
    if site.plain_http { forms_from("http:") } else { forms_from(&site.origin) }
}

#[cfg(test)]
mod tests;
