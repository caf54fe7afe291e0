//! The one way out: what the sidecar itself asks of others goes through a [`Fetcher`].
//!
//! It calls what the configuration names and nothing else: a redirect is an error, plain http is for loopback, and what a
//! document says of other hosts is not followed. Every part of an exchange has its time and every answer its limit, kept
//! while reading. Nothing is unpacked: no compression is asked for, and what comes compressed is refused.

mod connect;
mod error;
mod request;
mod tls;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderValue};
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use self::connect::{Connected, connect, connector};
use self::error::{place, told};
use self::tls::Roots;
use crate::base::limits::FETCH_HEAD_BYTES;
use crate::base::{Clock, UnixTime};
use crate::config::{Outbound, RemoteUrl};

pub use connect::Reach;
pub use error::{FetchError, Stage, TlsFault};
pub use request::{Answer, Request, Times, Validators, encoded};
pub use tls::TlsSetup;

/// What we call ourselves. Which version is nobody's business.
const USER_AGENT: &str = "grindvakt";

/// Makes requests. Clones share one set of roots and of TLS sessions.
///
/// Each exchange runs on the runtime that was given, whoever waits for it: a handshake never takes the time of a thread
/// that serves requests. Dropping the wait ends the exchange.
#[derive(Clone)]
pub struct Fetcher {
    inner: Arc<Inner>,
    runtime: Handle,
}

struct Inner {
    outbound: Outbound,
    tls: TlsConnector,
    clock: Arc<dyn Clock>,
}

impl Fetcher {
    /// Reads the roots and is ready. What of the system's roots cannot be used is told to the log.
    ///
    /// # Errors
    /// [`TlsSetup`]: the configured file, or the library.
    pub fn new(outbound: &Outbound, clock: Arc<dyn Clock>, runtime: Handle) -> Result<Self, TlsSetup> {
        let roots = Roots::load(outbound.ca_file.as_deref())?;
        if let Some(warning) = &roots.warning {
            tracing::warn!(event = "tls_roots", detail = warning);
        }
        let tls = connector(tls::client(roots, Arc::clone(&clock))?);
        Ok(Self { inner: Arc::new(Inner { outbound: outbound.clone(), tls, clock }), runtime })
    }

    /// Sends a request and waits for the whole answer, whatever its status: see [`Answer::ok`].
    ///
    /// # Errors
    /// [`FetchError`], also for a redirect, and for a 304 that was not asked for.
    pub async fn send(&self, request: Request) -> Result<Answer, FetchError> {
        let inner = Arc::clone(&self.inner);
        self.apart(async move { inner.exchange(request).await }).await
    }

    /// Asks whether a host answers, and takes no more of its answer than the head: any status is one, also a redirect,
    /// which is not followed.
    ///
    /// # Errors
    /// [`FetchError`]: of the way to the host, its TLS, its HTTP, or the time that they take.
    pub async fn probe(&self, url: RemoteUrl, times: Times, reach: Reach) -> Result<Probe, FetchError> {
        let inner = Arc::clone(&self.inner);
        let request = Request { reach, ..Request::get(url).within(times) };
        let probe = async move {
            let (answer, certificate, _driver) = inner.answer(&request, inner.end(&request)).await?;
            let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
            Ok(Probe {
                status: answer.status(),
                issuer: issuer_of(certificate.as_ref()),
                date: date.and_then(UnixTime::parse_http_date),
            })
        };
        self.apart(probe).await
    }

    /// Does it on the runtime that was given, for as long as somebody waits.
    async fn apart<R: Send + 'static>(
        &self,
        work: impl Future<Output = Result<R, FetchError>> + Send + 'static,
    ) -> Result<R, FetchError> {
        // The runtime is going down, or the task fell over.
        Ended(self.runtime.spawn(work)).await.unwrap_or_else(|e| Err(FetchError::Broken(told(e))))
    }
}

/// What a host showed that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The status of its answer.
    pub status: StatusCode,
    /// Who issued its certificate; none on plain http.
    pub issuer: Option<String>,
    /// What its clock says.
    pub date: Option<UnixTime>,
}

/// Who issued a certificate that was accepted.
fn issuer_of(certificate: Option<&CertificateDer<'_>>) -> Option<String> {
    certificate.and_then(|der| crate::crypto::certificate::issuer(der))
}

