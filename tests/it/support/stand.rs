//! Feeds that are refreshed by a clock which the test turns: everything but the gate and HTTP.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use grindvakt::base::{Clock as _, ManualClock, ProviderId, UnixTime};
use grindvakt::config::{Config, load};
use grindvakt::provider::source::{Early, Freshness, Origin, Way};
use grindvakt::provider::{Feeds, Refresher, Registry};
use grindvakt::telemetry::Telemetry;
use grindvakt_demo::{DemoIdp, DemoKey, Feed};
use tempfile::TempDir;

use super::remote::{NoChance, Remote, START, fetcher};

pub const DAY: Duration = Duration::from_secs(86_400);
pub const IDP: &str = "https://bankid.example.com/idp";

/// What a feed shows at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub state: Freshness,
    pub origin: Option<Origin>,
    /// Failures in a row, and the code of the last.
    pub failures: u32,
    pub code: Option<&'static str>,
    /// Whether the provider has valid keys.
    pub usable: bool,
    /// Tries that changed, confirmed, failed, since the process began.
    pub tries: [u64; 3],
}

/// A folder with a configuration, keys to sign feeds with, and a provider that is in them.
pub struct Stand {
    pub clock: ManualClock,
    pub folder: TempDir,
    pub operator: Arc<DemoKey>,
    pub idp: DemoIdp,
    feed: String,
    running: Option<Running>,
}

struct Running {
    telemetry: Arc<Telemetry>,
    refresher: Arc<Refresher>,
    registry: Arc<Registry>,
}

impl Stand {
    /// With `feed` as the lines of `[[metadata]]` beside its id and signer, which are given.
    pub fn new(feed: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let operator = Arc::new(DemoKey::p256("operator"));
        std::fs::write(folder.path().join("operator.crt"), operator.certificate_pem()).unwrap();
        let idp = DemoIdp::with_key(IDP, "https://bankid.example.com", Arc::new(DemoKey::p256("bankid")));
        Self { clock: ManualClock::at(START), folder, operator, idp, feed: feed.to_owned(), running: None }
    }

