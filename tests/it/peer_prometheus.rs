//! A real Prometheus scrapes a sidecar under a short load: every query of a dashboard and every rule gives data. promtool
//! checks the rules and fires each alert.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use grindvakt::base::{Clock as _, SystemClock};
use grindvakt_demo::Outcome;
use http::{Method, Request, Version};
use hyper::body::Incoming;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::program::{Program, python};
use crate::support::redis::{RedisServer, free_port};
use crate::support::remote::{Act, Remote};
use crate::support::service::{Service, ok, whole};
use crate::support::tokens::TokenKey;
use crate::support::{Client, World, eventually};

fn dashboards() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool").args(arguments).current_dir(dashboards()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
}

#[test]
fn the_rules_are_sound_and_each_alert_fires_and_is_silent() {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", "rules.yml"]);
    promtool(&["test", "rules", "rules_test.yml", "rules_slow_test.yml"]);
    let (rules, tests) = (read("rules.yml"), read("rules_test.yml") + &read("rules_slow_test.yml"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 25, "{alerts:?}");
    for alert in alerts {
        for how in ["fires", "is silent"] {
            assert!(tests.contains(&format!("- name: {alert} {how}\n")), "no test: {alert} {how}");
        }
    }
}

/// A file of `dashboards/`.
pub fn read(name: &str) -> String {
    std::fs::read_to_string(dashboards().join(name)).unwrap()
}

/// A Prometheus that scrapes often, with our rules.
pub struct Prometheus {
    address: SocketAddr,
    _program: Program,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn start(scraped: SocketAddr) -> Self {
        Self::with_rules(scraped, &read("rules.yml"))
    }

    /// One with a changed copy of our rules.
    pub fn with_rules(scraped: SocketAddr, rules: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rules.yml"), rules).unwrap();
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [rules.yml]\n\
             scrape_configs:\n  - job_name: grindvakt\n    static_configs: [{{ targets: ['{scraped}'] }}]\n"
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let mut said = String::new();
        // Somebody else may take the port before the server does.
        for _ in 0..5 {
            let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
            let mut command = Command::new("prometheus");
            command
                .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
                .arg(format!("--web.listen-address={address}"))
                .current_dir(folder.path());
            let ready = |line: &str| line.contains("Server is ready to receive web requests").then_some(());
            match Program::try_start(command, ready) {
                Ok((program, ())) => return Self { address, _program: program, _folder: folder },
                Err(error) => said = error,
            }
        }
        panic!("{said}");
    }

    /// The data of an answer of its API.
    pub async fn ask(&self, path: &str) -> Value {
        let reply = Client::new(self.address).get(path).await;
        let answer: Value = serde_json::from_str(&reply.body).unwrap_or_else(|e| panic!("{path}: {e}: {}", reply.body));
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// How many samples a query gives that are numbers.
    async fn samples(&self, query: &str) -> usize {
        let data = self.ask(&format!("/api/v1/query?query={}", utf8_percent_encode(query, NON_ALPHANUMERIC))).await;
        let samples = data["result"].as_array().unwrap();
        samples.iter().filter(|sample| sample["value"][1] != "NaN").count()
    }
}

/// Every query of the dashboards, by its panel.
fn queries() -> Vec<(String, String)> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dashboards()).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(&entry).unwrap()).unwrap();
        let title = dashboard["title"].as_str().unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            if panel["type"] == "row" {
                continue;
            }
            let name = format!("{title} / {}", panel["title"].as_str().unwrap());
            assert!(
                panel["description"].as_str().is_some_and(|text| text.len() > 20),
                "{name} does not say what it means"
            );
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{name}");
            for target in panel["targets"].as_array().unwrap() {
                let query = target["expr"].as_str().unwrap();
                let query =
                    query.replace("$__rate_interval", "15s").replace("$job", "grindvakt").replace("$instance", ".*");
                assert!(!query.contains('$'), "{name}: {query}");
                out.push((name.clone(), query));
            }
        }
    }
    out
}

const CONFIG: &str = r#"
[upstream]
response_timeout = "1s"
[[metadata]]
id = "far"
url = "http://127.0.0.1:REMOTE/feed.xml"
signer = ["far.crt"]
[[provider]]
id = "freja-far"
eid = "freja"
label = "Freja"
protocol = "saml"
entity_id = "https://far.example.org/idp"
metadata = "far"
[[provider]]
id = "api"
protocol = "jwt"
issuer = "https://as.example.se"
audience = "https://etjanst.example.se/api"
jwks_file = "api.json"
[[route]]
path = "/api/*"
bearer = ["api"]
"#;

