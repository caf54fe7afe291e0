//! The e-service behind the sidecar: answers at once, takes bodies of any size, and sends as many bytes as it is asked for.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::serve;
use crate::traffic::Payload;

/// An ordinary page, half a kilobyte long.
static PAGE: [u8; 512] = [b'a'; 512];

/// `GET /…/bytes/<n>` is answered with so many zeros.
pub const BYTES: &str = "/bytes/";

/// Serves until our standard input ends.
///
/// # Errors
/// When it cannot listen.
pub fn run() -> io::Result<()> {
    serve::on_every_core(connection)
}

async fn connection(stream: TcpStream) {
    let service = service_fn(answer);
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>) -> Result<Response<Payload>, Infallible> {
    let (head, mut body) = request.into_parts();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => received += frame.data_ref().map_or(0, Bytes::len),
            Err(_) => return Ok(with(StatusCode::BAD_REQUEST, Payload::empty())),
        }
    }
    let wanted = head.uri.path().rsplit_once(BYTES).and_then(|(_, number)| number.parse().ok());
    let payload = match (received, wanted) {
        (0, Some(bytes)) => Payload::Zeros(bytes),
        _ => Payload::Whole(Bytes::from_static(&PAGE)),
    };
    let mut answer = with(StatusCode::OK, payload);
    if let Ok(value) = HeaderValue::try_from(received.to_string()) {
        answer.headers_mut().insert(RECEIVED, value);
    }
    Ok(answer)
}

/// The header in which the e-service says how many bytes of a body it received.
pub const RECEIVED: &str = "x-received";

fn with(status: StatusCode, payload: Payload) -> Response<Payload> {
    let mut response = Response::new(payload);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
