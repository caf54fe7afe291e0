//! The catalogue: a family is registered by its description and in no other way, so that what is described is what is
//! served. `docs/metrics.md` is written from it, and a test holds the two together.

use std::fmt::Write as _;

use prometheus::core::Collector;
use prometheus::{
    Error, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry,
};

/// What a family counts like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

impl Kind {
    /// As Prometheus names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A label: its values come from a closed set, which `values` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Which values there are.
    pub values: &'static str,
}

impl Label {
    /// Makes one.
    pub const fn new(name: &'static str, values: &'static str) -> Self {
        Self { name, values }
    }

    /// A provider of the configuration.
    pub const PROVIDER: Self = Self::new("provider", "the `id` of a `[[provider]]`");
    /// The same, where it may not be known.
    pub const PROVIDER_OR_NONE: Self =
        Self::new("provider", "the `id` of a `[[provider]]`; `none` where it is unknown");
    /// A route of the configuration.
    pub const ROUTE: Self = Self::new("route", "the `path` of a `[[route]]`; `(default)` for what none names");
    /// A stable code.
    pub const CODE: Self = Self::new("code", "a reason code");
    /// A feed of the configuration.
    pub const FEED: Self =
        Self::new("feed", "the `id` of a `[[metadata]]`, or of a `[[provider]]` that publishes its own keys");
    /// A level of assurance.
    pub const LOA: Self = Self::new("loa", "a level's short name; `other` for one without");
}

/// One family as it is registered.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// Under which heading it stands.
    pub group: &'static str,
    /// Its name, with prefix and unit.
    pub name: &'static str,
    /// What it tells, in one or two sentences.
    pub help: &'static str,
    /// What it counts like.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [Label],
    /// The upper bounds of a histogram's buckets.
    pub buckets: &'static [f64],
}

/// Registers families and keeps their descriptions.
pub struct Families {
    registry: Registry,
    group: &'static str,
    described: Vec<Described>,
}

impl Default for Families {
    fn default() -> Self {
        Self { registry: Registry::new(), group: "Other", described: Vec::new() }
    }
}

impl Families {
    /// What is registered from here on stands under this heading.
    pub const fn group(&mut self, heading: &'static str) {
        self.group = heading;
    }

    /// The registry and the descriptions of what is in it.
    pub fn finish(self) -> (Registry, Vec<Described>) {
        (self.registry, self.described)
    }

    fn add<C: Collector + Clone + 'static>(
        &mut self,
        collector: C,
        (name, help, kind): (&'static str, &'static str, Kind),
        labels: &'static [Label],
        buckets: &'static [f64],
    ) -> Result<C, Error> {
        self.registry.register(Box::new(collector.clone()))?;
        self.described.push(Described { group: self.group, name, help, kind, labels, buckets });
        Ok(collector)
    }

    /// A counter without labels.
    ///
    /// # Errors
    /// A name that Prometheus does not take, or that is there already; likewise below.
    pub fn counter(&mut self, name: &'static str, help: &'static str) -> Result<IntCounter, Error> {
        self.add(IntCounter::new(name, help)?, (name, help, Kind::Counter), &[], &[])
    }

    /// Counters, one for each combination of label values.
    ///
    /// # Errors
    /// As [`Self::counter`].
    pub fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &'static [Label],
    ) -> Result<IntCounterVec, Error> {
        let family = IntCounterVec::new(Opts::new(name, help), &names(labels))?;
        self.add(family, (name, help, Kind::Counter), labels, &[])
    }

    /// A gauge of whole numbers without labels.
    ///
    /// # Errors
    /// As [`Self::counter`].
    pub fn gauge(&mut self, name: &'static str, help: &'static str) -> Result<IntGauge, Error> {
        self.add(IntGauge::new(name, help)?, (name, help, Kind::Gauge), &[], &[])
    }

    /// A gauge of any numbers without labels.
    ///
    /// # Errors
    /// As [`Self::counter`].
    pub fn real_gauge(&mut self, name: &'static str, help: &'static str) -> Result<Gauge, Error> {
        self.add(Gauge::new(name, help)?, (name, help, Kind::Gauge), &[], &[])
    }

    /// Gauges of whole numbers, one for each combination of label values.
    ///
    /// # Errors
    /// As [`Self::counter`].
    pub fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &'static [Label],
    ) -> Result<IntGaugeVec, Error> {
        let family = IntGaugeVec::new(Opts::new(name, help), &names(labels))?;
        self.add(family, (name, help, Kind::Gauge), labels, &[])
    }

    /// Gauges of any numbers, one for each combination of label values.
    ///
    /// # Errors
    /// As [`Self::counter`].
    pub fn real_gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &'static [Label],
    ) -> Result<GaugeVec, Error> {
        let family = GaugeVec::new(Opts::new(name, help), &names(labels))?;
        self.add(family, (name, help, Kind::Gauge), labels, &[])
    }

    /// A histogram without labels.
    ///
    /// # Errors
    /// As [`Self::counter`].
    pub fn histogram(
        &mut self,
        name: &'static str,
        help: &'static str,
        buckets: &'static [f64],
    ) -> Result<Histogram, Error> {
        let family = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
        self.add(family, (name, help, Kind::Histogram), &[], buckets)
    }

    /// Histograms, one for each combination of label values.
    ///
    /// # Errors
    /// As [`Self::counter`].
    pub fn histograms(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &'static [Label],
        buckets: &'static [f64],
    ) -> Result<HistogramVec, Error> {
        let family = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), &names(labels))?;
        self.add(family, (name, help, Kind::Histogram), labels, buckets)
    }
}

