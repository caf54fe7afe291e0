//! What every replay guard must do, run against each back end.
//!
//! A shared store brings its own tests for what only it has: an outage, and two processes.
#![allow(clippy::unwrap_used)]

use super::{ReplayError, ReplayGuard, ReplayKey};
use crate::base::{Secret, UnixTime};
use crate::crypto::digest::HmacKey;

const NOW: UnixTime = UnixTime::from_secs(1_000);
const UNTIL: UnixTime = UnixTime::from_secs(2_000);

fn assertion(id: &str) -> ReplayKey {
    ReplayKey::assertion(&HmacKey::new(&Secret::new([9; 32])), "https://idp.example.se", id)
}

fn login(handle: &str) -> ReplayKey {
    ReplayKey::login(&HmacKey::new(&Secret::new([9; 32])), handle)
}

/// Runs every case on guards that `new` makes, each empty and with room for the number it is given.
pub(crate) async fn keeps<G: ReplayGuard + 'static>(new: impl Fn(usize) -> G) {
    first_use_wins(new(100)).await;
    both_keys_or_none(new(100)).await;
    remembers_until_the_last_instant(new(100)).await;
    issuers_are_kept_apart(new(100)).await;
    full_refuses_and_forgets_nothing(new(4)).await;
    racing_uses_have_one_winner(new(10_000)).await;
}

async fn first_use_wins<G: ReplayGuard>(guard: G) {
    assert!(guard.consume(&[assertion("a"), login("h")], UNTIL, NOW).await.is_ok());
    assert_eq!(guard.consume(&[assertion("a"), login("h")], UNTIL, NOW).await.err(), Some(ReplayError::Replayed));
    assert_eq!(guard.consume(&[assertion("a")], UNTIL, NOW).await.err(), Some(ReplayError::Replayed));
    assert_eq!(guard.consume(&[login("h")], UNTIL, NOW).await.err(), Some(ReplayError::LoginConsumed));
}

async fn both_keys_or_none<G: ReplayGuard>(guard: G) {
    assert!(guard.consume(&[assertion("a"), login("h")], UNTIL, NOW).await.is_ok());
    let refused = guard.consume(&[assertion("b"), login("h")], UNTIL, NOW).await;
    assert_eq!(refused.err(), Some(ReplayError::LoginConsumed));
    assert!(guard.consume(&[assertion("b"), login("i")], UNTIL, NOW).await.is_ok(), "b was not used by the refusal");
    let refused = guard.consume(&[assertion("a"), login("j")], UNTIL, NOW).await;
    assert_eq!(refused.err(), Some(ReplayError::Replayed));
    assert!(guard.consume(&[login("j")], UNTIL, NOW).await.is_ok(), "j was not used by the refusal");
}

async fn remembers_until_the_last_instant<G: ReplayGuard>(guard: G) {
    assert!(guard.consume(&[assertion("a")], UNTIL, NOW).await.is_ok());
    assert_eq!(guard.consume(&[assertion("a")], UNTIL, UNTIL).await.err(), Some(ReplayError::Replayed));
    let after = UnixTime::from_millis(UNTIL.as_millis() + 1);
    assert!(guard.consume(&[assertion("a")], UnixTime::from_secs(3_000), after).await.is_ok());
    assert_eq!(guard.consume(&[assertion("a")], UNTIL, after).await.err(), Some(ReplayError::Replayed));
}

async fn issuers_are_kept_apart<G: ReplayGuard>(guard: G) {
    let key = HmacKey::new(&Secret::new([9; 32]));
    assert!(guard.consume(&[ReplayKey::assertion(&key, "one", "a")], UNTIL, NOW).await.is_ok());
    assert!(guard.consume(&[ReplayKey::assertion(&key, "two", "a")], UNTIL, NOW).await.is_ok());
    assert!(guard.consume(&[login("a")], UNTIL, NOW).await.is_ok());
}

async fn full_refuses_and_forgets_nothing<G: ReplayGuard>(guard: G) {
    for id in ["a", "b", "c", "d"] {
        assert!(guard.consume(&[assertion(id)], UNTIL, NOW).await.is_ok());
    }
    assert_eq!(guard.consume(&[assertion("e")], UNTIL, NOW).await.err(), Some(ReplayError::Full));
    for id in ["a", "b", "c", "d"] {
        let refused = guard.consume(&[assertion(id)], UNTIL, NOW).await.err();
        assert!(matches!(refused, Some(ReplayError::Full | ReplayError::Replayed)), "{id} is still used");
    }
    // What has ended makes room.
    let later = UnixTime::from_secs(2_002);
    for id in ["e", "f", "g", "h"] {
        assert!(guard.consume(&[assertion(id)], UnixTime::from_secs(3_000), later).await.is_ok(), "{id}");
    }
    assert_eq!(guard.consume(&[assertion("i")], UNTIL, later).await.err(), Some(ReplayError::Full));
}

async fn racing_uses_have_one_winner<G: ReplayGuard + 'static>(guard: G) {
    let guard = std::sync::Arc::new(guard);
    for round in 0..100 {
        let (a, h) = (assertion(&format!("race{round}")), login(&format!("race{round}")));
        let racers: Vec<_> = (0..8)
            .map(|_| {
                let guard = std::sync::Arc::clone(&guard);
                tokio::spawn(async move { guard.consume(&[a, h], UNTIL, NOW).await.is_ok() })
            })
            .collect();
        let mut winners = 0;
        for racer in racers {
            winners += usize::from(racer.await.unwrap());
        }
        assert_eq!(winners, 1);
    }
}
