//! Small writes in one piece. A head and a short body come from hyper as two slices, and a head alone as one: the kernel
//! takes longer over a list of slices (`writev`) than over one (`send`), and longer than a few hundred bytes take to be
//! laid side by side.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

/// What is laid side by side at the most. Beyond it a copy costs more than the list.
const SMALL: usize = 1024;

/// Writes what is in `slices`, from the first on; returns how many bytes of it all went, as
/// [`AsyncWrite::poll_write_vectored`] does.
pub(super) fn poll_write(
    to: Pin<&mut impl AsyncWrite>,
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let mut full = slices.iter().filter(|slice| !slice.is_empty());
    let first = full.next().map_or(&[][..], |slice| slice);
    if full.next().is_none() {
        return to.poll_write(cx, first);
    }
    let mut whole = [0; SMALL];
    let mut end = 0_usize;
    for slice in slices {
        let next = end.saturating_add(slice.len());
        let Some(room) = whole.get_mut(end..next) else { return to.poll_write_vectored(cx, slices) };
        room.copy_from_slice(slice);
        end = next;
    }
    to.poll_write(cx, whole.get(..end).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes so many bytes at a time, and notes how they came.
    struct Taker {
        most: usize,
        taken: Vec<u8>,
        lists: usize,
    }

    impl AsyncWrite for Taker {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let some = bytes.get(..self.most).unwrap_or(bytes);
            self.taken.extend_from_slice(some);
            Poll::Ready(Ok(some.len()))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.lists += 1;
            self.poll_write(cx, &slices.iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<u8>>())
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn every_byte_goes_in_order_and_only_large_ones_as_a_list() {
        for (lengths, most, went, lists) in [
            (&[][..], 9999, 0, 0),
            (&[0, 0], 9999, 0, 0),
            (&[5], 9999, 5, 0),
            (&[0, 5, 0], 9999, 5, 0),
            (&[200, 512], 9999, 712, 0),
            (&[200, 0, 512], 9999, 712, 0),
            (&[200, 512], 300, 300, 0),
            (&[512, 512], 9999, 1024, 0),
            (&[512, 513], 9999, 1025, 1),
            (&[1, 5000], 9999, 5001, 1),
            (&[5000], 9999, 5000, 0),
            (&[1025, 1, 1], 9999, 1027, 1),
        ] {
            let mut next = 0_u8;
            let pieces: Vec<Vec<u8>> = lengths
                .iter()
                .map(|length| {
                    (0..*length)
                        .map(|_| {
                            next = next.wrapping_add(7);
                            next
                        })
                        .collect()
                })
                .collect();
            let slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            let mut taker = Taker { most, taken: Vec::new(), lists: 0 };
            let polled = poll_write(Pin::new(&mut taker), &mut Context::from_waker(Waker::noop()), &slices);
            let Poll::Ready(Ok(written)) = polled else { panic!("{lengths:?}") };
            assert_eq!((written, taker.lists), (went, lists), "{lengths:?}");
            assert_eq!(taker.taken, pieces.concat().get(..went).unwrap(), "{lengths:?}");
        }
    }
}
