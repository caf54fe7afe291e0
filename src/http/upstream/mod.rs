//! Connections to the e-service, kept open and used again: one set for each core, so that no core waits for another.

mod http1;
mod http2;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::body::RequestBody;
use super::small_writes;
use super::watchdog::Expired;
use crate::config::{Upstream as Address, UpstreamProtocol};

pub use http1::Http1;
pub use http2::Http2;

/// How long a connection to something in the same pod may take to be made.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// What is read ahead of an answer before the client has taken it. hyper would take 400 KB: a few hundred clients that
/// read slowly would hold as many MB.
const BUFFER: usize = 64 * 1024;

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
    /// The wait for the answer was ended.
    #[error("{}", .0.says())]
    Expired(Expired),
    /// 101 to something else than what was asked for, or to nothing.
    #[error("switched protocols, which was not asked for")]
    Switched,
    /// The client wants an upgrade, and what the e-service speaks has none.
    #[error("an upgrade is for HTTP/1.1 only")]
    NoUpgrade,
}

impl From<hyper::Error> for Failed {
    fn from(error: hyper::Error) -> Self {
        // A request is made of what the client sends: what hyper calls the user's fault is a body that failed.
        if error.is_user() { Self::Body(error) } else { Self::Broken(error) }
    }
}

impl Expired {
    const fn says(self) -> &'static str {
        match self {
            Self::NoAnswer => "no answer in time",
            Self::ClientSlow => "the client stopped sending",
            Self::SessionOver => "the session ended meanwhile",
        }
    }
}

/// Where requests go, however it is spoken to.
pub trait Upstream: Send + Sync + 'static {
    /// Sends `request` and returns the head of the answer, with a body that streams.
    fn send(&self, request: Request<RequestBody>) -> impl Future<Output = Result<Response<Returning>, Failed>> + Send;
    /// What it speaks.
    fn version(&self) -> Version;
    /// Whether a connection can be made now: for readiness.
    fn reachable(&self) -> impl Future<Output = bool> + Send;
}

/// The one of the two that the configuration names.
#[derive(Clone)]
pub enum Connections {
    /// HTTP/1.1.
    Http1(Http1),
    /// HTTP/2 in clear text.
    Http2(Http2),
}

impl Connections {
    /// To `address`, with no connection yet.
    pub fn new(address: Address, protocol: UpstreamProtocol) -> Self {
        match protocol {
            UpstreamProtocol::Http1 => Self::Http1(Http1::new(address)),
            UpstreamProtocol::H2c => Self::Http2(Http2::new(address)),
        }
    }
}

impl Upstream for Connections {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<Returning>, Failed> {
        match self {
            Self::Http1(pool) => pool.send(request).await,
            Self::Http2(pool) => pool.send(request).await,
        }
    }

    fn version(&self) -> Version {
        match self {
            Self::Http1(_) => Version::HTTP_11,
            Self::Http2(_) => Version::HTTP_2,
        }
    }

    async fn reachable(&self) -> bool {
        match self {
            Self::Http1(pool) => pool.reachable().await,
            Self::Http2(pool) => pool.reachable().await,
        }
    }
}

/// A connection before anything is spoken on it.
enum Line {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Line {
    async fn to(address: &Address) -> Result<Self, Failed> {
        let connected = tokio::time::timeout(CONNECT_TIME, async {
            match address {
                Address::Unix(path) => UnixStream::connect(path).await.map(Self::Unix),
                Address::Tcp { host, port } => {
                    // Loopback names never ask DNS (RFC 6761, 6.3).
                    let host = if host == "localhost" || host.ends_with(".localhost") { "127.0.0.1" } else { host };
                    let stream = TcpStream::connect((host, *port)).await?;
                    stream.set_nodelay(true)?;
                    Ok(Self::Tcp(stream))
                }
            }
        });
        connected.await.map_err(|_| Failed::Slow)?.map_err(Failed::Connect)
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => small_writes::poll_write(Pin::new(stream), cx, slices),
            Self::Unix(stream) => small_writes::poll_write(Pin::new(stream), cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// What an answer's body keeps until it ends.
enum Hold {
    /// The connection itself; it goes back among the idle ones.
    Connection(http1::Sender, Http1),
    /// One of the streams that a connection may carry.
    Stream(#[expect(dead_code, reason = "counts while it is there")] http2::Open),
}

/// The body of an answer. When it ends, its connection is free for the next; dropped before, it is not used again.
pub struct Returning {
    body: Incoming,
    hold: Option<Hold>,
}

impl Returning {
    fn wrap(response: Response<Incoming>, hold: Hold) -> Response<Self> {
        response.map(|body| {
            let ended = body.is_end_stream();
            let mut body = Self { body, hold: Some(hold) };
            if ended {
                body.ended();
            }
            body
        })
    }

    fn ended(&mut self) {
        if let Some(Hold::Connection(sender, pool)) = self.hold.take() {
            pool.put(sender);
        }
    }

    /// A connection that became something else is not used again.
    pub fn forget(&mut self) {
        self.hold = None;
    }
}

impl Body for Returning {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let polled = ready!(Pin::new(&mut this.body).poll_frame(cx));
        match &polled {
            Some(Ok(frame)) if frame.is_trailers() || this.body.is_end_stream() => this.ended(),
            Some(Ok(_)) => {}
            Some(Err(_)) => this.hold = None,
            None => this.ended(),
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A shared list of what is open.
type Shared<T> = Arc<std::sync::Mutex<Vec<T>>>;