fn names(labels: &[Label]) -> Vec<&'static str> {
    labels.iter().map(|label| label.name).collect()
}

/// The catalogue as the generated part of `docs/metrics.md`: a table for each heading, in the order of registration.
pub fn markdown(families: &[Described]) -> String {
    let mut out = String::new();
    let mut group = "";
    // Writing to a text does not fail.
    for family in families {
        if family.group != group {
            group = family.group;
            let _ =
                write!(out, "\n## {group}\n\n| Metric | Kind | Labels | What it tells |\n| --- | --- | --- | --- |\n");
        }
        let labels: Vec<String> =
            family.labels.iter().map(|label| format!("`{}`: {}", label.name, label.values)).collect();
        let mut help = family.help.to_owned();
        if let (Some(first), Some(last)) = (family.buckets.first(), family.buckets.last()) {
            let _ = write!(help, " Buckets from {first} to {last}.");
        }
        let (name, kind) = (family.name, family.kind.name());
        let _ = writeln!(out, "| `{name}` | {kind} | {} | {help} |", labels.join("<br>"));
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::telemetry::Telemetry;

    #[test]
    fn names_follow_the_conventions_and_labels_are_few() {
        let telemetry = Telemetry::new([], []).unwrap();
        let all = telemetry.metrics().catalogue();
        assert!(all.len() > 40, "{}", all.len());
        for family in all {
            let name = family.name;
            assert!(name.starts_with("grindvakt_"), "{name}");
            assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
            assert!(family.kind != Kind::Histogram || name.ends_with("_seconds"), "{name}: no unit");
            assert!(family.help.ends_with('.'), "{name}: {}", family.help);
            assert!(!family.help.contains('|') && !family.help.contains('\n'), "{name}: it goes into a table");
            assert!(family.labels.len() <= 4, "{name}");
            assert!(family.buckets.windows(2).all(|pair| pair.first() < pair.last()), "{name}");
            assert_ne!(family.group, "Other", "{name} has no heading");
        }
    }

    #[test]
    fn a_table_row_says_it_all() {
        let mut families = Families::default();
        families.group("Things");
        families.counters("grindvakt_things_total", "Things.", &[Label::CODE]).unwrap();
        families.histogram("grindvakt_wait_seconds", "Waiting.", &[0.5, 2.0]).unwrap();
        assert!(families.counter("grindvakt_things_total", "Again.").is_err(), "one description for each name");
        let (_, described) = families.finish();
        assert_eq!(
            markdown(&described),
            "\n## Things\n\n| Metric | Kind | Labels | What it tells |\n| --- | --- | --- | --- |\n\
             | `grindvakt_things_total` | counter | `code`: a reason code | Things. |\n\
             | `grindvakt_wait_seconds` | histogram |  | Waiting. Buckets from 0.5 to 2. |\n"
        );
    }
}
