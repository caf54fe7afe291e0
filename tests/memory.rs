//! What a full memory of uses costs, measured in a process of its own: a million live entries under 100 MB.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use grindvakt::base::{Secret, UnixTime};
use grindvakt::crypto::digest::HmacKey;
use grindvakt::replay::memory::CAPACITY;
use grindvakt::replay::{MemoryGuard, ReplayError, ReplayGuard as _, ReplayKey};

/// What the system says of this process, in KB.
fn kilobytes(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("a line of /proc/self/status");
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_million_live_uses_take_less_than_100_mb() {
    let key = HmacKey::new(&Secret::new([9; 32]));
    let guard = MemoryGuard::default();
    let (now, until) = (UnixTime::from_secs(1_000), UnixTime::from_secs(4_600));
    let before = kilobytes("VmRSS:");
    for n in 0..CAPACITY {
        let one = ReplayKey::login(&key, &n.to_string());
        assert!(guard.consume(&[one], until, now).await.is_ok(), "{n}");
    }
    // The most that it ever took, growing included.
    let grown = kilobytes("VmHWM:").saturating_sub(before);
    assert_eq!(guard.len(), 1_000_000);
    assert!(grown < 100 * 1024, "{grown} KB");
    assert!(grown > 10 * 1024, "{grown} KB: nothing was measured");
    // Full, and still nothing is forgotten.
    let more = ReplayKey::login(&key, "one more");
    assert_eq!(guard.consume(&[more], until, now).await.err(), Some(ReplayError::Full));
    for n in [0, CAPACITY / 2, CAPACITY - 1] {
        let one = ReplayKey::login(&key, &n.to_string());
        let again = guard.consume(&[one], until, now).await.err();
        assert!(matches!(again, Some(ReplayError::Full | ReplayError::LoginConsumed)), "{n}");
    }
}
