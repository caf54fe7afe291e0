//! This run beside an earlier one.

use std::fmt;

use crate::Failed;
use crate::report::print::number;
use crate::report::{Figure, Report};

/// Changes smaller than this are noise on most machines.
const NOISE: f64 = 0.05;

/// One figure in both runs.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Then.
    pub then: Figure,
    /// Now.
    pub now: Figure,
}

/// Every figure that both runs have.
#[derive(Clone, Debug)]
pub struct Changes {
    /// What the earlier run was.
    pub earlier: String,
    /// What keeps the two from being compared fairly.
    pub cautions: Vec<String>,
    /// The figures.
    pub changes: Vec<Change>,
}

/// Compares `now` with `earlier`.
///
/// # Errors
/// When they are of different scenarios, or have no figure in common.
pub fn compare(earlier: &Report, now: &Report) -> Result<Changes, Failed> {
    if earlier.scenario != now.scenario {
        return Err(Failed(format!("the earlier report is of `{}`, not of `{}`", earlier.scenario, now.scenario)));
    }
    let mut cautions = Vec::new();
    let mut differs = |what: &str, then: &str, now: &str| {
        if then != now {
            cautions.push(format!("another {what}: {then} then, {now} now"));
        }
    };
    differs("build", &earlier.build, &now.build);
    differs("processor", &earlier.machine.processor, &now.machine.processor);
    differs("number of cores", &earlier.machine.cores.to_string(), &now.machine.cores.to_string());
    differs("division of cores", &format!("{:?}", earlier.cores), &format!("{:?}", now.cores));
    let changes: Vec<Change> = now
        .figures
        .iter()
        .filter_map(|(name, figure)| {
            let then = earlier.figures.get(name).filter(|then| then.unit == figure.unit)?;
            Some(Change { name: name.clone(), then: then.clone(), now: figure.clone() })
        })
        .collect();
    if changes.is_empty() {
        return Err(Failed("the earlier report has no figure in common with this one".to_owned()));
    }
    let commit: String = earlier.commit.chars().take(12).collect();
    Ok(Changes { earlier: format!("{} (commit {commit})", earlier.at), cautions, changes })
}

impl Changes {
    /// Every figure that is worse by more than `share`, as a sentence.
    pub fn regressions(&self, share: f64) -> Vec<String> {
        let worse = self.changes.iter().filter(|change| change.now.worse_than(&change.then) > share);
        worse.map(|change| format!("{change}, which is worse by more than {} %", number(share * 100.0))).collect()
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = if self.then.value == 0.0 {
            0.0
        } else {
            (self.now.value - self.then.value) / self.then.value.abs() * 100.0
        };
        let (then, now, unit) = (number(self.then.value), number(self.now.value), &self.now.unit);
        write!(f, "{:<34} {then:>10} → {now:>10} {unit} ({percent:+.1} %)", self.name)
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  beside the run of {}:", self.earlier)?;
        for caution in &self.cautions {
            writeln!(f, "    not a fair comparison: {caution}")?;
        }
        for change in &self.changes {
            let word = match change.now.worse_than(&change.then) {
                worse if worse > NOISE => "  worse",
                worse if worse < -NOISE => "  better",
                _ => "",
            };
            writeln!(f, "    {change}{word}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Better;

    fn report(scenario: &str, cpu: f64, throughput: f64) -> Report {
        let mut report = Report { scenario: scenario.to_owned(), build: "release".to_owned(), ..Report::default() };
        report.figure("cpu", cpu, "µs/request", Better::Lower);
        report.figure("throughput", throughput, "requests/s", Better::Higher);
        report.figure(&format!("only in {cpu}"), 1.0, "", Better::Lower);
        report
    }

    #[test]
    fn worse_is_worse_whichever_way_the_number_goes() {
        let then = report("steady", 40.0, 10_000.0);
        let now = compare(&then, &report("steady", 50.0, 8_000.0)).unwrap();
        assert_eq!(now.changes.len(), 2);
        assert_eq!(now.regressions(0.3), [""; 0]);
        assert_eq!(now.regressions(0.22).len(), 1, "cpu by a quarter, throughput by a fifth");
        assert_eq!(now.regressions(0.1).len(), 2);
        let text = now.to_string();
        assert!(text.contains("(+25.0 %)  worse") && text.contains("(-20.0 %)  worse"), "{text}");
        let better = compare(&then, &report("steady", 30.0, 12_000.0)).unwrap();
        assert_eq!(better.regressions(0.0), [""; 0]);
        assert!(better.to_string().contains("better"));
    }

    #[test]
    fn what_cannot_be_compared_is_not() {
        let then = report("steady", 40.0, 1.0);
        assert!(compare(&then, &report("login-storm", 40.0, 1.0)).is_err());
        assert!(compare(&Report { scenario: "steady".into(), ..Report::default() }, &then).is_err());
        let debug = Report { build: "debug".into(), ..report("steady", 40.0, 1.0) };
        let caution = compare(&then, &debug).unwrap().to_string();
        assert!(caution.contains("not a fair comparison: another build"), "{caution}");
    }
}
