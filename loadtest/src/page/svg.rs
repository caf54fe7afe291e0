//! Plots as SVG, without a script: lines over two axes.

use std::fmt::Write as _;

use super::escape;
use crate::report::print::number;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;

/// Colours that are told apart without telling red from green.
const COLOURS: [&str; 6] = ["#0b5fff", "#d95f02", "#1b9e77", "#7570b3", "#b8860b", "#444444"];

/// One line of a plot.
pub struct Line {
    /// Its name.
    pub name: String,
    /// Its points.
    pub points: Vec<(f64, f64)>,
    /// Whether it is of the earlier run.
    pub dashed: bool,
}

/// How an axis counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from zero.
    Even,
    /// By powers of ten.
    Powers,
    /// Shares, ever closer to one: 0.9, 0.99, 0.999.
    Nines,
}

/// An axis.
pub struct Axis {
    /// What it counts.
    pub name: &'static str,
    /// How.
    pub scale: Scale,
}

impl Axis {
    /// Where a value stands before the axis is fitted to the plot.
    fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Even => value,
            Scale::Powers => value.max(1e-3).log10(),
            Scale::Nines => -(1.0 - value.min(0.999_999)).log10(),
        }
    }

    /// The places that the plot reaches from and to.
    fn range(&self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .map(|value| self.place(value))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
        match self.scale {
            _ if low > high => (0.0, 1.0),
            Scale::Powers => (low.floor(), high.ceil().max(low.floor() + 1.0)),
            Scale::Even | Scale::Nines => (low.min(0.0), if high > 0.0 { high * 1.05 } else { 1.0 }),
        }
    }

    /// Marks between two places, with their words.
    fn marks(&self, (low, high): (f64, f64)) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Even => {
                let rough = (high - low) / 4.0;
                let power = 10f64.powf(rough.max(f64::MIN_POSITIVE).log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|step| *step >= rough);
                let step = step.unwrap_or(rough);
                (0..20).map(|n| f64::from(n) * step).take_while(|at| *at <= high).map(|at| (at, short(at))).collect()
            }
            Scale::Powers => {
                let (from, to) = (low as i32, high as i32);
                (from..=to).map(|n| (f64::from(n), short(10f64.powi(n)))).collect()
            }
            Scale::Nines => (0..=6i32)
                .map(|n| (f64::from(n), if n == 0 { "0 %".to_owned() } else { nines(n) }))
                .filter(|(at, _)| *at <= high)
                .collect(),
        }
    }
}

fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{} M", number(value / 1e6)),
        v if v >= 1e4 => format!("{} k", number(value / 1e3)),
        _ => number(value),
    }
}

fn nines(n: i32) -> String {
    let digits = usize::try_from(n - 2).unwrap_or(0);
    format!("{:.digits$} %", 100.0 * (1.0 - 10f64.powi(-n)))
}

/// A plot of `lines`; nothing when there is nothing to see.
pub fn plot(title: &str, x: &Axis, y: &Axis, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    if points().next().is_none() {
        return String::new();
    }
    let (xs, ys) = (x.range(points().map(|p| p.0)), y.range(points().map(|p| p.1)));
    let across = |value: f64| LEFT + (x.place(value) - xs.0) / (xs.1 - xs.0) * (WIDTH - LEFT - RIGHT);
    let fit = |at: f64| HEIGHT - BOTTOM - (at - ys.0) / (ys.1 - ys.0) * (HEIGHT - TOP - BOTTOM);
    let mut out = format!(
        "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
        escape(title),
        escape(title)
    );
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    for (at, word) in y.marks(ys) {
        let at = fit(at);
        let _ = writeln!(
            out,
            "<line class=\"g\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{word}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    for (at, word) in x.marks(xs) {
        let at = LEFT + (at - xs.0) / (xs.1 - xs.0) * (WIDTH - LEFT - RIGHT);
        let _ = writeln!(
            out,
            "<line class=\"g\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{word}</text>",
            bottom + 16.0
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
         <text x=\"{LEFT}\" y=\"{:.1}\">{}</text>",
        HEIGHT - 6.0,
        escape(x.name),
        HEIGHT - 6.0,
        escape(&format!("↑ {}", y.name))
    );
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let points: Vec<String> =
            line.points.iter().map(|(x, v)| format!("{:.1},{:.1}", across(*x), fit(y.place(*v)))).collect();
        let dash = if line.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        let _ = writeln!(out, "<polyline stroke=\"{colour}\"{dash} points=\"{}\"/>", points.join(" "));
    }
    out.push_str("</svg><p class=\"legend\">");
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let kind = if line.dashed { "┅" } else { "━" };
        let _ = write!(out, "<span style=\"color:{colour}\">{kind} {}</span> ", escape(&line.name));
    }
    out.push_str("</p></figure>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_inside_the_plot() {
        let line = |points: Vec<(f64, f64)>| Line { name: "a<b".to_owned(), points, dashed: true };
        let lines = [line(vec![(0.0, 10.0), (0.999, 123_456.0)]), line(vec![(0.5, 0.0)])];
        let x = Axis { name: "share", scale: Scale::Nines };
        for scale in [Scale::Even, Scale::Powers] {
            let svg = plot("t", &x, &Axis { name: "µs", scale }, &lines);
            assert!(svg.contains("a&lt;b") && svg.contains("99.9 %"), "{svg}");
            for points in svg.split("points=\"").skip(1) {
                for pair in points.split('"').next().unwrap().split(' ') {
                    let (x, y) = pair.split_once(',').unwrap();
                    let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                    assert!((LEFT..=WIDTH).contains(&x) && (0.0..=HEIGHT - BOTTOM + 0.1).contains(&y), "{pair}");
                }
            }
        }
        assert_eq!(plot("t", &x, &Axis { name: "", scale: Scale::Even }, &[]), "");
    }

    #[test]
    fn marks_are_round() {
        let axis = Axis { name: "", scale: Scale::Even };
        let words: Vec<String> = axis.marks((0.0, 50_000.0)).into_iter().map(|(_, word)| word).collect();
        assert_eq!(words, ["0", "20.0 k", "40.0 k"]);
        assert_eq!([2, 3, 4].map(nines), ["99 %", "99.9 %", "99.99 %"]);
        assert_eq!(nines(1), "90 %");
    }
}