/// A task that ends with whoever waits for it.
struct Ended<T>(JoinHandle<T>);

impl<T> Future for Ended<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The head of an answer, the certificate that the host showed, and what drives the connection.
type Begun = (http::Response<Incoming>, Option<CertificateDer<'static>>, Ended<()>);

impl Inner {
    async fn exchange(&self, request: Request) -> Result<Answer, FetchError> {
        let end = self.end(&request);
        let (answer, certificate, _driver) = self.answer(&request, end).await?;
        let (parts, body) = answer.into_parts();
        refuse(parts.status, &parts.headers, &request)?;
        let body = self.within(Stage::Body, request.times.whole, end, whole(body, request.limit)).await?;
        Ok(Answer { status: parts.status, headers: parts.headers, body, certificate })
    }

    /// When the time of an exchange that begins now is over.
    fn end(&self, request: &Request) -> UnixTime {
        self.clock.now().plus(request.times.whole)
    }

    /// Connects, asks, and has the head of the answer. The connection lives as long as the last value.
    async fn answer(&self, request: &Request, end: UnixTime) -> Result<Begun, FetchError> {
        let times = request.times;
        let proxy = self.outbound.proxy_for(&request.url);
        let connecting = connect(&request.url, proxy, &self.tls, request.reach);
        let Connected { stream, certificate } = self.within(Stage::Connect, times.connect, end, connecting).await?;
        let (answer, driver) = self.within(Stage::Head, times.head, end, head(stream, request)).await?;
        Ok((answer, certificate, driver))
    }

    /// `work`, or the timeout of its stage, after `time` or at `end`.
    async fn within<T>(
        &self,
        stage: Stage,
        time: Duration,
        end: UnixTime,
        work: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        let until = self.clock.now().plus(time).min(end);
        tokio::select! {
            biased;
            done = work => done,
            () = self.clock.sleep_until(until) => Err(FetchError::Timeout(stage)),
        }
    }
}

/// Sends the request and reads the head of the answer. The connection lives as long as the second value.
async fn head(
    stream: Box<dyn connect::Stream>,
    request: &Request,
) -> Result<(http::Response<Incoming>, Ended<()>), FetchError> {
    let broken = |e: hyper::Error| FetchError::Broken(told(chain(&e)));
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(FETCH_HEAD_BYTES).handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // How it ends is seen by whoever waits for the answer.
    let driver = Ended(tokio::spawn(async move { drop(connection.await) }));
    let impossible = |e: &dyn std::fmt::Display| FetchError::Request(told(e));
    let target: Uri = request.url.target().parse().map_err(|e| impossible(&e))?;
    let host = HeaderValue::from_str(&request.url.authority()).map_err(|e| impossible(&e))?;
    let mut message = http::Request::new(Full::new(request.body.clone()));
    *message.method_mut() = request.method.clone();
    *message.uri_mut() = target;
    *message.headers_mut() = request.headers.clone();
    message.headers_mut().insert(header::HOST, host);
    message.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    // One exchange, one connection: feeds are fetched by the hour.
    message.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    let answer = sender.send_request(message).await.map_err(broken)?;
    Ok((answer, driver))
}

/// What no caller wants of an answer.
fn refuse(status: StatusCode, headers: &HeaderMap, request: &Request) -> Result<(), FetchError> {
    match status.as_u16() {
        status @ (301 | 302 | 303 | 307 | 308) => {
            let location = headers.get(header::LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
            Err(FetchError::Redirect { status, location: place(&location.unwrap_or_default()) })
        }
        304 if !request.conditional() => Err(FetchError::Status(304)),
        _ => match headers.get(header::CONTENT_ENCODING) {
            Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"identity") => {
                Err(FetchError::Broken("it is compressed, which was not asked for".into()))
            }
            _ => Ok(()),
        },
    }
}

/// The body, refused as soon as it is known to be over `limit`.
async fn whole(mut body: Incoming, limit: usize) -> Result<Bytes, FetchError> {
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(FetchError::TooLarge { limit });
    }
    let mut out = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| FetchError::Broken(told(chain(&e))))?;
        if let Ok(data) = frame.into_data() {
            if out.len() + data.len() > limit {
                return Err(FetchError::TooLarge { limit });
            }
            out.extend_from_slice(&data);
        }
    }
    Ok(out.freeze())
}

/// An error with what is behind it: hyper's own words say little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
