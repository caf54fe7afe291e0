//! What everyone who remembers uses and ended sessions must do, run against each back end: the memory of one process
//! here, a real Redis in `redis.rs`.

use std::sync::Arc;
use std::time::Duration;

use grindvakt::base::{Clock as _, Secret, SystemClock, UnixTime};
use grindvakt::crypto::digest::{HmacKey, SystemRandom, random_bytes};
use grindvakt::replay::{
    Instance, Marks, MemoryGuard, Order, ProviderMark, ReplayError, ReplayGuard, ReplayKey, SessionId, Store,
};

pub const NOW: UnixTime = UnixTime::from_secs(1_000);
pub const UNTIL: UnixTime = UnixTime::from_secs(2_000);

/// What is used in one case. No two cases meet, even in one store.
pub struct Keys(HmacKey);

impl Keys {
    pub fn new() -> Self {
        Self(HmacKey::new(&Secret::new(random_bytes(&SystemRandom::new()).unwrap())))
    }

    pub fn assertion(&self, id: &str) -> ReplayKey {
        ReplayKey::assertion(&self.0, "https://idp.example.se", id)
    }

    pub fn login(&self, handle: &str) -> ReplayKey {
        ReplayKey::login(&self.0, handle)
    }

    pub fn exchange(&self, handle: &str) -> ReplayKey {
        ReplayKey::exchange(&self.0, handle)
    }

    /// A person at a provider, and one of their sessions there.
    pub fn at_provider(&self, person: &str, session: &str) -> [ProviderMark; 2] {
        [ProviderMark::sub(&self.0, "op", person), ProviderMark::sid(&self.0, "op", session)]
    }
}

#[tokio::test]
async fn the_memory_of_one_process_keeps_the_contract() {
    keeps_uses(Arc::new(MemoryGuard::default())).await;
    full_refuses_and_forgets_nothing(MemoryGuard::with_capacity(4)).await;
    keeps_ends(&Store::memory(&SystemRandom::new(), SystemClock.now()).unwrap()).await;
}

/// Everything about uses.
pub async fn keeps_uses<G: ReplayGuard + 'static>(guard: Arc<G>) {
    first_use_wins(&*guard).await;
    both_keys_or_none(&*guard).await;
    remembers_until_the_last_instant(&*guard).await;
    issuers_are_kept_apart(&*guard).await;
    claims_are_for_one_at_a_time(&*guard).await;
    racing_claims_have_one_winner(Arc::clone(&guard)).await;
    racing_uses_have_one_winner(guard).await;
}

async fn first_use_wins<G: ReplayGuard>(guard: &G) {
    let keys = Keys::new();
    let (a, h) = (keys.assertion("a"), keys.login("h"));
    assert!(guard.consume(&[a, h], UNTIL, NOW).await.is_ok());
    assert_eq!(guard.consume(&[a, h], UNTIL, NOW).await.err(), Some(ReplayError::Replayed));
    assert_eq!(guard.consume(&[a], UNTIL, NOW).await.err(), Some(ReplayError::Replayed));
    assert_eq!(guard.consume(&[h], UNTIL, NOW).await.err(), Some(ReplayError::LoginConsumed));
}

async fn both_keys_or_none<G: ReplayGuard>(guard: &G) {
    let keys = Keys::new();
    let (a, b) = (keys.assertion("a"), keys.assertion("b"));
    let [h, i, j] = ["h", "i", "j"].map(|handle| keys.login(handle));
    assert!(guard.consume(&[a, h], UNTIL, NOW).await.is_ok());
    assert_eq!(guard.consume(&[b, h], UNTIL, NOW).await.err(), Some(ReplayError::LoginConsumed));
    assert!(guard.consume(&[b, i], UNTIL, NOW).await.is_ok(), "b was not used by the refusal");
    assert_eq!(guard.consume(&[a, j], UNTIL, NOW).await.err(), Some(ReplayError::Replayed));
    assert!(guard.consume(&[j], UNTIL, NOW).await.is_ok(), "j was not used by the refusal");
}

async fn remembers_until_the_last_instant<G: ReplayGuard>(guard: &G) {
    let keys = Keys::new();
    let (a, other) = (keys.assertion("a"), keys.assertion("other"));
    assert!(guard.consume(&[a], UNTIL, NOW).await.is_ok());
    assert_eq!(guard.consume(&[a], UNTIL, UNTIL).await.err(), Some(ReplayError::Replayed));
    let after = UnixTime::from_millis(UNTIL.as_millis() + 1);
    assert!(guard.consume(&[a], UnixTime::from_secs(3_000), after).await.is_ok());
    assert_eq!(guard.consume(&[a], UNTIL, after).await.err(), Some(ReplayError::Replayed));
    // A replica whose clock is behind could still take it, and meets the use all the same.
    assert!(guard.consume(&[other], UNTIL, UNTIL).await.is_ok());
    let behind = UnixTime::from_secs(UNTIL.as_secs() - 120);
    assert_eq!(guard.consume(&[other], UNTIL, behind).await.err(), Some(ReplayError::Replayed));
}

