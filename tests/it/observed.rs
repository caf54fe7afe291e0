//! What operators see of what happens: metrics that say what became of each request and login, and lines that belong to
//! their trace.

use std::collections::BTreeSet;

use grindvakt::base::{Clock as _, SystemClock};
use grindvakt_demo::Outcome;
use grindvakt_demo::op::Dialect;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::openid::{By, Op, ready};
use crate::support::process::Process;
use crate::support::raw::exchange;
use crate::support::tokens::TokenKey;
use crate::support::{Client, World, eventually, metric};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The number of requests of an outcome, of all routes together.
async fn outcomes(world: &World, outcome: &str) -> f64 {
    let text = Client::new(world.admin()).get("/metrics").await.body;
    let begins = format!("grindvakt_requests_total{{outcome=\"{outcome}\",");
    let values = text.lines().filter(|line| line.starts_with(&begins)).map(|line| line.rsplit(' ').next().unwrap());
    values.map(|value| value.parse::<f64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_counted_once_under_what_became_of_it() {
    let world = World::new("").await;
    let mut all = 0.0;
    let mut person = Client::new(world.public());
    person.log_in(&world, "/ansokan/1").await;
    // login, SP metadata as the provider reads it, and the answer.
    assert_eq!(outcomes(&world, "own").await, 3.0);
    all += 3.0;
    for (target, xhr, session, outcome) in [
        ("/om/oss", false, false, "forwarded"),
        ("/ansokan/1", false, true, "forwarded"),
        ("/ansokan/1", false, false, "needs_login"),
        ("/ansokan/1", true, false, "needs_login"),
        ("/hog/1", true, true, "step_up"),
        ("/okand", false, true, "forwarded"),
        ("/om/%2e%2e%2fx%00", false, false, "invalid"),
        ("/eid/nothing", false, false, "own"),
    ] {
        let mut client = if session { person.clone() } else { Client::new(world.public()) };
        if xhr {
            client = client.xhr();
        }
        let before = outcomes(&world, outcome).await;
        client.get(target).await;
        assert_eq!(outcomes(&world, outcome).await, before + 1.0, "{target} {outcome}");
        all += 1.0;
    }
    let text = Client::new(world.admin()).get("/metrics").await.body;
    let counted: f64 = text
        .lines()
        .filter(|line| line.starts_with("grindvakt_requests_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert_eq!(counted, all, "each once");
    for (name, value) in [
        ("grindvakt_upstream_seconds_count{route=\"/ansokan/*\"}", 1.0),
        ("grindvakt_upstream_seconds_count{route=\"/om/*\"}", 1.0),
        ("grindvakt_upstream_seconds_count{route=\"(default)\"}", 1.0),
        ("grindvakt_decision_seconds_count", 3.0),
        ("grindvakt_requests_in_flight", 0.0),
        ("grindvakt_upstream_in_flight", 0.0),
    ] {
        assert_eq!(metric(world.admin(), name).await, value, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_counted_on_its_way_with_its_level_and_its_stages() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/1").await;
    let (request, relay_state) = client.begin(&world, "/ansokan/2").await;
    let response = world.idp.response(&request).outcome(Outcome::Tampered).at(SystemClock.now()).build();
    assert!(client.answer(&response, &relay_state).await.status.is_client_error());
    for (name, value) in [
        ("grindvakt_logins_begun_total{provider=\"bankid-a\"}", 2.0),
        ("grindvakt_logins_returned_total{provider=\"bankid-a\"}", 2.0),
        ("grindvakt_logins_finished_total{provider=\"bankid-a\"}", 1.0),
        ("grindvakt_logins_begun_total{provider=\"freja\"}", 0.0),
        ("grindvakt_login_seconds_count{provider=\"bankid-a\"}", 1.0),
        ("grindvakt_loa_asked_total{loa=\"loa3\",provider=\"bankid-a\"}", 2.0),
        ("grindvakt_loa_got_total{loa=\"loa3\",provider=\"bankid-a\"}", 1.0),
        ("grindvakt_verification_seconds_count{protocol=\"saml\"}", 2.0),
        ("grindvakt_verification_stage_seconds_count{stage=\"reading\"}", 2.0),
        ("grindvakt_verification_stage_seconds_count{stage=\"claims\"}", 1.0),
        ("grindvakt_provider_usable{provider=\"bankid-a\"}", 1.0),
        ("grindvakt_replay_entries", 2.0),
        // The memory of this process says as much as a shared store does of what it is asked; `claim` is of OpenID Connect.
        ("grindvakt_store_seconds_count{op=\"consume\"}", 1.0),
        ("grindvakt_store_seconds_count{op=\"claim\"}", 0.0),
        ("grindvakt_store_faults_total{kind=\"full\",op=\"consume\"}", 0.0),
        ("grindvakt_store_faults_total{kind=\"full\",op=\"claim\"}", 0.0),
        ("grindvakt_stopping", 0.0),
    ] {
        assert_eq!(metric(world.admin(), name).await, value, "{name}");
    }
    let accepted =
        "grindvakt_verifications_total{outcome=\"accepted\",protocol=\"saml\",provider=\"bankid-a\",reason=\"none\"}";
    assert_eq!(metric(world.admin(), accepted).await, 1.0);
    let skew = metric(world.admin(), "grindvakt_provider_clock_skew_seconds{provider=\"bankid-a\"}").await;
    assert!((-5.0..=1.0).contains(&skew), "{skew}");
    let text = Client::new(world.admin()).get("/metrics").await.body;
    let config = text.lines().find(|line| line.starts_with("grindvakt_config_info{")).unwrap();
    assert!(config.contains("service=\"etjanst\"") && config.contains("environment=\"test\""), "{config}");
    let own = metric(world.admin(), "grindvakt_own_certificate_expiry_seconds{use=\"signing\"}").await;
    assert!(own > 86_400.0, "{own}");
}

/// What a running sidecar tells of an OpenID provider's documents, and of keys that a provider of tokens has at an address.
#[tokio::test(flavor = "multi_thread")]
async fn documents_of_providers_are_told_of_beside_feeds() {
    let (op, world) = with_openid().await;
    let tell = |family: &str, document: &str, feed: &str, more: &str| {
        format!("grindvakt_{family}{{document=\"{document}\",feed=\"{feed}\"{more}}}")
    };
    for document in ["discovery", "jwks"] {
        let age = metric(world.admin(), &tell("metadata_age_seconds", document, &op.id, "")).await;
        let left = metric(world.admin(), &tell("metadata_expiry_seconds", document, &op.id, "")).await;
        assert!((0.0..60.0).contains(&age) && (86_000.0..=86_400.0).contains(&left), "{document}: {age} {left}");
        let changed = tell("fetch_refreshes_total", document, &op.id, ",outcome=\"changed\"");
        assert_eq!(metric(world.admin(), &changed).await, 1.0, "{document}");
    }
    // A key set at an address of its own, without a discovery document, is there from the start too.
    for outcome in ["changed", "confirmed", "failed"] {
        metric(world.admin(), &tell("fetch_refreshes_total", "jwks", "elsewhere", &format!(",outcome=\"{outcome}\"")))
            .await;
    }
    assert_eq!(metric(world.admin(), &tell("metadata_documents", "metadata", "feed", ",state=\"fresh\"")).await, 1.0);
}

/// A sidecar with an OpenID provider, one of bearer tokens with pinned keys, and one with keys at an address. Nobody is probed.
async fn with_openid() -> (Op, World) {
    let op = Op::new("op", Dialect::Standard, By::Key, |op| op).await;
    let key = TokenKey::new("api-1");
    let mut world = World::with_files("", &[("api.json".to_owned(), key.jwks())]).await;
    let openid = op.provider(&world, "generic", "loa = [\"loa2\", \"loa3\"]\nprobe = \"off\"");
    let more = BEARER.replace("ISSUER", &op.issuer);
    world
        .configure(|config| {
            let config = config.replace("protocol = \"saml\"", "protocol = \"saml\"\nprobe = \"off\"");
            format!("{config}{openid}{more}")
        })
        .await;
    ready(&world, &[&op.id]).await;
    let fetched = "grindvakt_fetch_refreshes_total{document=\"jwks\",feed=\"elsewhere\",outcome=\"changed\"}";
    eventually(20, "the key set is there", || async { metric(world.admin(), fetched).await == 1.0 }).await;
    (op, world)
}

const BEARER: &str = r#"
[[provider]]
id = "api"
protocol = "jwt"
issuer = "https://as.example.se"
audience = "https://etjanst.example.se/api"
jwks_file = "api.json"
[[provider]]
id = "elsewhere"
protocol = "jwt"
issuer = "ISSUER"
audience = "https://etjanst.example.se/api"
jwks_url = "ISSUER/jwks"
[[route]]
path = "/api/*"
bearer = ["api", "elsewhere"]
"#;

/// What the name of everything is that a stranger can choose, in the `n`th knock of a round.
struct Stranger {
    round: u32,
    n: u32,
}

impl Stranger {
    fn name(&self, of: &str) -> String {
        format!("{of}{}-{}", self.round, self.n)
    }

    /// What people and browsers bring.
    async fn visits(&self, world: &World) {
        let (round, n) = (self.round, self.n);
        let mut client = Client::new(world.public());
        client.headers.push(("x-forwarded-host".into(), self.name("h")));
        client.headers.push(("user-agent".into(), self.name("a")));
        client.get(&format!("/ansokan/{round}/{n}?q={n}")).await;
        client.get(&format!("/eid/{round}-{n}")).await;
        client.get(&format!("/eid/login?eid=e{round}-{n}&instead_of=i{round}-{n}&rd=/{n}")).await;
        client.answer(&format!("<x{round}-{n}/>"), &format!("r{n}")).await;
        // Identity headers of every name, and a trace that is none.
        for name in ["x-eid-", "x_eid_", "X-Eid-Personal-Number", "x-eid-loa"] {
            client.headers.push((self.name(name), self.name("v")));
        }
        client.headers.push(("x-eid-subject".into(), self.name("s")));
        client.headers.push(("traceparent".into(), self.name("00-")));
        client.get("/om/oss").await;
        // A method of the visitor's own, and hosts that are not ours.
        for method in [self.name("M"), "get".to_owned(), "TRACE".to_owned(), "PROPFIND".to_owned()] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            client.send(method, "/ansokan/1", &[], "").await;
        }
        for host in [self.name("h"), format!("{}.example:{n}", self.name("h")), "etjanst.example.se.".to_owned()] {
            let text = format!("GET /ansokan/{n} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            assert_eq!(exchange(world.public(), text.as_bytes()).await.len(), 1, "{host}");
        }
    }

    /// What comes back from providers, or seems to.
    async fn returns(&self, world: &World) {
        let (provider, state) = (self.name("p"), self.name("s"));
        for id in ["op", &provider] {
            for query in [
                format!("code={state}&state={state}&iss=https://{state}.example"),
                format!("error={state}&error_description={state}&state={state}"),
                format!("{state}={state}"),
            ] {
                Client::new(world.public()).get(&format!("/eid/oidc/callback/{id}?{query}")).await;
            }
        }
        let token = TokenKey::new(&self.name("k")).sign(
            json!({ "typ": "logout+jwt", "kid": self.name("k") }),
            &json!({ "iss": format!("https://{provider}.example"), "sub": state, "jti": state }),
        );
        for token in [token.as_str(), &state] {
            Client::new(world.public()).post("/eid/oidc/backchannel", &[("logout_token", token)]).await;
        }
    }

    /// What programs bring.
    async fn presents(&self, world: &World, op: &Op) {
        let now = SystemClock.now().as_secs();
        let key = TokenKey::new(&self.name("k"));
        for issuer in ["https://as.example.se", &op.issuer, &format!("https://{}.example", self.name("as"))] {
            let claims = json!({ "iss": issuer, "aud": self.name("aud"), "sub": self.name("s"), "client_id": self.name("c"),
                "jti": self.name("j"), "iat": now, "exp": now + 60, "scope": self.name("scope") });
            for token in [key.access_token(&claims), self.name("t")] {
                for scheme in ["Bearer".to_owned(), "DPoP".to_owned(), self.name("S")] {
                    let mut program = Client::new(world.public()).xhr();
                    program.headers.push(("authorization".into(), format!("{scheme} {token}")));
                    program.headers.push(("dpop".into(), self.name("proof")));
                    program.get(&format!("/api/{}", self.name("x"))).await;
                }
            }
        }
    }
}

/// Whatever a stranger sends, the number of series stays what the configuration makes it.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_make_no_series() {
    let (op, world) = with_openid().await;
    let series = async || {
        let text = Client::new(world.admin()).get("/metrics").await.body;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect::<BTreeSet<String>>()
    };
    let knock = async |round: u32| {
        for n in 0..20 {
            let stranger = Stranger { round, n };
            stranger.visits(&world).await;
            stranger.returns(&world).await;
            stranger.presents(&world, &op).await;
        }
    };
    // Each code that is met adds a series, once: the first round has met them all.
    knock(1).await;
    let before = series().await;
    knock(2).await;
    let after = series().await;
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(after.len() < 1000, "{}", after.len());
    // They were seen, each for what it was.
    for seen in [
        "grindvakt_verifications_total{outcome=\"rejected\",protocol=\"jwt\",provider=\"api\",reason=\"key_unknown\"}",
        "grindvakt_requests_total{outcome=\"invalid\",route=\"(none)\"}",
    ] {
        assert!(metric(world.admin(), seen).await >= 40.0, "{seen}");
    }
    assert!(metric(world.admin(), "grindvakt_forged_headers_total").await >= 40.0);
    assert!(metric(world.admin(), "grindvakt_trace_headers_dropped_total").await >= 40.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_passed_on_and_its_lines_say_so() {
    let world = World::new("").await;
    let process = Process::start(world.folder.path());
    for (parents, state, passed) in [
        (&[TRACEPARENT][..], "vendor=1", true),
        (&["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"], "vendor=1", false),
        (&[TRACEPARENT, TRACEPARENT], "vendor=1", false),
        (&[], "vendor=1", false),
    ] {
        let mut client = Client::new(process.public);
        client.headers.extend(parents.iter().map(|parent| ("traceparent".into(), (*parent).into())));
        client.headers.push(("tracestate".into(), state.into()));
        assert_eq!(client.get("/om/x").await.status, StatusCode::OK);
        let seen = world.seen();
        let expect: &[&str] = if passed { &[TRACEPARENT] } else { &[] };
        assert_eq!(seen.all("traceparent"), expect, "{parents:?}");
        assert_eq!(seen.all("tracestate").len(), usize::from(passed), "{parents:?}");
    }
    assert_eq!(metric(process.admin, "grindvakt_trace_headers_dropped_total").await, 2.0);
    let mut client = Client::new(process.public).xhr();
    client.headers.push(("traceparent".into(), TRACEPARENT.into()));
    client.get("/ansokan/1").await;
    let of_the_trace = || {
        let belongs = |line: &String| line.contains(&format!("\"trace_id\":\"{TRACE}\""));
        process.told().into_iter().filter(belongs).collect::<Vec<String>>()
    };
    eventually(5, "the line is told", || async { !of_the_trace().is_empty() }).await;
    for line in of_the_trace() {
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&line["event"], &line["code"]), (&"request_denied".into(), &"needs_login".into()));
        assert_eq!(line["reference"].as_str().unwrap().len(), 8, "{line}");
    }
}

/// Eight clear characters on every page about a problem, whichever it is: another each time, and the key to one line of the
/// log, with the code that the page does not tell.
#[tokio::test(flavor = "multi_thread")]
async fn the_reference_on_a_page_finds_its_line_in_the_log() {
    let world = World::new("").await;
    let process = Process::start(world.folder.path());
    let mut seen = BTreeSet::new();
    for (method, target, status, event, code) in [
        (Method::GET, "/eid/nothing", StatusCode::NOT_FOUND, "fault_shown", "not_found"),
        (Method::GET, "/eid/nothing", StatusCode::NOT_FOUND, "fault_shown", "not_found"),
        (Method::PUT, "/eid/login", StatusCode::METHOD_NOT_ALLOWED, "fault_shown", "bad_method"),
        (Method::POST, "/eid/logout", StatusCode::FORBIDDEN, "fault_shown", "cross_site"),
        (Method::POST, "/eid/saml/acs", StatusCode::BAD_REQUEST, "fault_shown", "bad_form"),
        (Method::POST, "/ansokan/", StatusCode::UNAUTHORIZED, "request_denied", "needs_login"),
        (Method::GET, "/a%2fb", StatusCode::BAD_REQUEST, "fault_shown", "bad_path"),
    ] {
        let headers = [
            ("accept", "text/html"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-site", "cross-site"),
        ];
        let body = if method == Method::POST { "x=1" } else { "" };
        let reply = Client::new(process.public).send(method.clone(), target, &headers, body).await;
        assert_eq!(reply.status, status, "{method} {target}: {}", reply.body);
        let (_, after) = reply.body.split_once("<code>").unwrap_or_else(|| panic!("{method} {target}: {}", reply.body));
        let reference = after.split("</code>").next().unwrap().to_owned();
        assert_eq!(reference.len(), 8, "{reference}");
        assert!(!reference.contains(['0', 'O', '1', 'I']), "{reference}");
        let lines = || process.told().into_iter().filter(|line| line.contains(&reference)).collect::<Vec<String>>();
        eventually(5, "the line is told", || async { !lines().is_empty() }).await;
        let line: Value = serde_json::from_str(&lines()[0]).unwrap();
        assert_eq!((&line["event"], &line["code"]), (&event.into(), &code.into()), "{line}");
        assert!(seen.insert(reference), "{method} {target}");
    }
}
