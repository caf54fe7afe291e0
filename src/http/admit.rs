//! What a request must be before anything is asked of it: one host, a body only where it means something, and nothing
//! expected of us that we do not know.
//!
//! None of it decides who may do what: the path alone does, and the host is ours whatever is said. But what stands
//! before us may have decided by what is refused here (T45, T57).

use http::header::{CONTENT_LENGTH, EXPECT, HOST};
use http::{Method, Request, Version};
use hyper::body::Body;

use super::framing::number;
use super::respond::Fault;
use crate::base::limits;

/// Looks at a request's form.
///
/// # Errors
/// `bad_request` for a host that is missing, doubled, malformed or another one than the target's, for a length that is
/// doubled or no number, for a method that is a known one but for its case, and for a body on GET or HEAD;
/// `too_many_headers`; `bad_expectation`.
pub fn admit<B: Body>(request: &Request<B>) -> Result<(), Fault> {
    if request.headers().len() > limits::HEADERS {
        return Err(Fault::TooManyHeaders);
    }
    one_host(request)?;
    one_length(request)?;
    if is_disguised(request.method()) {
        return Err(Fault::BadRequest);
    }
    // It has no meaning (RFC 9110, 9.3.1), and a server that leaves it unread reads it as the next request: one that we
    // have not seen, on a connection that others share.
    if matches!(*request.method(), Method::GET | Method::HEAD) && !request.body().is_end_stream() {
        return Err(Fault::BadRequest);
    }
    let mut expected = request.headers().get_all(EXPECT).iter();
    match (expected.next(), expected.next()) {
        (None, _) => Ok(()),
        (Some(expected), None) if expected.as_bytes().eq_ignore_ascii_case(b"100-continue") => Ok(()),
        _ => Err(Fault::Expectation),
    }
}

/// RFC 9112, 3.2: HTTP/1.1 has one Host, and the host of an absolute target is the same. HTTP/2 has `:authority` in its
/// place (RFC 9113, 8.3.1).
fn one_host<B>(request: &Request<B>) -> Result<(), Fault> {
    let mut hosts = request.headers().get_all(HOST).iter().map(|host| host.as_bytes());
    let host = match (hosts.next(), hosts.next()) {
        (host, None) => host,
        (_, Some(_)) => return Err(Fault::BadRequest),
    };
    let target = request.uri();
    let authority = target.authority().map(|authority| authority.as_str().as_bytes());
    let known_scheme = target.scheme_str().is_none_or(|scheme| matches!(scheme, "http" | "https"));
    let good = match (host, authority) {
        (None, None) => request.version() < Version::HTTP_11,
        (None, Some(one)) => is_host(one) && request.version() != Version::HTTP_11,
        (Some(one), None) => is_host(one),
        (Some(one), Some(other)) => is_host(one) && one.eq_ignore_ascii_case(other),
    };
    if good && known_scheme { Ok(()) } else { Err(Fault::BadRequest) }
}

/// One length at the most, written in one way. HTTP/1 has no other by now; HTTP/2 has its frames, and of a length only
/// demands that it agrees with them: two of the same would stand there twice on the way to the e-service (T57).
fn one_length<B>(request: &Request<B>) -> Result<(), Fault> {
    let mut lengths = request.headers().get_all(CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(()),
        (Some(length), None) if number(length.as_bytes()).is_some() => Ok(()),
        _ => Err(Fault::BadRequest),
    }
}

/// Methods have their case (RFC 9110, 9.1), and some servers do not know: what is `get` here would be `GET` there.
fn is_disguised(method: &Method) -> bool {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    let method = method.as_str();
    KNOWN.iter().any(|known| method.eq_ignore_ascii_case(known) && method != *known)
}

