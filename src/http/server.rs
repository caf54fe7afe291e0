//! Serving: one single-threaded runtime for each core, each with a listener of its own on the same address
//! (SO_REUSEPORT), so that a connection lives and dies on one core.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body as _, Incoming};
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::accepted::Accepted;
use super::body::{AnswerBody, RequestBody};
use super::framing::Framed;
use super::watchdog::{Cut, Leftover, Watchdog, Watched, pulse};
use crate::base::limits;
use crate::gate::Lease;

/// Connections that wait to be accepted, as in most servers.
const BACKLOG: i32 = 1024;

/// How soon the kernel asks a silent client whether it is still there, and how often: for what has no limit in time.
const TCP_KEEPALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15));

/// Requests at a time on one HTTP/2 connection: the fewest that a server should take (RFC 9113, 6.5.2).
const STREAMS: u32 = 100;

/// What a client may send ahead on one stream, and on all of a connection, before the e-service has taken it. Both are
/// memory that a stranger can fill.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What is kept of an answer for a client that does not read it.
const SEND_BUFFER: usize = 64 * 1024;

/// Streams reset by the client before we have looked at them (CVE-2023-44487). Those that we have looked at, the
/// watchdog counts.
const RESETS_UNSEEN: usize = 20;

/// Streams that we reset ourselves because of what the client sent on them (CVE-2025-8671).
const RESETS_PROVOKED: usize = 128;

/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PINGS: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// Who asks.
pub struct Client {
    /// Its address, or that of the proxy before us.
    pub address: SocketAddr,
    /// Its connection, or its stream.
    pub watched: Arc<Watched>,
}

/// Answers requests. One for each core.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle(
        &self,
        request: Request<RequestBody>,
        client: Client,
    ) -> impl Future<Output = Response<AnswerBody>> + Send;

    /// Whether what a session opened must end now.
    fn is_over(&self, _lease: &Lease) -> bool {
        false
    }

    /// Waits until some session is ended by someone.
    fn session_ended(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Something was ended before its own end.
    fn cut(&self, _why: Cut) {}
}

/// How far a shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Serving.
    Serving,
    /// No new connections; those that are open end with their request.
    Draining,
}

/// How long connections may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Without a request.
    pub keep_alive: Duration,
    /// After the drain has begun.
    pub drain: Duration,
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

    /// Serves, with a `handler` for each core, until `phase` says to drain and every connection has ended, or
    /// `times.drain` has passed since. Each thread returns what was cut then.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn serve<H: Handler>(
        self,
        handler: impl Fn(usize) -> H,
        phase: &watch::Receiver<Phase>,
        times: Times,
    ) -> io::Result<Vec<JoinHandle<Leftover>>> {
        let mut threads = Vec::with_capacity(self.listeners.len());
        let dogs: Vec<_> = self.listeners.iter().map(|_| Watchdog::new(times.keep_alive)).collect();
        pulse::start(&dogs)?;
        for (core, (listener, dog)) in self.listeners.into_iter().zip(dogs).enumerate() {
            let (handler, phase) = (Arc::new(handler(core)), phase.clone());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new().name(format!("serve-{core}"));
            threads.push(thread.spawn(move || runtime.block_on(serve(listener, handler, dog, phase, times)))?);
        }
        Ok(threads)
    }
}

fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // Accepted connections inherit it.
    let (time, interval) = TCP_KEEPALIVE;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(time).with_interval(interval))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

async fn serve<H: Handler>(
    listener: std::net::TcpListener,
    handler: Arc<H>,
    dog: Arc<Watchdog>,
    mut phase: watch::Receiver<Phase>,
    times: Times,
) -> Leftover {
    let Ok(listener) = TcpListener::from_std(listener) else {
        tracing::error!(event = "listener_failed");
        return Leftover::default();
    };
    tokio::spawn({
        let (dog, handler) = (Arc::clone(&dog), Arc::clone(&handler));
        async move { dog.watch_over(&*handler).await }
    });
    // Each connection holds a sender: when all are dropped, all have ended.
    let (alive, mut ended) = mpsc::channel::<()>(1);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let watched = dog.connection(alive.clone());
                    let client = Client { address, watched: Arc::clone(&watched) };
                    let task = tokio::spawn(connection(stream, client, Arc::clone(&handler), Arc::clone(&dog)));
                    watched.driven_by(task.abort_handle());
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
    dog.drain();
    match tokio::time::timeout(times.drain, ended.recv()).await {
        Ok(_) => Leftover::default(),
        Err(_) => dog.open(),
    }
}

