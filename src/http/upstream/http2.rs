//! HTTP/2 in clear text with prior knowledge (RFC 9113, 3.3): many requests at a time on each connection.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use std::task::Poll;

use http::{Request, Response, Version};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Mutex;

use super::{BUFFER, Failed, Hold, Line, Returning, Shared, Upstream};
use crate::config::Upstream as Address;
use crate::http::body::RequestBody;

/// Connections for each core. More than one is needed only where requests go on for long: a server takes at least a
/// hundred at a time (RFC 9113, 6.5.2).
const CONNECTIONS: usize = 16;

/// What an e-service may send ahead on one stream before its client has taken it.
const STREAM_WINDOW: u32 = BUFFER as u32;

/// And on all streams of a connection. A client that reads slowly holds its stream's share for as long as it likes: were
/// this less than all shares together, a few of them would hold everyone else up.
const CONNECTION_WINDOW: u32 = 128 * STREAM_WINDOW;

/// An answer's headers: as much as HTTP/1.1 may send us.
const HEADER_LIST: u32 = BUFFER as u32;

/// Connections that may turn out to be closed before one request is given up.
const TRIES: usize = 4;

/// Requests on a connection, and how many it carries at a time.
struct Load {
    open: AtomicUsize,
    most: AtomicUsize,
}

/// A request on a connection, counted until it is dropped.
pub(super) struct Open(Arc<Load>);

impl Open {
    fn on(load: &Arc<Load>) -> Self {
        load.open.fetch_add(1, Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

type Connection = (SendRequest<RequestBody>, Arc<Load>);

/// HTTP/2 over TCP or a Unix socket.
#[derive(Clone)]
pub struct Http2 {
    address: Arc<Address>,
    open: Shared<Connection>,
    /// Held while a connection is made: a crowd that arrives at once makes one, not a hundred.
    dialling: Arc<Mutex<()>>,
}

impl Http2 {
    /// To `address`, with no connection yet.
    pub fn new(address: Address) -> Self {
        Self { address: Arc::new(address), open: Arc::default(), dialling: Arc::default() }
    }

    /// The connection with the fewest requests. With `room`, only one that can take another at once.
    fn pick(&self, room: bool) -> Option<(SendRequest<RequestBody>, Open)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(sender, _)| !sender.is_closed());
        let full = open.len() >= CONNECTIONS;
        let (sender, load) = open.iter().min_by_key(|(_, load)| load.open.load(Relaxed))?;
        let fits = load.open.load(Relaxed) < load.most.load(Relaxed);
        (fits || full || !room).then(|| (sender.clone(), Open::on(load)))
    }

    async fn connection(&self) -> Result<(SendRequest<RequestBody>, Open), Failed> {
        if let Some(connection) = self.pick(true) {
            return Ok(connection);
        }
        let _dialling = self.dialling.lock().await;
        // Whoever was before us may have made one.
        if let Some(connection) = self.pick(true) {
            return Ok(connection);
        }
        match self.connect().await {
            Ok((sender, load)) => {
                let request = (sender.clone(), Open::on(&load));
                self.open.lock().unwrap_or_else(PoisonError::into_inner).push((sender, load));
                Ok(request)
            }
            // Better in a queue than nowhere.
            Err(failed) => self.pick(false).ok_or(failed),
        }
    }

    async fn connect(&self) -> Result<Connection, Failed> {
        let line = Line::to(&self.address).await?;
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADER_LIST)
            .max_send_buf_size(BUFFER);
        let (sender, connection) = builder.handshake(TokioIo::new(line)).await.map_err(Failed::Broken)?;
        let load =
            Arc::new(Load { open: AtomicUsize::new(0), most: AtomicUsize::new(connection.current_max_send_streams()) });
        let told = Arc::clone(&load);
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            std::future::poll_fn(move |cx| {
                // How it ended is seen by whoever waits for an answer on it.
                let ended = connection.as_mut().poll(cx).map(drop);
                // The e-service says how many it takes, and may say so again.
                if ended == Poll::Pending {
                    told.most.store(connection.current_max_send_streams(), Relaxed);
                }
                ended
            })
            .await;
        });
        Ok((sender, load))
    }
}

impl Upstream for Http2 {
    async fn send(&self, mut request: Request<RequestBody>) -> Result<Response<Returning>, Failed> {
        let mut tries = 0;
        loop {
            let (mut sender, open) = self.connection().await?;
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(Returning::wrap(response, Hold::Stream(open))),
                // It was closed before it took the request.
                Err(mut failed) => match failed.take_message() {
                    Some(back) if tries < TRIES => (request, tries) = (back, tries + 1),
                    _ => return Err(failed.into_error().into()),
                },
            }
        }
    }

    fn version(&self) -> Version {
        Version::HTTP_2
    }

    async fn reachable(&self) -> bool {
        self.connection().await.is_ok()
    }
}
