//! Bodies of requests and of the e-service's answers: whole, or as many zeros as wanted, made as they are sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Zeros are sent in pieces of this size.
const PIECE: usize = 64 * 1024;

static ZEROS: [u8; PIECE] = [0; PIECE];

/// A body.
#[derive(Clone, Debug)]
pub enum Payload {
    /// These bytes; empty once they are sent.
    Whole(Bytes),
    /// So many zeros more.
    Zeros(u64),
}

impl Payload {
    /// No body.
    pub const fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    const fn left(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Zeros(left) => *left,
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut *self {
            Self::Whole(bytes) => std::mem::take(bytes),
            Self::Zeros(left) => {
                let piece = usize::try_from(*left).unwrap_or(PIECE).min(PIECE);
                *left = left.saturating_sub(piece as u64);
                Bytes::from_static(ZEROS.get(..piece).unwrap_or_default())
            }
        };
        Poll::Ready(if piece.is_empty() { None } else { Some(Ok(Frame::data(piece))) })
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn as_many_bytes_as_promised() {
        for body in [Payload::empty(), Payload::Whole(Bytes::from_static(b"abc")), Payload::Zeros(200_000)] {
            let promised = body.size_hint().exact().unwrap();
            assert_eq!(body.collect().await.unwrap().to_bytes().len() as u64, promised);
        }
    }
}
