//! From a refusal to an HTTP answer. No other file turns a [`Denial`] into a status.
//!
//! A person gets a page with one plain sentence, a program gets problem details (RFC 9457), a gRPC client gets a gRPC
//! status. All get the stable code's reference, and none is told more of the cause than it can act on.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::pages::{self, Site, View, Ways};
use super::text::Problem;
use crate::base::UnixTime;
use crate::gate::{Denial, Reference, Refusal};
use crate::session::Locale;
use crate::verify::Reason;

/// Who asks, and for what: all that the form of an answer hangs on.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'r> {
    /// A person follows a link (GET or HEAD): a redirect can take them on.
    pub navigation: bool,
    /// The answer is shown as a page, also to a posted form.
    pub page: bool,
    /// A gRPC client: it looks at nothing but its own status.
    pub grpc: bool,
    /// The person's language.
    pub locale: Locale,
    /// The path and query that were asked for: where a login leads back to.
    pub target: &'r str,
    /// The instant: a page may tell of maintenance.
    pub now: UnixTime,
}

impl Asked<'_> {
    /// In the language of the login, where that is known.
    pub fn in_language(self, locale: Option<Locale>) -> Self {
        Self { locale: locale.unwrap_or(self.locale), ..self }
    }

    /// For whom a page is made, and when.
    pub const fn view<'s>(&self, site: &'s Site) -> View<'s> {
        View { site, locale: self.locale, now: self.now }
    }
}

/// What is answered, apart from its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    status: StatusCode,
    problem: Problem,
    retry_after_secs: Option<u16>,
}

const fn verdict(status: StatusCode, problem: Problem) -> Verdict {
    Verdict { status, problem, retry_after_secs: None }
}

/// Nobody can do anything about it but wait. Ten seconds spread the retries without keeping people waiting.
const fn later(problem: Problem) -> Verdict {
    Verdict { status: StatusCode::SERVICE_UNAVAILABLE, problem, retry_after_secs: Some(10) }
}

/// The table. Whose fault it was decides the class: 4xx for what came in, 503 for what others owe us, 500 for us.
fn judge(denial: &Denial) -> Verdict {
    match denial {
        Denial::NeedsLogin { .. } => verdict(StatusCode::UNAUTHORIZED, Problem::NotSignedIn),
        Denial::StepUp { lacks, .. } => verdict(StatusCode::FORBIDDEN, lacking(lacks.reason())),
        Denial::Rejected(reject) => rejected(reject.reason()),
        Denial::Replayed(_) => verdict(StatusCode::FORBIDDEN, Problem::Used),
        // A program reads the challenge beside it.
        Denial::Token { .. } => verdict(StatusCode::UNAUTHORIZED, Problem::Token),
        Denial::TokenLacks { .. } => verdict(StatusCode::FORBIDDEN, Problem::TokenLacks),
        Denial::Unclear(_) => verdict(StatusCode::BAD_REQUEST, Problem::Form),
        Denial::BothCredentials => verdict(StatusCode::BAD_REQUEST, Problem::BothCredentials),
        Denial::OtherPerson => verdict(StatusCode::FORBIDDEN, Problem::OtherPerson),
        Denial::ProvidersDown => later(Problem::NoProvider),
        Denial::StoreDown(_) | Denial::Overloaded => later(Problem::Busy),
        Denial::Internal(_) => verdict(StatusCode::INTERNAL_SERVER_ERROR, Problem::Internal),
    }
}

const fn lacking(reason: Reason) -> Problem {
    match reason {
        Reason::RequiredAttributeMissing => Problem::Attribute,
        Reason::LoginTooOld => Problem::Fresh,
        _ => Problem::Level,
    }
}

