//! Bodies: our own, which are whole, and the e-service's, which stream through.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::Semaphore;

use super::upstream::Returning;

/// What is sent to a client.
pub enum AnswerBody {
    /// A page or document of ours.
    Own(Full<Bytes>),
    /// The e-service's, passed on frame by frame.
    Upstream(Returning),
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> Self {
        Self::Own(Full::new(bytes))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Own(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Upstream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
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
pub async fn gather(body: Incoming, limit: usize, room: &FormRoom) -> Result<Bytes, NotRead> {
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
