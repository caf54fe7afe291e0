//! The report as one page that needs nothing else: tables, and plots as SVG.

pub mod svg;

use std::fmt::Write as _;

use svg::{Axis, Line, Scale, plot};

use crate::report::print::{micros, number, pace};
use crate::report::{Phase, Point, Report};

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;color:#222}\
h1{margin-bottom:.2em}table{border-collapse:collapse;margin:.6em 0}td,th{padding:.2em .7em;text-align:right;border-bottom:\
1px solid #ddd}td:first-child,th:first-child{text-align:left}figure{display:inline-block;width:560px;margin:.5em .5em 1em 0;\
vertical-align:top}figcaption{font-weight:600}svg{width:100%;height:auto}svg text{font-size:11px;fill:#555}svg .g{stroke:#e4e4e4}\
svg polyline{fill:none;stroke-width:1.8}.legend{margin:0;font-size:13px}.bad{color:#a00;font-weight:600}.quiet{color:#666}";

/// Text for the inside of an element or a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    grindvakt_demo::form::escape_html(text)
}

/// The whole page; `earlier` adds its numbers, and its curves dashed.
pub fn render(report: &Report, earlier: Option<&Report>) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{0}</title><style>{STYLE}</style>\n<h1>{0}</h1>\n",
        escape(&report.scenario)
    );
    let machine = &report.machine;
    let about = format!(
        "{}, {} build, commit {}. {} × {}, {} MB, Linux {}, load {}. Cores: {}.",
        report.at,
        report.build,
        if report.commit.is_empty() { "unknown" } else { &report.commit },
        machine.cores,
        machine.processor,
        machine.memory_mb,
        machine.kernel,
        machine.load_average,
        match &report.cores {
            [measured, load] if !measured.is_empty() => format!("measured process {measured:?}, load {load:?}"),
            _ => "not divided".to_owned(),
        }
    );
    let _ = writeln!(out, "<p class=\"quiet\">{}</p>", escape(&about));
    if report.failures.is_empty() {
        out.push_str("<p>Everything was as it must be.</p>\n");
    }
    for failure in &report.failures {
        let _ = writeln!(out, "<p class=\"bad\">{}</p>", escape(failure));
    }
    for note in &report.notes {
        let _ = writeln!(out, "<p class=\"quiet\">{}</p>", escape(note));
    }
    figures(&mut out, report, earlier);
    saturation(&mut out, report, earlier);
    // A phase of each name, with everything that was measured in it side by side.
    let mut names: Vec<&str> = Vec::new();
    for phase in &report.phases {
        if !names.contains(&phase.name.as_str()) {
            names.push(&phase.name);
        }
    }
    for name in names {
        let phases: Vec<&Phase> = report.phases.iter().filter(|phase| phase.name == name).collect();
        let before = earlier.and_then(|earlier| earlier.phase(name, "sidecar"));
        part(&mut out, name, &phases, before);
    }
    out.push_str("</html>\n");
    out
}

