//! `[store]`: where uses and ended sessions are remembered.

use std::time::Duration;

use super::keys::source;
use super::reader::Section;
use super::tree::Origin;
use super::{Environment, KeyFiles, KeySource, Problem};
use crate::replay::shared::{NodeAddress, StoreTls, Topology};

/// `[store]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// This process's memory: for one replica.
    Memory,
    /// Redis or Valkey, shared by every replica.
    Redis(Box<RedisStore>),
}

/// `[store]` with `kind = "redis"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisStore {
    /// Servers, or Sentinels, or some nodes of a cluster.
    pub nodes: Vec<NodeAddress>,
    /// How the primary is found.
    pub topology: Topology,
    /// The numbered database.
    pub database: u32,
    /// The ACL user.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<KeySource>,
    /// The Sentinels' own user.
    pub sentinel_username: Option<String>,
    /// Its password.
    pub sentinel_password: Option<KeySource>,
    /// TLS; none speaks in clear.
    pub tls: Option<StoreTls>,
    /// How long making one connection may take.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// What only a shared store has.
const SHARED_ONLY: [&str; 14] = [
    "nodes",
    "mode",
    "master",
    "database",
    "username",
    "password_file",
    "password_env",
    "sentinel_username",
    "sentinel_password_file",
    "sentinel_password_env",
    "tls",
    "tls_ca",
    "connect_timeout",
    "timeout",
];

/// Reads `[store]`; also where it stands, for what is found out later. `unfit` gathers what only a sidecar that serves
/// must not have: a single message is verified without a store.
pub(super) fn read_store(
    root: &mut Section<'_>,
    environment: Option<Environment>,
    unfit: &mut Vec<Problem>,
) -> (Store, Origin) {
    let at = root.at().clone();
    let Some(mut s) = root.section("store") else {
        unfit.extend(needs_one_replica(&at, false, environment));
        return (Store::Memory, at);
    };
    let place = s.at().clone();
    let single = s.has("single_replica").then(|| s.flag("single_replica", false));
    let kind = s.text("kind");
    let store = match kind.as_ref().map(|kind| kind.text.as_str()) {
        None | Some("memory") => {
            for key in SHARED_ONLY {
                if s.has(key) {
                    s.problem(&place, format!("`{key}` is for `kind = \"redis\"`"));
                    s.discard(key);
                }
            }
            unfit.extend(needs_one_replica(&place, single == Some(true), environment));
            Store::Memory
        }
        Some("redis") => {
            if single.is_some() {
                s.problem(&place, "`single_replica` is for the memory of one process: take it away");
            }
            read_redis(&mut s).map_or(Store::Memory, |store| Store::Redis(Box::new(store)))
        }
        Some(other) => {
            let message = format!("`kind` must be \"memory\" or \"redis\", not {other:?}");
            s.problem(&kind.as_ref().map_or_else(|| place.clone(), |kind| kind.at.clone()), message);
            for key in SHARED_ONLY {
                s.discard(key);
            }
            Store::Memory
        }
    };
    s.finish();
    (store, place)
}

fn unfit(at: &Origin, message: String) -> Problem {
    Problem { file: at.file.to_path_buf(), line: at.line, place: "store".into(), message }
}

/// With the memory of one process, a second replica takes what the first has taken already.
fn needs_one_replica(at: &Origin, single: bool, environment: Option<Environment>) -> Option<Problem> {
    let message = "`kind = \"memory\"` is for one replica: a login begun at one cannot finish at another, and a logout at \
                   one leaves the session at another. Say `single_replica = true` when there is but one, else `kind = \
                   \"redis\"`";
    (!single && environment != Some(Environment::Dev)).then(|| unfit(at, message.to_owned()))
}

