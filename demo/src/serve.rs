//! The smallest web server that the demo's sites need: whole bodies in, whole bodies out.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// What a site answers.
pub type Answer = Response<Full<Bytes>>;

/// The longest body that a demo site takes.
const BODY_BYTES: usize = 1024 * 1024;

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
    let handler = Arc::new(handler);
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let handler = handler.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let handler = handler.clone();
                async move {
                    let (head, body) = request.into_parts();
                    let answer = match Limited::new(body, BODY_BYTES).collect().await {
                        Ok(body) => handler(Request::from_parts(head, body.to_bytes())),
                        Err(_) => text(StatusCode::PAYLOAD_TOO_LARGE, "too large"),
                    };
                    Ok::<_, Infallible>(answer)
                }
            });
            // A browser that goes away in mid-answer is no news.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A page.
pub fn html(status: StatusCode, body: String) -> Answer {
    answer(status, "text/html; charset=utf-8", body)
}

/// Plain text.
pub fn text(status: StatusCode, body: impl Into<String>) -> Answer {
    answer(status, "text/plain; charset=utf-8", body.into())
}

/// A metadata document.
pub fn xml(body: String) -> Answer {
    answer(StatusCode::OK, "application/samlmetadata+xml", body)
}