fn figures(out: &mut String, report: &Report, earlier: Option<&Report>) {
    out.push_str("<h2>Figures</h2>\n<table><tr><th>figure<th>value<th>unit");
    out.push_str(if earlier.is_some() { "<th>earlier<th>change</tr>\n" } else { "</tr>\n" });
    for (name, figure) in &report.figures {
        let _ = write!(out, "<tr><td>{}<td>{}<td>{}", escape(name), number(figure.value), escape(&figure.unit));
        if let Some(then) = earlier.and_then(|earlier| earlier.figures.get(name)) {
            let change = (figure.value - then.value) / then.value.abs().max(f64::MIN_POSITIVE) * 100.0;
            let class = if figure.worse_than(then) > 0.05 { " class=\"bad\"" } else { "" };
            let _ = write!(out, "<td>{}<td{class}>{change:+.1} %", number(then.value));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
}

fn saturation(out: &mut String, report: &Report, earlier: Option<&Report>) {
    let line = |name: &str, report: &Report, dashed| {
        let steps = &report.saturation.as_ref()?.steps;
        let points = steps.iter().map(|step| (step.offered, step.p99.max(1) as f64)).collect();
        Some(Line { name: name.to_owned(), points, dashed })
    };
    let lines: Vec<Line> = [line("p99", report, false), earlier.and_then(|e| line("p99, earlier", e, true))]
        .into_iter()
        .flatten()
        .collect();
    let x = Axis { name: "requests/s offered", scale: Scale::Even };
    let y = Axis { name: "p99, µs", scale: Scale::Powers };
    let plotted = plot("Latency by rate of arrivals", &x, &y, &lines);
    if let (Some(found), false) = (&report.saturation, plotted.is_empty()) {
        let _ = writeln!(
            out,
            "<h2>Saturation</h2><p>Up to {} requests/s it kept a p99 within {}.</p>{plotted}",
            number(found.point),
            micros(found.limit_us)
        );
    }
}

fn part(out: &mut String, name: &str, phases: &[&Phase], earlier: Option<&Phase>) {
    let _ = writeln!(
        out,
        "<h2>{}</h2>\n<table><tr><th>traffic<th>of<th>pace<th>good<th>bad<th>good/s<th>p50<th>p99<th>p99.9<th>max\
         <th>CPU/request<th>cores<th>memory</tr>",
        escape(name)
    );
    let (mut latency, mut rate, mut cpu, mut memory) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for phase in phases {
        for lane in &phase.lanes {
            let (l, bad) = (&lane.latency, lane.bad.values().sum::<u64>());
            let _ = writeln!(
                out,
                "<tr><td>{}<td>{}<td>{}<td>{}<td{}>{bad}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{} µs<td>{}<td>{:.1} MB</tr>",
                escape(&lane.name),
                escape(&phase.target),
                pace(lane.pace),
                lane.good,
                if bad > 0 { " class=\"bad\"" } else { "" },
                number(lane.good_per_second),
                micros(l.p50),
                micros(l.p99),
                micros(l.p999),
                micros(l.max),
                number(phase.cpu_us_per_request),
                number(phase.cpu_cores),
                phase.rss_peak_kb as f64 / 1024.0
            );
            latency.push(Line { name: format!("{} [{}]", lane.name, phase.target), points: curve(l), dashed: false });
        }
        let over = |of: fn(&Point) -> f64| {
            let points = phase.series.iter().map(|point| (point.at, of(point))).collect();
            Line { name: phase.target.clone(), points, dashed: false }
        };
        rate.push(over(|point| point.done));
        if phase.series.iter().any(|point| point.bad > 0.0) {
            rate.push(Line { name: format!("bad [{}]", phase.target), ..over(|point| point.bad) });
        }
        cpu.push(over(|point| point.cpu_cores));
        memory.push(over(|point| point.rss_kb as f64 / 1024.0));
    }
    out.push_str("</table>\n");
    for lane in earlier.map(|phase| phase.lanes.as_slice()).unwrap_or_default() {
        latency.push(Line { name: format!("{}, earlier", lane.name), points: curve(&lane.latency), dashed: true });
    }
    let time = Axis { name: "seconds", scale: Scale::Even };
    let even = |name| Axis { name, scale: Scale::Even };
    let share = Axis { name: "share of requests", scale: Scale::Nines };
    out.push_str(&plot("Latency", &share, &Axis { name: "µs", scale: Scale::Powers }, &latency));
    out.push_str(&plot("Answers", &time, &even("answers/s"), &rate));
    out.push_str(&plot("Cores kept busy", &time, &even("cores"), &cpu));
    out.push_str(&plot("Memory", &time, &even("MB resident"), &memory));
}

fn curve(latency: &crate::report::Latency) -> Vec<(f64, f64)> {
    latency.curve.iter().map(|(share, us)| (*share, (*us).max(1) as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Better, Saturation, Step};

    #[test]
    fn the_page_is_whole_and_needs_nothing_else() {
        let step = Step { offered: 10.0, p99: 900, ..Step::default() };
        let mut report = Report {
            scenario: "st<eady".to_owned(),
            saturation: Some(Saturation { steps: vec![step; 2], ..Saturation::default() }),
            failures: vec!["a & b".to_owned()],
            ..Report::default()
        };
        report.figure("cpu", 40.0, "µs", Better::Lower);
        let series = vec![Point { at: 0.25, done: 100.0, ..Point::default() }; 3];
        report.phases.push(Phase { name: "open".into(), target: "sidecar".into(), series, ..Phase::default() });
        let mut earlier = report.clone();
        earlier.figure("cpu", 20.0, "µs", Better::Lower);
        let page = render(&report, Some(&earlier));
        for part in ["<h1>st&lt;eady</h1>", "a &amp; b", "+100.0 %", "p99, earlier", "Answers", "</html>"] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("<script") && !page.contains("http"), "{page}");
        assert!(!render(&report, None).contains("earlier"));
    }
}