/// The one place where `_` stands for reasons: every reason not named is "the login failed", and what it was is for the
/// operator.
const fn rejected(reason: Reason) -> Verdict {
    match reason {
        Reason::StateMissing => verdict(StatusCode::BAD_REQUEST, Problem::Elsewhere),
        Reason::StateInvalid | Reason::StateExpired | Reason::LoginOtherInstance => {
            verdict(StatusCode::BAD_REQUEST, Problem::Lost)
        }
        Reason::MessageEncoding | Reason::CallbackMalformed => verdict(StatusCode::BAD_REQUEST, Problem::Form),
        Reason::MessageTooLarge => verdict(StatusCode::PAYLOAD_TOO_LARGE, Problem::Form),
        Reason::ProviderWithoutKeys => later(Problem::NoProvider),
        Reason::ProviderFailed | Reason::TokenEndpointFailed | Reason::UserInfoFailed | Reason::PushFailed => {
            later(Problem::ProviderFailed)
        }
        Reason::ReplayStoreFull => later(Problem::Busy),
        Reason::StatusCancel => verdict(StatusCode::FORBIDDEN, Problem::Cancelled),
        Reason::StatusFraud | Reason::StatusPossibleFraud => verdict(StatusCode::FORBIDDEN, Problem::Stopped),
        Reason::Replayed | Reason::LoginConsumed => verdict(StatusCode::FORBIDDEN, Problem::Used),
        Reason::LoginInProgress => verdict(StatusCode::CONFLICT, Problem::OnItsWay),
        Reason::RequiredAttributeMissing => verdict(StatusCode::FORBIDDEN, Problem::Attribute),
        Reason::LoginTooOld | Reason::LoginEnded => verdict(StatusCode::FORBIDDEN, Problem::Fresh),
        Reason::LoaNotAllowed
        | Reason::LoaNotRequested
        | Reason::LoaNotCertified
        | Reason::EidNotAllowed
        | Reason::StatusNoAuthnContext => verdict(StatusCode::FORBIDDEN, Problem::Level),
        _ => verdict(StatusCode::FORBIDDEN, Problem::Failed),
    }
}

/// A request was denied. A person without a session, or with too little, is sent to log in.
pub fn denied(site: &Site, asked: &Asked<'_>, denial: &Denial, reference: Reference) -> Response<Bytes> {
    let login = matches!(denial, Denial::NeedsLogin { .. } | Denial::StepUp { .. });
    if login && asked.navigation && !asked.grpc {
        return see_other(&site.login(asked.target, &[]));
    }
    let reference = if let Denial::Internal(own) = denial { *own } else { reference };
    let mut verdict = judge(denial);
    // What was posted is lost in a login, and it is never posted again in the person's name. So they are told before they
    // leave the page behind.
    if asked.page && !asked.navigation && !asked.grpc {
        verdict.problem = match denial {
            Denial::NeedsLogin { .. } => Problem::NotSent,
            Denial::StepUp { .. } => Problem::NotSentLevel,
            _ => verdict.problem,
        };
    }
    let ways = Ways { retry: Some(asked.target), ..Ways::default() };
    answer(site, asked, verdict, denial.code(), Some(reference), ways)
}

/// A login was refused. Its cookies are not set here.
pub fn refused(site: &Site, asked: &Asked<'_>, refusal: &Refusal) -> Response<Bytes> {
    let asked = asked.in_language(refusal.locale);
    // Without the login's own state there is still a way on: to the front page.
    let retry = refusal.retry.as_deref().unwrap_or(&site.home);
    let verdict = judge(&refusal.denial);
    // Nobody is invited to try again who was stopped because of fraud.
    let ways = match verdict.problem {
        Problem::Stopped => Ways::default(),
        _ => Ways { retry: Some(retry), alternates: &refusal.alternates },
    };
    answer(site, &asked, verdict, refusal.denial.code(), Some(refusal.reference), ways)
}

/// A message of single logout was refused.
pub fn logout_refused(site: &Site, asked: &Asked<'_>, denial: &Denial, reference: Reference) -> Response<Bytes> {
    let mut verdict = judge(denial);
    // What is left of a login's words would be about the wrong thing.
    if verdict.status.is_client_error() {
        verdict.problem = Problem::LogoutFailed;
    }
    let reference = if let Denial::Internal(own) = denial { *own } else { reference };
    answer(site, asked, verdict, denial.code(), Some(reference), Ways::default())
}

/// What goes wrong before the gate is asked, or after it has said yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The path has no normal form.
    BadPath,
    /// A request whose form has two readings.
    BadRequest,
    /// More header fields than anybody needs.
    TooManyHeaders,
    /// A body that broke off, or that is not what its head says.
    BadBody,
    /// A form that is none.
    BadForm,
    /// Something is expected of us that we do not know.
    Expectation,
    /// A form over the limit.
    TooLarge,
    /// A form in another encoding than forms have.
    MediaType,
    /// Nothing of that name under the prefix.
    NotFound,
    /// A method that the path does not take; what it takes, as the `Allow` header writes it.
    Method(&'static str),
    /// A change asked for from another site.
    CrossSite,
    /// The `session` path without a live session.
    NoSession,
    /// The e-service cannot be reached, or breaks off.
    UpstreamDown,
    /// The e-service does not answer in time.
    UpstreamSlow,
    /// The client stopped sending in the middle of its request.
    ClientSlow,
    /// A WebSocket is asked for in a way that two readers could take for two things.
    BadUpgrade,
    /// The e-service speaks a protocol that has no WebSockets here.
    NoUpgrade,
    /// A proxy that we do not trust asks about a request (forward-auth).
    UntrustedProxy,
    /// A proxy's question that names no request, or two.
    BadForwarded,
    /// More forms are being read than there is room for.
    Overloaded,
    /// Our own fault.
    Internal,
}

