//! `grindvakt-demo dev` puts every kind of person in front of an application, and its keys stay on the developer's machine.

mod keys;
mod persons;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use grindvakt_demo::browser::{Browser, Page};
use grindvakt_demo::dev::{Dev, DevError, Listen, Options, Plan, Routes};
use grindvakt_demo::outcome::Outcome;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::{Seen, e_service};

/// A developer's application with the tool in front of it.
struct Bench {
    dev: Dev,
    seen: Arc<Mutex<Seen>>,
}

/// An answer of the tool or of what is behind it.
struct Told {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

fn options(upstream: SocketAddr, routes: Routes) -> Options {
    Options {
        upstream: format!("http://{upstream}").parse().unwrap(),
        listen: Listen::new(0),
        tool: None,
        persons: None,
        routes,
        quiet: true,
    }
}

impl Bench {
    async fn new(routes: Routes) -> Self {
        let (upstream, seen) = e_service().await;
        let plan = Plan::read(options(upstream, routes)).unwrap_or_else(|e| panic!("{e}"));
        let dev = Dev::start(Path::new(env!("CARGO_BIN_EXE_grindvakt")), plan).await.unwrap_or_else(|e| panic!("{e}"));
        Self { dev, seen }
    }

    /// The call that logs a test in.
    async fn login(&self, wish: &Value) -> Told {
        let json = [("content-type", "application/json")];
        send(Method::POST, &self.dev.tool_url("/login"), &json, &wish.to_string()).await
    }

    /// The cookie of a login that succeeds.
    async fn cookie(&self, wish: &Value) -> String {
        let told = self.login(wish).await;
        assert_eq!(told.status, StatusCode::OK, "{wish}: {}", told.body);
        told.json()["cookie"].as_str().unwrap().to_owned()
    }

    /// Asks the application for `path` through the sidecar.
    async fn get(&self, path: &str, cookie: &str) -> Told {
        send(Method::GET, &self.dev.url(path), &[("cookie", cookie), ("accept", "application/json")], "").await
    }

    /// What the application was told of a person who asks for `path`.
    async fn told_of(&self, path: &str, cookie: &str) -> Vec<(String, String)> {
        let told = self.get(path, cookie).await;
        assert_eq!((told.status, told.body.as_str()), (StatusCode::OK, "hello"), "{path}");
        let seen = self.seen.lock().unwrap().clone();
        let mut out: Vec<_> = seen.headers.into_iter().filter(|(name, _)| name.starts_with("x-eid-")).collect();
        out.sort();
        out
    }
}

/// One request, as any HTTP client of a test sends it: with the port in `url`, to this machine.
async fn send(method: Method, url: &str, headers: &[(&str, &str)], body: &str) -> Told {
    let uri: http::Uri = url.parse().unwrap();
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, uri.port_u16().unwrap())).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = http::Request::builder().method(method).uri(uri.path_and_query().unwrap().as_str());
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", uri.authority().unwrap().as_str());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Told { status: head.status, headers: head.headers, body }
}

