//! How long metadata may be used, and when to fetch it again.

use std::time::Duration;

use super::super::schema::{Readable, instant, schema};
use crate::base::UnixTime;
use crate::verify::Reject;

/// The narrowest validUntil and cacheDuration of an element and all around it (SAML Metadata 2.3.1).
#[derive(Clone, Copy, Default)]
pub(super) struct Validity {
    pub(super) until: Option<UnixTime>,
    pub(super) cache: Option<Duration>,
}

impl Validity {
    pub(super) fn within<'d>(self, element: impl Readable<'d>) -> Result<Self, Reject> {
        let narrower = |a: Option<_>, b: Option<_>| match (a, b) {
            (Some(a), Some(b)) => Some(std::cmp::min(a, b)),
            (a, b) => a.or(b),
        };
        let until = instant(element, "validUntil")?;
        let cache = match element.attribute("cacheDuration") {
            None => None,
            Some(text) => Some(duration(&text).ok_or_else(|| schema(format_args!("cacheDuration {text:?}")))?),
        };
        Ok(Self {
            until: narrower(self.until, until),
            cache: match (self.cache, cache) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
        })
    }

    pub(super) fn expired(&self, now: UnixTime) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}

/// An `xs:duration` that is not negative. A month counts as 30 days and a year as 365: it says when to fetch again.
fn duration(text: &str) -> Option<Duration> {
    let span: jiff::Span = text.starts_with('P').then(|| text.parse().ok()).flatten()?;
    let days = i64::from(span.get_years()) * 365
        + i64::from(span.get_months()) * 30
        + i64::from(span.get_weeks()) * 7
        + i64::from(span.get_days());
    let seconds = days
        .checked_mul(24)?
        .checked_add(i64::from(span.get_hours()))?
        .checked_mul(60)?
        .checked_add(span.get_minutes())?
        .checked_mul(60)?
        .checked_add(span.get_seconds())?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_real_feeds() {
        for (text, seconds) in
            [("PT5H", 18_000), ("PT20M", 1_200), ("P1D", 86_400), ("P1DT1S", 86_401), ("P1M", 2_592_000), ("PT0S", 0)]
        {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "5h", "-PT5H", "P", "PT", "PT5"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
