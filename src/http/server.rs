//! Serving: one single-threaded runtime for each core, each with a listener of its own on the same address
//! (SO_REUSEPORT), so that a connection lives and dies on one core.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::body::AnswerBody;
use super::framing::Framed;
use crate::base::limits;

/// How long a client may take to send its headers.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// Connections that wait to be accepted, as in most servers.
const BACKLOG: i32 = 1024;

/// Answers requests. One for each core.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request from `peer`.
    fn handle(&self, request: Request<Incoming>, peer: SocketAddr)
    -> impl Future<Output = Response<AnswerBody>> + Send;
}

/// How far a shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Serving.
    Serving,
    /// No new connections; those that are open end with their request.
    Draining,
}

/// Bound listeners that nobody serves yet.
pub struct Bound {
    listeners: Vec<std::net::TcpListener>,
    address: SocketAddr,
}

impl Bound {
    /// Binds `cores` listeners to `address`. Port 0 takes a free one, the same for all.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn new(mut address: SocketAddr, cores: usize) -> io::Result<Self> {
        let mut listeners = Vec::with_capacity(cores);
        for _ in 0..cores.max(1) {
            let listener = listen(address)?;
            address = listener.local_addr()?;
            listeners.push(listener);
        }
        Ok(Self { listeners, address })
    }

    /// The address, with its real port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves, with a `handler` for each core, until `phase` says to drain and every connection has ended, or `deadline` has passed since.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn serve<H: Handler>(
        self,
        handler: impl Fn(usize) -> H,
        phase: &watch::Receiver<Phase>,
        deadline: Duration,
    ) -> io::Result<Vec<JoinHandle<()>>> {
        let mut threads = Vec::with_capacity(self.listeners.len());
        for (core, listener) in self.listeners.into_iter().enumerate() {
            let (handler, phase) = (Arc::new(handler(core)), phase.clone());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new().name(format!("serve-{core}"));
            threads.push(thread.spawn(move || runtime.block_on(serve(listener, handler, phase, deadline)))?);
        }
        Ok(threads)
    }
}

fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

async fn serve<H: Handler>(
    listener: std::net::TcpListener,
    handler: Arc<H>,
    mut phase: watch::Receiver<Phase>,
    deadline: Duration,
) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        tracing::error!(event = "listener_failed");
        return;
    };
    // Each connection holds a sender: when all are dropped, all have ended.
    let (alive, mut ended) = mpsc::channel::<()>(1);
    let phases = phase.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    tokio::spawn(connection(stream, peer, Arc::clone(&handler), phases.clone(), alive.clone()));
                }
                // Out of file descriptors, most likely: accepting again at once would spin.
                Err(error) => {
                    tracing::warn!(event = "accept_failed", %error);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            _ = phase.wait_for(|phase| *phase == Phase::Draining) => break,
        }
    }
    drop(listener);
    drop(alive);
    if tokio::time::timeout(deadline, ended.recv()).await.is_err() {
        tracing::warn!(event = "drain_deadline_passed", "connections were cut");
    }
}

async fn connection<H: Handler>(
    stream: TcpStream,
    peer: SocketAddr,
    handler: Arc<H>,
    mut phase: watch::Receiver<Phase>,
    _alive: mpsc::Sender<()>,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, std::convert::Infallible>(handler.handle(request, peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        // A header block that does not fit is answered 431. Without the first, one that came all at once would fit.
        .max_header_size(limits::HEADER_BLOCK_BYTES)
        .max_buf_size(limits::HEADER_BLOCK_BYTES)
        .serve_connection(TokioIo::new(Framed::new(stream)), service);
    let mut connection = pin!(connection);
    // How a connection ends is the client's affair: nothing is told of it.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = phase.wait_for(|phase| *phase == Phase::Draining) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
