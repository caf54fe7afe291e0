//! The bare hop: the least that a reverse proxy of the same libraries can be. It looks at nothing and changes nothing. What
//! the sidecar takes beyond it is the price of what the sidecar does.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Request, Response, StatusCode};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::serve;
use crate::traffic::Payload;

/// The connection to the e-service that belongs to one client's connection; out while a request is sent on it.
type Kept = Arc<Mutex<Option<SendRequest<Incoming>>>>;

/// Passes everything on to `to`, until our standard input ends.
///
/// # Errors
/// When it cannot listen.
pub fn run(to: SocketAddr) -> io::Result<()> {
    serve::on_every_core(move |stream| connection(stream, to))
}

async fn connection(stream: TcpStream, to: SocketAddr) {
    let kept = Kept::default();
    let service = service_fn(move |request| {
        let kept = Arc::clone(&kept);
        async move {
            let answer = match pass_on(&kept, to, request).await {
                Ok(response) => response.map(Either::Left),
                Err(_) => {
                    let mut failed = Response::new(Either::Right(Payload::empty()));
                    *failed.status_mut() = StatusCode::BAD_GATEWAY;
                    failed
                }
            };
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn pass_on(kept: &Kept, to: SocketAddr, request: Request<Incoming>) -> io::Result<Response<Incoming>> {
    // One client sends one request at a time, so one connection is enough, and it is ready when the answer before has
    // gone through.
    let idle = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    let ready = match idle {
        Some(mut sender) => sender.ready().await.is_ok().then_some(sender),
        None => None,
    };
    let mut sender = match ready {
        Some(sender) => sender,
        None => connect(to).await?,
    };
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
    Ok(response)
}

async fn connect(to: SocketAddr) -> io::Result<SendRequest<Incoming>> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}
