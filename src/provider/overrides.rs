//! Operators' words on providers: those of the configuration, and those given while it runs, which count before them.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use crate::base::{ProviderId, UnixTime};
use crate::config::{Forced, Override};

/// How long it is remembered which word was the last on a provider: longer than a word of other replicas lasts.
pub const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Providers of which others may tell. A configuration has a handful.
const MOST: usize = 1000;

/// What an operator said last of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// When.
    pub at: UnixTime,
    /// Of which provider.
    pub provider: ProviderId,
    /// The word; none: it was taken back.
    pub word: Option<Override>,
    /// Who said it.
    pub who: String,
}

impl Said {
    fn word_at(&self, now: UnixTime) -> Option<&Override> {
        self.word.as_ref().filter(|word| word.until.is_none_or(|until| now < until))
    }
}

/// Words given while the sidecar runs: one for each provider, the last one, here or at another replica. They outlive a
/// reload of the configuration, and where replicas share a store the process too.
#[derive(Debug, Default)]
pub struct Overrides {
    given: ArcSwap<Vec<Said>>,
    changed: Notify,
}

impl Overrides {
    /// Gives a word, in place of an earlier one on the same provider.
    pub fn give(&self, word: &Override, now: UnixTime) {
        self.say(&word.provider, Some(word), &word.who, now);
        self.changed.notify_one();
    }

    /// Takes the word on `provider` back; whether there was one.
    pub fn take_back(&self, provider: &ProviderId, who: &str, now: UnixTime) -> bool {
        let given = self.given.load_full();
        let there = given.iter().any(|said| said.provider == *provider && said.word_at(now).is_some());
        if there {
            self.say(provider, None, who, now);
            self.changed.notify_one();
        }
        there
    }

    fn say(&self, provider: &ProviderId, word: Option<&Override>, who: &str, now: UnixTime) {
        self.given.rcu(|all| {
            // Another replica's clock may be ahead of ours: what is said here now is later all the same.
            let before = all.iter().find(|said| said.provider == *provider).map(|said| said.at);
            let at = before.map_or(now, |before| now.max(before.plus(Duration::from_millis(1))));
            let said = Said { at, provider: provider.clone(), word: word.cloned(), who: who.to_owned() };
            with(all, said, now)
        });
    }

    /// Takes in what was said to another replica; whether it is news.
    pub fn take_in(&self, said: &Said, now: UnixTime) -> bool {
        let is_news = |all: &[Said]| match all.iter().find(|known| known.provider == said.provider) {
            Some(known) => known.at < said.at,
            None => all.len() < MOST && now < said.at.plus(REMEMBERED),
        };
        let before =
            self.given.rcu(|all| if is_news(all) { Arc::new(with(all, said.clone(), now)) } else { Arc::clone(all) });
        is_news(&before)
    }

    /// What was said last of each provider, here or elsewhere: what other replicas may not know.
    pub fn said(&self, now: UnixTime) -> Vec<Said> {
        self.given.load().iter().filter(|said| now < said.at.plus(REMEMBERED)).cloned().collect()
    }

    /// Returns when something was said here.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Every word that was given and is not over at `now`.
    pub fn given(&self, now: UnixTime) -> Vec<Override> {
        self.given.load().iter().filter_map(|said| said.word_at(now)).cloned().collect()
    }

    /// The word that holds for `provider` at `now`: one that was given before one of the configuration. Of several in the
    /// configuration the first that holds.
    pub fn on(&self, provider: &ProviderId, configured: &[Override], now: UnixTime) -> Option<Override> {
        let holds = |word: &&Override| word.provider == *provider && word.holds(now);
        let given = self.given.load();
        let mut words = given.iter().filter_map(|said| said.word.as_ref());
        words.find(holds).or_else(|| configured.iter().find(holds)).cloned()
    }

    /// [`Self::on`], without who and why.
    pub fn forced(&self, provider: &ProviderId, configured: &[Override], now: UnixTime) -> Option<Forced> {
        let holds = |word: &&Override| word.provider == *provider && word.holds(now);
        let given = self.given.load();
        let mut words = given.iter().filter_map(|said| said.word.as_ref());
        words.find(holds).or_else(|| configured.iter().find(holds)).map(|word| word.state)
    }
}

/// `all` with `said` in place of what was said of its provider before. Those that have long been over are forgotten.
fn with(all: &[Said], said: Said, now: UnixTime) -> Vec<Said> {
    let counts = |other: &&Said| now < other.at.plus(REMEMBERED) || other.word_at(now).is_some();
    let others = all.iter().filter(|other| other.provider != said.provider).filter(counts);
    others.cloned().chain([said.clone()]).collect()
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
        assert!(overrides.take_back(&a, "eva", NOW) && !overrides.take_back(&a, "eva", NOW));
        assert_eq!(forced("a", 0), Some(Forced::Closed), "what the configuration says");
        overrides.give(&word("c", Forced::Open, None, Some(5)), NOW);
        overrides.give(&word("d", Forced::Open, None, None), NOW.plus(Duration::from_secs(5)));
        assert_eq!(overrides.given(NOW.plus(Duration::from_secs(5))).len(), 2, "what is over is forgotten");
    }

    #[test]
    fn of_words_at_several_replicas_the_newest_counts_in_whatever_order_they_come() {
        let at = |seconds: u64| NOW.plus(Duration::from_secs(seconds));
        let a = ProviderId::new("a").unwrap();
        let open = word("a", Forced::Open, None, Some(3_000));
        let said = [
            Said { at: at(0), provider: a.clone(), word: Some(open), who: "eva".into() },
            Said { at: at(10), provider: a.clone(), word: None, who: "eva".into() },
            Said {
                at: at(20),
                provider: a.clone(),
                word: Some(word("a", Forced::Closed, None, Some(60))),
                who: "eva".into(),
            },
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1], [2, 0, 1], [1, 0, 2]] {
            let overrides = Overrides::default();
            for _ in 0..2 {
                for n in order {
                    overrides.take_in(&said[n], at(30));
                }
            }
            assert_eq!(overrides.forced(&a, &[], at(30)), Some(Forced::Closed), "{order:?}");
            // The newest is over: an older one does not come back.
            overrides.take_in(&said[0], at(90));
            assert_eq!(overrides.forced(&a, &[], at(90)), None, "{order:?}");
            assert_eq!(overrides.said(at(90)), said[2..], "others can still be told");
        }
        // A clock that is behind that of another replica does not make a later word an earlier one.
        let overrides = Overrides::default();
        overrides.take_in(&said[2], at(0));
        overrides.give(&word("a", Forced::Open, None, Some(60)), at(1));
        assert_eq!(overrides.forced(&a, &[], at(1)), Some(Forced::Open));
        assert!(!overrides.take_in(&said[2], at(1)));
    }
}
