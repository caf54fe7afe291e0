//! Forward-auth: a proxy that stands in front of the e-service asks us about each request, and passes it on itself.
//!
//! Three ways of asking are spoken, each under a path of its own:
//!
//! * `auth/nginx`: `X-Original-URI` (or `X-Original-URL`) and `X-Original-Method`; answers are 200, 401 or 403, since
//!   `auth_request` makes a 500 of every other;
//! * `auth/traefik`, which Caddy speaks too: `X-Forwarded-Uri` and `X-Forwarded-Method`; an answer that is no 2xx goes to
//!   the browser as it is;
//! * `auth/envoy/…`: the request itself, with this path before its own (`ext_authz` over HTTP); likewise.
//!
//! What is asked about is what somebody tells us, so nobody is answered but a proxy of `listen.trusted_proxies`, in a way that
//! `listen.forward_auth` names. And what
//! passes on is not us: a path that has more than one reading, or another form than the one that we decide on, is refused,
//! since the e-service will be sent what the proxy got and not what we read.

use std::str::FromStr;

use http::header::{COOKIE, HeaderName, LOCATION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};

use super::body::{AnswerBody, RequestBody};
use super::respond::{self, Fault};
use super::server::Client;
use super::service::{Came, Generation};
use super::upstream::Upstream;
use super::{cookies, upgrade};
use crate::config::ForwardAuth as Dialect;
use crate::gate::{Decision, IdentityHeader, Permit};
use crate::policy::normal_path;
use crate::telemetry::AskedInVain;

/// What the header of a refusal is called. It folds to ours, so no client can send it.
const REFUSED: HeaderName = HeaderName::from_static("x-eid-refused");

/// The status that a proxy which takes only 401 and 403 should give in the place of those.
const STATUS: HeaderName = HeaderName::from_static("x-eid-status");

/// What Envoy takes off a request that it passes on.
const ENVOY_REMOVES: HeaderName = HeaderName::from_static("x-envoy-auth-headers-to-remove");

/// By what comes after our prefix, in normal form.
fn named(rest: &str) -> Option<Dialect> {
    match rest {
        "/auth/nginx" => Some(Dialect::Nginx),
        "/auth/traefik" => Some(Dialect::Traefik),
        _ => rest.strip_prefix("/auth/envoy").filter(|own| own.starts_with('/')).map(|_| Dialect::Envoy),
    }
}

/// A request that was asked about. It has no body, and its headers are those of the question.
type Original = Request<()>;

/// The one value of a header; an error for several, or for one that is no text.
fn only<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, &'static str> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => one.to_str().map(Some).map_err(|_| "a header of the question is no text"),
        (Some(_), Some(_)) => Err("a header of the question is doubled"),
    }
}

/// What a full address has after its authority.
fn after_authority(address: &str) -> Option<&str> {
    let rest = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"))?;
    rest.find('/').and_then(|at| rest.get(at..))
}

/// The request that is asked about.
///
/// # Errors
/// What is missing, said twice, or malformed. Never a value.
fn original<B>(dialect: Dialect, prefix: &str, question: &Request<B>) -> Result<Original, &'static str> {
    let headers = question.headers();
    let (target, method) = match dialect {
        Dialect::Nginx => {
            let target = match (only(headers, "x-original-uri")?, only(headers, "x-original-url")?) {
                (Some(uri), None) => uri,
                (None, Some(url)) => after_authority(url).ok_or("X-Original-URL is no full address")?,
                (Some(_), Some(_)) => {
                    return Err("both X-Original-URI and X-Original-URL: which counts would be a guess");
                }
                (None, None) => return Err("no X-Original-URI"),
            };
            (target, only(headers, "x-original-method")?.ok_or("no X-Original-Method")?)
        }
        Dialect::Traefik => (
            only(headers, "x-forwarded-uri")?.ok_or("no X-Forwarded-Uri")?,
            only(headers, "x-forwarded-method")?.ok_or("no X-Forwarded-Method")?,
        ),
        Dialect::Envoy => {
            let own = question.uri().path_and_query().map(PathAndQuery::as_str).unwrap_or_default();
            // As it was written: another spelling of our own path is no question.
            let rest = own.strip_prefix(prefix).and_then(|rest| rest.strip_prefix("/auth/envoy"));
            (rest.ok_or("the path does not begin with auth/envoy as it is written")?, question.method().as_str())
        }
    };
    if !target.starts_with('/') {
        return Err("the address that is asked about does not begin with a slash");
    }
    // Ours ends there, and the e-service's may not: what the proxy passes on is the whole of it (T46).
    if target.contains('#') {
        return Err("the address that is asked about holds a fragment");
    }
    let target = PathAndQuery::from_str(target).map_err(|_| "the address that is asked about is malformed")?;
    let mut original = Request::new(());
    *original.uri_mut() = Uri::from(target);
    *original.method_mut() = Method::from_str(method).map_err(|_| "the method that is asked about is malformed")?;
    *original.headers_mut() = headers.clone();
    Ok(original)
}

