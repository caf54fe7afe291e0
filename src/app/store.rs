//! From `[store]` to what remembers uses and ended sessions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{Config, KeySource, RedisStore, Store as Configured};
use crate::replay::Store;
use crate::replay::shared::{Credentials, PasswordSource, Settings};

/// What a shared store is opened with; none: the process remembers for itself.
pub fn settings(config: &Config) -> Option<Settings> {
    let Configured::Redis(store) = &config.store else { return None };
    let RedisStore { nodes, topology, database, tls, connect_timeout, timeout, .. } = (**store).clone();
    Some(Settings {
        service: config.service.id.clone(),
        nodes,
        topology,
        database,
        login: credentials(store.username.clone(), store.password.clone()),
        sentinel_login: credentials(store.sentinel_username.clone(), store.sentinel_password.clone()),
        tls,
        connect_timeout,
        timeout,
        lifetime: config.session.lifetime,
    })
}

/// How often it is looked whether the store has taken everything.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until the store has taken every order that sessions are over, until `end` at the longest. A logout that only this
/// process knows ends with it: a copied cookie would be good again, everywhere.
pub(super) fn wait_until_filed(store: &Store, end: Instant) {
    while store.unfiled() > 0 {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let count = store.unfiled();
            tracing::warn!(
                event = "logouts_unfiled",
                count,
                "the store did not take them, and nobody else knows of them"
            );
            return;
        }
        std::thread::sleep(left.min(LOOK_EVERY));
    }
}

fn credentials(username: Option<String>, password: Option<KeySource>) -> Credentials {
    // Read for each connection: a password that was changed is the new one at the next.
    let password = password.map(|source| Arc::new(move || source.read_line()) as PasswordSource);
    Credentials { username, password }
}