    /// The lines that lead to `remote`.
    pub fn at(remote: &Remote) -> String {
        format!("url = \"http://127.0.0.1:{}/feed.xml\"", remote.address.port())
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// A feed with the provider in it: made `age` ago, valid for `lifetime` from now.
    pub fn document(&self, age: Duration, lifetime: Duration) -> String {
        self.document_of(&self.idp, age, lifetime)
    }

    pub fn document_of(&self, idp: &DemoIdp, age: Duration, lifetime: Duration) -> String {
        let now = self.clock.now();
        let feed = Feed::new().idp(idp).valid_for(now, lifetime);
        feed.published(now.minus(age), "https://md.example.se").build_signed(&self.operator)
    }

    fn config(&self, more: &str) -> Config {
        let text = format!(
            r#"environment = "production"
[service]
id = "etjanst"
entity_id = "https://etjanst.example.se/sp"
base_url = "https://etjanst.example.se"
upstream = "http://127.0.0.1:1"
[state]
dir = "state"
[[metadata]]
id = "fed"
signer = ["operator.crt"]
{}
[[provider]]
id = "bankid"
eid = "bankid"
protocol = "saml"
entity_id = "{IDP}"
metadata = "fed"
{more}
"#,
            self.feed
        );
        let path = self.path("g.toml");
        std::fs::write(&path, text).unwrap();
        load(&[path]).unwrap_or_else(|problems| panic!("{problems:#?}"))
    }

    /// Starts as a process does: what is on disk first, then the network.
    pub fn start(&mut self) {
        self.running = None;
        self.go(&self.config(""), None, None);
    }

    /// Reloads the configuration with `more` in it, as a running process does.
    pub fn reload(&mut self, more: &str) {
        let before = self.running.take().unwrap();
        self.go(&self.config(more), Some(&before.refresher), Some(Arc::clone(&before.telemetry)));
    }

    fn go(&mut self, config: &Config, before: Option<&Arc<Refresher>>, telemetry: Option<Arc<Telemetry>>) {
        let telemetry = telemetry.unwrap_or_else(|| Arc::new(Telemetry::new([], []).unwrap()));
        let feeds = Feeds::open_after(config, self.clock.now(), before.map(|before| &**before.feeds()));
        let registry = Arc::new(Registry::new(feeds.snapshot()));
        let way = Way {
            fetcher: Some(fetcher(&config.network, &self.clock)),
            clock: Arc::new(self.clock.clone()),
            random: Arc::new(NoChance),
            telemetry: Arc::clone(&telemetry),
        };
        let runtime = tokio::runtime::Handle::current();
        let refresher = Refresher::start(Arc::new(feeds), way, &runtime, Arc::clone(&registry));
        self.running = Some(Running { telemetry, refresher, registry });
    }

    pub fn stop(&mut self) {
        self.running = None;
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it is not started")
    }

    pub fn refresher(&self) -> Arc<Refresher> {
        Arc::clone(&self.running().refresher)
    }

    pub async fn early(&self) -> Early {
        self.refresher().early(&ProviderId::new("bankid").unwrap()).await
    }

    /// The whole of the metrics.
    pub fn metrics(&self) -> String {
        let running = self.running();
        running.refresher.feeds().observe(running.telemetry.metrics(), self.clock.now());
        running.telemetry.metrics().text().unwrap()
    }

    /// One sample; none where there is no such line.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let text = self.metrics();
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    pub fn failures(&self, code: &str) -> f64 {
        let name = format!("grindvakt_fetch_failures_total{{code=\"{code}\",document=\"metadata\",feed=\"fed\"}}");
        self.metric(&name).unwrap_or(0.0)
    }

    pub fn shown(&self) -> Shown {
        let now = self.clock.now();
        let status = self.running().refresher.feeds().status(now).remove(0);
        let tries = ["changed", "confirmed", "failed"].map(|outcome| {
            let name =
                format!("grindvakt_fetch_refreshes_total{{document=\"metadata\",feed=\"fed\",outcome=\"{outcome}\"}}");
            self.metric(&name).unwrap_or(0.0) as u64
        });
        Shown {
            state: status.freshness,
            origin: status.origin,
            failures: status.failures,
            code: status.trouble.map(|trouble| trouble.code),
            usable: self.running().registry.owned().any_usable(now),
            tries,
        }
    }

    /// Waits until the feed shows exactly this, and the try that led there is over: the providers then know of it too.
    pub async fn shows(&self, wanted: Shown) {
        let end = tokio::time::Instant::now() + Duration::from_secs(20);
        let fetching = || self.running().refresher.feeds().status(self.clock.now()).remove(0).fetching;
        while self.shown() != wanted || fetching() {
            assert!(tokio::time::Instant::now() < end, "wanted: {wanted:?}\nshown:  {:?}", self.shown());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// When the next try is due, in seconds from now.
    pub fn next(&self) -> u64 {
        let status = self.running().refresher.feeds().status(self.clock.now()).remove(0);
        status.next_attempt.unwrap().since(self.clock.now()).as_secs()
    }

    /// From when what is held may not be used, in seconds from now.
    pub fn until(&self) -> Option<u64> {
        let status = self.running().refresher.feeds().status(self.clock.now()).remove(0);
        status.until.map(|until: UnixTime| until.since(self.clock.now()).as_secs())
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The fingerprints of the provider's keys that are in force.
    pub fn keys(&self) -> Vec<[u8; 32]> {
        let snapshot = self.running().registry.owned();
        match snapshot.all()[0].saml(self.clock.now()) {
            Ok(saml) => saml.idp.signing_keys.iter().map(|key| *key.fingerprint()).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Why the provider cannot be used.
    pub fn why(&self) -> String {
        self.running().registry.owned().all()[0].usable(self.clock.now()).unwrap_err().to_string()
    }
}

/// The fingerprint of a demo key, as the sidecar knows it.
pub fn fingerprint(key: &DemoKey) -> [u8; 32] {
    *grindvakt::crypto::trusted::PublicKey::from_certificate(key.certificate()).unwrap().fingerprint()
}

/// Waits until the folder holds exactly these files; one that is not there holds none.
pub async fn holds(folder: &Path, wanted: impl Fn(&[String]) -> bool) {
    let names = || {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let end = tokio::time::Instant::now() + Duration::from_secs(10);
    while !wanted(&names()) {
        assert!(tokio::time::Instant::now() < end, "{:?}", names());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
