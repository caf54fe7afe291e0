//! Operators' words on providers: those of the configuration, and those given while it runs, which count before them.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::base::{ProviderId, UnixTime};
use crate::config::{Forced, Override};

/// Words given while the sidecar runs: one for each provider. They outlive a reload of the configuration, not the process:
/// what must stand longer stands in the configuration.
#[derive(Debug, Default)]
pub struct Overrides {
    given: ArcSwap<Vec<Override>>,
}

impl Overrides {
    /// Gives a word, in place of an earlier one on the same provider. Those that are over are forgotten.
    pub fn give(&self, word: &Override, now: UnixTime) {
        self.given.rcu(|all| {
            let others = all.iter().filter(|other| other.provider != word.provider);
            let live = others.filter(|other| other.until.is_none_or(|until| now < until));
            live.cloned().chain([word.clone()]).collect::<Vec<_>>()
        });
    }

    /// Takes the word on `provider` back; whether there was one.
    pub fn take_back(&self, provider: &ProviderId) -> bool {
        let before =
            self.given.rcu(|all| all.iter().filter(|word| word.provider != *provider).cloned().collect::<Vec<_>>());
        before.iter().any(|word| word.provider == *provider)
    }

    /// Every word that was given and is not over at `now`.
    pub fn given(&self, now: UnixTime) -> Vec<Override> {
        let given: Arc<Vec<Override>> = self.given.load_full();
        given.iter().filter(|word| word.until.is_none_or(|until| now < until)).cloned().collect()
    }

    /// The word that holds for `provider` at `now`: one that was given before one of the configuration. Of several in the
    /// configuration the first that holds.
    pub fn on(&self, provider: &ProviderId, configured: &[Override], now: UnixTime) -> Option<Override> {
        let holds = |word: &&Override| word.provider == *provider && word.holds(now);
        let given = self.given.load();
        given.iter().find(holds).or_else(|| configured.iter().find(holds)).cloned()
    }

    /// [`Self::on`], without who and why.
    pub fn forced(&self, provider: &ProviderId, configured: &[Override], now: UnixTime) -> Option<Forced> {
        let holds = |word: &&Override| word.provider == *provider && word.holds(now);
        let given = self.given.load();
        given.iter().find(holds).or_else(|| configured.iter().find(holds)).map(|word| word.state)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_772_359_200);

    fn word(provider: &str, state: Forced, from: Option<u64>, until: Option<u64>) -> Override {
        let at = |seconds: u64| NOW.plus(Duration::from_secs(seconds));
        let provider = ProviderId::new(provider).unwrap();
        Override { provider, state, from: from.map(at), until: until.map(at), who: "eva".into(), why: "test".into() }
    }

    #[test]
    fn the_newest_word_counts_before_the_configuration_and_for_its_time() {
        let overrides = Overrides::default();
        let configured = [word("a", Forced::Closed, None, None), word("b", Forced::Open, Some(10), Some(20))];
        let forced = |provider: &str, seconds: u64| {
            let provider = ProviderId::new(provider).unwrap();
            overrides.forced(&provider, &configured, NOW.plus(Duration::from_secs(seconds)))
        };
        assert_eq!((forced("a", 0), forced("c", 0)), (Some(Forced::Closed), None));
        assert_eq!([9, 10, 19, 20].map(|at| forced("b", at)), [None, Some(Forced::Open), Some(Forced::Open), None]);

        overrides.give(&word("a", Forced::Open, None, Some(60)), NOW);
        overrides.give(&word("b", Forced::Closed, Some(15), None), NOW);
        assert_eq!([0, 59, 60].map(|at| forced("a", at)), [Forced::Open, Forced::Open, Forced::Closed].map(Some));
        // One that does not hold yet stands in nobody's way.
        assert_eq!([12, 15, 99].map(|at| forced("b", at)), [Forced::Open, Forced::Closed, Forced::Closed].map(Some));

        overrides.give(&word("a", Forced::Closed, None, None), NOW);
        assert_eq!(overrides.given(NOW).len(), 2, "one word for each provider");
        let a = ProviderId::new("a").unwrap();
        assert!(overrides.take_back(&a) && !overrides.take_back(&a));
        assert_eq!(forced("a", 0), Some(Forced::Closed), "what the configuration says");
        overrides.give(&word("c", Forced::Open, None, Some(5)), NOW);
        overrides.give(&word("d", Forced::Open, None, None), NOW.plus(Duration::from_secs(5)));
        assert_eq!(overrides.given(NOW.plus(Duration::from_secs(5))).len(), 2, "what is over is forgotten");
    }
}
