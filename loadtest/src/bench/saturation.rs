//! The saturation point: the highest rate of arrivals that is still answered in time.

use std::time::Duration;

use super::{Bench, Target};
use crate::Failed;
use crate::drive::Lane;
use crate::report::{Better, Saturation, Step};

/// Shares of what the closed loop reached.
const STEPS: [f64; 7] = [0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1];

/// How much of what was due must be answered.
const ANSWERED: f64 = 0.99;

impl Bench {
    /// Offers ever higher rates to `target`, up to a little over `highest`, with the lane that `lane` makes for each, and
    /// writes down how it copes. Stops two steps after it no longer does.
    ///
    /// # Errors
    /// As [`Self::measure`].
    pub async fn find_saturation(
        &mut self,
        target: Target,
        highest: f64,
        lane: impl Fn(f64) -> Lane,
    ) -> Result<(), Failed> {
        let limit_us = (self.options.p99_limit * 1000.0).max(1.0) as u64;
        let duration = (self.options.duration() / 4).max(Duration::from_millis(500));
        let mut found = Saturation { limit_us, ..Saturation::default() };
        for share in STEPS {
            let offered = (highest * share).max(1.0);
            let (measured, tallies) =
                self.watch(&format!("saturation {offered:.0}/s"), target, vec![lane(offered)], duration).await?;
            let phase = measured.report(self.world.cores.all.len());
            let tally = tallies.into_iter().next().unwrap_or_default();
            // Answers that came after their time do not count for the rate: a queue that drains later is no coping.
            let achieved = tally.good as f64 / phase.seconds.max(duration.as_secs_f64());
            let p99 = tally.quantile_us(0.99);
            let coped = tally.failures() == 0 && p99 <= limit_us && achieved >= ANSWERED * offered;
            let p50 = tally.quantile_us(0.5);
            found.steps.push(Step { offered, achieved, p50, p99, cpu_cores: phase.cpu_cores, coped });
            if coped {
                found.point = found.point.max(offered);
            }
            if found.steps.iter().filter(|step| !step.coped).count() >= 2 {
                break;
            }
        }
        self.report.figure("saturation", found.point, "requests/s", Better::Higher);
        self.report.saturation = Some(found);
        Ok(())
    }
}
