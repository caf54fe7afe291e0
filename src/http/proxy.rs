//! Passing a request on, and the answer back: both stream, nothing is gathered.

use std::borrow::Cow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, COOKIE, EXPECT, HOST, TE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Body as _;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::body::{AnswerBody, Passing, RequestBody, Wanted};
use super::cookies;
use super::forwarded::PublicAddress;
use super::headers::{IdentityNames, remove_hop_by_hop};
use super::server::Client;
use super::upgrade::{self, Wish};
use super::upstream::{Failed, Returning, Upstream};
use super::watchdog::{Limits, Watched};
use crate::gate::{IdentityHeaders, Permit};
use crate::session::CookieNames;

/// How long the e-service has to hear of a logout: a person waits for it.
const TELL_TIME: Duration = Duration::from_secs(3);

/// Headers that are added to an ordinary request.
const ADDED: usize = 16;

/// What passing on needs to know, made once.
pub struct Proxy {
    /// Which headers are ours.
    pub identity: Arc<IdentityNames>,
    /// The service's public address.
    pub address: PublicAddress,
    /// Which cookies are ours.
    pub cookies: CookieNames,
    /// How long what may take.
    pub limits: Limits,
    /// Whose pages may open a WebSocket with a session, as browsers write it in `Origin`.
    pub websocket_origins: Vec<String>,
}

impl Proxy {
    /// Passes `request` on. Only a [`Permit`] lets one through, and `path` is the normal form that was decided on.
    ///
    /// # Errors
    /// [`Failed`] when the e-service did not answer.
    pub async fn forward(
        &self,
        upstream: &impl Upstream,
        mut request: Request<RequestBody>,
        path: &str,
        client: &Client,
        permit: Permit,
        wish: Option<Wish>,
    ) -> Result<Response<AnswerBody>, Failed> {
        let version = upstream.version();
        if wish.is_some() && version != Version::HTTP_11 {
            return Err(Failed::NoUpgrade);
        }
        let Permit { headers: identity, lease, set_cookie, .. } = permit;
        let waiting = self.prepare(&mut request, path, client, version)?;
        if wish.is_some() {
            upgrade::write(request.headers_mut());
        }
        // Last: nothing that the client named in Connection can take these away.
        if let Some(identity) = &identity {
            self.identity.attach(request.headers_mut(), identity);
        }
        client.watched.asks(lease, &self.limits);
        let mut response = answered(pin!(upstream.send(request)), &client.watched).await?;

        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if switched {
            response.body_mut().forget();
            let wish = wish.filter(|_| upgrade::is_agreed(&response)).ok_or(Failed::Switched)?;
            upgrade::join(wish, hyper::upgrade::on(&mut response), &client.watched, self.limits.tunnel);
        }
        *response.version_mut() = Version::HTTP_11;
        let headers = response.headers_mut();
        remove_hop_by_hop(headers);
        cookies::keep_ours(headers, &self.cookies);
        // What was made for one person is for no shared cache, unless the e-service says that it is for all.
        if (identity.is_some() || set_cookie.is_some()) && !is_for_all(headers) {
            if !is_private(headers) {
                headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
            }
            // The session lives on by another request.
            let set_cookie = set_cookie.filter(|_| !is_for_a_cache_of_its_own(headers));
            cookies::set_all(headers, set_cookie.as_slice());
        }
        if switched {
            upgrade::write(headers);
        }
        Ok(response.map(|body| self.passing(body, client, waiting)))
    }