#[tokio::test]
async fn one_call_gives_a_test_a_session() {
    let bench = Bench::new(Routes::Everything).await;
    let told = bench.login(&json!({ "person": "anna", "loa": "loa3", "route": "/ansokan?steg=2" })).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    let session = told.json();
    assert_eq!(
        (&session["eid"], &session["loa"], &session["location"], &session["name"], &session["person"]),
        (
            &json!("freja"),
            &json!("http://id.elegnamnden.se/loa/1.0/loa3"),
            &json!("/ansokan?steg=2"),
            &json!("eid-dev"),
            &json!("anna")
        ),
        "BankID's provider asserts uncertified levels alone, so the level decides for Freja"
    );
    assert_eq!(session["url"], json!(bench.dev.url("/ansokan?steg=2")));
    let cookie = session["cookie"].as_str().unwrap();
    assert_eq!(cookie, format!("eid-dev={}", session["value"].as_str().unwrap()));
    let set = told.headers.get("set-cookie").unwrap().to_str().unwrap();
    assert_eq!(set, format!("{cookie}; Path=/; HttpOnly; SameSite=Lax"), "the same, for a client that keeps cookies");

    // It is a session of the real sidecar: without it nothing comes through, and logout ends it.
    assert_eq!(bench.get("/ansokan", "").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.get("/ansokan", "eid-dev=forged").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.get("/ansokan", cookie).await.status, StatusCode::OK);
    let same = [("cookie", cookie), ("sec-fetch-site", "same-origin")];
    let out = send(Method::POST, &bench.dev.url("/eid/logout"), &same, "").await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert_eq!(bench.get("/ansokan", cookie).await.status, StatusCode::UNAUTHORIZED);

    // The same person by another e-ID is the same subject, and still is when the tool has been started again.
    let subject = async |bench: &Bench, wish: Value| {
        let cookie = bench.cookie(&wish).await;
        let all = bench.told_of("/", &cookie).await;
        all.into_iter().find(|(name, _)| name == "x-eid-subject").unwrap().1
    };
    let one = subject(&bench, json!({ "person": "asa" })).await;
    let other = subject(&bench, json!({ "person": "employee" })).await;
    assert_eq!(one, other);
    let again = Bench::new(Routes::Everything).await;
    assert_eq!(subject(&again, json!({ "person": "asa" })).await, one);
}

