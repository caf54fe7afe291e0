//! What is asked of a host, and what it answered.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::CertificateDer;

use super::connect::Reach;
use super::error::FetchError;
use crate::base::Secret;
use crate::base::limits::{FETCH_CONNECT_SECS, FETCH_HEAD_SECS, FETCH_WHOLE_SECS, PROVIDER_DOCUMENT};
use crate::config::RemoteUrl;

/// Everything but the unreserved characters (RFC 3986, 2.3): right in a form, in a path segment and in a client's
/// credentials (RFC 6749, 2.3.1 and appendix B).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes all but the unreserved characters.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// How long the parts of an exchange may take. The whole includes the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Name, TCP, proxy and TLS.
    pub connect: Duration,
    /// From the request to the head of the answer.
    pub head: Duration,
    /// Everything.
    pub whole: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(FETCH_CONNECT_SECS),
            head: Duration::from_secs(FETCH_HEAD_SECS),
            whole: Duration::from_secs(FETCH_WHOLE_SECS),
        }
    }
}

/// A request. It has no `Debug`: a form may hold a code or a secret.
pub struct Request {
    pub(super) url: RemoteUrl,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) limit: usize,
    pub(super) times: Times,
    pub(super) reach: Reach,
}

impl Request {
    /// A GET. Unless told otherwise, the answer may have the size of a key set.
    pub fn get(url: RemoteUrl) -> Self {
        Self {
            url,
            method: Method::GET,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            limit: PROVIDER_DOCUMENT.bytes,
            times: Times::default(),
            reach: Reach::default(),
        }
    }

    /// A POST of a form: token endpoints, pushed authorization requests.
    pub fn form(url: RemoteUrl, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        Self { method: Method::POST, headers, body: pairs.join("&").into(), ..Self::get(url) }
    }

    /// With the media types that are wanted.
    #[must_use]
    pub fn accept(mut self, types: &'static str) -> Self {
        self.headers.insert(header::ACCEPT, HeaderValue::from_static(types));
        self
    }

    /// With a further header: DPoP proofs, bearer tokens (mark those sensitive).
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With the client's name and secret (RFC 6749, 2.3.1: each encoded as in a form, then as RFC 7617 says).
    #[must_use]
    pub fn basic(mut self, client: &str, secret: &Secret<String>) -> Self {
        let pair = Secret::new(format!("{}:{}", encoded(client), encoded(secret.expose())));
        let text = Secret::new(format!("Basic {}", base64_simd::STANDARD.encode_to_string(pair.expose())));
        // Base64 always fits a header.
        if let Ok(mut value) = HeaderValue::from_str(text.expose()) {
            value.set_sensitive(true);
            self.headers.insert(header::AUTHORIZATION, value);
        }
        self
    }

    /// With a bearer token (RFC 6750, 2.1); none where it fits no header.
    pub fn bearer(mut self, token: &Secret<String>) -> Option<Self> {
        let text = Secret::new(format!("Bearer {}", token.expose()));
        let mut value = HeaderValue::from_str(text.expose()).ok()?;
        value.set_sensitive(true);
        self.headers.insert(header::AUTHORIZATION, value);
        Some(self)
    }

    /// Only if it is another than what `validators` were given with.
    #[must_use]
    pub fn unless(mut self, validators: &Validators) -> Self {
        for (name, value) in
            [(header::IF_NONE_MATCH, &validators.etag), (header::IF_MODIFIED_SINCE, &validators.last_modified)]
        {
            if let Some(value) = value.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
                self.headers.insert(name, value);
            }
        }
        self
    }

    /// With another limit on the body, in bytes.
    #[must_use]
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// With other times.
    #[must_use]
    pub const fn within(mut self, times: Times) -> Self {
        self.times = times;
        self
    }

    pub(super) fn conditional(&self) -> bool {
        self.headers.contains_key(header::IF_NONE_MATCH) || self.headers.contains_key(header::IF_MODIFIED_SINCE)
    }
}

/// By what a host knows which version we have (RFC 9110, 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// ETag.
    pub etag: Option<String>,
    /// Last-Modified, as the host wrote it.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether there is nothing to ask by.
    pub const fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// A whole answer. Whatever its status but a redirect, which is an error.
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) certificate: Option<CertificateDer<'static>>,
}

