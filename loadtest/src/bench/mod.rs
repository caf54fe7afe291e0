//! A run: what a scenario works with. It measures, judges and gathers the report.

mod connections;
mod options;
mod progress;
mod sampler;
mod saturation;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub use options::Options;
pub use progress::Progress;

use crate::Failed;
use crate::drive::{GRACE, Lane, Pace, Tally, drive};
use crate::report::print::micros;
use crate::report::{Better, LaneReport, Latency, Phase, Report};
use crate::system::cores::move_to;
use crate::system::proc::{Process, stolen_ns};
use crate::world::World;
use sampler::Sampler;

/// Waiting for a core longer than this is worth a note.
const BUSY: f64 = 0.1;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called in the report.
    pub name: &'static str,
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What a phase brought, before it is written down; rounds of one phase are added up.
struct Measured {
    phase: Phase,
    cpu_ns: u64,
    waited_ns: u64,
    load_ns: u64,
    stolen_ns: u64,
    lanes: Vec<(Lane, Tally)>,
}

/// A run.
pub struct Bench {
    /// What the person asked for.
    pub options: Options,
    /// What runs.
    pub world: World,
    /// What will be written down. Phases come into it at [`Self::finish`].
    pub report: Report,
    /// What the person sees meanwhile.
    pub progress: Progress,
    measured: Vec<Measured>,
}

impl Bench {
    /// A run in `world`.
    pub fn new(options: Options, world: World, report: Report, progress: Progress) -> Self {
        Self { options, world, report, progress, measured: Vec::new() }
    }

    /// The sidecar.
    pub fn sidecar(&self) -> Target {
        Target { name: "sidecar", process: self.world.sidecar.process(), address: self.world.public }
    }

    /// Drives `lanes` without writing anything down, for as long as the options say a warm-up takes.
    ///
    /// # Errors
    /// As [`drive`].
    pub async fn warm_up(&self, lanes: &[Lane]) -> Result<(), Failed> {
        let duration = self.options.warm_up();
        if duration.is_zero() {
            return Ok(());
        }
        self.progress.phase("warm-up", Some(duration));
        let tallies: Vec<_> = lanes.iter().map(|_| Rc::default()).collect();
        drive(lanes, &tallies, duration, GRACE).await
    }

    /// Drives `lanes` for `duration`, and writes down what came back and what it cost `target`. A phase of the same name
    /// and target continues the one before. Returns what the lanes brought this time.
    ///
    /// # Errors
    /// As [`drive`], and when `target` has ended.
    pub async fn measure(
        &mut self,
        name: &str,
        target: Target,
        lanes: Vec<Lane>,
        duration: Duration,
    ) -> Result<Vec<Tally>, Failed> {
        let (measured, tallies) = self.watch(name, target, lanes, duration).await?;
        let same = |m: &&mut Measured| m.phase.name == name && m.phase.target == target.name;
        match self.measured.iter_mut().find(same) {
            Some(earlier) => earlier.absorb(measured),
            None => self.measured.push(measured),
        }
        Ok(tallies)
    }

    /// As [`Self::measure`], without keeping it.
    async fn watch(
        &self,
        name: &str,
        target: Target,
        lanes: Vec<Lane>,
        duration: Duration,
    ) -> Result<(Measured, Vec<Tally>), Failed> {
        self.progress.phase(&format!("{name} [{}]", target.name), Some(duration));
        let gone = || Failed(format!("the {} has ended by itself", target.name));
        let tallies: Vec<Rc<RefCell<Tally>>> = lanes.iter().map(|_| Rc::default()).collect();
        move_to(&self.world.cores.load)?;
        target.process.forget_peak();
        let rss_before_kb = target.process.memory().rss_kb;
        let cpu = target.process.cpu().ok_or_else(gone)?;
        let (load, stolen) = (Process::own().cpu().unwrap_or_default(), stolen_ns());
        let sampler = Sampler::start(target.process, tallies.clone());
        let began = Instant::now();
        let driven = drive(&lanes, &tallies, duration, GRACE).await;
        let seconds = began.elapsed().as_secs_f64();
        let used = target.process.cpu().ok_or_else(gone)?;
        let (cpu_ns, waited_ns) = (used.since(&cpu), used.waited_since(&cpu));
        let load_ns = Process::own().cpu().unwrap_or_default().since(&load);
        let stolen_ns = stolen_ns().saturating_sub(stolen);
        let series = sampler.stop();
        move_to(&self.world.cores.all)?;
        driven?;

        let seen = series.iter().map(|point| point.rss_kb).max().unwrap_or(0);
        let phase = Phase {
            name: name.to_owned(),
            target: target.name.to_owned(),
            seconds,
            rss_before_kb,
            rss_peak_kb: target.process.memory().peak_kb.max(seen),
            series,
            ..Phase::default()
        };
        let tallies: Vec<Tally> = tallies.iter().map(|tally| tally.take()).collect();
        let lanes = lanes.into_iter().zip(tallies.iter().cloned()).collect();
        Ok((Measured { phase, cpu_ns, waited_ns, load_ns, stolen_ns, lanes }, tallies))
    }

