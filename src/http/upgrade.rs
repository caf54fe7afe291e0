//! WebSockets (RFC 6455): the one upgrade that is passed on, and the tunnel that it leads to.
//!
//! A connection becomes a tunnel only when three things were said: the client asked for it in a request that has one
//! reading, the e-service answered 101 to just that, and our own 101 has gone out. What a client sends before it has
//! seen that 101 is nobody's: a proxy that passes it on speaks for a client of its own making (T57).

use std::sync::Arc;

use http::header::{
    CONNECTION, CONTENT_LENGTH, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Body;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional_with_sizes;

use super::accepted::Accepted;
use super::framing::Framed;
use super::watchdog::{Looks, Watched};

/// The one protocol that is switched to.
const WEBSOCKET: &str = "websocket";

/// What a tunnel holds for each direction.
const BUFFER: usize = 8 * 1024;

/// A client's wish for a WebSocket, which was found to have one reading.
pub struct Wish(OnUpgrade);

/// A wish that two readers could take for two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadUpgrade;

/// The wish in a request; none where it asks for nothing that we would pass on, which HTTP lets a server ignore (RFC
/// 9110, 7.8): HTTP/1.0, `h2c`, an `Upgrade` that `Connection` does not name.
///
/// # Errors
/// [`BadUpgrade`]: a WebSocket is asked for, and not in the one way that there is (RFC 6455, 4.1).
pub fn asked<B: Body>(request: &mut Request<B>) -> Result<Option<Wish>, BadUpgrade> {
    if request.version() != Version::HTTP_11 || !request.headers().contains_key(UPGRADE) {
        return Ok(None);
    }
    let headers = request.headers();
    if !names(headers, UPGRADE).any(is_websocket)
        || !names(headers, CONNECTION).any(|n| n.eq_ignore_ascii_case("upgrade"))
    {
        return Ok(None);
    }
    let single = names(headers, UPGRADE).count() == 1;
    let bare = request.body().is_end_stream()
        && !headers.contains_key(CONTENT_LENGTH)
        && !headers.contains_key(TRANSFER_ENCODING);
    let version = only(headers, SEC_WEBSOCKET_VERSION).is_some_and(|version| version.as_bytes() == b"13");
    let key = only(headers, SEC_WEBSOCKET_KEY).is_some_and(is_key);
    if single && bare && version && key && request.method() == Method::GET {
        Ok(Some(Wish(hyper::upgrade::on(request))))
    } else {
        Err(BadUpgrade)
    }
}

/// Sixteen bytes in base64 (RFC 6455, 4.1).
fn is_key(value: &HeaderValue) -> bool {
    base64_simd::STANDARD.decode_to_vec(value.as_bytes()).is_ok_and(|bytes| bytes.len() == 16)
}

fn is_websocket(name: &str) -> bool {
    name.eq_ignore_ascii_case(WEBSOCKET)
}

/// The names in a list header. One that is no text is no name that we know.
fn names(headers: &HeaderMap, header: http::HeaderName) -> impl Iterator<Item = &str> {
    let texts = headers.get_all(header).into_iter().map(|value| value.to_str().unwrap_or("?"));
    texts.flat_map(|text| text.split(',')).map(str::trim)
}

fn only(headers: &HeaderMap, header: http::HeaderName) -> Option<&HeaderValue> {
    let mut all = headers.get_all(header).iter();
    all.next().filter(|_| all.next().is_none())
}

/// The origins whose pages may open a WebSocket with a session, as browsers write them: without the scheme's own port.
pub fn origins(own: &str, others: &[String]) -> Vec<String> {
    let written = |origin: &str| {
        let port = if origin.starts_with("https:") { ":443" } else { ":80" };
        origin.strip_suffix(port).unwrap_or(origin).to_owned()
    };
    std::iter::once(own).chain(others.iter().map(String::as_str)).map(written).collect()
}

/// Whether a page of one of `origins` opens the WebSocket. Browsers let every site open one to every other, cookies
/// included where they go along, and always say whose page it is (RFC 6455, 10.2). Who says nothing is no browser.
pub fn is_from(headers: &HeaderMap, origins: &[String]) -> bool {
    let known =
        |origin: &HeaderValue| origins.iter().any(|known| origin.as_bytes().eq_ignore_ascii_case(known.as_bytes()));
    !headers.contains_key(ORIGIN) || only(headers, ORIGIN).is_some_and(known)
}

/// Writes the wish into the request to the e-service, after all that ends at us was taken out of it.
pub fn write(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
}

/// After any other answer than 101 nothing more is read from this connection: what comes next may have been meant for a
/// tunnel that there is not.
pub fn close(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
}

/// Whether the e-service agrees to just what was asked.
pub fn is_agreed<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    let mut to = names(headers, UPGRADE);
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        && to.next().is_some_and(is_websocket)
        && to.next().is_none()
        && names(headers, CONNECTION).any(|name| name.eq_ignore_ascii_case("upgrade"))
}