async fn issuers_are_kept_apart<G: ReplayGuard>(guard: &G) {
    let Keys(key) = Keys::new();
    assert!(guard.consume(&[ReplayKey::assertion(&key, "one", "a")], UNTIL, NOW).await.is_ok());
    assert!(guard.consume(&[ReplayKey::assertion(&key, "two", "a")], UNTIL, NOW).await.is_ok());
    assert!(guard.consume(&[ReplayKey::login(&key, "a")], UNTIL, NOW).await.is_ok());
}

/// Made to last: whoever lets it go, or its time, ends it.
const LIFE: Duration = Duration::from_secs(20);

async fn claims_are_for_one_at_a_time<G: ReplayGuard>(guard: &G) {
    let keys = Keys::new();
    let (claimed, other, login) = (keys.exchange("h"), keys.exchange("i"), keys.login("h"));
    let claim = async |of: &[ReplayKey]| guard.claim(of, &[login], LIFE, NOW).await;
    let first = claim(&[claimed]).await.unwrap();
    assert_eq!(claim(&[claimed]).await.err(), Some(ReplayError::InProgress));
    assert_eq!(claim(&[other, claimed]).await.err(), Some(ReplayError::InProgress));
    // The refusal left nothing behind, and a claim that was let go neither.
    guard.release(claim(&[other]).await.unwrap()).await;
    guard.release(first).await;
    let again = guard.claim(&[claimed, other], &[login], LIFE * 2, NOW).await.unwrap();
    assert_eq!(claim(&[other]).await.err(), Some(ReplayError::InProgress));
    // Once the login is over nobody need claim it, and the one who had it may let go or not.
    assert!(guard.consume(&[login], UNTIL, NOW).await.is_ok());
    assert_eq!(claim(&[claimed]).await.err(), Some(ReplayError::LoginConsumed));
    guard.release(again).await;
    assert_eq!(claim(&[claimed]).await.err(), Some(ReplayError::LoginConsumed));
    assert_eq!(guard.consume(&[login], UNTIL, NOW).await.err(), Some(ReplayError::LoginConsumed));
}

async fn racing_claims_have_one_winner<G: ReplayGuard + 'static>(guard: Arc<G>) {
    let keys = Keys::new();
    for round in 0..50 {
        let (claimed, login) = (keys.exchange(&format!("r{round}")), keys.login(&format!("r{round}")));
        let start = Arc::new(tokio::sync::Barrier::new(8));
        let racers: Vec<_> = (0..8)
            .map(|_| {
                let (guard, start) = (Arc::clone(&guard), Arc::clone(&start));
                tokio::spawn(async move {
                    start.wait().await;
                    guard.claim(&[claimed], &[login], LIFE, NOW).await.is_ok()
                })
            })
            .collect();
        let mut winners = 0;
        for racer in racers {
            winners += usize::from(racer.await.unwrap());
        }
        assert_eq!(winners, 1);
    }
}

async fn racing_uses_have_one_winner<G: ReplayGuard + 'static>(guard: Arc<G>) {
    let keys = Keys::new();
    for round in 0..100 {
        let (a, h) = (keys.assertion(&format!("race{round}")), keys.login(&format!("race{round}")));
        assert_eq!(winners(8, |_| Arc::clone(&guard), [a, h]).await, 1);
    }
}

/// How many of so many tasks are granted the same use.
pub async fn winners<G: ReplayGuard + 'static>(
    tasks: usize,
    guard: impl Fn(usize) -> Arc<G>,
    keys: [ReplayKey; 2],
) -> usize {
    let start = Arc::new(tokio::sync::Barrier::new(tasks));
    let racers: Vec<_> = (0..tasks)
        .map(|racer| {
            let (guard, start) = (guard(racer), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                guard.consume(&keys, UNTIL, NOW).await.is_ok()
            })
        })
        .collect();
    let mut winners = 0;
    for racer in racers {
        winners += usize::from(racer.await.unwrap());
    }
    winners
}

