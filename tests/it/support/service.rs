//! E-services of a few lines, for what the common one does not do, and a client of HTTP/2.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::poll_fn;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::mpsc;

use super::Client;
use super::raw::PATIENCE;

/// Any body.
pub type Body = BoxBody<Bytes, Infallible>;

/// A body that is whole.
pub fn whole(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed()
}

/// No body.
pub fn nothing() -> Body {
    Empty::new().boxed()
}

/// A body that comes as it is sent to it; it ends when the sender is dropped.
pub fn coming() -> (mpsc::Sender<Frame<Bytes>>, Body) {
    let (sender, mut frames) = mpsc::channel(1);
    let stream = poll_fn(move |cx| frames.poll_recv(cx).map(|frame| frame.map(Ok)));
    (sender, StreamBody::new(stream).boxed())
}

pub fn data(bytes: impl Into<Bytes>) -> Frame<Bytes> {
    Frame::data(bytes.into())
}

pub fn trailers(pairs: &[(&'static str, &'static str)]) -> Frame<Bytes> {
    Frame::trailers(pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect())
}

/// An answer with this body.
pub fn ok(body: Body) -> Response<Body> {
    Response::new(body)
}

/// An e-service that answers each request by `answer`.
pub struct Service {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Service {
    /// Over HTTP/1.1, with upgrades, or over HTTP/2 in clear text.
    pub async fn new<F, A>(version: Version, answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(stream, version, answer.clone()));
            }
        });
        Self { address, connections }
    }

    /// Connections that were ever made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// The same over HTTP/1.1 on a Unix socket.
pub fn unix_service<F, A>(path: &std::path::Path, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Version::HTTP_11, answer.clone()));
        }
    });
}

async fn serve<F, A>(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, version: Version, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let io = TokioIo::new(stream);
    if version == Version::HTTP_2 {
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await;
    } else {
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
        let _ = connection.with_upgrades().await;
    }
}

/// A connection in HTTP/2.
#[derive(Clone)]
pub struct H2(SendRequest<Body>);

impl H2 {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends a request and returns the head of the answer.
    pub async fn send(&self, request: Request<Body>) -> Response<Incoming> {
        self.try_send(request).await.unwrap()
    }

    pub async fn try_send(&self, request: Request<Body>) -> Result<Response<Incoming>, hyper::Error> {
        tokio::time::timeout(PATIENCE, self.0.clone().send_request(request)).await.expect("no answer")
    }

    /// The same for what takes its time; whoever calls it has patience of their own.
    pub async fn try_send_patiently(&self, request: Request<Body>) -> Response<Incoming> {
        self.0.clone().send_request(request).await.unwrap()
    }

    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// A request over HTTP/2 with the cookies of `client`.
pub fn request(client: &Client, target: &str) -> http::request::Builder {
    let mut request = Request::builder().uri(format!("http://etjanst.example.se{target}"));
    for (name, value) in &client.headers {
        request = request.header(name, value);
    }
    if !client.cookies.is_empty() {
        request = request.header("cookie", client.cookie());
    }
    request
}

/// The whole of an answer: its head, its body and its trailers.
pub async fn read(response: Response<Incoming>) -> (StatusCode, HeaderMap, Bytes, HeaderMap) {
    let (parts, body) = response.into_parts();
    let body = tokio::time::timeout(PATIENCE, body.collect()).await.expect("the body does not end").unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    (parts.status, parts.headers, body.to_bytes(), trailers)
}

/// The next piece of a body; none when it ends, an error when it is cut.
pub async fn next(body: &mut Incoming) -> Option<Result<Bytes, hyper::Error>> {
    let frame = tokio::time::timeout(PATIENCE, body.frame()).await.expect("nothing comes")?;
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

/// Whether a body is cut, or ends, within `time`. What comes before that is passed over.
pub async fn is_over_within(body: &mut Incoming, time: Duration) -> bool {
    let over = async { while let Some(Ok(_)) = body.frame().await {} };
    tokio::time::timeout(time, over).await.is_ok()
}

/// Sends one request over HTTP/1.1, on a connection of its own, and returns the head of the answer.
pub async fn h1(address: SocketAddr, request: Request<Body>) -> Response<Incoming> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    tokio::time::timeout(PATIENCE, sender.send_request(request)).await.expect("no answer").unwrap()
}

/// A request over HTTP/1.1 with the cookies of `client`.
pub fn h1_request(client: &Client, target: &str) -> http::request::Builder {
    let mut request = Request::builder().uri(target).header("host", "etjanst.example.se");
    for (name, value) in &client.headers {
        request = request.header(name, value);
    }
    if !client.cookies.is_empty() {
        request = request.header("cookie", client.cookie());
    }
    request
}