impl Fault {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::BadPath => "bad_path",
            Self::BadRequest => "bad_request",
            Self::TooManyHeaders => "too_many_headers",
            Self::BadBody => "bad_body",
            Self::Expectation => "bad_expectation",
            Self::BadForm => "bad_form",
            Self::TooLarge => "message_too_large",
            Self::MediaType => "bad_media_type",
            Self::NotFound => "not_found",
            Self::Method(_) => "bad_method",
            Self::CrossSite => "cross_site",
            Self::NoSession => "needs_login",
            Self::UpstreamDown => "upstream_down",
            Self::UpstreamSlow => "upstream_timeout",
            Self::ClientSlow => "request_timeout",
            Self::BadUpgrade => "bad_upgrade",
            Self::NoUpgrade => "upgrade_unsupported",
            Self::UntrustedProxy => "untrusted_proxy",
            Self::BadForwarded => "bad_forwarded",
            Self::Overloaded => "overloaded",
            Self::Internal => "internal",
        }
    }

    const fn verdict(self) -> Verdict {
        match self {
            Self::BadPath => verdict(StatusCode::BAD_REQUEST, Problem::Address),
            Self::TooManyHeaders => verdict(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Problem::Form),
            Self::BadRequest | Self::BadBody | Self::BadForm => verdict(StatusCode::BAD_REQUEST, Problem::Form),
            Self::Expectation => verdict(StatusCode::EXPECTATION_FAILED, Problem::Form),
            Self::TooLarge => verdict(StatusCode::PAYLOAD_TOO_LARGE, Problem::Form),
            Self::MediaType => verdict(StatusCode::UNSUPPORTED_MEDIA_TYPE, Problem::Form),
            Self::NotFound => verdict(StatusCode::NOT_FOUND, Problem::NotFound),
            Self::Method(_) => verdict(StatusCode::METHOD_NOT_ALLOWED, Problem::Method),
            Self::CrossSite => verdict(StatusCode::FORBIDDEN, Problem::CrossSite),
            Self::NoSession => verdict(StatusCode::UNAUTHORIZED, Problem::NotSignedIn),
            Self::UpstreamDown => verdict(StatusCode::BAD_GATEWAY, Problem::Upstream),
            Self::UpstreamSlow => verdict(StatusCode::GATEWAY_TIMEOUT, Problem::Upstream),
            Self::ClientSlow => verdict(StatusCode::REQUEST_TIMEOUT, Problem::Form),
            Self::BadUpgrade => verdict(StatusCode::BAD_REQUEST, Problem::Method),
            Self::NoUpgrade => verdict(StatusCode::NOT_IMPLEMENTED, Problem::Method),
            Self::UntrustedProxy => verdict(StatusCode::FORBIDDEN, Problem::NotFound),
            Self::BadForwarded => verdict(StatusCode::BAD_REQUEST, Problem::Form),
            Self::Overloaded => later(Problem::Busy),
            Self::Internal => verdict(StatusCode::INTERNAL_SERVER_ERROR, Problem::Internal),
        }
    }
}

/// Answers a [`Fault`].
pub fn fault(site: &Site, asked: &Asked<'_>, fault: Fault, reference: Option<Reference>) -> Response<Bytes> {
    let mut out = answer(site, asked, fault.verdict(), fault.code(), reference, Ways::default());
    if let Fault::Method(allow) = fault {
        out.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    }
    out
}

/// Yes, to a proxy that asks about a request.
pub fn yes() -> Response<Bytes> {
    let mut out = Response::new(Bytes::new());
    out.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    out
}