/// One of everything that can happen.
async fn everything(world: &World, api: &TokenKey) {
    let mut person = Client::new(world.public());
    let (request, relay_state) = person.begin(world, "/ansokan/1").await;
    let response = world.idp.response(&request).at(SystemClock.now()).build();
    let mut thief = person.clone();
    person.answer(&response, &relay_state).await;
    thief.answer(&response, &relay_state).await;
    let copied = person.clone();
    for _ in 0..3 {
        person.get("/ansokan/1").await;
        person.get("/om/oss").await;
    }
    person.get("/hog/1").await;
    person.send(Method::POST, "/eid/logout", &[("sec-fetch-site", "same-origin")], "").await;
    copied.clone().get("/ansokan/1").await;
    let mut stranger = Client::new(world.public());
    stranger.headers.push(("x-eid-subject".into(), "me".into()));
    stranger.headers.push(("traceparent".into(), "00-zz".into()));
    stranger.get("/ansokan/1").await;
    stranger.get("/om/%2e%2e/x").await;
    stranger.get("/eid/auth/nginx").await;
    stranger.get("/om/late").await;
    for outcome in [Outcome::Tampered, Outcome::Cancel] {
        let (request, relay_state) = stranger.begin(world, "/ansokan/1").await;
        let response = world.idp.response(&request).outcome(outcome).at(SystemClock.now()).build();
        stranger.answer(&response, &relay_state).await;
    }
    let now = SystemClock.now().as_secs();
    let claims = json!({ "iss": "https://as.example.se", "aud": "https://etjanst.example.se/api", "sub": "s",
        "client_id": "c", "jti": now.to_string(), "iat": now, "exp": now + 60 });
    let mut program = Client::new(world.public()).xhr();
    program.headers.push(("authorization".into(), format!("Bearer {}", api.access_token(&claims))));
    program.get("/api/1").await;
    program.get("/api/2").await;
    // Goes away before there is an answer.
    let mut gone = TcpStream::connect(world.public()).await.unwrap();
    gone.write_all(b"GET /om/late HTTP/1.1\r\nhost: etjanst.example.se\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_dashboards_and_every_rule_has_data() {
    let redis = RedisServer::start(&[]);
    let remote = Remote::start().await;
    remote.does(Act::status(500));
    let service = Service::new(Version::HTTP_11, |request: Request<Incoming>| async move {
        if request.uri().path() == "/om/late" {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        ok(whole("hello"))
    })
    .await;
    let api = TokenKey::new("api-1");
    let mut world = World::with_upstream("", service.address).await;
    world.write("api.json", &api.jwks());
    world.write("far.crt", &world.other.key().certificate_pem());
    let store = format!("[store]\nkind = \"redis\"\nmode = \"single\"\nnodes = [\"{}\"]\ntls = false", redis.address);
    let more = CONFIG.replace("REMOTE", &remote.address.port().to_string());
    world
        .configure(|text| {
            let text = text.replace("[store]\nsingle_replica = true", &store);
            let listen = "[listen]\ntrusted_proxies = [\"192.0.2.0/24\"]\nforward_auth = [\"nginx\"]";
            format!("{}{more}", text.replace("[listen]", listen))
        })
        .await;
    let prometheus = Prometheus::start(world.admin());
    eventually(20, "the store is there", || async {
        crate::support::metric(world.admin(), "grindvakt_store_up").await == 1.0
    })
    .await;
    // What is counted from nothing has no rate: series must be seen before they grow.
    let queries = queries();
    assert!(queries.len() > 50, "{}", queries.len());
    let began = Instant::now();
    let mut missing;
    loop {
        everything(&world, &api).await;
        missing = Vec::new();
        for (panel, query) in &queries {
            if prometheus.samples(query).await == 0 {
                missing.push(format!("{panel}: {query}"));
            }
        }
        let rules = prometheus.ask("/api/v1/rules").await;
        for group in rules["groups"].as_array().unwrap() {
            for rule in group["rules"].as_array().unwrap() {
                assert_ne!(rule["health"], "err", "{rule}");
                if rule["type"] == "recording" && prometheus.samples(rule["name"].as_str().unwrap()).await == 0 {
                    missing.push(format!("the rule {}", rule["name"]));
                }
            }
        }
        if missing.is_empty() || began.elapsed() > Duration::from_secs(60) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(missing.is_empty(), "without data:\n{}", missing.join("\n"));
    draw(&prometheus, began.elapsed().as_secs() + 5);
    world.stop().await;
}

/// Draws each dashboard into target/pictures.
fn draw(prometheus: &Prometheus, seconds: u64) {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    for name in ["overview", "providers", "security", "hot-path"] {
        let (from, to) =
            (dashboards().join(format!("grindvakt-{name}.json")), pictures.join(format!("dashboard-{name}.png")));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/dashboards.py");
        let mut command = Command::new(python());
        command.arg(script).arg(prometheus.address.to_string()).arg(from).arg(&to).arg(seconds.max(30).to_string());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(std::fs::metadata(&to).unwrap().len() > 30_000, "{name}: nothing is drawn");
    }
}