#[tokio::test]
async fn a_wish_that_cannot_be_says_why() {
    let bench = Bench::new(Routes::Everything).await;
    let people = "anna, asa, long-name, child, oskar, maria, protected, zoe, amir, kim, employee, employee-no-number, \
                  jurgen, marie, aino";
    let eids = "bankid, freja, kort, siths, eidas";
    let kind = [("content-type", "application/json")];
    for (body, status, error, message) in [
        ("", 400, "bad_json", "the body is not JSON: EOF while parsing a value at line 1 column 0".to_owned()),
        ("[]", 400, "bad_json", "the body must be a JSON object".to_owned()),
        ("{}", 400, "person_missing", format!("\"person\" is missing: who logs in, one of {people}")),
        (
            r#"{"persn": "anna"}"#,
            400,
            "unknown_key",
            "\"persn\" is not known here; there are person, loa, eid, route, outcome; did you mean \"person\"?"
                .to_owned(),
        ),
        (r#"{"person": 1}"#, 400, "bad_value", "\"person\" must be a text".to_owned()),
        (
            r#"{"person": "ana"}"#,
            400,
            "unknown_person",
            format!("\"person\": there is no \"ana\"; there are {people}; did you mean \"anna\"?"),
        ),
        (
            r#"{"person": "anna", "eid": "bank-id"}"#,
            400,
            "unknown_eid",
            format!("\"eid\": there is no \"bank-id\"; there are {eids}; did you mean \"bankid\"?"),
        ),
        (
            r#"{"person": "anna", "loa": "3"}"#,
            400,
            "unknown_loa",
            "\"loa\": \"3\" is no level of assurance: a short name such as loa3, uncertified-loa3, eidas-nf-sub, or a \
             full URI"
                .to_owned(),
        ),
        (
            r#"{"person": "anna", "route": "//evil.example"}"#,
            400,
            "bad_route",
            "\"route\" must be a path such as \"/ansokan\" in its normal form, not \"//evil.example\"".to_owned(),
        ),
        (
            r#"{"person": "anna", "eid": "siths"}"#,
            409,
            "eid_not_theirs",
            "\"anna\" does not have the e-ID \"siths\"".to_owned(),
        ),
    ] {
        let told = send(Method::POST, &bench.dev.tool_url("/login"), &kind, body).await;
        assert_eq!(told.status.as_u16(), status, "{body}: {}", told.body);
        assert_eq!(told.json(), json!({ "error": error, "message": message }), "{body}");
    }
    let outcomes = Outcome::ALL.map(Outcome::name).join(", ");
    let told = bench.login(&json!({ "person": "anna", "outcome": "cancl" })).await;
    let message = format!("\"outcome\": there is no \"cancl\"; there are {outcomes}; did you mean \"cancel\"?");
    assert_eq!(told.json(), json!({ "error": "unknown_outcome", "message": message }));

    // A page of somebody else's in the developer's browser gets no session out of this, nor breaks anything.
    for (headers, status) in [
        (vec![("content-type", "text/plain")], 415),
        (vec![("content-type", "application/json"), ("origin", "https://evil.example")], 403),
        (vec![("content-type", "application/json"), ("sec-fetch-site", "cross-site")], 403),
        (vec![("content-type", "application/json"), ("sec-fetch-site", "same-site")], 403),
        (vec![("content-type", "application/json"), ("host", "evil.example")], 421),
    ] {
        let body = r#"{"person": "anna"}"#;
        let told = send(Method::POST, &bench.dev.tool_url("/login"), &headers, body).await;
        assert_eq!((told.status.as_u16(), told.headers.get("set-cookie")), (status, None), "{headers:?}");
        let form = [("content-type", "application/x-www-form-urlencoded"), ("origin", "https://evil.example")];
        let told = send(Method::POST, &bench.dev.tool_url("/eids"), &form, "eid=bankid&state=down").await;
        assert_eq!(told.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(bench.login(&json!({ "person": "anna" })).await.status, StatusCode::OK, "and it still works");
}

#[tokio::test]
async fn every_way_to_end_otherwise_is_there() {
    let bench = Bench::new(Routes::Everything).await;
    for (outcome, code) in [
        ("cancel", "status_cancel"),
        ("authn-failed", "status_authn_failed"),
        ("possible-fraud", "status_possible_fraud"),
        ("fraud", "status_fraud"),
        ("no-authn-context", "status_no_authn_context"),
        ("provider-error", "status_error"),
        ("tampered", "digest_mismatch"),
        ("unsigned", "signature_missing"),
        ("wrong-key", "signature_invalid"),
        ("expired", "expired"),
        ("wrong-request", "in_response_to_mismatch"),
    ] {
        let told = bench.login(&json!({ "person": "anna", "outcome": outcome })).await;
        let answer = told.json();
        assert_eq!((told.status, &answer["error"]), (StatusCode::FORBIDDEN, &json!("login_refused")), "{outcome}");
        assert_eq!(answer["refusal"]["code"], json!(code), "{outcome}: {}", told.body);
        assert_eq!(answer["refusal"]["reference"].as_str().map(str::len), Some(8), "{outcome}");
        assert_eq!(told.headers.get("set-cookie"), None, "{outcome}");
    }

    let kind = [("content-type", "application/json")];
    let state = async |state: &str| {
        let body = json!({ "eid": "bankid", "state": state }).to_string();
        let told = send(Method::POST, &bench.dev.tool_url("/eids"), &kind, &body).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.body);
        assert_eq!(told.json()["eids"][0]["state"], json!(state));
    };
    let wish = json!({ "person": "anna", "eid": "bankid" });
    for (broken, error) in [("down", "no_answer"), ("error", "provider_failed"), ("silent", "no_answer")] {
        state(broken).await;
        let told = bench.login(&wish).await;
        assert_eq!((told.status, &told.json()["error"]), (StatusCode::BAD_GATEWAY, &json!(error)), "{broken}");
    }
    let other = bench.login(&json!({ "person": "anna", "eid": "freja" })).await;
    assert_eq!(other.status, StatusCode::OK, "one that is broken takes no other with it");
    state("up").await;
    assert_eq!(bench.login(&wish).await.status, StatusCode::OK);
    let told = send(Method::POST, &bench.dev.tool_url("/eids"), &kind, r#"{"eid": "bankid", "state": "sick"}"#).await;
    let message = "\"state\": there is no \"sick\"; there are up, error, down, silent, slow, answers, wrong-keys, lost";
    assert_eq!(told.json(), json!({ "error": "unknown_state", "message": message }));
}

const ROUTES: &str = r#"[service]
forward = ["loa"]
accept_coordination_number = false

[[route]]
path    = "/ansokan/*"
loa     = ["loa3", "uncertified-loa3"]
require = ["personal_number"]
eid     = ["freja", "bankid"]
forward = ["personal_number", "eid"]

[[route]]
path   = "/om/*"
access = "anonymous"
"#;

fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn the_services_own_routes_hold() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(Routes::File(write(&folder, "routes.toml", ROUTES))).await;
    let names = async |path: &str, wish: Value| -> Vec<String> {
        let cookie = bench.cookie(&wish).await;
        bench.told_of(path, &cookie).await.into_iter().map(|(name, _)| name).collect()
    };
    let always = ["x-eid-assertion", "x-eid-authenticated-at"];
    let own = |more: &[&'static str]| {
        let mut all = [&always, more, &["x-eid-provider", "x-eid-session", "x-eid-subject"]].concat();
        all.sort_unstable();
        all
    };
    let application = json!({ "person": "anna", "route": "/ansokan/1" });
    assert_eq!(names("/ansokan/1", application.clone()).await, own(&["x-eid-method", "x-eid-personal-number"]));
    assert_eq!(
        names("/", application.clone()).await,
        own(&["x-eid-loa"]),
        "what the service's `forward` says, no more"
    );
    assert_eq!(bench.get("/om/oss", "").await.status, StatusCode::OK);

    for (wish, status, error, code) in [
        (json!({ "person": "oskar", "route": "/ansokan/1" }), 403, "login_refused", json!("status_no_authn_context")),
        (
            json!({ "person": "anna", "loa": "loa2", "route": "/ansokan/1" }),
            403,
            "login_refused",
            json!("loa_not_requested"),
        ),
        (json!({ "person": "zoe", "route": "/" }), 403, "login_refused", json!("coordination_number_not_accepted")),
        (
            json!({ "person": "kim", "loa": "loa3", "route": "/ansokan/1" }),
            403,
            "login_refused",
            json!("required_attribute_missing"),
        ),
        (json!({ "person": "employee", "route": "/ansokan/1" }), 409, "eid_not_taken", Value::Null),
    ] {
        let told = bench.login(&wish).await;
        let answer = told.json();
        assert_eq!((told.status.as_u16(), &answer["error"]), (status, &json!(error)), "{wish}: {}", told.body);
        assert_eq!(answer["refusal"]["code"], code, "{wish}");
    }
    // The e-ID that comes first on the person's own list, of those that the route takes.
    assert_eq!(bench.login(&application).await.json()["eid"], json!("bankid"));
    assert_eq!(bench.login(&json!({ "person": "jurgen", "route": "/ansokan/1" })).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_configuration_for_production_can_be_tried_out() {
    let folder = tempfile::tempdir().unwrap();
    let config = r#"environment = "production"
[service]
id = "grind"
entity_id = "https://etjanst.example.se/sp"
base_url = "https://etjanst.example.se/app"
upstream = "http://127.0.0.1:1"
prefix = "/inloggning"
forward = ["name"]
[store]
single_replica = true
[headers]
preset = "oauth2-proxy"
[headers.also]
personal_number = "X-Personnummer"
[pages]
service_name = "Grindansökan"
[[metadata]]
id = "fed"
file = "feed.xml"
[[provider]]
id = "broker-bankid"
eid = "mobilt"
label = "Mobilt e-id"
protocol = "saml"
entity_id = "https://idp.example.se/saml"
metadata = "fed"
loa = ["uncertified-loa3"]
[[provider]]
id = "eu"
eid = "foreign"
protocol = "saml"
entity_id = "https://eidas.example.se/saml"
metadata = "fed"
eidas_connector = true
[[route]]
path = "/app/ansokan"
eid = ["mobilt"]
loa = ["uncertified-loa3"]
forward = ["personal_number", "loa", "eid"]
[[route]]
path = "/app/om"
access = "anonymous"
"#;
    let bench = Bench::new(Routes::Config(vec![write(&folder, "grindvakt.toml", config)])).await;
    let told = bench.login(&json!({ "person": "anna", "route": "/app/ansokan" })).await.json();
    assert_eq!(
        (&told["provider"], &told["eid"], &told["name"], &told["location"]),
        (&json!("broker-bankid"), &json!("mobilt"), &json!("eid-grind"), &json!("/app/ansokan"))
    );
    assert_eq!(told["url"], json!(bench.dev.url("/ansokan")), "the base_url keeps its path");
    let cookie = told["cookie"].as_str().unwrap();
    let all = bench.told_of("/ansokan", cookie).await;
    let one = |name: &str| all.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str());
    assert_eq!((one("x-eid-personal-number"), one("x-eid-method")), ("199001012385", "mobilt"));
    assert_eq!(one("x-eid-name"), "", "a route's `forward` is the whole of it");
    let seen = bench.seen.lock().unwrap().clone();
    assert_eq!((seen.target.as_str(), seen.one("x-personnummer")), ("/app/ansokan", "199001012385"));
    assert_eq!(seen.one("x-forwarded-user"), one("x-eid-subject"));
    let token = one("x-eid-assertion").split('.').nth(1).unwrap();
    let claims = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(token).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["aud"], &claims["iss"]), (&json!("grind"), &json!(bench.dev.url(""))));
    // The built-in persons with a foreign e-ID use whatever stands for the connector.
    let told = bench.login(&json!({ "person": "jurgen", "route": "/app/" })).await.json();
    assert_eq!((&told["provider"], &told["eid"]), (&json!("eu"), &json!("foreign")));
    assert_eq!(bench.get("/om", "").await.status, StatusCode::OK);
    let page = Browser::new().open(&bench.dev.url("/inloggning/logout")).await.unwrap();
    assert!(page.body.contains("Grindansökan"), "{}", page.body);
}

#[tokio::test]
async fn mistakes_in_the_developers_files_are_named_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let (upstream, _) = e_service().await;
    let problems = async |options: Options| -> Vec<String> {
        let program = Path::new(env!("CARGO_BIN_EXE_grindvakt"));
        let failed = match Plan::read(options) {
            Ok(plan) => Dev::start(program, plan).await.err(),
            Err(e) => Some(e),
        };
        match failed {
            Some(DevError::Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
            Some(other) => panic!("{other}"),
            None => panic!("it started"),
        }
    };
    let said = |path: &Path, rest: &str| format!("{}{rest}", path.display());

    let routes =
        ROUTES.replace("eid     = [\"freja\", \"bankid\"]", "eid     = [\"frejja\"]").replace("require", "requires");
    let file = write(&folder, "routes.toml", &routes);
    assert_eq!(
        problems(options(upstream, Routes::File(file.clone()))).await,
        [
            said(&file, ":8: route \"/ansokan/*\": `requires` is not known here; did you mean `require`?"),
            said(&file, ":9: route \"/ansokan/*\": `eid`: no [[provider]] has the eid \"frejja\""),
        ]
    );
    let none = folder.path().join("none.toml");
    for routes in [Routes::File(none.clone()), Routes::Config(vec![none.clone()])] {
        let told = problems(options(upstream, routes)).await;
        assert_eq!(told, [said(&none, ": cannot be read: No such file or directory (os error 2)")]);
    }
    let file = write(&folder, "persons.toml", "[[person]]\nid = \"bo\"\neid = \"frejja\"\n");
    let wrong = Options { persons: Some(file.clone()), ..options(upstream, Routes::Everything) };
    let e_ids = "bankid, freja, kort, siths, eidas";
    let said =
        said(&file, &format!(":3: person \"bo\": `eid`: \"frejja\" is none of {e_ids}; did you mean \"freja\"?"));
    assert_eq!(problems(wrong).await, [said]);
}

#[tokio::test]
async fn a_persons_file_is_the_whole_list() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[person]]\nid = \"bo\"\npersonal_number = \"199001012393\"\ngiven_name = \"Bo\"\nloa = \"loa4\"\n";
    let (upstream, seen) = e_service().await;
    let persons = Some(write(&folder, "persons.toml", text));
    let plan =
        Plan::read(Options { persons, ..options(upstream, Routes::Everything) }).unwrap_or_else(|e| panic!("{e}"));
    let dev = Dev::start(Path::new(env!("CARGO_BIN_EXE_grindvakt")), plan).await.unwrap_or_else(|e| panic!("{e}"));
    let bench = Bench { dev, seen };
    let all = send(Method::GET, &bench.dev.tool_url("/persons"), &[], "").await.json();
    let expected = json!({ "persons": [
        { "id": "bo", "name": "Bo", "about": "", "eid": ["bankid", "freja", "kort", "siths"], "loa": "loa4" }
    ] });
    assert_eq!(all, expected, "without an `eid` a person has every Swedish one");
    let told = bench.login(&json!({ "person": "bo" })).await.json();
    assert_eq!(told["loa"], json!("http://id.elegnamnden.se/loa/1.0/loa4"));
    assert_eq!(bench.login(&json!({ "person": "anna" })).await.json()["error"], json!("unknown_person"));
}

