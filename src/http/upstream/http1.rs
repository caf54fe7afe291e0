//! HTTP/1.1 over TCP or a Unix socket: one request at a time on each connection.

use std::sync::{Arc, PoisonError};

use http::{Request, Response, Version};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::{BUFFER, Failed, Hold, Line, Returning, Shared, Upstream};
use crate::config::Upstream as Address;
use crate::http::body::RequestBody;

/// Idle connections kept for each core.
const IDLE: usize = 128;

/// What a request is sent with: the client's own body, passed on as it comes.
pub(super) type Sender = SendRequest<RequestBody>;

/// HTTP/1.1 over TCP or a Unix socket.
#[derive(Clone)]
pub struct Http1 {
    address: Arc<Address>,
    idle: Shared<Sender>,
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

    pub(super) fn put(&self, sender: Sender) {
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
        let line = Line::to(&self.address).await?;
        let mut builder = http1::Builder::new();
        let (sender, connection) =
            builder.max_buf_size(BUFFER).handshake(TokioIo::new(line)).await.map_err(Failed::Broken)?;
        tokio::spawn(async move {
            // How it ended is seen by whoever waits for an answer on it.
            let _ = connection.with_upgrades().await;
        });
        Ok(sender)
    }
}

impl Upstream for Http1 {
    async fn send(&self, mut request: Request<RequestBody>) -> Result<Response<Returning>, Failed> {
        // Kept connections may have been closed by the other side meanwhile. One that has not taken the request gives
        // it back; then the next is tried, and at last a new one.
        while let Some(mut sender) = self.take() {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(Returning::wrap(response, Hold::Connection(sender, self.clone()))),
                Err(mut failed) => match failed.take_message() {
                    Some(back) => request = back,
                    None => return Err(failed.into_error().into()),
                },
            }
        }
        let mut sender = self.connect().await?;
        match sender.try_send_request(request).await {
            Ok(response) => Ok(Returning::wrap(response, Hold::Connection(sender, self.clone()))),
            Err(failed) => Err(failed.into_error().into()),
        }
    }

    fn version(&self) -> Version {
        Version::HTTP_11
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
