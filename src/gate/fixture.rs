//! A gate for unit tests: three providers, a handful of routes, a clock to turn.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use super::provider_order::{CarriedOut, OrderAtProvider};
use super::{Cookies, Gate, Lasting, Logout, Parts, SetCookie};
use crate::base::{Clock as _, ManualClock, Secret};
use crate::config::{LoadedKeys, load_text};
use crate::crypto::digest::SystemRandom;
pub(crate) use crate::provider::fixture::{NOW, entries, in_trouble, key, loa};
use crate::provider::{Board, ProviderEntry, Snapshot};
use crate::replay::{ProviderMark, ReplayKey};
use crate::session::Session;
use crate::telemetry::Telemetry;

pub(crate) struct World {
    pub(crate) gate: Gate,
    pub(crate) clock: ManualClock,
}

const CONFIG: &str = r#"
[service]
id = "etjanst"
entity_id = "https://e.example.se/sp"
upstream = "http://127.0.0.1:8000"
forward = ["loa"]
[organisation]
name = { sv = "Myndigheten" }
service_name = { sv = "E-tjänsten", en = "The e-service" }
contact = [{ kind = "support", email = "hjalp@example.se" }]
[store]
single_replica = true
[[metadata]]
id = "feed"
file = "feed.xml"
[[provider]]
id = "bankid-a"
eid = "bankid"
label = "BankID"
protocol = "saml"
entity_id = "https://bankid-a.example.se"
metadata = "feed"
[[provider]]
id = "freja"
eid = "freja"
label = "Freja"
protocol = "saml"
entity_id = "https://freja.example.se"
metadata = "feed"
[[route]]
path = "/ansokan/*"
loa = ["loa3"]
require = ["personal_number"]
eid = ["freja", "bankid"]
forward = ["personal_number", "name"]
[[route]]
path = "/hog/*"
loa = ["loa4"]
[[route]]
path = "/bara-freja/*"
eid = ["freja"]
[[route]]
path = "/eidas/*"
loa = ["eidas-nf-sub"]
[[route]]
path = "/farsk"
max_age = "5m"
[[route]]
path = "/puls"
background = true
[[route]]
path = "/om/*"
access = "anonymous"
"#;

pub(crate) fn world() -> World {
    world_with("https://e.example.se", entries())
}

pub(crate) fn world_with(base_url: &str, entries: Vec<ProviderEntry>) -> World {
    let clock = ManualClock::at(NOW);
    let environment = if base_url.starts_with("https:") { "production" } else { "dev" };
    let here = format!("[service]\nbase_url = \"{base_url}\"");
    let text = format!("environment = \"{environment}\"\n{}", CONFIG.replacen("[service]", &here, 1));
    let config = load_text(Path::new("g.toml"), &text).map_err(|problems| format!("{problems:?}")).unwrap();
    let (config, telemetry) = (Arc::new(config), Arc::new(Telemetry::new([], []).unwrap()));
    let board = Arc::new(Board::new(&config, Arc::clone(&telemetry), None));
    let gate = Gate::new(Parts {
        config,
        keys: LoadedKeys {
            signing: vec![key()],
            decryption: Default::default(),
            sealing: vec![Secret::new([1; 32])],
            digest: Secret::new([2; 32]),
            digest_also: Vec::new(),
            identity_token_also: Vec::new(),
            identity_token: key(),
            clients: Vec::new(),
            warnings: Vec::new(),
        },
        snapshot: Snapshot::new(entries),
        board,
        lasting: Arc::new(Lasting::new(&SystemRandom::new(), clock.now()).unwrap()),
        clock: Arc::new(clock.clone()),
        random: Arc::new(SystemRandom::new()),
        telemetry,
    });
    World { gate: gate.unwrap(), clock }
}

/// A browser's cookies: it takes what is set and forgets what expires.
#[derive(Clone, Default)]
pub(crate) struct Browser(pub(crate) Vec<(String, String)>);

impl Browser {
    pub(crate) fn takes(&mut self, cookies: &[SetCookie]) {
        for cookie in cookies {
            self.0.retain(|(name, _)| *name != cookie.name);
            if let Some(value) = &cookie.value {
                self.0.push((cookie.name.clone(), value.clone()));
            }
        }
    }

    pub(crate) fn with<T>(&self, then: impl FnOnce(&Cookies<'_>) -> T) -> T {
        let pairs: Vec<(&str, &str)> = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        then(&Cookies::new(&pairs))
    }
}

impl World {
    /// A browser with a session as a login would have left it.
    pub(crate) fn signed_in(&self, session: &Session) -> Browser {
        let mut browser = Browser::default();
        browser.takes(&[self.gate.session_cookie(session).unwrap()]);
        browser
    }

    /// What an order of a provider does that names these sessions: whether it was carried out everywhere.
    pub(crate) async fn end_at_provider(&self, marks: &[ProviderMark]) -> bool {
        let now = self.clock.now();
        let once = self.gate.once(|key| ReplayKey::assertion(key, "op", &format!("{marks:?}")));
        let order =
            OrderAtProvider { named: marks.to_vec(), unnamed: Vec::new(), ordered: now, acceptable_until: now, once };
        self.gate.carry_out_once(&order, now).await == Ok(CarriedOut::Everywhere)
    }

    /// What `logout` does for this browser.
    pub(crate) async fn log_out(&self, browser: &Browser) -> Logout {
        let pairs: Vec<(&str, &str)> = browser.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.gate.logout(&Cookies::new(&pairs)).await
    }
}
