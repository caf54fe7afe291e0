//! An accepted connection: what it speaks is told by its first bytes, and the watchdog sees each byte.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

use super::small_writes;
use super::watchdog::Watched;

/// How an HTTP/2 client begins (RFC 9113, 3.4). No request of HTTP/1 begins so.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a client may go on sending what nobody reads any more.
const LINGER_TIME: Duration = Duration::from_secs(5);

/// Connections that are read from although nobody wants it.
const LINGERING: usize = 512;

static LINGERERS: AtomicUsize = AtomicUsize::new(0);

/// An accepted connection.
pub struct Accepted {
    /// None only while it is dropped.
    stream: Option<TcpStream>,
    /// What was read to find out what it speaks, and not yet read again.
    early: [u8; PREFACE.len()],
    early_len: usize,
    early_read: usize,
    watched: Arc<Watched>,
    /// Of an HTTP/2 connection single streams are watched, not bytes.
    counts_bytes: bool,
}

impl Accepted {
    /// Not a byte is read yet.
    pub fn new(stream: TcpStream, watched: Arc<Watched>) -> Self {
        Self {
            stream: Some(stream),
            early: [0; PREFACE.len()],
            early_len: 0,
            early_read: 0,
            watched,
            counts_bytes: true,
        }
    }

    /// Whether the client begins as HTTP/2 clients do. Everything else is HTTP/1, or is refused as a bad request of it.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn is_http2(&mut self) -> io::Result<bool> {
        let Some(stream) = &mut self.stream else { return Ok(false) };
        while let Some(rest @ [_, ..]) = self.early.get_mut(self.early_len..) {
            let read = stream.read(rest).await?;
            self.early_len += read;
            let same = self.early.iter().zip(PREFACE).take(self.early_len).all(|(got, known)| got == known);
            if read == 0 || !same {
                return Ok(false);
            }
        }
        self.counts_bytes = false;
        self.watched.is_multiplexed();
        Ok(true)
    }

    fn io(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Accepted {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let had = buf.filled().len();
        if this.early_read < this.early_len {
            let rest = this.early.get(this.early_read..this.early_len).unwrap_or_default();
            let some = rest.get(..buf.remaining()).unwrap_or(rest);
            buf.put_slice(some);
            this.early_read += some.len();
            // What is there already comes along, so that a head is parsed once. How it ends is seen the next time.
            let _ = this.io()?.poll_read(cx, buf);
            return Poll::Ready(Ok(()));
        }
        ready!(this.io()?.poll_read(cx, buf))?;
        if this.counts_bytes && buf.filled().len() > had {
            this.watched.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = ready!(this.io()?.poll_write(cx, bytes))?;
        if this.counts_bytes {
            this.watched.sent();
        }
        Poll::Ready(Ok(sent))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = ready!(small_writes::poll_write(this.io()?, cx, slices))?;
        if this.counts_bytes {
            this.watched.sent();
        }
        Poll::Ready(Ok(sent))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().io()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().io()?.poll_shutdown(cx)
    }
}

impl Drop for Accepted {
    /// A client that is answered before it has sent its whole body, and is then hung up on, is told by its kernel that
    /// the connection broke, and throws the answer away. So what it still sends is read for a while.
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else { return };
        if !self.watched.body_left() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let Some(place) = Place::take() else { return };
        runtime.spawn(async move {
            let _ = tokio::time::timeout(LINGER_TIME, read_on(stream)).await;
            drop(place);
        });
    }
}

/// One of [`LINGERING`].
struct Place;

impl Place {
    fn take() -> Option<Self> {
        // Made first: it is given back also when there was none left.
        let place = Self;
        (LINGERERS.fetch_add(1, Relaxed) < LINGERING).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        LINGERERS.fetch_sub(1, Relaxed);
    }
}

async fn read_on(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut nowhere = vec![0; 16 * 1024];
    while stream.read(&mut nowhere).await? > 0 {}
    Ok(())
}