tokio::task_local! {
    /// What the watchdog knows of the HTTP/2 stream that a task drives: hyper gives a request no other way to know.
    static STREAM: Arc<Watched>;
}

/// Drives the streams of one HTTP/2 connection, each in a task that the watchdog can end.
#[derive(Clone)]
struct Streams {
    dog: Arc<Watchdog>,
    connection: Arc<Watched>,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let watched = self.dog.stream(&self.connection);
        let task = tokio::spawn(STREAM.scope(Arc::clone(&watched), stream));
        watched.driven_by(task.abort_handle());
    }
}

async fn connection<H: Handler>(stream: TcpStream, client: Client, handler: Arc<H>, dog: Arc<Watchdog>) {
    let _ = stream.set_nodelay(true);
    let mut accepted = Accepted::new(stream, Arc::clone(&client.watched));
    // How a connection ends is the client's affair: nothing is told of it.
    match accepted.is_http2().await {
        Ok(false) => one_by_one(accepted, client, handler).await,
        // Rare beside HTTP/1, and much larger.
        Ok(true) => Box::pin(many_at_once(accepted, client, handler, dog)).await,
        Err(_) => {}
    }
}

/// HTTP/1.
async fn one_by_one<H: Handler>(accepted: Accepted, Client { address, watched }: Client, handler: Arc<H>) {
    let watches = Arc::clone(&watched);
    let service = service_fn(move |request| {
        let client = Client { address, watched: Arc::clone(&watches) };
        answer(Arc::clone(&handler), request, client)
    });
    let connection = http1::Builder::new()
        // The watchdog sees to it, without a timer for each request.
        .header_read_timeout(None)
        // A header block that does not fit is answered 431. Without the first, one that came all at once would fit.
        .max_header_size(limits::HEADER_BLOCK_BYTES)
        .max_buf_size(limits::HEADER_BLOCK_BYTES)
        .serve_connection(TokioIo::new(Framed::new(accepted)), service)
        .with_upgrades();
    drive(connection, &watched, |connection| connection.graceful_shutdown()).await;
}

/// HTTP/2.
async fn many_at_once<H: Handler>(
    accepted: Accepted,
    Client { address, watched }: Client,
    handler: Arc<H>,
    dog: Arc<Watchdog>,
) {
    let connection = Arc::clone(&watched);
    let service = service_fn(move |request| {
        let (handler, connection) = (Arc::clone(&handler), Arc::clone(&connection));
        async move {
            let watched = STREAM.try_with(Arc::clone).unwrap_or(connection);
            answer(handler, request, Client { address, watched }).await
        }
    });
    let connection = http2::Builder::new(Streams { dog, connection: Arc::clone(&watched) })
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(limits::HEADER_BLOCK_BYTES as u32)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESETS_UNSEEN)
        .max_local_error_reset_streams(RESETS_PROVOKED)
        .keep_alive_interval(PINGS.0)
        .keep_alive_timeout(PINGS.1)
        .serve_connection(TokioIo::new(accepted), service);
    drive(connection, &watched, |connection| connection.graceful_shutdown()).await;
}

/// Drives a connection to its end, and tells it to close when the watchdog says so.
async fn drive<C: Future>(connection: C, watched: &Watched, close: impl Fn(Pin<&mut C>)) {
    let mut connection = pin!(connection);
    let (mut told, mut closing) = (false, false);
    std::future::poll_fn(|cx| {
        if !told {
            // The waker of a task is the same from its first poll to its last.
            watched.wakes(cx.waker());
            told = true;
        }
        if watched.must_close() && !closing {
            closing = true;
            close(connection.as_mut());
        }
        connection.as_mut().poll(cx).map(drop)
    })
    .await;
}

async fn answer<H: Handler>(
    handler: Arc<H>,
    request: Request<Incoming>,
    client: Client,
) -> Result<Response<AnswerBody>, std::convert::Infallible> {
    let answering = client.watched.answers(!request.body().is_end_stream());
    let watched = Arc::clone(&client.watched);
    let response = handler.handle(request.map(|body| RequestBody::new(body, watched)), client).await;
    answering.done();
    Ok(response)
}
