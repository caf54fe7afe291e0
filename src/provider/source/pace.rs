//! When to fetch again: after a success by what the publisher says, after failures by a back-off. Pure.

use std::time::Duration;

use crate::base::UnixTime;
use crate::base::limits::{
    FILE_LOOK_SECS, REFRESH_CEILING_SECS, REFRESH_DEFAULT_SECS, REFRESH_FLOOR_SECS, RETRY_CEILING_SECS,
    RETRY_FIRST_SECS,
};
use crate::crypto::digest::{Random, random_bytes};

/// Bounds on the time between two regular fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    floor: Duration,
    ceiling: Duration,
    default: Duration,
}

impl Pace {
    /// What is fetched over the network.
    pub const FETCHED: Self = Self {
        floor: Duration::from_secs(REFRESH_FLOOR_SECS),
        ceiling: Duration::from_secs(REFRESH_CEILING_SECS),
        default: Duration::from_secs(REFRESH_DEFAULT_SECS),
    };

    /// A file that somebody else puts in place: a look costs nothing.
    pub const FILE: Self = Self {
        floor: Duration::from_secs(FILE_LOOK_SECS),
        ceiling: Duration::from_secs(FILE_LOOK_SECS),
        default: Duration::from_secs(FILE_LOOK_SECS),
    };

    /// From a success to the next fetch. The document's own cacheDuration counts before the host's max-age. Of a document
    /// that ends, at least half the rest is left for retries; the floor holds all the same.
    pub fn after_success(self, said: Said, now: UnixTime) -> Duration {
        let wanted = said.cache.or(said.max_age).unwrap_or(self.default).min(self.ceiling);
        let wanted = said.until.map_or(wanted, |until| wanted.min(until.since(now) / 2));
        wanted.max(self.floor)
    }
}

/// What a document and its host said of the next time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// cacheDuration.
    pub cache: Option<Duration>,
    /// Cache-Control: max-age.
    pub max_age: Option<Duration>,
    /// The instant from which the document may no longer be used.
    pub until: Option<UnixTime>,
}

/// From the `failures`th failure in a row to the next try: 15 s, then twice as long each time, up to five minutes.
pub fn after_failure(failures: u32) -> Duration {
    let times = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_secs(RETRY_FIRST_SECS.saturating_mul(times).min(RETRY_CEILING_SECS))
}

/// A little less, by chance: up to a fifth. A fleet that was started at once does not call at once for ever, and nobody
/// waits longer than was said.
pub fn shaken(d: Duration, random: &dyn Random) -> Duration {
    // Without randomness there is no jitter, which harms nobody.
    let chance = random_bytes::<2>(random).map_or(0, u16::from_be_bytes);
    d - d.mul_f64(0.2 * f64::from(chance) / 65536.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::digest::NoRandomness;

    const NOW: UnixTime = UnixTime::from_secs(1_772_359_200);

    fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn the_next_fetch_is_as_the_publisher_says_within_bounds() {
        let rows: &[(Option<u64>, Option<u64>, Option<u64>, u64)] = &[
            // cacheDuration, max-age, seconds to the end; the wait
            (None, None, None, 3_600),
            (Some(1_800), None, None, 1_800),
            (Some(1_800), Some(60), None, 1_800),
            (None, Some(300), None, 300),
            (None, Some(0), None, 60),
            (Some(0), None, None, 60),
            (Some(5 * 3_600), None, None, 5 * 3_600),
            (Some(30 * 86_400), None, None, 6 * 3_600),
            (Some(5 * 3_600), None, Some(3_600), 1_800),
            (None, None, Some(100), 60),
            (None, None, Some(0), 60),
        ];
        for (cache, max_age, end, wait) in rows {
            let said = Said {
                cache: cache.map(seconds),
                max_age: max_age.map(seconds),
                until: end.map(|end| NOW.plus(seconds(end))),
            };
            assert_eq!(Pace::FETCHED.after_success(said, NOW), seconds(*wait), "{said:?}");
        }
        let said = Said { cache: Some(seconds(18_000)), ..Said::default() };
        assert_eq!(Pace::FILE.after_success(said, NOW), seconds(60));
    }

    #[test]
    fn retries_come_within_half_a_minute_and_back_off_to_five() {
        let waits: Vec<u64> = (1..=8).map(|failures| after_failure(failures).as_secs()).collect();
        assert_eq!(waits, [15, 30, 60, 120, 240, 300, 300, 300]);
        assert_eq!(after_failure(u32::MAX), seconds(300));
    }

    struct Bytes(u8);
    impl Random for Bytes {
        fn fill(&self, out: &mut [u8]) -> Result<(), NoRandomness> {
            out.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn chance_takes_a_fifth_at_the_most_and_adds_nothing() {
        assert_eq!(shaken(seconds(100), &Bytes(0)), seconds(100));
        let least = shaken(seconds(100), &Bytes(255));
        assert!(least > seconds(80) && least < seconds(81), "{least:?}");
    }
}
