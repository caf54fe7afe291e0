//! The smallest web server that the demo's sites need: whole bodies in, whole bodies out.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use grindvakt::crypto::digest::sha256;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, LOCATION, ORIGIN, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// What a site answers.
pub type Answer = Response<Full<Bytes>>;

/// The longest body that a demo site takes.
const BODY_BYTES: usize = 1024 * 1024;

/// What makes hyper close a connection.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
struct NoAnswer;

/// Listens on loopback at `port`; 0 takes any free one.
///
/// # Errors
/// When the port is taken.
pub async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// Listens on loopback at `port`, or at any free port where that one is taken.
///
/// # Errors
/// When there is no free port at all.
pub async fn bind_or_any(port: u16) -> io::Result<TcpListener> {
    match bind(port).await {
        Ok(listener) => Ok(listener),
        Err(_) => bind(0).await,
    }
}

/// Serves `handler` until the task is dropped.
pub async fn serve(listener: TcpListener, handler: impl Fn(Request<Bytes>) -> Answer + Send + Sync + 'static) {
    serve_slowly(listener, move |request| std::future::ready(Some(handler(request)))).await;
}

/// The same with a handler that takes its time. Where it gives no answer the connection is closed without one.
pub async fn serve_slowly<F>(listener: TcpListener, handler: impl Fn(Request<Bytes>) -> F + Send + Sync + 'static)
where
    F: Future<Output = Option<Answer>> + Send + 'static,
{
    let handler = Arc::new(handler);
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let handler = handler.clone();
        tokio::spawn(connection(stream, move |request| handler(request)));
    }
}

/// Serves one connection to its end.
pub(crate) async fn connection<F>(stream: TcpStream, handler: impl Fn(Request<Bytes>) -> F + Send + Sync + 'static)
where
    F: Future<Output = Option<Answer>> + Send + 'static,
{
    let handler = Arc::new(handler);
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let handler = handler.clone();
        async move {
            let (head, body) = request.into_parts();
            let answer = match Limited::new(body, BODY_BYTES).collect().await {
                Ok(body) => handler(Request::from_parts(head, body.to_bytes())).await,
                Err(_) => Some(text(StatusCode::PAYLOAD_TOO_LARGE, "too large")),
            };
            answer.ok_or(NoAnswer)
        }
    });
    // A browser that goes away in mid-answer is no news.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The host that a request names, without its port.
pub(crate) fn host(headers: &HeaderMap) -> &str {
    let text = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.rsplit_once(':').map_or(text, |(host, _)| host)
}

/// Whether a browser sends this for a page that is not the site's own. Anyone's page can make a browser post to localhost.
pub(crate) fn is_foreign(headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase());
    let site = said("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    let own = said(HOST.as_str()).map(|host| format!("http://{host}"));
    let origin = said(ORIGIN.as_str());
    site || origin.is_some() && origin != own
}

/// Where a browser goes next, by GET.
pub(crate) fn see_other(to: &str) -> Answer {
    let mut answer = text(StatusCode::SEE_OTHER, "");
    if let Ok(value) = HeaderValue::from_str(to) {
        answer.headers_mut().insert(LOCATION, value);
    }
    answer
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What a page of ours may do: show its own style, run the one line that sends an answer off by itself, and send forms,
/// which a provider does to whatever service it answers.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = |text: &str| format!("'sha256-{}'", base64_simd::STANDARD.encode_to_string(sha256(text.as_bytes())));
    let style = between(include_str!("../templates/base.html"), "<style>", "</style>");
    let script = between(include_str!("../templates/idp-send.html"), "<script>", "</script>");
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; img-src data:; form-action http: https:; \
         frame-ancestors 'none'; base-uri 'none'",
        hash(style),
        hash(script),
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(after).map_or("", |(inside, _)| inside)
}

/// A page.
pub fn html(status: StatusCode, body: String) -> Answer {
    let mut page = answer(status, "text/html; charset=utf-8", body);
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    page
}

/// Plain text.
pub fn text(status: StatusCode, body: impl Into<String>) -> Answer {
    answer(status, "text/plain; charset=utf-8", body.into())
}

/// JSON.
pub fn json(status: StatusCode, value: &serde_json::Value) -> Answer {
    answer(status, "application/json", format!("{value:#}\n"))
}

/// A metadata document.
pub fn xml(body: String) -> Answer {
    answer(StatusCode::OK, "application/samlmetadata+xml", body)
}