/// A refusal as nginx's `auth_request` takes it: 401 where a login or other credentials would help, else 403. The answer
/// that it would be elsewhere is told beside it: its code, its status, and where a person is led.
pub fn for_nginx<B>(
    mut answer: Response<B>,
    code: &'static str,
    named: &HeaderName,
    meant: &HeaderName,
) -> Response<B> {
    let status = answer.status();
    let to_login = status == StatusCode::UNAUTHORIZED || (status == StatusCode::SEE_OTHER && code == "needs_login");
    *answer.status_mut() = if to_login { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
    let headers = answer.headers_mut();
    headers.insert(named.clone(), HeaderValue::from_static(code));
    headers.insert(meant.clone(), status.as_u16().into());
    answer
}

/// 303: whatever the method was, the next is a GET (RFC 9110, 15.4.4). `location` is ours or comes from verified
/// metadata; what no header can hold is percent-encoded.
pub fn see_other(location: &str) -> Response<Bytes> {
    let mut out = Response::new(Bytes::new());
    pages::own_headers(out.headers_mut());
    let encoded = percent_encoding::utf8_percent_encode(location, NOT_IN_HEADERS).to_string();
    match HeaderValue::from_str(&encoded) {
        Ok(location) => {
            *out.status_mut() = StatusCode::SEE_OTHER;
            out.headers_mut().insert(LOCATION, location);
        }
        // Cannot be: only visible ASCII is left.
        Err(_) => *out.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    out
}

/// Controls, the space and everything outside ASCII.
const NOT_IN_HEADERS: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b' ');

/// A document that is no page.
pub fn document(media_type: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut out = Response::new(body.into());
    pages::own_headers(out.headers_mut());
    out.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    out
}

fn answer(
    site: &Site,
    asked: &Asked<'_>,
    verdict: Verdict,
    code: &'static str,
    reference: Option<Reference>,
    ways: Ways<'_>,
) -> Response<Bytes> {
    if asked.grpc {
        return grpc(verdict, code, reference);
    }
    let Verdict { status, problem, retry_after_secs } = verdict;
    let mut out = if asked.page {
        pages::problem(asked.view(site), status, problem, reference, ways)
    } else {
        let mut details = serde_json::json!({
            "type": "about:blank",
            "title": problem.says(Locale::En).title,
            "status": status.as_u16(),
            "code": code,
        });
        if let Some(members) = details.as_object_mut() {
            if let Some(reference) = reference {
                members.insert("reference".into(), reference.as_str().into());
            }
            if matches!(status, StatusCode::UNAUTHORIZED)
                || matches!(problem, Problem::Level | Problem::Attribute | Problem::Fresh)
            {
                members.insert("login".into(), site.path("login").into());
            }
        }
        document("application/problem+json", details.to_string())
    };
    *out.status_mut() = status;
    if let Some(seconds) = retry_after_secs {
        out.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    if status == StatusCode::UNAUTHORIZED {
        challenge(&mut out, site);
    }
    out
}

/// A 401 says what would help (RFC 9110, 11.6.1): a cookie, to be had at the login page. There is no registered scheme
/// for that, and browsers pass over one that they do not know, which is what we want of them.
fn challenge(out: &mut Response<Bytes>, site: &Site) {
    // A path of ours is plain ASCII without quotes.
    if let Ok(value) = HeaderValue::from_str(&format!("Cookie form-action=\"{}\"", site.path("login"))) {
        out.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
}

/// The gRPC status of a verdict (gRPC's `doc/statuscodes.md`).
const fn grpc_status(status: StatusCode) -> u16 {
    match status.as_u16() {
        // UNAUTHENTICATED
        401 => 16,
        // PERMISSION_DENIED
        403 => 7,
        // UNIMPLEMENTED
        404 | 405 | 501 => 12,
        // DEADLINE_EXCEEDED
        408 => 4,
        // UNAVAILABLE: the one that clients may try again
        502..=504 => 14,
        // INTERNAL
        500 => 13,
        // INVALID_ARGUMENT
        _ => 3,
    }
}

/// A "Trailers-Only" answer: the headers are all (gRPC's `doc/PROTOCOL-HTTP2.md`, Responses). Any other status than 200
/// would make clients guess.
fn grpc(verdict: Verdict, code: &'static str, reference: Option<Reference>) -> Response<Bytes> {
    let title = verdict.problem.says(Locale::En).title;
    let message = match reference {
        Some(reference) => format!("{title} ({code}, reference {reference})"),
        None => format!("{title} ({code})"),
    };
    let mut out = Response::new(Bytes::new());
    let headers = out.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", grpc_status(verdict.status).into());
    // Ours are ASCII without a per cent sign: nothing has to be encoded.
    if let Ok(message) = HeaderValue::from_str(&message) {
        headers.insert("grpc-message", message);
    }
    out
}

#[cfg(test)]
#[path = "respond_tests.rs"]
mod tests;
