//! When requests are due. The times follow from the rate alone: no answer moves them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How fast requests come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// Open loop: so many in a second, evenly.
    Rate(f64),
    /// Open loop: from so many in a second to so many, rising evenly.
    Ramp(f64, f64),
    /// Closed loop: as fast as they are answered.
    Closed,
}

impl Pace {
    /// How many requests come within `duration`; none for a closed loop, which does not know.
    pub fn count(self, duration: Duration) -> Option<usize> {
        Arrivals::new(self, duration).map(|arrivals| arrivals.count)
    }
}

/// The instants at which requests are due, counted from the beginning.
#[derive(Clone, Debug)]
pub struct Arrivals {
    from: f64,
    /// What the rate gains in a second.
    gain: f64,
    at: usize,
    count: usize,
}

impl Arrivals {
    /// Those of an open loop; none for a closed one.
    pub fn new(pace: Pace, duration: Duration) -> Option<Self> {
        let seconds = duration.as_secs_f64();
        let (from, to) = match pace {
            Pace::Closed => return None,
            Pace::Rate(rate) => (rate, rate),
            Pace::Ramp(from, to) => (from, to),
        };
        let (from, to) = (from.max(0.0), to.max(0.0));
        // The area under the line. The small part keeps a whole number whole.
        let count = ((from + to) / 2.0 * seconds + 1e-6).floor();
        let gain = if seconds > 0.0 { (to - from) / seconds } else { 0.0 };
        Some(Self { from, gain, at: 0, count: if count.is_finite() { count as usize } else { 0 } })
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.at >= self.count {
            return None;
        }
        let n = self.at as f64;
        self.at += 1;
        // The instant at which the area under the rate reaches n: gain/2·t² + from·t = n.
        let at = if self.gain.abs() < 1e-9 {
            n / self.from
        } else {
            let root = (self.from * self.from + 2.0 * self.gain * n).max(0.0).sqrt();
            2.0 * n / (self.from + root).max(f64::MIN_POSITIVE)
        };
        Some(Duration::try_from_secs_f64(at).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(pace: Pace, duration: u64) -> Vec<f64> {
        Arrivals::new(pace, Duration::from_secs(duration)).unwrap().map(|at| at.as_secs_f64()).collect()
    }

    #[test]
    fn an_even_rate_is_even_to_its_end() {
        let at = seconds(Pace::Rate(1000.0), 2);
        assert_eq!(at.len(), 2000);
        for (n, at) in at.iter().enumerate() {
            assert!((at - n as f64 / 1000.0).abs() < 1e-6, "{n}: {at}");
        }
        assert_eq!(Pace::Rate(0.1).count(Duration::from_secs(1)), Some(0));
        assert_eq!(Pace::Closed.count(Duration::from_secs(1)), None);
    }

    #[test]
    fn a_ramp_rises() {
        let at = seconds(Pace::Ramp(0.0, 200.0), 10);
        assert_eq!(at.len(), 1000);
        let within = |from: f64, to: f64| at.iter().filter(|t| (from..to).contains(*t)).count();
        // 10 in the first second, 190 in the last.
        assert!((9..=11).contains(&within(0.0, 1.0)), "{}", within(0.0, 1.0));
        assert!((189..=191).contains(&within(9.0, 10.0)), "{}", within(9.0, 10.0));
        assert!(at.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(seconds(Pace::Ramp(200.0, 0.0), 10).last().unwrap() < &10.0);
    }
}