async fn full_refuses_and_forgets_nothing<G: ReplayGuard>(guard: G) {
    let keys = Keys::new();
    for id in ["a", "b", "c", "d"] {
        assert!(guard.consume(&[keys.assertion(id)], UNTIL, NOW).await.is_ok());
    }
    assert_eq!(guard.consume(&[keys.assertion("e")], UNTIL, NOW).await.err(), Some(ReplayError::Full));
    for id in ["a", "b", "c", "d"] {
        let refused = guard.consume(&[keys.assertion(id)], UNTIL, NOW).await.err();
        assert!(matches!(refused, Some(ReplayError::Full | ReplayError::Replayed)), "{id} is still used");
    }
    // What has ended makes room.
    let later = UnixTime::from_secs(2_002);
    for id in ["e", "f", "g", "h"] {
        assert!(guard.consume(&[keys.assertion(id)], UnixTime::from_secs(3_000), later).await.is_ok(), "{id}");
    }
    assert_eq!(guard.consume(&[keys.assertion("i")], UNTIL, later).await.err(), Some(ReplayError::Full));
}

/// Of a login at the provider that was before any order.
pub const LONG_AGO: UnixTime = UnixTime::from_secs(-1);

/// A session as a login at `store` opens it.
pub async fn session(store: &Store, at_provider: &[ProviderMark]) -> Marks {
    let (line, now) = (store.line().await.unwrap(), SystemClock.now());
    let key = Keys::new().login("h");
    let once = store.consume(&[key], &line.instance, now.plus(Duration::from_secs(60)), now).await.unwrap();
    let session = SessionId::new(&SystemRandom::new()).unwrap();
    Marks { session, opened: once.at(), at_provider: at_provider.to_vec() }
}

/// Everything about ended sessions that one replica sees of itself.
pub async fn keeps_ends(store: &Store) {
    let hour = || SystemClock.now().plus(Duration::from_secs(3600));
    let keys = Keys::new();
    let one = session(store, &keys.at_provider("someone", "1")).await;
    let two = session(store, &keys.at_provider("someone", "2")).await;
    let other = session(store, &keys.at_provider("another", "3")).await;
    let over = |marks: &Marks| store.revoked().contains(marks, LONG_AGO);
    let alone = session(store, &[]).await;
    assert!(![&one, &two, &other, &alone].into_iter().any(over));

    // By its own id: this session, and whoever waits for one to end is woken.
    let woken = async { tokio::time::timeout(Duration::from_secs(10), store.revoked().changed()).await.is_ok() };
    let ended = async { store.end(&[Order::session(alone.session, hour())], SystemClock.now()).await };
    let (woken, ended) = tokio::join!(biased; woken, ended);
    assert!(woken && ended.is_ok());
    assert!(over(&alone) && ![&one, &two, &other].into_iter().any(over));

    // By the provider's session: that one. By the person: all of theirs until now, and no later one.
    let [_, sid] = keys.at_provider("someone", "1");
    assert!(store.end(&[Order::at_provider(sid, hour())], SystemClock.now()).await.is_ok());
    assert!(over(&one) && !over(&two) && !over(&other));
    tokio::time::sleep(Duration::from_millis(5)).await;
    let [sub, _] = keys.at_provider("someone", "");
    assert!(store.end(&[Order::at_provider(sub, hour())], SystemClock.now()).await.is_ok());
    assert!(over(&two) && !over(&other));
    tokio::time::sleep(Duration::from_millis(5)).await;
    let later = session(store, &keys.at_provider("someone", "4")).await;
    assert!(!over(&later), "who logs in again is in again");

    // By the login there, as the provider's own clock tells it: also one whose answer comes after the order.
    let [sub, sid] = keys.at_provider("someone else", "5");
    let (ordered, second) = (UnixTime::from_millis(1_700_000_000_500), Duration::from_secs(1));
    assert!(store.end(&[Order::logins_at_provider(sid, ordered, hour())], SystemClock.now()).await.is_ok());
    let late = session(store, &[sub, sid]).await;
    for (login, is_over) in [(ordered.minus(second), true), (ordered, true), (ordered.plus(second), false)] {
        assert_eq!(store.revoked().contains(&late, login), is_over, "{login}");
        assert_eq!(store.revoked().ends_login(&[sub, sid], login), is_over, "{login}");
    }
    assert!(!store.revoked().ends_login(&[sub], ordered));
    assert!(!store.is_stale());

    // What was begun under another memory is not taken.
    let now = SystemClock.now();
    let stranger = Instance::new(&SystemRandom::new()).unwrap();
    let refused = store.consume(&[keys.login("x")], &stranger, hour(), now).await;
    assert_eq!(refused.err(), Some(ReplayError::OtherInstance));
    let line = store.line().await.unwrap();
    assert!(
        store.consume(&[keys.login("x")], &line.instance, hour(), now).await.is_ok(),
        "the refusal used nothing up"
    );
}