/// Goes on sending what browsers send by themselves.
async fn through(browser: &mut Browser, mut page: Page) -> Page {
    for _ in 0..4 {
        match page.forms().into_iter().find(|form| form.field("SAMLResponse").is_some()) {
            Some(form) => page = browser.submit(&page, &form).await.unwrap(),
            None => break,
        }
    }
    page
}

#[tokio::test]
async fn a_developer_logs_in_by_hand() {
    let bench = Bench::new(Routes::Everything).await;
    let mut browser = Browser::new();
    let home = browser.open(&bench.dev.tool_url("/")).await.unwrap();
    let policy = home.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert!(home.body.contains("Öberg-Sjöström") && !home.body.contains("<script"), "{}", home.body);

    let choose = browser.open(&bench.dev.url("/mina-sidor")).await.unwrap();
    assert_eq!(choose.status, StatusCode::OK);
    let buttons = choose.forms();
    assert_eq!(buttons.iter().filter(|form| form.field("eid").is_some()).count(), 5, "{buttons:?}");
    let button = |eid: &str| buttons.iter().find(|form| form.field("eid") == Some(eid)).unwrap();
    let pick = async |browser: &mut Browser, eid: &str, person: &str, outcome: &str| {
        let page = browser.submit(&choose, button(eid)).await.unwrap();
        let form = page.forms().into_iter().next().unwrap();
        assert_eq!(form.field("loa"), Some("own"), "a person's own level is what they log in at");
        let answer = browser.submit(&page, &form.fill("person", person).fill("outcome", outcome)).await.unwrap();
        through(browser, answer).await
    };
    let page = pick(&mut browser, "freja", "zoe", "cancel").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
    let page = pick(&mut browser, "freja", "zoe", "success").await;
    assert_eq!((page.url.as_str(), page.body.as_str()), (bench.dev.url("/mina-sidor").as_str(), "hello"));
    assert_eq!(bench.seen.lock().unwrap().one("x-eid-coordination-number"), "197010632391");

    // A switch on the tool's page breaks a provider, as it is, without a script.
    let form = home.forms().into_iter().find(|form| form.field("eid") == Some("siths-dev")).unwrap();
    let back = browser.submit(&home, &form.fill("state", "down")).await.unwrap();
    assert_eq!((back.status, back.url.as_str()), (StatusCode::OK, bench.dev.tool_url("/").as_str()));
    let siths = buttons.iter().find(|form| form.field("eid").is_some_and(|eid| eid.starts_with("siths"))).unwrap();
    assert!(browser.submit(&choose, siths).await.is_err(), "nobody answers there now");
}