    /// Notes how a stream of good traffic fared in a phase, and that the run failed if it had to wait too long.
    pub fn fine(&mut self, phase: &str, lane: &str) {
        let Some(found) = self.phase(phase, "sidecar") else { return };
        let Some(found) = found.lanes.into_iter().find(|l| l.name == lane) else { return };
        let p99 = found.latency.p99;
        let figure = format!("p99 of {lane}, {phase}").replace(", ", " ").replace(' ', "_");
        self.report.figure(&figure, p99 as f64, "µs", Better::Lower);
        let limit = self.options.good_p99;
        if p99 as f64 > limit * 1000.0 {
            self.report.failures.push(format!("{phase}: p99 of {lane} is {}, over {limit} ms", micros(p99)));
        }
    }

    /// Writes the report to its end: phases, what is to be known about them, and what was not as it must be.
    pub fn finish(mut self) -> Report {
        let cores = &self.world.cores;
        for measured in &self.measured {
            let phase = measured.report(cores.all.len());
            let pressed = measured.lanes.iter().all(|(lane, _)| lane.pace == Pace::Closed);
            let long = phase.seconds > 1.0;
            if pressed && long && cores.pinned() && phase.cpu_cores + phase.waited < 0.9 * cores.measured.len() as f64 {
                self.report.notes.push(format!(
                    "{} [{}]: the generator was the limit, the {} had {:.0} % of its core to spare",
                    phase.name,
                    phase.target,
                    phase.target,
                    (1.0 - phase.cpu_cores / cores.measured.len() as f64) * 100.0
                ));
            }
            if phase.waited > BUSY {
                let (name, target, waited) = (&phase.name, &phase.target, phase.waited * 100.0);
                let text = format!("{name} [{target}]: its threads waited for a core {waited:.0} % of the time");
                let why = "the machine was busy, or they stood in each other's way: latencies say little of its work";
                self.report.notes.push(format!("{text}: {why}"));
            }
            if phase.stolen > 0.02 {
                let (name, target, stolen) = (&phase.name, &phase.target, phase.stolen * 100.0);
                self.report.notes.push(format!("{name} [{target}]: other machines took {stolen:.0} % of the time"));
            }
            for (lane, tally) in &measured.lanes {
                let (name, target) = (&phase.name, &phase.target);
                if tally.done() == 0 {
                    self.report.failures.push(format!("{name} [{target}]: {} brought no answer at all", lane.name));
                }
                let share = tally.failures() as f64 / tally.done().max(1) as f64;
                if share > lane.tolerance {
                    let why = tally.bad.iter().map(|(why, count)| format!("{count} × {why}"));
                    let why = why.collect::<Vec<_>>().join(", ");
                    self.report.failures.push(format!(
                        "{name} [{target}]: {} of {} {} not as they must be ({why})",
                        tally.failures(),
                        tally.done(),
                        lane.name
                    ));
                }
            }
            self.report.phases.push(phase);
        }
        if let Some(status) = self.world.sidecar.ended() {
            self.report.failures.push(format!("the sidecar ended by itself ({status})"));
        }
        self.report
    }

    /// What `target` has spent in a phase until now: nanoseconds of CPU, and for how many requests.
    pub fn spent(&self, name: &str, target: &str) -> (u64, u64) {
        let found = self.measured.iter().find(|m| m.phase.name == name && m.phase.target == target);
        found.map_or((0, 0), |m| (m.cpu_ns, m.lanes.iter().map(|(_, tally)| tally.done()).sum()))
    }

    /// The phase as far as it is known now.
    pub fn phase(&self, name: &str, target: &str) -> Option<Phase> {
        let found = self.measured.iter().find(|m| m.phase.name == name && m.phase.target == target);
        found.map(|measured| measured.report(self.world.cores.all.len()))
    }
}

impl Measured {
    fn absorb(&mut self, other: Self) {
        let offset = self.phase.seconds;
        self.phase.seconds += other.phase.seconds;
        self.phase.rss_peak_kb = self.phase.rss_peak_kb.max(other.phase.rss_peak_kb);
        let later = other.phase.series.into_iter().map(|point| crate::report::Point { at: point.at + offset, ..point });
        self.phase.series.extend(later);
        self.cpu_ns += other.cpu_ns;
        self.waited_ns += other.waited_ns;
        self.load_ns += other.load_ns;
        self.stolen_ns += other.stolen_ns;
        for ((_, mine), (_, theirs)) in self.lanes.iter_mut().zip(&other.lanes) {
            mine.absorb(theirs);
        }
    }

    fn report(&self, cores: usize) -> Phase {
        let requests: u64 = self.lanes.iter().map(|(_, tally)| tally.done()).sum();
        let seconds = self.phase.seconds.max(f64::MIN_POSITIVE);
        let of_time = |ns: u64| ns as f64 / 1e9 / seconds;
        Phase {
            requests,
            cpu_us_per_request: self.cpu_ns as f64 / 1000.0 / requests.max(1) as f64,
            cpu_cores: of_time(self.cpu_ns),
            waited: of_time(self.waited_ns),
            load_cores: of_time(self.load_ns),
            stolen: of_time(self.stolen_ns) / cores.max(1) as f64,
            lanes: self.lanes.iter().map(|(lane, tally)| lane_report(lane, tally, seconds)).collect(),
            ..self.phase.clone()
        }
    }
}

fn lane_report(lane: &Lane, tally: &Tally, seconds: f64) -> LaneReport {
    LaneReport {
        name: lane.name.clone(),
        pace: lane.pace,
        connections: lane.connections,
        offered: tally.offered,
        good: tally.good,
        bad: tally.bad.clone(),
        statuses: tally.statuses.clone(),
        bytes: tally.bytes,
        good_per_second: tally.good as f64 / seconds,
        latency: Latency::of(tally),
    }
}
