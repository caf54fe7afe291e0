//! Bodies: the client's on its way to the e-service, the e-service's on its way back, and our own, which are whole.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::Semaphore;
use tokio::time::Sleep;

use super::headers::{IdentityNames, clean_answer_trailers};
use super::upstream::Returning;
use super::watchdog::{Looks, Streaming, Watched};

/// How long the e-service may think about whether it wants a body (RFC 9110, 10.1.1: not for ever, since many servers
/// never say).
const EXPECT_TIME: Duration = Duration::from_secs(1);

/// Why a request's body does not go on.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The client broke off, or what it sent is not what its head said.
    #[error(transparent)]
    Client(#[from] hyper::Error),
    /// The e-service has answered without it, or it stood still for too long.
    #[error("nobody waits for it any more")]
    Unwanted,
}

/// The body of a request, passed on frame by frame.
pub struct RequestBody {
    /// None for a request of our own, which has none.
    body: Option<Incoming>,
    watched: Arc<Watched>,
    /// What is not ours in trailers; none where nobody reads them.
    names: Option<Arc<IdentityNames>>,
    /// The time that the e-service has once it has all.
    answer: Looks,
    held: Option<Held>,
}

impl RequestBody {
    /// As it comes from the client.
    pub const fn new(body: Incoming, watched: Arc<Watched>) -> Self {
        Self { body: Some(body), watched, names: None, answer: Looks::NEVER, held: None }
    }

    /// Of a request of our own that a client caused: nothing.
    pub const fn empty(watched: Arc<Watched>) -> Self {
        Self { body: None, watched, names: None, answer: Looks::NEVER, held: None }
    }

    /// On its way to the e-service, which has `answer` for its answer once it has all of it. `names` are kept out of
    /// its trailers (T43).
    pub fn goes_on(&mut self, names: &Arc<IdentityNames>, answer: Looks) {
        self.names = Some(Arc::clone(names));
        self.answer = answer;
    }

    /// Not a byte is asked of the client until the e-service wants the body.
    pub fn waits_for(&mut self, wanted: Wanted) {
        self.held = Some(Held { wanted, patience: None });
    }

    /// The next frame, or none where a trailer holds nothing that may go on.
    fn cleaned(&self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        match frame.into_trailers() {
            Ok(mut trailers) => {
                self.names.as_ref()?.clean_trailers(&mut trailers);
                (!trailers.is_empty()).then(|| Frame::trailers(trailers))
            }
            Err(data) => Some(data),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        if let Some(held) = &mut this.held {
            if !ready!(held.poll(cx)) {
                return Poll::Ready(Some(Err(Broken::Unwanted)));
            }
            this.held = None;
        }
        let Poll::Ready(polled) = Pin::new(&mut *body).poll_frame(cx) else {
            let waits = this.watched.awaits_body(cx.waker());
            return if waits { Poll::Pending } else { Poll::Ready(Some(Err(Broken::Unwanted))) };
        };
        match polled {
            Some(Ok(frame)) => {
                this.watched.got_body();
                if body.is_end_stream() {
                    this.watched.asked(this.answer);
                }
                Poll::Ready(this.cleaned(frame).map(Ok))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error.into()))),
            None => {
                this.watched.asked(this.answer);
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// What the e-service says of a body that waits: shared by whoever hears it and the body.
#[derive(Clone, Default)]
pub struct Wanted(Arc<(AtomicU8, Mutex<Option<Waker>>)>);

const NOTHING_SAID: u8 = 0;
const WANTED: u8 = 1;
const UNWANTED: u8 = 2;

impl Wanted {
    /// It wants the body.
    pub fn yes(&self) {
        self.says(WANTED);
    }

    /// It has answered without the body, and the answer is over.
    pub fn no(&self) {
        self.says(UNWANTED);
    }

    /// The first word counts.
    fn says(&self, what: u8) {
        let (said, waker) = &*self.0;
        let _ = said.compare_exchange(NOTHING_SAID, what, Relaxed, Relaxed);
        let waker = waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

struct Held {
    wanted: Wanted,
    patience: Option<Pin<Box<Sleep>>>,
}

impl Held {
    /// Whether the body shall come.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let (said, waker) = &*self.wanted.0;
        *waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        match said.load(Relaxed) {
            WANTED => return Poll::Ready(true),
            UNWANTED => return Poll::Ready(false),
            _ => {}
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(EXPECT_TIME)));
        ready!(patience.as_mut().poll(cx));
        self.wanted.yes();
        Poll::Ready(true)
    }
}

/// What is sent to a client.
pub enum AnswerBody {
    /// A page or document of ours.
    Own(Full<Bytes>),
    /// The e-service's, which has none.
    None,
    /// The e-service's, passed on frame by frame.
    Upstream(Passing),
}

/// An answer of the e-service on its way to the client.
pub struct Passing {
    body: Returning,
    streaming: Streaming,
    /// The request's body, where it still waits to be asked for.
    waiting: Option<Wanted>,
}

impl Passing {
    /// Watched until it is dropped.
    pub const fn new(body: Returning, streaming: Streaming, waiting: Option<Wanted>) -> Self {
        Self { body, streaming, waiting }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if let Some(waiting) = &self.waiting {
            waiting.no();
        }
    }
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> Self {
        Self::Own(Full::new(bytes))
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(cx)) else { return Poll::Ready(None) };
        this.streaming.moved();
        let frame = match frame?.into_trailers() {
            Ok(mut trailers) => {
                clean_answer_trailers(&mut trailers);
                if trailers.is_empty() {
                    return Poll::Ready(None);
                }
                Frame::trailers(trailers)
            }
            Err(data) => data,
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Own(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::None => Poll::Ready(None),
            Self::Upstream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::None => true,
            Self::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::None => SizeHint::with_exact(0),
            Self::Upstream(body) => body.size_hint(),
        }
    }
}

/// Why a form was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRead {
    /// Over the limit.
    TooLarge,
    /// All forms that are being read take too much room together.
    NoRoom,
    /// The client broke off, or took too long.
    Broken,
}

/// How long a client may take to send a form: 12 KB in practice, over a bad mobile network at the worst.
const FORM_TIME: Duration = Duration::from_secs(15);

/// Bytes of all forms that are being read, together: some 2,700 logins at the same instant. Whoever sends half a form
/// and waits must not be able to fill the memory.
const FORM_ROOM: usize = 32 * 1024 * 1024;

/// The room that is left for forms. Shared by all cores.
pub struct FormRoom(Semaphore);

impl Default for FormRoom {
    fn default() -> Self {
        Self(Semaphore::new(FORM_ROOM))
    }
}

/// Reads a form whole: the only bodies that are ever gathered, and never more than `limit` bytes.
///
/// # Errors
/// [`NotRead`].
pub async fn gather(body: RequestBody, limit: usize, room: &FormRoom) -> Result<Bytes, NotRead> {
    let reading = async {
        let mut body = Limited::new(body, limit);
        let mut whole = BytesMut::new();
        let mut taken = room.0.try_acquire_many(0).map_err(|_| NotRead::NoRoom)?;
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|e| if e.is::<LengthLimitError>() { NotRead::TooLarge } else { NotRead::Broken })?;
            let Ok(data) = frame.into_data() else { continue };
            let bytes = u32::try_from(data.len()).map_err(|_| NotRead::TooLarge)?;
            taken.merge(room.0.try_acquire_many(bytes).map_err(|_| NotRead::NoRoom)?);
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    };
    tokio::time::timeout(FORM_TIME, reading).await.unwrap_or(Err(NotRead::Broken))
}