/// Whether a text is a name or an address, and perhaps a port (RFC 3986, 3.2.2, less what no host has).
fn is_host(text: &[u8]) -> bool {
    let of = |text: &[u8], good: fn(&u8) -> bool| !text.is_empty() && text.iter().all(good);
    let (name_is_good, rest) = match text.strip_prefix(b"[") {
        Some(inner) => {
            let Some(end) = inner.iter().position(|b| *b == b']') else { return false };
            let (address, rest) = inner.split_at(end);
            (of(address, |b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.')), rest.get(1..).unwrap_or_default())
        }
        None => {
            let (name, rest) = text.split_at(text.iter().position(|b| *b == b':').unwrap_or(text.len()));
            (of(name, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')), rest)
        }
    };
    let port_is_good = match rest.split_first() {
        None => true,
        Some((b':', port)) => port.len() <= 5 && of(port, u8::is_ascii_digit),
        Some(_) => false,
    };
    name_is_good && port_is_good
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #[test]
    fn headers_are_counted_and_methods_have_their_case() {
        for (count, expect) in [(99, Ok(())), (100, Err(Fault::TooManyHeaders))] {
            let mut request = Request::builder().uri("/x").header(HOST, "e.example.se");
            for _ in 0..count {
                request = request.header("a", "");
            }
            assert_eq!(admit(&request.body(Empty::<Bytes>::new()).unwrap()), expect, "{count} and Host");
        }
        for (method, expect) in [
            ("GET", Ok(())),
            ("get", Err(Fault::BadRequest)),
            ("Trace", Err(Fault::BadRequest)),
            ("connecT", Err(Fault::BadRequest)),
            ("PROPFIND", Ok(())),
            ("propfind", Ok(())),
        ] {
            let request = Request::builder().method(method).uri("/x").header(HOST, "e.example.se");
            assert_eq!(admit(&request.body(Empty::<Bytes>::new()).unwrap()), expect, "{method}");
        }
    }

    use bytes::Bytes;
    use http_body_util::{Empty, Full};

    use super::*;

    fn said(version: Version, target: &str, headers: &[(&str, &[u8])]) -> Result<(), Fault> {
        let mut request = Request::builder().version(version).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        admit(&request.body(Empty::<Bytes>::new()).unwrap())
    }

    #[test]
    fn a_request_has_one_host() {
        const BAD: Result<(), Fault> = Err(Fault::BadRequest);
        for (version, target, hosts, expect) in [
            (Version::HTTP_11, "/x", &["e"][..], Ok(())),
            (Version::HTTP_11, "/x", &["E.example.se:8443"], Ok(())),
            (Version::HTTP_11, "/x", &["[2001:db8::1]:80"], Ok(())),
            (Version::HTTP_11, "http://E/x", &["e"], Ok(())),
            (Version::HTTP_10, "/x", &[], Ok(())),
            (Version::HTTP_2, "https://e/x", &[], Ok(())),
            (Version::HTTP_2, "https://e/x", &["E"], Ok(())),
            (Version::HTTP_2, "/x", &["e"], Ok(())),
            (Version::HTTP_11, "/x", &[], BAD),
            (Version::HTTP_2, "/x", &[], BAD),
            (Version::HTTP_11, "http://e/x", &[], BAD),
            (Version::HTTP_11, "/x", &["e", "e"], BAD),
            (Version::HTTP_10, "/x", &["e", "f"], BAD),
            (Version::HTTP_11, "http://f/x", &["e"], BAD),
            (Version::HTTP_11, "http://e:80/x", &["e"], BAD),
            (Version::HTTP_11, "ftp://e/x", &["e"], BAD),
            (Version::HTTP_2, "https://e/x", &["f"], BAD),
            (Version::HTTP_2, "https://u@e/x", &[], BAD),
            (Version::HTTP_10, "/x", &["e/x"], BAD),
        ] {
            let headers: Vec<(&str, &[u8])> = hosts.iter().map(|host| ("host", host.as_bytes())).collect();
            assert_eq!(said(version, target, &headers), expect, "{version:?} {target} {hosts:?}");
        }
        for bad in [
            "", ":80", "e:", "e:x", "e:123456", "e f", "e,f", "u@e", "e/x", "e?x", "e#x", "e\\f", "[", "[]", "[g]",
            "[::1]x", "e%00", "\u{e5}",
        ] {
            assert_eq!(said(Version::HTTP_11, "/x", &[("host", bad.as_bytes())]), BAD, "{bad:?}");
        }
    }

    #[test]
    fn a_length_stands_once_and_is_a_number() {
        for (lengths, expect) in [
            (&[][..], Ok(())),
            (&["0"], Ok(())),
            (&["12"], Ok(())),
            (&["3", "3"], Err(Fault::BadRequest)),
            (&["3", "4"], Err(Fault::BadRequest)),
            (&["3, 3"], Err(Fault::BadRequest)),
            (&["03"], Err(Fault::BadRequest)),
            (&["+3"], Err(Fault::BadRequest)),
            (&[""], Err(Fault::BadRequest)),
        ] {
            let mut headers: Vec<(&str, &[u8])> = vec![("host", b"e")];
            headers.extend(lengths.iter().map(|value| ("content-length", value.as_bytes())));
            assert_eq!(said(Version::HTTP_2, "/x", &headers), expect, "{lengths:?}");
        }
    }

    #[test]
    fn get_has_no_body_and_nothing_unknown_is_expected() {
        let with = |method: Method, body: &'static str| {
            let request = Request::builder().method(method).uri("/x").header("host", "e");
            admit(&request.body(Full::new(Bytes::from(body))).unwrap())
        };
        for (method, body, expect) in [
            (Method::GET, "", Ok(())),
            (Method::HEAD, "", Ok(())),
            (Method::GET, "x", Err(Fault::BadRequest)),
            (Method::HEAD, "x", Err(Fault::BadRequest)),
            (Method::POST, "x", Ok(())),
            (Method::DELETE, "x", Ok(())),
        ] {
            assert_eq!(with(method.clone(), body), expect, "{method} {body:?}");
        }
        for (expected, expect) in [
            (&[][..], Ok(())),
            (&["100-continue"], Ok(())),
            (&["100-Continue"], Ok(())),
            (&["100-continue", "100-continue"], Err(Fault::Expectation)),
            (&["100-continue, x"], Err(Fault::Expectation)),
            (&["x"], Err(Fault::Expectation)),
            (&[""], Err(Fault::Expectation)),
        ] {
            let mut headers: Vec<(&str, &[u8])> = vec![("host", b"e")];
            headers.extend(expected.iter().map(|value| ("expect", value.as_bytes())));
            assert_eq!(said(Version::HTTP_11, "/x", &headers), expect, "{expected:?}");
        }
    }
}
