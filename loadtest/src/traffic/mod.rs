//! What is sent, and what is thought of the answer.

pub mod conn;
pub mod payload;

use std::borrow::Cow;
use std::cell::Cell;

use http::header::{COOKIE, HOST, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};

pub use conn::Conn;
pub use payload::Payload;

use crate::Failed;

/// One request, and a number by which its sender knows it again.
pub struct Shot {
    /// The request.
    pub request: Request<Payload>,
    /// The sender's number.
    pub tag: u64,
}

/// An answer, with its body counted and thrown away.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Bytes of its body.
    pub bytes: u64,
}

impl Answer {
    /// A cookie that the answer sets, as `name=value`: the first whose name is `wanted`. Empty values count as none.
    pub fn cookie(&self, wanted: impl Fn(&str) -> bool) -> Option<&str> {
        self.headers.get_all(http::header::SET_COOKIE).iter().find_map(|value| {
            let pair = value.to_str().ok()?.split(';').next()?;
            let (name, value) = pair.split_once('=')?;
            (wanted(name) && !value.is_empty()).then_some(pair)
        })
    }
}

/// What an answer is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not, and why: counted under this name.
    Bad(Cow<'static, str>),
}

impl Verdict {
    /// Good if it has this status.
    pub fn status(answer: &Answer, expected: StatusCode) -> Self {
        if answer.status == expected { Self::Good } else { Self::unexpected(answer) }
    }

    /// Bad, under the status that it had.
    pub fn unexpected(answer: &Answer) -> Self {
        Self::Bad(Cow::Owned(format!("status {}", answer.status.as_u16())))
    }
}

/// A kind of traffic: it makes requests one after the other and judges the answers.
pub trait Traffic {
    /// The next request; none when there are no more.
    fn next(&self) -> Option<Shot>;

    /// What its answer is worth.
    fn judge(&self, tag: u64, answer: &Answer) -> Verdict;
}

/// The same requests round and round, each of which must be answered with one status.
pub struct Rounds {
    requests: Vec<Request<Payload>>,
    expected: StatusCode,
    at: Cell<usize>,
}

impl Rounds {
    /// Of `requests`.
    pub const fn new(requests: Vec<Request<Payload>>, expected: StatusCode) -> Self {
        Self { requests, expected, at: Cell::new(0) }
    }
}

impl Traffic for Rounds {
    fn next(&self) -> Option<Shot> {
        let at = self.at.replace(self.at.get().wrapping_add(1));
        let request = self.requests.get(at.checked_rem(self.requests.len())?)?;
        Some(Shot { request: request.clone(), tag: at as u64 })
    }

    fn judge(&self, _tag: u64, answer: &Answer) -> Verdict {
        Verdict::status(answer, self.expected)
    }
}

/// A request as a person's browser sends it behind a TLS-terminating proxy, with a cookie where there is one.
///
/// # Errors
/// When a part is not fit for HTTP.
pub fn request(
    method: Method,
    host: &str,
    path: &str,
    cookie: Option<&str>,
    body: Payload,
) -> Result<Request<Payload>, Failed> {
    let mut request = Request::new(body);
    let unfit = |e: &dyn std::fmt::Display| Failed::to(format!("a request for {path}"), e);
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().map_err(|e| unfit(&e))?;
    let headers = request.headers_mut();
    headers.insert(HOST, host.parse().map_err(|e| unfit(&e))?);
    headers.insert("user-agent", HeaderValue::from_static("Mozilla/5.0 (X11; Linux x86_64) grindvakt-load"));
    headers.insert("accept", HeaderValue::from_static("text/html,application/xhtml+xml,*/*;q=0.8"));
    headers.insert("accept-language", HeaderValue::from_static("sv,en;q=0.5"));
    headers.insert("sec-fetch-mode", HeaderValue::from_static("navigate"));
    if let Some(cookie) = cookie {
        headers.insert(COOKIE, cookie.parse().map_err(|e| unfit(&e))?);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_counts_when_it_has_a_value() {
        let mut answer = Answer { status: StatusCode::SEE_OTHER, headers: HeaderMap::new(), bytes: 0 };
        for (set, found) in [
            ("other=1; Path=/", None),
            ("__Host-eid-load=; Max-Age=0", None),
            ("__Host-eid-load-abc=v1.x", None),
            ("__Host-eid-load=v1.x; Path=/; Secure", Some("__Host-eid-load=v1.x")),
        ] {
            answer.headers.append("set-cookie", set.parse().unwrap());
            assert_eq!(answer.cookie(|name| name == "__Host-eid-load"), found, "{set}");
        }
    }

    #[test]
    fn rounds_go_round() {
        let one = |path| request(Method::GET, "a", path, None, Payload::empty()).unwrap();
        let rounds = Rounds::new(vec![one("/a"), one("/b")], StatusCode::OK);
        let paths: Vec<String> = (0..3).map(|_| rounds.next().unwrap().request.uri().path().to_owned()).collect();
        assert_eq!(paths, ["/a", "/b", "/a"]);
        assert!(Rounds::new(Vec::new(), StatusCode::OK).next().is_none());
    }
}