/// Joins both connections as soon as our 101 has gone out. The watchdog ends the tunnel when it stands still for
/// `idle`, or when its session is over.
pub fn join(wish: Wish, upstream: OnUpgrade, watched: &Arc<Watched>, idle: Looks) {
    let tunnel = tokio::spawn(async move {
        let Ok(client) = wish.0.await else { return };
        let Ok(client) = client.downcast::<TokioIo<Framed<Accepted>>>() else { return };
        // Sent before our 101 was: not for the e-service, which had not agreed to anything yet.
        if !client.read_buf.is_empty() {
            tracing::info!(event = "upgrade_refused", code = "early_bytes");
            return;
        }
        let Ok(upstream) = upstream.await else { return };
        let (mut client, mut upstream) = (client.io.into_inner().into_inner(), TokioIo::new(upstream));
        // How it ends is the affair of the two ends.
        let _ = copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER, BUFFER).await;
    });
    watched.tunnels(tunnel.abort_handle(), idle);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http_body_util::{Empty, Full};

    use super::*;

    const GOOD: &[(&str, &str)] = &[
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn request(headers: &[(&str, &str)]) -> Request<Empty<bytes::Bytes>> {
        let mut request = Request::new(Empty::new());
        headers.iter().for_each(|(name, value)| {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        });
        request
    }

    /// The good request with one header replaced, and more.
    fn with(name: &str, value: &str) -> Vec<(String, String)> {
        let kept = GOOD.iter().filter(|(n, _)| *n != name).map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        kept.chain([(name.to_owned(), value.to_owned())]).collect()
    }

    fn verdict(mut request: Request<impl Body>) -> &'static str {
        match asked(&mut request) {
            Ok(Some(_)) => "websocket",
            Ok(None) => "no wish",
            Err(BadUpgrade) => "bad",
        }
    }

    #[test]
    fn a_wish_has_one_reading_or_is_refused() {
        assert_eq!(verdict(request(GOOD)), "websocket");
        for (name, value, expect) in [
            ("upgrade", "h2c", "no wish"),
            ("upgrade", "h2c, websocket", "bad"),
            ("upgrade", "websocket, websocket", "bad"),
            ("upgrade", "websocket/13", "no wish"),
            ("connection", "keep-alive", "no wish"),
            ("sec-websocket-version", "8", "bad"),
            ("sec-websocket-key", "short", "bad"),
            ("sec-websocket-key", "", "bad"),
            ("content-length", "0", "bad"),
            ("transfer-encoding", "chunked", "bad"),
        ] {
            let headers = with(name, value);
            let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(verdict(request(&headers)), expect, "{name}: {value}");
        }
        for name in ["upgrade", "sec-websocket-version", "sec-websocket-key"] {
            let value = GOOD.iter().find(|(n, _)| *n == name).unwrap().1;
            let twice = [GOOD, &[(name, value)]].concat();
            assert_eq!(verdict(request(&twice)), "bad", "{name} twice");
        }
        let mut post = request(GOOD);
        *post.method_mut() = Method::POST;
        assert_eq!(verdict(post), "bad");
        let mut old = request(GOOD);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(verdict(old), "no wish");
        assert_eq!(verdict(request(GOOD).map(|_| Full::new(bytes::Bytes::from_static(b"x")))), "bad");
    }

    #[test]
    fn only_pages_of_the_service_open_a_websocket() {
        let own = "https://etjanst.example.se";
        let known = origins("https://etjanst.example.se:443", &["https://other.example.se".to_owned()]);
        for (origins, expect) in [
            (&[][..], true),
            (&[own], true),
            (&["HTTPS://ETJANST.EXAMPLE.SE"], true),
            (&["https://other.example.se"], true),
            (&["https://etjanst.example.se.evil.example"], false),
            (&["https://etjanst.example.se:8443"], false),
            (&["http://etjanst.example.se"], false),
            (&["null"], false),
            (&[""], false),
            (&[own, own], false),
        ] {
            let headers: Vec<_> = origins.iter().map(|origin| ("origin", *origin)).collect();
            assert_eq!(is_from(request(&headers).headers(), &known), expect, "{origins:?}");
        }
    }

    #[test]
    fn the_e_service_agrees_to_what_was_asked_or_not_at_all() {
        for (status, connection, upgrade, expect) in [
            (101, "upgrade", "websocket", true),
            (101, "keep-alive, Upgrade", "WebSocket", true),
            (200, "upgrade", "websocket", false),
            (101, "close", "websocket", false),
            (101, "upgrade", "h2c", false),
            (101, "upgrade", "websocket, h2c", false),
        ] {
            let response = Response::builder().status(status).header(CONNECTION, connection).header(UPGRADE, upgrade);
            assert_eq!(is_agreed(&response.body(()).unwrap()), expect, "{status} {connection} {upgrade}");
        }
    }
}
