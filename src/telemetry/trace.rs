//! W3C Trace Context: which trace a request belongs to, so that its log lines can be found with those of the proxy before
//! us and of the e-service behind us.
//!
//! The trace is kept beside the task that answers a request, and set while that task is polled: whatever writes a line
//! meanwhile, the line has it. No span is made, and a request that makes no line pays for two stores.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The id of a trace, as its header had it: 16 bytes, not all of them zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId([u8; 32]);

/// A `traceparent` that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTraceparent;

/// The most of a `tracestate` that is passed on: what the recommendation has everybody take (3.3.1.5).
pub const TRACESTATE_BYTES: usize = 512;

/// Version, trace id, parent id, flags, and what is between them.
const LENGTH: usize = 55;

impl TraceId {
    /// From the value of `traceparent` (Trace Context, 3.2.2): `00-<32 hex>-<16 hex>-<2 hex>` in lower case. A later
    /// version may have more after that.
    ///
    /// # Errors
    /// [`BadTraceparent`]: then nobody may believe any of it, nor the `tracestate` beside it (4.2).
    pub fn parse(value: &[u8]) -> Result<Self, BadTraceparent> {
        let (head, rest) = value.split_at_checked(LENGTH).ok_or(BadTraceparent)?;
        let [v0, v1, b'-', id @ .., b'-', f0, f1] = head else { return Err(BadTraceparent) };
        let (trace, parent) = id.split_at_checked(32).ok_or(BadTraceparent)?;
        let Some((b'-', parent)) = parent.split_first() else { return Err(BadTraceparent) };
        let hex = |bytes: &[u8]| bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let zero = |bytes: &[u8]| bytes.iter().all(|b| *b == b'0');
        let version = [*v0, *v1];
        let good = hex(&version) && hex(trace) && hex(parent) && hex(&[*f0, *f1]) && !zero(trace) && !zero(parent);
        // Version 255 is forbidden; version 0 ends here.
        let ends = match &version {
            b"ff" => false,
            b"00" => rest.is_empty(),
            _ => rest.is_empty() || (rest.first() == Some(&b'-') && rest.iter().all(u8::is_ascii_graphic)),
        };
        match <[u8; 32]>::try_from(trace) {
            Ok(trace) if good && ends => Ok(Self(trace)),
            _ => Err(BadTraceparent),
        }
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

thread_local! {
    static CURRENT: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// The trace that the running task belongs to, for a line that is written now.
pub fn current() -> Option<TraceId> {
    // A line that is written while a thread ends belongs to no trace.
    CURRENT.try_with(Cell::get).ok().flatten()
}

/// Runs `inner` within a trace; none leaves it without one.
pub const fn within<F>(trace: Option<TraceId>, inner: F) -> Within<F> {
    Within { trace, inner }
}

/// A task within a trace.
pub struct Within<F> {
    trace: Option<TraceId>,
    inner: F,
}

/// Puts back what was before, also when the poll panics.
struct Before(Option<TraceId>);

impl Drop for Before {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| current.set(self.0));
    }
}

impl<F: Future + Unpin> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let trace = self.trace;
        let _before = Before(CURRENT.try_with(|current| current.replace(trace)).ok().flatten());
        Pin::new(&mut self.inner).poll(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_the_one_form_is_a_traceparent() {
        let trace = TraceId::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(trace.as_str(), "4bf92f3577b34da6a3ce929d0e0e4736");
        for later in ["01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", &GOOD.replacen("00-", "cc-", 1)] {
            assert!(TraceId::parse(later.as_bytes()).is_ok(), "{later}");
            assert!(TraceId::parse(format!("{later}-what-comes").as_bytes()).is_ok(), "{later}");
            assert!(TraceId::parse(format!("{later}x").as_bytes()).is_err(), "{later}");
            assert!(TraceId::parse(format!("{later}-a b").as_bytes()).is_err(), "{later}");
        }
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-195006262546da6a3ce929d0e0e47361-00f067aa0ba902b7-0g",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473600-f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceId::parse(bad.as_bytes()), Err(BadTraceparent), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_line_knows_the_trace_of_its_task_and_of_no_other() {
        let trace = TraceId::parse(GOOD.as_bytes()).unwrap();
        let (one, other) = tokio::join!(
            within(
                Some(trace),
                Box::pin(async {
                    tokio::task::yield_now().await;
                    current()
                })
            ),
            within(
                None,
                Box::pin(async {
                    tokio::task::yield_now().await;
                    current()
                })
            )
        );
        assert_eq!((one, other, current()), (Some(trace), None, None));
    }
}
