//! The report as text, for the one who waits at the terminal.

use std::fmt::Write as _;

use super::{LaneReport, Phase, Report};
use crate::drive::Pace;

/// Microseconds as a person reads them.
pub fn micros(us: u64) -> String {
    match us {
        0..10_000 => format!("{us} µs"),
        10_000..10_000_000 => format!("{:.1} ms", us as f64 / 1000.0),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

/// A number with as many digits as it deserves.
pub fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 || v == 0.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// How a lane came, in words.
pub fn pace(pace: Pace) -> String {
    match pace {
        Pace::Rate(rate) => format!("{}/s", number(rate)),
        Pace::Ramp(from, to) => format!("{}→{}/s", number(from), number(to)),
        Pace::Closed => "closed loop".to_owned(),
    }
}

fn lane(out: &mut String, lane: &LaneReport) {
    let l = &lane.latency;
    let _ = writeln!(
        out,
        "    {:<22} {:>13} ×{:<4} good {:>8} ({:>7}/s)  bad {:>5}   p50 {:>9}  p99 {:>9}  p99.9 {:>9}  max {:>9}",
        lane.name,
        pace(lane.pace),
        lane.connections,
        lane.good,
        number(lane.good_per_second),
        lane.bad.values().sum::<u64>(),
        micros(l.p50),
        micros(l.p99),
        micros(l.p999),
        micros(l.max),
    );
    for (why, count) in &lane.bad {
        let _ = writeln!(out, "        {count} × {why}");
    }
}

fn phase(out: &mut String, phase: &Phase) {
    let _ = writeln!(
        out,
        "  {} [{}]: {} requests in {:.1} s, {} µs CPU each, {} cores, memory at most {:.1} MB",
        phase.name,
        phase.target,
        phase.requests,
        phase.seconds,
        number(phase.cpu_us_per_request),
        number(phase.cpu_cores),
        phase.rss_peak_kb as f64 / 1024.0,
    );
    for one in &phase.lanes {
        lane(out, one);
    }
}

/// The whole report.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let machine = &report.machine;
    let commit: String = report.commit.chars().take(12).collect();
    let _ = writeln!(out, "\n{} at {} ({} build, commit {commit})", report.scenario, report.at, report.build);
    let _ = writeln!(
        out,
        "  {} × {}, {} MB, Linux {}, load {}",
        machine.cores, machine.processor, machine.memory_mb, machine.kernel, machine.load_average
    );
    for one in &report.phases {
        phase(&mut out, one);
    }
    if let Some(saturation) = &report.saturation {
        let _ = writeln!(out, "  saturation (p99 within {}):", micros(saturation.limit_us));
        for step in &saturation.steps {
            let word = if step.coped { "coped" } else { "did not cope" };
            let _ = writeln!(
                out,
                "    {:>7}/s offered, {:>7}/s answered, p50 {:>9}, p99 {:>9}, {} cores: {word}",
                number(step.offered),
                number(step.achieved),
                micros(step.p50),
                micros(step.p99),
                number(step.cpu_cores),
            );
        }
    }
    let _ = writeln!(out, "  figures:");
    for (name, figure) in &report.figures {
        let _ = writeln!(out, "    {name:<34} {:>10} {}", number(figure.value), figure.unit);
    }
    for note in &report.notes {
        let _ = writeln!(out, "  note: {note}");
    }
    for failure in &report.failures {
        let _ = writeln!(out, "  FAILED: {failure}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, 0.123, 12.34, 1234.5].map(number), ["0", "0.12", "12.3", "1234"]);
        assert_eq!([950, 25_000, 12_000_000].map(micros), ["950 µs", "25.0 ms", "12.0 s"]);
    }
}
