//! One connection of the generator, kept open as long as the other side keeps it.

use std::net::SocketAddr;

use http::Request;
use http_body_util::BodyExt as _;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Answer, Payload};

/// A connection, made when it is first needed.
pub struct Conn {
    address: SocketAddr,
    sender: Option<SendRequest<Payload>>,
}

impl Conn {
    /// To `address`.
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, sender: None }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// A kept connection that was closed meanwhile is no failure: the request goes on a new one, as a browser's would.
    ///
    /// # Errors
    /// In a few words that are good for counting.
    pub async fn exchange(&mut self, mut request: Request<Payload>) -> Result<Answer, &'static str> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            match sender.try_send_request(request).await {
                Ok(response) => return self.read(response, sender).await,
                Err(mut failed) => match failed.take_message() {
                    Some(back) => request = back,
                    None => return Err("connection broke off"),
                },
            }
        }
        let mut sender = self.connect().await?;
        match sender.send_request(request).await {
            Ok(response) => self.read(response, sender).await,
            Err(_) => Err("connection broke off"),
        }
    }

    async fn connect(&self) -> Result<SendRequest<Payload>, &'static str> {
        let stream = TcpStream::connect(self.address).await.map_err(|_| "connection refused")?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| "connection broke off")?;
        tokio::spawn(async move {
            // How it ended is seen by whoever waits for an answer on it.
            let _ = connection.await;
        });
        Ok(sender)
    }

    async fn read(
        &mut self,
        response: http::Response<hyper::body::Incoming>,
        sender: SendRequest<Payload>,
    ) -> Result<Answer, &'static str> {
        let (head, mut body) = response.into_parts();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| "answer broke off")?;
            bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        self.sender = Some(sender);
        Ok(Answer { status: head.status, headers: head.headers, bytes })
    }
}
