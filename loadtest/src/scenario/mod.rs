//! The scenarios. One more is one file with a [`Scenario`] in it, and one line in [`ALL`].

mod bearer;
mod big_bodies;
mod garbage;
mod key_rollover;
mod login_storm;
mod provider_outage;
mod replay_attack;
mod rolling_restart;
mod slow_clients;
mod steady;
mod tax_day;

use std::pin::Pin;

use crate::Failed;
use crate::bench::Bench;

/// What a scenario does while it runs.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Failed>> + 'a>>;

/// A kind of run.
pub trait Scenario: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// One line for `--list`.
    fn about(&self) -> &'static str;

    /// Sends its traffic and notes its figures. Phases, failed requests and the sidecar's end by itself are written
    /// down without its help; what else must hold it says in `bench.report.failures`.
    fn run<'a>(&'a self, bench: &'a mut Bench) -> Running<'a>;
}

/// Every scenario, in the order of `--list`.
pub const ALL: &[&dyn Scenario] = &[
    &steady::Steady,
    &login_storm::LoginStorm,
    &replay_attack::ReplayAttack,
    &garbage::Garbage,
    &tax_day::TaxDay,
    &slow_clients::SlowClients,
    &big_bodies::BigBodies,
    &bearer::Bearer,
    &key_rollover::KeyRollover,
    &rolling_restart::RollingRestart,
    &provider_outage::ProviderOutage,
];

/// By its name.
pub fn find(name: &str) -> Option<&'static dyn Scenario> {
    ALL.iter().copied().find(|scenario| scenario.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_good_for_a_command_line() {
        for scenario in ALL {
            let name = scenario.name();
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{name}");
            assert!(scenario.about().len() < 100 && !scenario.about().contains('\n'), "{name}");
            assert_eq!(ALL.iter().filter(|other| other.name() == name).count(), 1, "{name}");
            assert!(find(name).is_some());
        }
        assert!(find("nothing").is_none());
    }
}
