//! What OpenID providers publish, when everything goes wrong: discovery documents and key sets by a clock that the test turns.

use std::sync::{Arc, Mutex};

use grindvakt::base::{Clock as _, ManualClock, ProviderId};
use grindvakt::config::{Config, load};
use grindvakt::provider::source::{Early, Freshness, Way};
use grindvakt::provider::{Feeds, Refresher, Registry};
use grindvakt::telemetry::Telemetry;
use grindvakt::verify::jose::{AccessTokenExpect, Received};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::remote::{Act, NoChance, Remote, START, fetcher};
use crate::support::tokens::TokenKey;

/// What the provider publishes now.
#[derive(Clone)]
struct Published {
    discovery: Value,
    jwks: String,
}

struct Op {
    remote: Remote,
    published: Arc<Mutex<Published>>,
    key: TokenKey,
}

impl Op {
    async fn new() -> Self {
        let remote = Remote::start().await;
        let key = TokenKey::new("first");
        let issuer = format!("http://{}", remote.address);
        let discovery = json!({
            "issuer": issuer,
            "authorization_endpoint": "https://login.elsewhere.example/authorize",
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        let published = Arc::new(Mutex::new(Published { discovery, jwks: key.jwks() }));
        let op = Self { remote, published, key };
        op.up();
        op
    }

    fn issuer(&self) -> String {
        format!("http://{}", self.remote.address)
    }

    fn up(&self) {
        let published = Arc::clone(&self.published);
        self.remote.chooses(move |asked| {
            let now = published.lock().unwrap().clone();
            match asked.path() {
                "/.well-known/openid-configuration" => Act::ok(now.discovery.to_string()),
                "/jwks" | "/elsewhere/jwks" => Act::ok(now.jwks),
                _ => Act::status(404),
            }
        });
    }

    fn says(&self, name: &str, value: Value) {
        self.published.lock().unwrap().discovery[name] = value;
    }

    fn publishes(&self, jwks: String) {
        self.published.lock().unwrap().jwks = jwks;
    }

    fn asked_for(&self, path: &str) -> usize {
        self.remote.asked().iter().filter(|asked| asked.path() == path).count()
    }
}

/// A sidecar's keeping of one provider of logins and one of tokens, both the same host.
struct Kept {
    clock: ManualClock,
    folder: TempDir,
    more: String,
    running: Option<(Arc<Telemetry>, Arc<Refresher>, Arc<Registry>)>,
}

impl Kept {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { clock: ManualClock::at(START), folder, more: more.to_owned(), running: None }
    }

    fn config(&self, op: &Op) -> Config {
        let (issuer, more) = (op.issuer(), &self.more);
        let text = format!(
            r#"environment = "production"
[service]
id = "etjanst"
entity_id = "https://etjanst.example.se/sp"
base_url = "https://etjanst.example.se"
upstream = "http://127.0.0.1:1"
[[provider]]
id = "konto"
eid = "konto"
protocol = "oidc"
issuer = "{issuer}"
client_id = "etjanst"
loa = ["loa2"]
{more}
[[provider]]
id = "api"
protocol = "jwt"
issuer = "{issuer}"
audience = "https://etjanst.example.se/api"
"#
        );
        let path = self.folder.path().join("g.toml");
        std::fs::write(&path, text).unwrap();
        load(&[path]).unwrap_or_else(|problems| panic!("{problems:#?}"))
    }

    /// Begins, or goes on as after a reload.
    fn start(&mut self, op: &Op) {
        let config = self.config(op);
        let before = self.running.take();
        let held = before.as_ref().map(|(_, refresher, _)| Arc::clone(refresher.feeds()));
        let feeds = Feeds::open_after(&config, self.clock.now(), held.as_deref());
        let telemetry = before.map_or_else(|| Arc::new(Telemetry::new([], []).unwrap()), |(telemetry, ..)| telemetry);
        let registry = Arc::new(Registry::new(feeds.snapshot()));
        let way = Way {
            fetcher: Some(fetcher(&config.network, &self.clock)),
            clock: Arc::new(self.clock.clone()),
            random: Arc::new(NoChance),
            telemetry: Arc::clone(&telemetry),
        };
        let runtime = tokio::runtime::Handle::current();
        let refresher = Refresher::start(Arc::new(feeds), way, &runtime, Arc::clone(&registry));
        self.running = Some((telemetry, refresher, registry));
    }

    /// Why a provider cannot be used; none when it can.
    fn why(&self, id: &str) -> Option<String> {
        let (_, _, registry) = self.running.as_ref().unwrap();
        let snapshot = registry.owned();
        let entry = snapshot.by_id(&ProviderId::new(id).unwrap()).unwrap();
        entry.usable(self.clock.now()).err().map(|why| why.to_string())
    }

    async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
        while !done(self) {
            let all = ["konto", "api"].map(|id| self.why(id));
            assert!(tokio::time::Instant::now() < end, "{what}: {all:?}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// The same while time goes on, ten seconds at a look: a fetch that was under way when the hand moved is not due again
    /// before that.
    async fn until_later(&self, what: &str, done: impl Fn(&Self) -> bool) {
        self.until(what, |kept| {
            let done = done(kept);
            if !done {
                kept.advance(10);
            }
            done
        })
        .await;
    }

    /// Both can be used, once it is time for another try.
    async fn usable_later(&self) {
        self.until_later("both can be used", |kept| ["konto", "api"].iter().all(|id| kept.why(id).is_none())).await;
    }

    async fn usable(&self) {
        self.until("both can be used", |kept| ["konto", "api"].iter().all(|id| kept.why(id).is_none())).await;
    }

    async fn refused(&self, id: &str, code: &str) {
        self.until(code, |kept| kept.why(id).is_some_and(|why| why.contains(code))).await;
    }

    async fn early(&self) -> Early {
        let (_, refresher, _) = self.running.as_ref().unwrap();
        refresher.early(&ProviderId::new("api").unwrap()).await
    }

    /// The verdict on an access token by the keys in force.
    fn verdict(&self, op: &Op, key: &TokenKey) -> Result<(), &'static str> {
        let now = self.clock.now();
        let claims = json!({
            "iss": op.issuer(), "aud": "https://etjanst.example.se/api", "sub": "u", "client_id": "c", "jti": "t",
            "iat": now.as_secs(), "exp": now.as_secs() + 60,
        });
        let token = key.access_token(&claims);
        let config = self.config(op);
        let (_, _, registry) = self.running.as_ref().unwrap();
        let snapshot = registry.owned();
        let entry = snapshot.by_id(&ProviderId::new("api").unwrap()).unwrap();
        let expect: AccessTokenExpect<'_> = entry.jwt(now).map_err(|why| why.code())?.access_token_expect(&config);
        let verdict = Received::parse(token.as_bytes()).and_then(|received| received.access_token(&expect, now));
        verdict.map(drop).map_err(|reject| reject.code())
    }

    fn freshness(&self) -> Vec<Freshness> {
        let (_, refresher, _) = self.running.as_ref().unwrap();
        refresher.feeds().status(self.clock.now()).iter().map(|status| status.freshness).collect()
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(std::time::Duration::from_secs(seconds));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_found_by_discovery_and_a_provider_that_is_down_keeps_what_it_had() {
    let op = Op::new().await;
    op.remote.does(Act::status(503));
    let mut kept = Kept::new("");
    kept.start(&op);
    // The start waits for no network, and says what is missing.
    kept.refused("konto", "http_status").await;
    kept.refused("api", "http_status").await;
    op.up();
    kept.usable_later().await;
    assert_eq!(kept.verdict(&op, &op.key), Ok(()));
    assert_eq!(kept.freshness(), [Freshness::Fresh; 4]);

    // Down: what is held stays in use for a day after it was confirmed last, through a reload, and no longer.
    op.remote.does(Act::status(503));
    kept.advance(3_600);
    kept.until("it was noticed", |kept| kept.freshness().iter().all(|state| *state == Freshness::Stale)).await;
    kept.usable().await;
    kept.start(&op);
    kept.usable().await;
    assert_eq!(kept.verdict(&op, &op.key), Ok(()));
    kept.advance(23 * 3_600 - 60);
    assert_eq!(kept.verdict(&op, &op.key), Ok(()));
    kept.advance(61);
    assert_eq!(kept.verdict(&op, &op.key), Err("provider_without_keys"));
    assert!(kept.why("konto").unwrap().contains("could be used until"), "{:?}", kept.why("konto"));
    // Back again, within the longest wait between two tries.
    op.up();
    kept.advance(300);
    kept.usable_later().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_looked_for_once_and_a_withdrawn_one_is_gone() {
    let op = Op::new().await;
    let mut kept = Kept::new("");
    kept.start(&op);
    kept.usable().await;
    let next = TokenKey::new("next");
    assert_eq!(kept.verdict(&op, &next), Err("key_unknown"));

    // Both for a while, as a roll-over should be.
    let both = |a: &TokenKey, b: &TokenKey| {
        let keys = [a, b].map(|key| serde_json::from_str::<Value>(&key.jwks()).unwrap()["keys"][0].clone());
        json!({ "keys": keys }).to_string()
    };
    op.publishes(both(&op.key, &next));
    let before = op.asked_for("/jwks");
    let wishes = futures_util::future::join_all((0..20).map(|_| kept.early())).await;
    assert_eq!(wishes.iter().filter(|wish| **wish == Early::Fetched).count(), 1, "{wishes:?}");
    assert_eq!(op.asked_for("/jwks"), before + 1);
    assert_eq!((kept.verdict(&op, &op.key), kept.verdict(&op, &next)), (Ok(()), Ok(())));
    assert_eq!(kept.early().await, Early::CoolingDown);

    // Withdrawn at the next regular fetch.
    op.publishes(next.jwks());
    kept.advance(3_600);
    kept.until("the old key is gone", |kept| kept.verdict(&op, &op.key) == Err("key_unknown")).await;
    assert_eq!(kept.verdict(&op, &next), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_moved_are_found_by_the_document_that_says_where() {
    let op = Op::new().await;
    let mut kept = Kept::new("");
    kept.start(&op);
    kept.usable().await;
    // The old set stays where it was, as it was; the new one is elsewhere at the same host.
    let (next, old) = (TokenKey::new("next"), op.key.jwks());
    op.says("jwks_uri", json!(format!("{}/elsewhere/jwks", op.issuer())));
    let (published, new) = (Arc::clone(&op.published), next.jwks());
    op.remote.chooses(move |asked| match asked.path() {
        "/.well-known/openid-configuration" => Act::ok(published.lock().unwrap().discovery.to_string()),
        "/jwks" => Act::ok(old.clone()),
        "/elsewhere/jwks" => Act::ok(new.clone()),
        _ => Act::status(404),
    });
    // It was looked at a moment ago: strangers' keys do not have it fetched again and again.
    let looked = || op.asked_for("/.well-known/openid-configuration");
    let before = looked();
    assert_eq!(kept.early().await, Early::Fetched);
    assert_eq!((looked(), kept.verdict(&op, &next)), (before, Err("key_unknown")));
    kept.advance(61);
    assert_eq!(kept.early().await, Early::Fetched);
    assert_eq!((looked(), op.asked_for("/elsewhere/jwks")), (before + 1, 1));
    assert_eq!(kept.verdict(&op, &next), Ok(()), "in force when whoever asked goes on");
    assert_eq!(kept.verdict(&op, &op.key), Err("key_unknown"));
    // And no more often than the key set is.
    kept.advance(31);
    assert_eq!(kept.early().await, Early::Fetched);
    assert_eq!(looked(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_wrong_changes_nothing() {
    let op = Op::new().await;
    let mut kept = Kept::new("");
    kept.start(&op);
    kept.usable().await;
    let good = op.published.lock().unwrap().clone();
    let elsewhere = Remote::start().await;
    let rows: Vec<(&str, Value, &str)> = vec![
        ("issuer", json!("https://op.evil.example"), "issuer_mismatch"),
        ("issuer", json!(format!("{}/", op.issuer())), "issuer_mismatch"),
        ("issuer", Value::Null, "discovery_malformed"),
        ("jwks_uri", json!(format!("http://{}/jwks", elsewhere.address)), "host_not_configured"),
        ("token_endpoint", json!("https://op.evil.example/token"), "host_not_configured"),
        ("userinfo_endpoint", json!("https://op.evil.example/userinfo"), "host_not_configured"),
        ("token_endpoint", json!("http://op.evil.example/token"), "endpoint_malformed"),
        ("authorization_endpoint", json!("javascript:alert(1)"), "endpoint_malformed"),
        ("id_token_signing_alg_values_supported", json!(["none", "HS256"]), "discovery_malformed"),
        ("response_types_supported", json!(["token"]), "discovery_malformed"),
    ];
    for (name, value, code) in rows {
        // How often it failed so: several rows have one code.
        let failed = |kept: &Kept| {
            let (telemetry, ..) = kept.running.as_ref().unwrap();
            let line =
                format!("grindvakt_fetch_failures_total{{code=\"{code}\",document=\"discovery\",feed=\"konto\"}} ");
            let text = telemetry.metrics().text().unwrap();
            text.lines().find_map(|l| l.strip_prefix(&line)?.parse::<u64>().ok()).unwrap_or_default()
        };
        let before = failed(&kept);
        op.says(name, value);
        kept.advance(3_600);
        kept.until_later(code, |kept| failed(kept) > before).await;
        assert_eq!(kept.why("konto"), None, "{name} {code}");
        assert_eq!(kept.verdict(&op, &op.key), Ok(()), "{name} {code}");
        *op.published.lock().unwrap() = good.clone();
        kept.until_later("good again", |kept| kept.freshness().iter().all(|state| *state == Freshness::Fresh)).await;
    }
    assert_eq!(elsewhere.hits(), 0, "nobody was called whom the configuration does not name");

    // A set without a key that is taken is none.
    for jwks in
        [r#"{"keys":[]}"#.to_owned(), r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#.to_owned(), "<html>".to_owned()]
    {
        op.publishes(jwks);
        kept.advance(3_600);
        kept.until_later("noticed", |kept| kept.freshness().contains(&Freshness::Stale)).await;
        assert_eq!(kept.verdict(&op, &op.key), Ok(()));
        *op.published.lock().unwrap() = good.clone();
        kept.until_later("good again", |kept| kept.freshness().iter().all(|state| *state == Freshness::Fresh)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_host_is_called_where_the_configuration_names_it() {
    let op = Op::new().await;
    let keys = Remote::start().await;
    keys.does(Act::ok(op.key.jwks()));
    op.says("jwks_uri", json!(format!("http://localhost:{}/keys", keys.address.port())));
    let mut kept = Kept::new("hosts = [\"localhost\"]");
    kept.start(&op);
    kept.until("logins can be used", |kept| kept.why("konto").is_none()).await;
    assert_eq!(keys.last().path(), "/keys");
    // The other provider's configuration does not name it.
    kept.refused("api", "host_not_configured").await;

    // Keys of the demo stay where it is: this is production.
    let demo = TokenKey::new("grindvakt-demo-1");
    let op = Op::new().await;
    op.publishes(demo.jwks());
    let mut kept = Kept::new("");
    kept.start(&op);
    kept.refused("konto", "demo_key").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_at_an_address_of_their_own_need_no_discovery() {
    let op = Op::new().await;
    let mut kept = Kept::new(&format!("jwks_url = \"{}/elsewhere/jwks\"", op.issuer()));
    op.says("jwks_uri", json!(format!("{}/nothing", op.issuer())));
    kept.start(&op);
    kept.until("logins can be used", |kept| kept.why("konto").is_none()).await;
    assert_eq!(op.asked_for("/elsewhere/jwks"), 1);
}

/// What `/metrics` says of a feed it says of each document that an OpenID provider publishes: how old it is, how long it may be
/// used, and what became of each try, from nothing on.
#[tokio::test(flavor = "multi_thread")]
async fn each_document_is_told_of_as_a_feed_is() {
    let op = Op::new().await;
    op.remote.does(Act::status(503));
    let mut kept = Kept::new("");
    kept.start(&op);
    let sample = |kept: &Kept, family: &str, more: &str| -> Option<f64> {
        let (telemetry, refresher, _) = kept.running.as_ref().unwrap();
        refresher.feeds().observe(telemetry.metrics(), kept.clock.now());
        let text = telemetry.metrics().text().unwrap();
        let name = format!("grindvakt_{family}{{{more}}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok())
    };
    let each = |kept: &Kept, family: &str, more: &str| {
        let of = |(feed, document): (&str, &str)| {
            sample(kept, family, &format!("document=\"{document}\",feed=\"{feed}\"{more}"))
        };
        [("konto", "discovery"), ("konto", "jwks"), ("api", "discovery"), ("api", "jwks")].map(of)
    };
    // Before anything came: over now, no age, and every outcome there to grow.
    kept.refused("konto", "http_status").await;
    assert_eq!(each(&kept, "metadata_expiry_seconds", ""), [Some(0.0); 4]);
    assert_eq!(each(&kept, "metadata_age_seconds", ""), [None; 4]);
    assert_eq!(each(&kept, "fetch_refreshes_total", ",outcome=\"confirmed\""), [Some(0.0); 4]);
    assert_eq!(each(&kept, "fetch_early_total", ",outcome=\"fetched\""), [Some(0.0); 4]);

    op.up();
    kept.usable_later().await;
    kept.until_later("all four are fresh", |kept| kept.freshness() == [Freshness::Fresh; 4]).await;
    assert_eq!(each(&kept, "fetch_refreshes_total", ",outcome=\"changed\""), [Some(1.0); 4]);
    let (day, age) = (86_400.0, each(&kept, "metadata_age_seconds", ""));
    for (age, left) in age.into_iter().zip(each(&kept, "metadata_expiry_seconds", "")) {
        // However far the hand went on while all four came.
        assert!((0.0..day).contains(&age.unwrap()), "{age:?}");
        assert_eq!(left.unwrap() + age.unwrap(), day, "a day after it was confirmed last");
    }
    assert_eq!(each(&kept, "metadata_documents", ",state=\"fresh\""), [Some(1.0); 4]);

    // The key sets alone fail: which document it is can be seen.
    let failed = each(&kept, "fetch_refreshes_total", ",outcome=\"failed\"");
    op.publishes("{}".to_owned());
    kept.advance(3_600);
    kept.until_later("the key sets were refused", |kept| {
        let now = each(kept, "fetch_refreshes_total", ",outcome=\"failed\"");
        // The others may be due as well, and come at the next look.
        let stale = each(kept, "metadata_documents", ",state=\"stale\"");
        now[1] > failed[1] && now[3] > failed[3] && stale == [Some(0.0), Some(1.0), Some(0.0), Some(1.0)]
    })
    .await;
    let [_, jwks, ..] = each(&kept, "metadata_age_seconds", "");
    assert!(jwks.unwrap() >= 3_600.0, "{jwks:?}");
}