/// The path that is decided on; none where the e-service might read it in another way than we do. Encodings in lower case
/// are the one other form that is taken: nobody reads them otherwise.
fn decided_path(written: &str) -> Option<String> {
    let normal = normal_path(written).ok()?;
    // Where nothing was decoded the two are of one length, and then the normal form has changed digits alone.
    (written.len() == normal.len()).then(|| normal.into_owned())
}

/// Whether a browser opens a WebSocket by it: such a request is bound to the pages that may. One over HTTP/2 has no key
/// (RFC 8441, 5), and a proxy may keep `Upgrade` to itself.
fn opens_websocket(headers: &HeaderMap) -> bool {
    let says = |name: &str| headers.get(name).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let opening = [SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION].iter().any(|name| headers.contains_key(name));
    opening || says(UPGRADE.as_str()) || says("sec-fetch-mode")
}

impl<U: Upstream> Generation<U> {
    /// Which dialect a path of ours is a question in; `path` is in normal form. One that is not switched on is no path
    /// of ours: where everything goes through us, nobody has to be told.
    pub(super) fn dialect(&self, path: &str) -> Option<Dialect> {
        let asked = path.strip_prefix(self.site.prefix.as_str()).and_then(named)?;
        self.config.listen.forward_auth.contains(&asked).then_some(asked)
    }

    /// Answers a proxy's question.
    pub(super) async fn ask(
        &self,
        dialect: Dialect,
        question: Request<RequestBody>,
        client: &Client,
        came: Came,
    ) -> Response<AnswerBody> {
        if !self.proxy.address.trusts(client.address.ip()) {
            let detail = "listen.trusted_proxies does not name who asks";
            return self.in_vain(dialect, &question, Fault::UntrustedProxy, detail);
        }
        let original = match original(dialect, &self.site.prefix, &question) {
            Ok(original) => original,
            Err(detail) => return self.in_vain(dialect, &question, Fault::BadForwarded, detail),
        };
        if matches!(*original.method(), Method::TRACE | Method::CONNECT) {
            return self.in_vain(dialect, &original, Fault::BadForwarded, "TRACE and CONNECT are not passed on");
        }
        let Some(path) = decided_path(original.uri().path()) else {
            let detail = "the path that is asked about has more than one reading, or is not in its normal form";
            return self.in_vain(dialect, &original, Fault::BadPath, detail);
        };
        if self.own.find(&path).is_some() {
            let detail = "a path of our own is asked about: the proxy must pass it on to us";
            return self.in_vain(dialect, &original, Fault::NotFound, detail);
        }
        match self.decide(&original, &path).await {
            Decision::Permit(permit) => {
                let bound = permit.lease.as_ref().is_some_and(|lease| lease.session().is_some());
                if bound
                    && opens_websocket(original.headers())
                    && !upgrade::is_from(original.headers(), &self.proxy.websocket_origins)
                {
                    let detail = "a page of another origin opens a WebSocket";
                    return self.in_vain(dialect, &original, Fault::CrossSite, detail);
                }
                self.telemetry.metrics().requests.allowed(&permit.route, came.began);
                self.allowed(dialect, &original, &permit)
            }
            Decision::Denied(denial) => {
                let answer = self.denied_with_challenge(&original, &path, &denial);
                self.in_dialect(dialect, answer, denial.code())
            }
        }
    }

    /// Yes, with what to tell the e-service.
    fn allowed(&self, dialect: Dialect, original: &Original, permit: &Permit) -> Response<AnswerBody> {
        let mut answer = respond::yes();
        let mut left = HeaderMap::new();
        original.headers().get_all(COOKIE).iter().for_each(|value| _ = left.append(COOKIE, value.clone()));
        cookies::hide(&mut left, &self.proxy.cookies);
        let headers = answer.headers_mut();
        if let Some(identity) = &permit.headers {
            self.proxy.identity.attach(headers, identity);
        }
        if let Some(cookie) = left.remove(COOKIE) {
            headers.insert(COOKIE, cookie);
        }
        if dialect == Dialect::Envoy {
            // It adds what it is told to, and leaves the rest as the client sent it.
            let ours = IdentityHeader::ALL.iter().map(|header| header.name());
            let all = ours.chain(self.proxy.identity.mapped()).chain([COOKIE.as_str()]);
            let gone: Vec<&str> = all.filter(|name| !headers.contains_key(*name)).collect();
            if let Ok(gone) = HeaderValue::from_str(&gone.join(", ")) {
                headers.insert(ENVOY_REMOVES, gone);
            }
        }
        cookies::set_all(headers, permit.set_cookie.as_slice());
        answer.map(AnswerBody::from)
    }

    /// A question that nothing is decided about.
    fn in_vain<B>(
        &self,
        dialect: Dialect,
        asked: &Request<B>,
        fault: Fault,
        detail: &'static str,
    ) -> Response<AnswerBody> {
        let reference = self.reference();
        self.telemetry.emit(AskedInVain {
            dialect: dialect.name(),
            code: fault.code(),
            detail,
            reference: reference.as_str(),
        });
        let answer = self.fault(asked, fault, Some(reference));
        self.in_dialect(dialect, answer, fault.code())
    }

