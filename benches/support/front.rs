//! A gate with a provider behind it and somebody logged in.

use std::path::Path;
use std::sync::Arc;

use grindvakt::base::{Clock, ManualClock, Secret};
use grindvakt::config::{LoadedKeys, Provider, load_text};
use grindvakt::crypto::digest::SystemRandom;
use grindvakt::crypto::own::{SigningKey, generate_p256_pem};
use grindvakt::gate::{BeginLogin, Cookies, FinishLogin, Gate, Lasting, LoginDone, LoginStart, Parts};
use grindvakt::provider::{Board, ProviderEntry, Snapshot};
use grindvakt::session::Locale;
use grindvakt::telemetry::Telemetry;
use grindvakt_demo::{KnownService, Sign};

use super::{NOW, Saml};

const CONFIG: &str = r#"environment = "production"
[service]
id = "etjanst"
entity_id = "https://etjanst.example.se/sp"
base_url = "https://etjanst.example.se"
upstream = "http://127.0.0.1:8000"
forward = ["loa", "eid"]
[store]
single_replica = true
[[metadata]]
id = "fed"
file = "feed.xml"
[[provider]]
id = "bankid-a"
eid = "bankid"
protocol = "saml"
entity_id = "https://idp.example.se/saml"
metadata = "fed"
encryption = "optional"
[[route]]
path = "/ansokan/*"
loa = ["loa3", "uncertified-loa3"]
require = ["personal_number"]
forward = ["personal_number", "name", "loa", "eid"]
[[route]]
path = "/om/*"
access = "anonymous"
"#;

/// The name of the session's cookie.
pub const SESSION: &str = "__Host-eid-etjanst";
/// A path that needs the session.
pub const PATH: &str = "/ansokan/steg/2";

/// A gate, and the cookies of a browser that is logged in.
pub struct Front {
    pub gate: Gate,
    pub cookie: String,
}

fn key() -> SigningKey {
    let pem = generate_p256_pem().expect("a key").expose().clone().into_bytes();
    SigningKey::from_pem(&Secret::new(pem), "sp").expect("a key")
}

/// A gate by a configuration, with the providers that `known` makes of the configured ones.
pub fn gate_of(text: &str, known: impl Fn(&Provider) -> ProviderEntry) -> Gate {
    let config = load_text(Path::new("bench.toml"), text).expect("a good configuration");
    let entries = config.providers.iter().map(known).collect();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
    let telemetry = Telemetry::new(
        config.providers.iter().map(|provider| provider.id.clone()),
        config.routes.all().map(|route| route.name.clone()),
    );
    let (config, telemetry) = (Arc::new(config), Arc::new(telemetry.expect("metrics")));
    Gate::new(Parts {
        snapshot: Snapshot::new(entries),
        board: Arc::new(Board::new(&config, Arc::clone(&telemetry), None)),
        config,
        keys: LoadedKeys {
            signing: vec![key()],
            decryption: Default::default(),
            sealing: vec![Secret::new([7; 32])],
            digest: Secret::new([9; 32]),
            digest_also: Vec::new(),
            identity_token_also: Vec::new(),
            identity_token: key(),
            clients: Vec::new(),
            warnings: Vec::new(),
        },
        lasting: Arc::new(Lasting::new(&SystemRandom::new(), NOW).expect("randomness")),
        clock,
        random: Arc::new(SystemRandom::new()),
        telemetry,
    })
    .expect("a gate")
}

impl Front {
    pub fn new() -> Self {
        let saml = Saml::new(Sign::Response);
        let gate = gate_of(CONFIG, |provider| {
            ProviderEntry::new(provider.clone(), Ok(Arc::new(Saml::of(saml.idp.clone()).metadata)))
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let cookie = runtime.block_on(log_in(&gate, &saml));
        Self { gate, cookie }
    }
}

/// A whole login; returns the session cookie's value.
async fn log_in(gate: &Gate, saml: &Saml) -> String {
    let begin = BeginLogin {
        rd: Some(PATH),
        eid: Some("bankid"),
        choose: false,
        anyway: false,
        instead_of: None,
        counts: true,
        from: None,
        locale: Locale::Sv,
        cookies: Cookies::new(&[]),
    };
    let Ok(LoginStart::Redirect { location, set_cookies }) = gate.begin_login(begin).await else {
        panic!("no redirect to the provider");
    };
    let (address, query) = location.split_once('?').expect("a query");
    let service = KnownService::from_metadata(&gate.sp_metadata()).expect("our metadata");
    let (request, relay_state) = service.redirect(query, address).expect("our request");
    let response = saml.idp.response(&request).build();
    let held: Vec<(&str, &str)> =
        set_cookies.iter().map(|c| (c.name.as_str(), c.value.as_deref().unwrap_or(""))).collect();
    let finish = FinishLogin {
        saml_response: response.into_bytes(),
        relay_state: relay_state.as_deref(),
        from: None,
        reposted: false,
        locale: Locale::Sv,
        cookies: Cookies::new(&held),
    };
    let Ok(LoginDone::SignedIn { set_cookies, .. }) = gate.finish_login(finish).await else { panic!("no session") };
    let session = set_cookies.into_iter().find(|cookie| cookie.name == SESSION).expect("a session");
    session.value.expect("a value")
}
