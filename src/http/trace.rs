//! `traceparent` and `tracestate` (W3C Trace Context): passed on as they came when they are what they must be, and
//! removed when they are not.
//!
//! We begin no trace of our own and change none: who comes before us decides what is sampled.

use http::{HeaderMap, HeaderName};

use crate::telemetry::trace::{BadTraceparent, TRACESTATE_BYTES, TraceId};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The trace of a request, after what is no trace was taken out of it.
///
/// # Errors
/// [`BadTraceparent`]: there was one, or several, and none of it is left.
pub(super) fn admit(headers: &mut HeaderMap) -> Result<Option<TraceId>, BadTraceparent> {
    let mut all = headers.get_all(TRACEPARENT).iter();
    let trace = match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => TraceId::parse(one.as_bytes()).map(Some),
        // Which of them counts would be a guess (3.2.1: one header).
        (Some(_), Some(_)) => Err(BadTraceparent),
    };
    if trace.is_err() {
        headers.remove(TRACEPARENT);
    }
    // It means nothing without the other (3.3.1).
    if !matches!(trace, Ok(Some(_))) || !is_state(headers) {
        headers.remove(TRACESTATE);
    }
    trace
}

/// Whether what is in `tracestate` may be passed on: text of a bounded length. What it says is its vendors' affair.
fn is_state(headers: &HeaderMap) -> bool {
    let all = || headers.get_all(TRACESTATE).iter();
    let text = all().all(|value| value.as_bytes().iter().all(|b| matches!(b, b'\t' | b' '..=b'~')));
    text && all().map(|value| value.len() + 1).sum::<usize>() <= TRACESTATE_BYTES + 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_is_passed_on_whole_or_not_at_all() {
        let long = "x".repeat(TRACESTATE_BYTES + 1);
        let most = "x".repeat(TRACESTATE_BYTES);
        for (parents, states, traced, parent, state) in [
            (&[][..], &[][..], Ok(false), false, false),
            (&[GOOD], &[], Ok(true), true, false),
            (&[GOOD], &["vendor=1"], Ok(true), true, true),
            (&[GOOD], &["a=1", "b=2"], Ok(true), true, true),
            (&[GOOD], &[most.as_str()], Ok(true), true, true),
            (&[GOOD], &[long.as_str()], Ok(true), true, false),
            (&[], &["vendor=1"], Ok(false), false, false),
            (&["195006262546"], &["vendor=1"], Err(()), false, false),
            (&[GOOD, GOOD], &["vendor=1"], Err(()), false, false),
        ] {
            let mut headers = HeaderMap::new();
            for value in parents {
                headers.append(TRACEPARENT, value.parse().unwrap());
            }
            for value in states {
                headers.append(TRACESTATE, value.parse().unwrap());
            }
            let got = admit(&mut headers).map(|trace| trace.is_some()).map_err(|_| ());
            assert_eq!(got, traced, "{parents:?}");
            assert_eq!(headers.contains_key(TRACEPARENT), parent, "{parents:?}");
            assert_eq!(headers.contains_key(TRACESTATE), state, "{parents:?} {states:?}");
        }
    }
}
