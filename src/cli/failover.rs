//! `grindvakt check --failover`: what is left of each route when one of its providers fails.

use std::fmt::Write as _;

use crate::base::UnixTime;
use crate::config::Config;
use crate::policy::Access;
use crate::provider::Snapshot;
use crate::provider::standby;

/// What is told, and whether every route has an alternate.
pub(super) struct Told {
    /// For people.
    pub text: String,
    /// Routes that hang on one provider, or on none.
    pub hanging: Vec<String>,
}

/// Looks at each route as it would be if one of its providers did not answer, and all others were well.
pub(super) fn tell(config: &Config, snapshot: &Snapshot, now: UnixTime) -> Told {
    let (mut text, mut hanging) = (String::new(), Vec::new());
    for route in config.routes.all().filter(|route| route.access == Access::Session) {
        let _ = writeln!(text, "route {}", route.name);
        let losses = standby::losses(snapshot, route, now, |_| None);
        if losses.is_empty() {
            let _ = writeln!(text, "  nobody can log in: no provider with valid keys can meet it");
            for provider in snapshot.for_route(route) {
                let why = provider.usable(now).err().map(|reject| reject.detail().to_owned());
                let why = why.unwrap_or_else(|| "it may assert no level that the route takes".to_owned());
                let _ = writeln!(text, "    {}  {why}", provider.config().id);
            }
            hanging.push(format!("{}: nobody can log in", route.name));
        }
        for loss in &losses {
            let failed = &loss.provider.config().id;
            let left = match (loss.stands_in(), loss.leaves_a_way()) {
                (Some(other), _) => format!("logins go on by {}", other.config().id),
                (None, true) => "people are asked".to_owned(),
                (None, false) => {
                    hanging.push(format!("{}: without {failed} nobody can log in", route.name));
                    "NOBODY CAN LOG IN".to_owned()
                }
            };
            let _ = writeln!(text, "  without {failed}: {left}");
            let width = loss.others.iter().map(|(other, _)| other.config().id.as_str().len()).max().unwrap_or(0);
            for (other, part) in &loss.others {
                let _ = writeln!(text, "    {:<width$}  {part}", other.config().id.as_str());
            }
        }
    }
    Told { text, hanging }
}
