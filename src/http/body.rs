//! Bodies: our own, which are whole, and the e-service's, which stream through.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};

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
    /// The client broke off, or took too long.
    Broken,
}

/// How long a client may take to send a form.
const FORM_TIME: std::time::Duration = std::time::Duration::from_secs(30);

/// Reads a form whole: the only bodies that are ever gathered, and never more than `limit` bytes.
///
/// # Errors
/// [`NotRead`].
pub async fn gather(body: Incoming, limit: usize) -> Result<Bytes, NotRead> {
    // A base64 field with its encoding is at most this much larger than the message that it holds.
    let gathered = tokio::time::timeout(FORM_TIME, Limited::new(body, limit).collect()).await;
    match gathered {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(e)) if e.is::<LengthLimitError>() => Err(NotRead::TooLarge),
        Ok(Err(_)) | Err(_) => Err(NotRead::Broken),
    }
}
