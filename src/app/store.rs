//! From `[store]` to what remembers uses and ended sessions.

use std::sync::Arc;

use crate::config::{Config, KeySource, RedisStore, Store as Configured};
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

fn credentials(username: Option<String>, password: Option<KeySource>) -> Credentials {
    // Read for each connection: a password that was changed is the new one at the next.
    let password = password.map(|source| Arc::new(move || source.read_line()) as PasswordSource);
    Credentials { username, password }
}