    fn in_dialect(
        &self,
        dialect: Dialect,
        mut answer: Response<AnswerBody>,
        code: &'static str,
    ) -> Response<AnswerBody> {
        // A page of another host would otherwise be led to a path of its own.
        if let Some(absolute) = answer.headers().get(LOCATION).and_then(|to| self.absolute(to)) {
            answer.headers_mut().insert(LOCATION, absolute);
        }
        if dialect == Dialect::Nginx { respond::for_nginx(answer, code, &REFUSED, &STATUS) } else { answer }
    }

    fn absolute(&self, location: &HeaderValue) -> Option<HeaderValue> {
        let path = location.to_str().ok().filter(|path| path.starts_with('/'))?;
        HeaderValue::from_str(&format!("{}{path}", self.site.origin)).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn question(target: &str, headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn each_proxy_asks_in_its_own_way() {
        use Dialect::{Envoy, Nginx, Traefik};
        let get = ("x-original-method", "GET");
        for (dialect, target, headers, expect) in [
            (Nginx, "/eid/auth/nginx", &[("x-original-uri", "/a?b=1"), get][..], Ok("GET /a?b=1")),
            (Nginx, "/eid/auth/nginx", &[("x-original-url", "https://e.example.se/a?b=1"), get], Ok("GET /a?b=1")),
            (Nginx, "/eid/auth/nginx", &[("x-original-url", "/a"), get], Err("X-Original-URL is no full address")),
            (Nginx, "/eid/auth/nginx", &[("x-original-uri", "/a")], Err("no X-Original-Method")),
            (Nginx, "/eid/auth/nginx", &[get], Err("no X-Original-URI")),
            (
                Nginx,
                "/eid/auth/nginx",
                &[("x-original-uri", "/om"), ("x-original-uri", "/a"), get],
                Err("a header of the question is doubled"),
            ),
            (
                Nginx,
                "/eid/auth/nginx",
                &[("x-original-uri", "/a"), ("x-original-url", "https://e/om"), get],
                Err("both X-Original-URI and X-Original-URL: which counts would be a guess"),
            ),
            (Nginx, "/eid/auth/nginx", &[("x-forwarded-uri", "/om"), get], Err("no X-Original-URI")),
            (Traefik, "/eid/auth/traefik", &[("x-forwarded-uri", "/a"), ("x-forwarded-method", "POST")], Ok("POST /a")),
            (Traefik, "/eid/auth/traefik", &[("x-forwarded-uri", "/a")], Err("no X-Forwarded-Method")),
            (
                Traefik,
                "/eid/auth/traefik",
                &[("x-forwarded-uri", "evil"), ("x-forwarded-method", "GET")],
                Err("the address that is asked about does not begin with a slash"),
            ),
            (
                Nginx,
                "/eid/auth/nginx",
                &[("x-original-uri", "/om#/../ansokan"), get],
                Err("the address that is asked about holds a fragment"),
            ),
            (Envoy, "/eid/auth/envoy/a/b?c=1", &[], Ok("GET /a/b?c=1")),
            (Envoy, "/eid/auth/envoy/", &[], Ok("GET /")),
            (Envoy, "/eid/%61uth/envoy/a", &[], Err("the path does not begin with auth/envoy as it is written")),
        ] {
            let got = original(dialect, "/eid", &question(target, headers));
            let got = got.map(|original| format!("{} {}", original.method(), original.uri()));
            assert_eq!(got, expect.map(str::to_owned), "{target} {headers:?}");
        }
    }

    #[test]
    fn only_a_path_with_one_form_is_decided_on() {
        for (written, decided) in [
            ("/ansokan/1", Some("/ansokan/1")),
            ("/", Some("/")),
            ("/ans%C3%B6kan", Some("/ans%C3%B6kan")),
            ("/ans%c3%b6kan", Some("/ans%C3%B6kan")),
            ("/%6Fm/x", None),
            ("/om/%41dmin", None),
            ("/om/../ansokan", None),
            ("/om//x", None),
            ("/om/%2e%2e/x", None),
            ("/om;x/y", None),
            ("/om/%2F", None),
        ] {
            assert_eq!(decided_path(written).as_deref(), decided, "{written}");
        }
    }

    #[test]
    fn the_paths_of_the_dialects_are_exact() {
        for (rest, dialect) in [
            ("/auth/nginx", Some(Dialect::Nginx)),
            ("/auth/traefik", Some(Dialect::Traefik)),
            ("/auth/envoy/", Some(Dialect::Envoy)),
            ("/auth/envoy/a/b", Some(Dialect::Envoy)),
            ("/auth/envoy", None),
            ("/auth/envoyx/", None),
            ("/auth/nginx/", None),
            ("/auth/caddy", None),
            ("/auth", None),
        ] {
            assert_eq!(named(rest), dialect, "{rest}");
        }
    }
}
