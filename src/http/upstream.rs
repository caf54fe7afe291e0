//! Connections to the e-service, kept open and used again: one set for each core, so that no core waits for another.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::config::Upstream as Address;

/// How long a connection to something in the same pod may take to be made.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Idle connections kept for each core.
const IDLE: usize = 128;

/// What is read ahead of an answer before the client has taken it. hyper would take 400 KB: a few hundred clients that
/// read slowly would hold as many MB.
const BUFFER: usize = 64 * 1024;

/// What a request is sent with: the client's own body, passed on as it comes.
pub type Sender = SendRequest<Incoming>;

/// Why the e-service did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// No connection in time.
    #[error("cannot connect in time")]
    Slow,
    /// A target that cannot be written down: never sent anywhere else instead.
    #[error("the request's target cannot be passed on")]
    Path,
    /// The client's body broke off, or was not what its head said: not the e-service's doing.
    #[error("the client's body: {0}")]
    Body(hyper::Error),
    /// The connection broke before the answer's head.
    #[error("broke off: {0}")]
    Broken(hyper::Error),
}

impl From<hyper::Error> for Failed {
    fn from(error: hyper::Error) -> Self {
        // A request is made of what the client sends: what hyper calls the user's fault is a body that failed.
        if error.is_user() { Self::Body(error) } else { Self::Broken(error) }
    }
}

/// Where requests go. There is one way today; the trait keeps the proxy from knowing which.
pub trait Upstream: Send + Sync + 'static {
    /// Sends `request` and returns the head of the answer, with a body that streams.
    fn send(&self, request: Request<Incoming>) -> impl Future<Output = Result<Response<Returning>, Failed>> + Send;
    /// Whether a connection can be made now: for readiness.
    fn reachable(&self) -> impl Future<Output = bool> + Send;
}

/// HTTP/1.1 over TCP or a Unix socket.
#[derive(Clone)]
pub struct Http1 {
    address: Arc<Address>,
    idle: Arc<Mutex<Vec<Sender>>>,
}

impl Http1 {
    /// To `address`, with no connection yet.
    pub fn new(address: Address) -> Self {
        Self { address: Arc::new(address), idle: Arc::default() }
    }

    fn take(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The newest first: the e-service has had the least time to close it. One that is not ready is closed, or still
        // carries the body of a request that was answered early; whoever sends it may take for ever. Both leave when the
        // list is full.
        let at = idle.iter().rposition(Sender::is_ready)?;
        Some(idle.remove(at))
    }

    fn put(&self, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= IDLE {
            idle.retain(Sender::is_ready);
        }
        if idle.len() < IDLE {
            idle.push(sender);
        }
    }

    async fn connect(&self) -> Result<Sender, Failed> {
        let connected = tokio::time::timeout(CONNECT_TIME, async {
            match self.address.as_ref() {
                Address::Unix(path) => self.shake(UnixStream::connect(path).await?).await,
                Address::Tcp { host, port } => {
                    // Loopback names never ask DNS (RFC 6761, 6.3).
                    let host = if host == "localhost" || host.ends_with(".localhost") { "127.0.0.1" } else { host };
                    let stream = TcpStream::connect((host, *port)).await?;
                    stream.set_nodelay(true)?;
                    self.shake(stream).await
                }
            }
        });
        connected.await.map_err(|_| Failed::Slow)?.map_err(Failed::Connect)
    }

    async fn shake(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> io::Result<Sender> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(async move {
            // How it ended is seen by whoever waits for an answer on it.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

impl Upstream for Http1 {
    async fn send(&self, mut request: Request<Incoming>) -> Result<Response<Returning>, Failed> {
        // Kept connections may have been closed by the other side meanwhile. One that has not taken the request gives
        // it back; then the next is tried, and at last a new one.
        while let Some(mut sender) = self.take() {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(Returning::wrap(response, sender, self.clone())),
                Err(mut failed) => match failed.take_message() {
                    Some(back) => request = back,
                    None => return Err(failed.into_error().into()),
                },
            }
        }
        let mut sender = self.connect().await?;
        match sender.try_send_request(request).await {
            Ok(response) => Ok(Returning::wrap(response, sender, self.clone())),
            Err(failed) => Err(failed.into_error().into()),
        }
    }

    async fn reachable(&self) -> bool {
        match self.connect().await {
            Ok(sender) => {
                self.put(sender);
                true
            }
            Err(_) => false,
        }
    }
}

/// The body of an answer. When it ends, its connection goes back among the idle ones; dropped before, it is closed.
pub struct Returning {
    body: Incoming,
    connection: Option<(Sender, Http1)>,
}

impl Returning {
    fn wrap(response: Response<Incoming>, sender: Sender, pool: Http1) -> Response<Self> {
        response.map(|body| {
            let mut body = Self { body, connection: Some((sender, pool)) };
            body.give_back_at_end();
            body
        })
    }

    fn give_back_at_end(&mut self) {
        if self.body.is_end_stream()
            && let Some((sender, pool)) = self.connection.take()
        {
            pool.put(sender);
        }
    }
}

impl Body for Returning {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(_)) | None) => this.give_back_at_end(),
            Poll::Ready(Some(Err(_))) => this.connection = None,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