    /// Tells the e-service of a session that is over: a POST of our own to `path`, with the identity and with the
    /// browser's cookies, by which the e-service knows its own session. Gives whether it took that: an answer that is no
    /// error.
    ///
    /// # Errors
    /// [`Failed`] when the e-service did not answer in time.
    pub async fn tell<'c>(
        &self,
        upstream: &impl Upstream,
        path: &str,
        cookies: impl Iterator<Item = &'c HeaderValue>,
        client: &Client,
        identity: &IdentityHeaders,
    ) -> Result<bool, Failed> {
        let mut request = Request::new(RequestBody::empty(Arc::clone(&client.watched)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::try_from(path).map_err(|_| Failed::Path)?;
        for value in cookies {
            request.headers_mut().append(COOKIE, value.clone());
        }
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        self.prepare(&mut request, path, client, upstream.version())?;
        self.identity.attach(request.headers_mut(), identity);
        match tokio::time::timeout(TELL_TIME, upstream.send(request)).await {
            Ok(answer) => answer.map(|answer| answer.status().is_success() || answer.status().is_redirection()),
            Err(_) => Err(Failed::Slow),
        }
    }

    /// Makes the request to the e-service out of the client's, but for the identity. Returns a handle of its body where
    /// the client is not to be asked for it yet.
    fn prepare(
        &self,
        request: &mut Request<RequestBody>,
        path: &str,
        client: &Client,
        version: Version,
    ) -> Result<Option<Wanted>, Failed> {
        let to = target(request.uri(), path).ok_or(Failed::Path)?;
        // Whether the client would rather be asked for the body. Only HTTP/1.1 on both sides has a way to ask.
        let expectation = request.headers().get(EXPECT);
        let expects = version == Version::HTTP_11
            && request.version() == Version::HTTP_11
            && expectation.is_some_and(|e| e.as_bytes().eq_ignore_ascii_case(b"100-continue"))
            && !request.body().is_end_stream();
        let expectation = expectation.is_some();
        let headers = request.headers_mut();
        // One growth instead of two on the way: Host, three X-Forwarded and the identity come in.
        headers.reserve(ADDED);
        // gRPC servers refuse whoever does not say that it reads trailers.
        let trailers = version == Version::HTTP_2 && headers.get(TE).is_some_and(says_trailers);
        cookies::hide(headers, &self.cookies);
        self.address.tell(headers, client.address);
        if expectation && !expects {
            headers.remove(EXPECT);
        }
        if version == Version::HTTP_2 {
            // HTTP/2 has it in `:authority`.
            headers.remove(HOST);
            if trailers {
                headers.insert(TE, HeaderValue::from_static("trailers"));
            }
            *request.uri_mut() = absolute(to, self.address.authority()).ok_or(Failed::Path)?;
        } else {
            *request.uri_mut() = Uri::from(to);
        }
        *request.version_mut() = version;
        if !request.body().is_end_stream() {
            request.body_mut().goes_on(&self.identity, self.limits.response);
        }
        if !expects {
            return Ok(None);
        }
        let wanted = Wanted::default();
        request.body_mut().waits_for(wanted.clone());
        let hears = wanted.clone();
        hyper::ext::on_informational(request, move |said| {
            if said.status() == StatusCode::CONTINUE {
                hears.yes();
            }
        });
        Ok(Some(wanted))
    }

    fn passing(&self, body: Returning, client: &Client, waiting: Option<Wanted>) -> AnswerBody {
        if body.is_end_stream() {
            if let Some(waiting) = waiting {
                waiting.no();
            }
            return AnswerBody::None;
        }
        AnswerBody::Upstream(Passing::new(body, client.watched.streams(self.limits.idle), waiting))
    }
}

/// Waits for the head of the answer to what is being sent, as long as the watchdog lets it.
fn answered<'f>(
    mut sending: Pin<&'f mut impl Future<Output = Result<Response<Returning>, Failed>>>,
    watched: &'f Watched,
) -> impl Future<Output = Result<Response<Returning>, Failed>> {
    let mut told = !watched.is_stream();
    std::future::poll_fn(move |cx| {
        if let Some(why) = watched.expired() {
            return Poll::Ready(Err(Failed::Expired(why)));
        }
        // Who drives a connection has told of itself already.
        if !told {
            watched.wakes(cx.waker());
            told = true;
        }
        sending.as_mut().poll(cx)
    })
}

fn says_trailers(te: &HeaderValue) -> bool {
    te.to_str().is_ok_and(|te| te.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("trailers")))
}

/// What no query holds as it is (RFC 3986, 3.4), and hyper lets through. Letters beyond ASCII are encoded in any case.
const QUERY: &AsciiSet = &CONTROLS.add(b'\\');

/// The decided path with the query as it came, in ASCII.
fn target(uri: &Uri, path: &str) -> Option<PathAndQuery> {
    let encodes_nothing = |query| matches!(Cow::from(utf8_percent_encode(query, QUERY)), Cow::Borrowed(_));
    if let Some(written) = uri.path_and_query()
        // `path()` says `/` where a query stands alone, and HTTP/2 would send what stands there.
        && written.as_str().starts_with('/')
        && written.path() == path
        && written.query().is_none_or(encodes_nothing)
    {
        return Some(written.clone());
    }
    let text = match uri.query() {
        Some(query) => format!("{path}?{}", utf8_percent_encode(query, QUERY)),
        None => path.to_owned(),
    };
    // A normal path is plain ASCII, and the query was parsed before.
    PathAndQuery::try_from(text).ok()
}

/// With what HTTP/2 wants beside it. The scheme is that of the way to the e-service, which is in clear text; what the
/// client sees is in `X-Forwarded-Proto`.
fn absolute(target: PathAndQuery, authority: &Authority) -> Option<Uri> {
    let mut parts = http::uri::Parts::default();
    (parts.scheme, parts.authority, parts.path_and_query) = (Some(Scheme::HTTP), Some(authority.clone()), Some(target));
    Uri::from_parts(parts).ok()
}

/// Whether the e-service says that the answer is the same for everyone: then a person's cookie must not be in it.
fn is_for_all(headers: &HeaderMap) -> bool {
    says(headers, &["public", "s-maxage", "immutable"])
}

/// Whether a cache that the e-service names is told to keep the answer: it goes by that and not by `Cache-Control`
/// (RFC 9213, 2.2; `Surrogate-Control` and others are older words for the same).
fn is_for_a_cache_of_its_own(headers: &HeaderMap) -> bool {
    headers.iter().any(|(name, value)| {
        let name = name.as_str();
        let named = name.ends_with("cdn-cache-control")
            || ["surrogate-control", "edge-control", "x-accel-expires"].contains(&name);
        named && !keeps_nothing(value)
    })
}

/// Whether it says to keep nothing. What is kept for no time may still be given out while it is fetched anew (RFC 5861, 3),
/// and what is no text might say anything.
fn keeps_nothing(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let is = |part: &str, words: &[&str]| words.iter().any(|word| part.eq_ignore_ascii_case(word));
    let parts = || text.split(',').map(str::trim);
    let no_time = ["max-age=0", "s-maxage=0", "0"];
    parts().any(|part| is(part, &["no-store", "private", "bypass-cache"]))
        || (parts().any(|part| is(part, &no_time))
            && parts().all(|part| is(part, &no_time) || is(part, &["must-revalidate"])))
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
