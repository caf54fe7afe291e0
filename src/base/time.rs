//! Instants: milliseconds since 1970-01-01T00:00:00Z, without a clock behind them.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant in UTC, in milliseconds since the Unix epoch.
///
/// Nothing in the pure rooms asks a clock for one: the caller passes it in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnixTime(i64);

/// What a clock on a wall shows, with the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallTime {
    /// The year.
    pub year: i16,
    /// The month, from 1.
    pub month: u8,
    /// The day, from 1.
    pub day: u8,
    /// The hour, from 0 to 23.
    pub hour: u8,
    /// The minute.
    pub minute: u8,
}

/// Why a text is not an instant that SAML allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not of the form `YYYY-MM-DDThh:mm:ss[.fff]Z`, or a date that no calendar has.
    #[error("not a UTC instant of the form YYYY-MM-DDThh:mm:ss[.fff]Z")]
    Malformed,
}

impl UnixTime {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the Unix epoch (the unit of JWT's `NumericDate`).
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Reads an `xs:dateTime` as SAML writes it: in UTC, marked with `Z` (SAML Core 1.3.3).
    ///
    /// An offset or a missing zone is refused: SAML demands UTC, and a local time is no instant. Digits past the
    /// millisecond are dropped, since SAML Core 1.3.3 forbids relying on them.
    ///
    /// # Errors
    /// [`TimeError::Malformed`] for anything else.
    pub fn parse_saml(text: &str) -> Result<Self, TimeError> {
        let bytes = text.as_bytes();
        let shape = bytes.len() >= 20
            && bytes.ends_with(b"Z")
            && bytes.iter().enumerate().all(|(i, b)| match i {
                4 | 7 => *b == b'-',
                10 => *b == b'T',
                13 | 16 => *b == b':',
                19 if bytes.len() > 20 => *b == b'.',
                i if i == bytes.len() - 1 => true,
                _ => b.is_ascii_digit(),
            })
            && bytes.len() != 21
            && bytes.len() <= 40;
        if !shape {
            return Err(TimeError::Malformed);
        }
        // jiff takes at most nanoseconds; the rest is below what SAML lets anyone rely on.
        let kept: std::borrow::Cow<'_, str> = match text.get(..29) {
            Some(head) if bytes.len() > 30 => format!("{head}Z").into(),
            _ => text.into(),
        };
        // A leap second has no instant of its own; jiff folds it into the last second.
        let stamp: jiff::Timestamp = kept.parse().map_err(|_| TimeError::Malformed)?;
        Ok(Self(stamp.as_millisecond()))
    }

    /// Reads RFC 3339 with any offset: what operators type after `--at`.
    ///
    /// # Errors
    /// [`TimeError::Malformed`] when it has no zone or names no instant.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimeError> {
        let stamp: jiff::Timestamp = text.parse().map_err(|_| TimeError::Malformed)?;
        Ok(Self(stamp.as_millisecond()))
    }

    /// What a clock in Sweden shows then: what people there go by, whatever clock the sidecar has. The rules of summer time
    /// are those of Directive 2000/84/EC: from the last Sunday of March to the last of October, at 01:00 UTC.
    pub fn in_sweden(self) -> Option<WallTime> {
        static SWEDEN: LazyLock<Option<jiff::tz::TimeZone>> =
            LazyLock::new(|| jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").ok());
        let there = SWEDEN.as_ref()?.to_datetime(jiff::Timestamp::from_millisecond(self.0).ok()?);
        let positive = |part: i8| u8::try_from(part).unwrap_or_default();
        Some(WallTime {
            year: there.year(),
            month: positive(there.month()),
            day: positive(there.day()),
            hour: positive(there.hour()),
            minute: positive(there.minute()),
        })
    }

    /// This instant plus `d`, stopping at the end of time.
    #[must_use]
    pub const fn plus(self, d: Duration) -> Self {
        let ms = d.as_millis();
        Self(self.0.saturating_add(if ms > i64::MAX as u128 { i64::MAX } else { ms as i64 }))
    }

    /// This instant minus `d`, stopping at the beginning of time.
    #[must_use]
    pub const fn minus(self, d: Duration) -> Self {
        let ms = d.as_millis();
        Self(self.0.saturating_sub(if ms > i64::MAX as u128 { i64::MAX } else { ms as i64 }))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for UnixTime {
    /// RFC 3339 in UTC: `2026-03-01T10:00:00Z`, with milliseconds only where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(stamp) => write!(f, "{stamp}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl fmt::Debug for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_in_sweden_keep_summer_time() {
        for (text, expected) in [
            ("2026-12-01T21:05:00Z", Some((2026, 12, 1, 22, 5))),
            ("2026-12-31T23:00:00Z", Some((2027, 1, 1, 0, 0))),
            ("2026-07-01T21:05:00Z", Some((2026, 7, 1, 23, 5))),
            // The last Sunday of March, and of October.
            ("2026-03-29T00:59:00Z", Some((2026, 3, 29, 1, 59))),
            ("2026-03-29T01:00:00Z", Some((2026, 3, 29, 3, 0))),
            ("2026-10-25T00:59:00Z", Some((2026, 10, 25, 2, 59))),
            ("2026-10-25T01:00:00Z", Some((2026, 10, 25, 2, 0))),
        ] {
            let there = UnixTime::parse_saml(text).ok().and_then(UnixTime::in_sweden);
            let parts = there.map(|wall| (wall.year, wall.month, wall.day, wall.hour, wall.minute));
            assert_eq!(parts, expected, "{text}");
        }
        assert_eq!(UnixTime::from_millis(i64::MAX).in_sweden(), None);
    }

    #[test]
    fn saml_instants_are_utc_and_strict() {
        let good = [
            ("2026-03-01T10:00:00Z", 1_772_359_200_000),
            ("2026-03-01T10:00:00.5Z", 1_772_359_200_500),
            ("2026-03-01T10:00:00.123456789Z", 1_772_359_200_123),
            ("2026-03-01T10:00:00.123456789012Z", 1_772_359_200_123),
        ];
        for (text, millis) in good {
            assert_eq!(UnixTime::parse_saml(text), Ok(UnixTime::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "2026-03-01T10:00:00",
            "2026-03-01T10:00:00+00:00",
            "2026-03-01t10:00:00z",
            "2026-03-01 10:00:00Z",
            "2026-02-30T10:00:00Z",
            "2026-03-01T25:00:00Z",
            "2026-03-01T10:00:00.Z",
            "2026-03-01T10:00:00,5Z",
            " 2026-03-01T10:00:00Z",
            "-2026-03-01T10:00:00Z",
            "2026-03-01T10:00Z",
            "20260301T100000Z",
            "2026-03-01T10:00:00Zé",
        ] {
            assert_eq!(UnixTime::parse_saml(text), Err(TimeError::Malformed), "{text}");
        }
    }
}