impl Answer {
    /// The status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The status as a number.
    pub fn code(&self) -> u16 {
        self.status.as_u16()
    }

    /// The body, whole and within its limit.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The first value of a header, where it is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The media type, without parameters and in lower case.
    pub fn media_type(&self) -> Option<String> {
        let text = self.header(&header::CONTENT_TYPE)?;
        Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    /// By what to ask next time.
    pub fn validators(&self) -> Validators {
        let bounded = |name: &HeaderName| self.header(name).filter(|text| text.len() <= 512).map(str::to_owned);
        Validators { etag: bounded(&header::ETAG), last_modified: bounded(&header::LAST_MODIFIED) }
    }

    /// How long the answer is fresh (RFC 9111, 5.2.2): zero where it must not be stored or must be asked for again; none
    /// where nothing is said.
    pub fn max_age(&self) -> Option<Duration> {
        let mut age = None;
        for value in self.headers.get_all(header::CACHE_CONTROL) {
            for directive in value.to_str().unwrap_or_default().split(',') {
                let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
                let name = name.trim();
                if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                    return Some(Duration::ZERO);
                }
                if name.eq_ignore_ascii_case("max-age") {
                    // One that cannot be read is stale (RFC 9111, 4.2.1).
                    let seconds = argument.trim().trim_matches('"').parse().unwrap_or(0);
                    age.get_or_insert(Duration::from_secs(seconds));
                }
            }
        }
        age
    }

    /// Who issued the host's certificate; none on plain http.
    pub fn issuer(&self) -> Option<String> {
        super::issuer_of(self.certificate.as_ref())
    }

    /// The answer, if its status is 200.
    ///
    /// # Errors
    /// [`FetchError::Status`].
    pub fn ok(self) -> Result<Self, FetchError> {
        if self.status == StatusCode::OK { Ok(self) } else { Err(FetchError::Status(self.status.as_u16())) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn url() -> RemoteUrl {
        RemoteUrl::parse("https://op.example.se/token").unwrap()
    }

    fn answer(headers: &[(HeaderName, &str)]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        Answer { status: StatusCode::OK, headers: map, body: Bytes::new(), certificate: None }
    }

    #[test]
    fn how_long_an_answer_is_fresh() {
        let rows: &[(&[&str], Option<u64>)] = &[
            (&[], None),
            (&["public"], None),
            (&["public, max-age=300"], Some(300)),
            (&["MAX-AGE = \"60\""], Some(60)),
            (&["max-age=x"], Some(0)),
            (&["max-age=-1"], Some(0)),
            (&["max-age=300", "no-cache"], Some(0)),
            (&["no-store, max-age=300"], Some(0)),
            (&["max-age=10, max-age=20"], Some(10)),
            (&["s-maxage=10"], None),
        ];
        for (values, age) in rows {
            let headers: Vec<_> = values.iter().map(|value| (header::CACHE_CONTROL, *value)).collect();
            assert_eq!(answer(&headers).max_age(), age.map(Duration::from_secs), "{values:?}");
        }
    }

    #[test]
    fn forms_and_credentials_are_encoded() {
        let secret = Secret::new("s&c=r t".to_owned());
        let request = Request::form(url(), &[("code", "a+b/å"), ("grant_type", "x")]).basic("my:id", &secret);
        assert_eq!(&request.body[..], b"code=a%2Bb%2F%C3%A5&grant_type=x");
        let value = request.headers.get(header::AUTHORIZATION).unwrap();
        assert!(value.is_sensitive() && !format!("{:?}", request.headers).contains("Basic"));
        let pair = base64_simd::STANDARD.decode_to_vec(&value.as_bytes()[6..]).unwrap();
        assert_eq!(pair, b"my%3Aid:s%26c%3Dr%20t");
        assert!(!request.conditional());
        let validators = Validators { etag: Some("\"1\"".into()), last_modified: None };
        assert!(Request::get(url()).unless(&validators).conditional());
        let forged = Validators { etag: Some("a\r\nx: y".into()), last_modified: None };
        assert!(!Request::get(url()).unless(&forged).conditional());
    }
}