fn read_redis(s: &mut Section<'_>) -> Option<RedisStore> {
    let at = s.at().clone();
    #[derive(Clone, Copy, PartialEq)]
    enum Mode {
        Single,
        Sentinel,
        Cluster,
    }
    let words = [("single", Mode::Single), ("sentinel", Mode::Sentinel), ("cluster", Mode::Cluster)];
    let mode = s.choice("mode", &words).unwrap_or(Mode::Single);
    if !s.has("nodes") {
        s.missing("nodes", "where the store is, such as [\"127.0.0.1:6379\"]");
    }
    let usual = if mode == Mode::Sentinel { 26379 } else { 6379 };
    let mut nodes = Vec::new();
    for text in s.some_texts("nodes") {
        match NodeAddress::parse(&text.text, usual) {
            Ok(node) if nodes.contains(&node) => s.problem(&text.at, format!("`nodes` names {node} twice")),
            Ok(node) => nodes.push(node),
            Err(message) => s.problem(&text.at, format!("`nodes` {message}")),
        }
    }
    let master = s.text("master");
    let topology = match (mode, master) {
        (Mode::Single, None) => Topology::Single,
        (Mode::Cluster, None) => Topology::Cluster,
        (Mode::Sentinel, Some(master)) => Topology::Sentinel { master: master.text },
        (Mode::Sentinel, None) => {
            s.missing("master", "what the Sentinels call the primary, such as \"mymaster\"");
            Topology::Single
        }
        (Mode::Single | Mode::Cluster, Some(master)) => {
            s.problem(&master.at, "`master` is for `mode = \"sentinel\"`");
            Topology::Single
        }
    };
    if mode == Mode::Cluster && s.has("database") {
        s.problem(&at, "`database`: a cluster has only one");
    }
    let database = s.number("database", 0, 0..=1_000_000);
    let username = s.text("username").map(|text| text.text);
    let password = source(s, "password_file", "password_env");
    if username.is_some() && password.is_none() {
        s.problem(&at, "`username` without a `password_file` or `password_env` logs nobody in");
    }
    let sentinel_username = s.text("sentinel_username").map(|text| text.text);
    let sentinel_password = source(s, "sentinel_password_file", "sentinel_password_env");
    if mode != Mode::Sentinel && (sentinel_username.is_some() || sentinel_password.is_some()) {
        s.problem(&at, "`sentinel_username` and `sentinel_password_file` are for `mode = \"sentinel\"`");
    }
    let tls = read_tls(s, &nodes);
    let mut positive = |key: &'static str, default: Duration| {
        let value = s.duration(key, default);
        if value.is_zero() {
            s.problem(&at, format!("`{key}` must be above zero"));
        }
        value
    };
    let connect_timeout = positive("connect_timeout", Duration::from_secs(2));
    let timeout = positive("timeout", Duration::from_secs(1));
    Some(RedisStore {
        nodes,
        topology,
        database: u32::try_from(database).ok()?,
        username,
        password,
        sentinel_username,
        sentinel_password,
        tls,
        connect_timeout,
        timeout,
    })
}

/// TLS where it is asked for. In clear to another machine only where somebody has said so: whoever can change what
/// passes there can use an answer twice.
fn read_tls(s: &mut Section<'_>, nodes: &[NodeAddress]) -> Option<StoreTls> {
    let at = s.at().clone();
    let said = s.has("tls").then(|| s.flag("tls", false));
    let ca = s.path("tls_ca");
    if said.is_none() && ca.is_none() && nodes.iter().any(|node| !node.is_loopback()) {
        s.problem(
            &at,
            "`tls` is missing: the store is on another machine. `tls = true` or a `tls_ca` encrypts the way there; `tls = \
             false` says that the network between is trusted",
        );
    }
    if said == Some(false) && ca.is_some() {
        s.problem(&at, "`tls = false` and `tls_ca` are both there; keep one");
    }
    (said == Some(true) || ca.is_some()).then_some(StoreTls { ca })
}

/// Replicas open each other's cookies and file under the same names only with the same keys.
pub(super) fn needs_shared_keys(store: &Store, at: &Origin, keys: &KeyFiles) -> Vec<Problem> {
    if *store == Store::Memory {
        return Vec::new();
    }
    let named = [
        ("sealing", !keys.sealing.is_empty()),
        ("digest", keys.digest.is_some()),
        ("identity_token", keys.identity_token.is_some()),
    ];
    let missing = named.into_iter().filter(|(_, there)| !there);
    let message = |key| format!("[keys] names no `{key}`, which replicas with a shared store must have in common");
    missing.map(|(key, _)| unfit(at, message(key))).collect()
}
