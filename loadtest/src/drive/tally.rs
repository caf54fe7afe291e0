//! What has come back so far.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies up to two minutes, in microseconds, to three digits.
const LONGEST_US: u64 = 120_000_000;

/// One lane's answers.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Requests that were due.
    pub offered: u64,
    /// Answers as they should be.
    pub good: u64,
    /// Everything else, by what it was.
    pub bad: BTreeMap<String, u64>,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Bytes of the answers' bodies.
    pub bytes: u64,
    latency: Option<Histogram<u64>>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            offered: 0,
            good: 0,
            bad: BTreeMap::new(),
            statuses: BTreeMap::new(),
            bytes: 0,
            latency: Histogram::new_with_bounds(1, LONGEST_US, 3).ok(),
        }
    }
}

impl Tally {
    /// An answer has come.
    pub fn answered(&mut self, status: u16, bytes: u64) {
        *self.statuses.entry(status).or_default() += 1;
        self.bytes += bytes;
    }

    /// It was as it should be.
    pub fn good(&mut self, took: Duration) {
        self.good += 1;
        self.record(took);
    }

    /// It was not, or none came.
    pub fn bad(&mut self, took: Duration, why: &str) {
        match self.bad.get_mut(why) {
            Some(count) => *count += 1,
            None => {
                self.bad.insert(why.to_owned(), 1);
            }
        }
        self.record(took);
    }

    fn record(&mut self, took: Duration) {
        if let Some(latency) = &mut self.latency {
            latency.saturating_record(u64::try_from(took.as_micros()).unwrap_or(LONGEST_US).max(1));
        }
    }

    /// Requests that came to an end, good or bad.
    pub fn done(&self) -> u64 {
        self.good + self.failures()
    }

    /// Requests that came to a bad end.
    pub fn failures(&self) -> u64 {
        self.bad.values().sum()
    }

    /// The latency in microseconds that `share` of the requests stay within; 0 without any.
    pub fn quantile_us(&self, share: f64) -> u64 {
        self.latency.as_ref().filter(|l| !l.is_empty()).map_or(0, |l| l.value_at_quantile(share))
    }

    /// The mean latency in microseconds.
    pub fn mean_us(&self) -> f64 {
        self.latency.as_ref().map_or(0.0, Histogram::mean)
    }

    /// The longest latency in microseconds.
    pub fn max_us(&self) -> u64 {
        self.latency.as_ref().map_or(0, Histogram::max)
    }

    /// Adds what another round of the same lane brought.
    pub fn absorb(&mut self, other: &Self) {
        self.offered += other.offered;
        self.good += other.good;
        self.bytes += other.bytes;
        for (why, count) in &other.bad {
            *self.bad.entry(why.clone()).or_default() += count;
        }
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        if let (Some(mine), Some(theirs)) = (&mut self.latency, &other.latency) {
            let _ = mine.add(theirs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rounds_are_one_tally() {
        let (mut one, mut two) = (Tally::default(), Tally::default());
        for ms in 1..=100 {
            one.good(Duration::from_millis(ms));
            two.bad(Duration::from_millis(ms + 100), "status 500");
        }
        two.answered(500, 7);
        one.absorb(&two);
        assert_eq!((one.done(), one.good, one.failures(), one.bytes), (200, 100, 100, 7));
        assert_eq!(one.statuses[&500], 1);
        let p50 = one.quantile_us(0.5);
        assert!((99_000..102_000).contains(&p50), "{p50}");
        assert!(one.max_us() >= 200_000);
        assert_eq!(Tally::default().quantile_us(0.99), 0);
    }
}
