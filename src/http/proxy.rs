//! Passing a request on, and the answer back: both stream, nothing is gathered.

use std::net::SocketAddr;

use http::header::{CACHE_CONTROL, EXPECT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version};
use hyper::body::Incoming;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::body::AnswerBody;
use super::cookies;
use super::forwarded::PublicAddress;
use super::headers::{IdentityNames, remove_hop_by_hop};
use super::upstream::{Failed, Upstream};
use crate::gate::Permit;
use crate::session::CookieNames;

/// Headers that are added to an ordinary request.
const ADDED: usize = 16;

/// What passing on needs to know, made once.
pub struct Proxy {
    /// Which headers are ours.
    pub identity: IdentityNames,
    /// The service's public address.
    pub address: PublicAddress,
    /// Which cookies are ours.
    pub cookies: CookieNames,
}

impl Proxy {
    /// Passes `request` on. Only a [`Permit`] lets one through, and `path` is the normal form that was decided on.
    ///
    /// # Errors
    /// [`Failed`] when the e-service did not answer.
    pub async fn forward(
        &self,
        upstream: &impl Upstream,
        mut request: Request<Incoming>,
        path: &str,
        peer: SocketAddr,
        permit: &Permit,
    ) -> Result<Response<AnswerBody>, Failed> {
        *request.uri_mut() = target(request.uri(), path).ok_or(Failed::Path)?;
        *request.version_mut() = Version::HTTP_11;
        let headers = request.headers_mut();
        // One growth instead of two on the way: Host, three X-Forwarded and the identity come in.
        headers.reserve(ADDED);
        remove_hop_by_hop(headers);
        // hyper answers `Expect: 100-continue` itself when the body is first read.
        headers.remove(EXPECT);
        cookies::hide(headers, &self.cookies);
        self.address.tell(headers, peer);
        // Last: nothing that the client named in Connection can take these away.
        if let Some(identity) = &permit.headers {
            self.identity.attach(headers, identity);
        }

        let mut response = upstream.send(request).await?;
        *response.version_mut() = Version::HTTP_11;
        let headers = response.headers_mut();
        remove_hop_by_hop(headers);
        cookies::keep_ours(headers, &self.cookies);
        // What was made for one person is for no shared cache, unless the e-service says that it is for all.
        if (permit.headers.is_some() || permit.set_cookie.is_some()) && !is_for_all(headers) {
            if !is_private(headers) {
                headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
            }
            cookies::set_all(headers, permit.set_cookie.as_slice());
        }
        Ok(response.map(AnswerBody::Upstream))
    }
}

/// What no query holds as it is (RFC 3986, 3.4), and hyper lets through. Letters beyond ASCII are encoded in any case.
const QUERY: &AsciiSet = &CONTROLS.add(b'\\');

/// The decided path with the query as it came, in ASCII.
fn target(uri: &Uri, path: &str) -> Option<Uri> {
    let text = match uri.query() {
        Some(query) => format!("{path}?{}", utf8_percent_encode(query, QUERY)),
        None => path.to_owned(),
    };
    // A normal path is plain ASCII, and the query was parsed before.
    text.parse::<PathAndQuery>().map(Uri::from).ok()
}

/// Whether the e-service says that the answer is the same for everyone: then a person's cookie must not be in it.
fn is_for_all(headers: &HeaderMap) -> bool {
    says(headers, &["public", "s-maxage", "immutable"])
}

/// Whether shared caches are told to leave the answer alone.
fn is_private(headers: &HeaderMap) -> bool {
    says(headers, &["private", "no-store"])
}

/// Whether `Cache-Control` has one of `directives` (RFC 9111, 5.2).
fn says(headers: &HeaderMap, directives: &[&str]) -> bool {
    let texts = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|part| {
        let name = part.split('=').next().unwrap_or_default().trim();
        directives.iter().any(|directive| name.eq_ignore_ascii_case(directive))
    })
}
