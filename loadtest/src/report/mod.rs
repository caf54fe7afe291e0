//! What a run leaves behind, as JSON: everything that the page and a later comparison need.

mod figures;
pub mod print;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use figures::{Better, Figure};

use crate::Failed;
use crate::drive::{Pace, Tally};
use crate::system::machine::Machine;

/// The report's own version: a comparison across versions is refused.
pub const FORMAT: u32 = 1;

/// A whole run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The scenario's name.
    pub scenario: String,
    /// When it began (RFC 3339).
    pub at: String,
    /// The source tree's commit.
    pub commit: String,
    /// `release` or `debug`: figures of a debug build say nothing.
    pub build: String,
    /// The measured program.
    pub program: String,
    /// Where.
    pub machine: Machine,
    /// The cores of the measured process and of the load; empty when they were not divided.
    pub cores: [Vec<usize>; 2],
    /// The command line.
    pub arguments: Vec<String>,
    /// From starting the sidecar to its first 200, in milliseconds.
    pub first_answer_ms: f64,
    /// What was measured, one part after the other.
    pub phases: Vec<Phase>,
    /// Where it stops keeping up.
    pub saturation: Option<Saturation>,
    /// The numbers that count, by name.
    pub figures: BTreeMap<String, Figure>,
    /// What the reader should know about how far the numbers go.
    pub notes: Vec<String>,
    /// What was not as it must be. Empty is a good run.
    pub failures: Vec<String>,
}

/// One measured part.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// The measured process: `sidecar`, `hop`, `nginx`.
    pub target: String,
    /// How long it took, with the last answers.
    pub seconds: f64,
    /// Requests that came to an end.
    pub requests: u64,
    /// Processor time of the measured process per request, in microseconds.
    pub cpu_us_per_request: f64,
    /// Cores that it kept busy.
    pub cpu_cores: f64,
    /// Cores that the generator kept busy: near the number of its cores, it was the generator that was measured.
    pub load_cores: f64,
    /// Share of the phase in which threads of the measured process were ready but had no core, added up: near 0 unless the
    /// machine has other work, or the process more threads than cores.
    #[serde(default)]
    pub waited: f64,
    /// Share of all cores' time that other machines on the same hardware took.
    pub stolen: f64,
    /// Resident memory of the measured process before, in KiB.
    pub rss_before_kb: u64,
    /// And at the most.
    pub rss_peak_kb: u64,
    /// The streams of traffic.
    pub lanes: Vec<LaneReport>,
    /// How it went over time.
    pub series: Vec<Point>,
}

/// One stream of traffic in a phase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaneReport {
    /// Its name.
    pub name: String,
    /// How it came.
    pub pace: Pace,
    /// On how many connections.
    pub connections: usize,
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
    /// Good answers in a second.
    pub good_per_second: f64,
    /// Latency.
    pub latency: Latency,
}

/// Latency in microseconds; in an open loop from when the request was due.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Latency {
    /// The mean.
    pub mean: f64,
    /// Half of them.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// 99 of a hundred.
    pub p99: u64,
    /// 999 of a thousand.
    pub p999: u64,
    /// All of them.
    pub max: u64,
    /// The whole curve, as (share, microseconds).
    pub curve: Vec<(f64, u64)>,
}

impl Latency {
    /// Of what was recorded.
    pub fn of(tally: &Tally) -> Self {
        let at = |share| tally.quantile_us(share);
        // Half of the rest, and half of that rest again, as far as there are requests to tell apart.
        let mut curve = vec![(0.0, at(0.0))];
        let mut rest = 1.0;
        while rest * tally.done() as f64 >= 1.0 && rest > 1e-6 {
            for part in [0.85, 0.7, 0.6, 0.5] {
                let share = 1.0 - rest * part;
                curve.push((share, at(share)));
            }
            rest /= 2.0;
        }
        Self {
            mean: tally.mean_us(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: tally.max_us(),
            curve,
        }
    }
}

/// A quarter of a second, or so.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Point {
    /// Seconds since the phase began.
    pub at: f64,
    /// Requests that came to an end, in a second.
    pub done: f64,
    /// Those that came to a bad end.
    pub bad: f64,
    /// Cores that the measured process kept busy.
    pub cpu_cores: f64,
    /// Its resident memory in KiB.
    pub rss_kb: u64,
}

/// Rates offered one after the other, and how it coped.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saturation {
    /// Coping is a p99 below this, in microseconds, and nothing lost.
    pub limit_us: u64,
    /// Each rate.
    pub steps: Vec<Step>,
    /// The highest rate that it coped with.
    pub point: f64,
}

/// One rate.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Step {
    /// Requests in a second that were due.
    pub offered: f64,
    /// Good answers in a second.
    pub achieved: f64,
    /// Median latency in microseconds.
    pub p50: u64,
    /// p99 in microseconds.
    pub p99: u64,
    /// Cores that the sidecar kept busy.
    pub cpu_cores: f64,
    /// Whether it coped.
    pub coped: bool,
}

impl Report {
    /// Reads one back.
    ///
    /// # Errors
    /// When the file is no report, or one of another version.
    pub fn read(path: &Path) -> Result<Self, Failed> {
        let failed = |e: &dyn std::fmt::Display| Failed::to(path.display(), e);
        let text = std::fs::read_to_string(path).map_err(|e| failed(&e))?;
        let report: Self = serde_json::from_str(&text).map_err(|e| failed(&e))?;
        match report.format {
            FORMAT => Ok(report),
            other => Err(failed(&format_args!("a report of version {other}; this program reads {FORMAT}"))),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failed> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Failed::to("the report", e))?;
        std::fs::write(path, text + "\n").map_err(|e| Failed::to(path.display(), e))
    }

    /// Notes a number that counts.
    pub fn figure(&mut self, name: &str, value: f64, unit: &str, better: Better) {
        self.figures.insert(name.to_owned(), Figure { value, unit: unit.to_owned(), better });
    }

    /// The phase `name` of `target`.
    pub fn phase(&self, name: &str, target: &str) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.name == name && phase.target == target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_curve_rises_to_the_last_request() {
        let mut tally = Tally::default();
        for us in 1..=10_000 {
            tally.good(Duration::from_micros(us));
        }
        let latency = Latency::of(&tally);
        assert!(latency.curve.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        assert!((4_990..5_020).contains(&latency.p50) && latency.max >= 10_000);
        assert!(latency.curve.last().unwrap().0 > 0.9998);
        assert_eq!(Latency::of(&Tally::default()).curve.len(), 1);
    }

    #[test]
    fn a_report_of_another_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        let mut report = Report { format: FORMAT, ..Report::default() };
        report.write(&path).unwrap();
        assert_eq!(Report::read(&path).unwrap().format, FORMAT);
        report.format += 1;
        report.write(&path).unwrap();
        assert!(Report::read(&path).unwrap_err().to_string().contains("version 2"));
    }
}
