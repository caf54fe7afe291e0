//! Known persons are put into everything that a request can bring, and then looked for in everything that comes out: the
//! log, the metrics, the status, every page, and what commands print.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use grindvakt::base::{Clock as _, SystemClock};
use grindvakt_demo::person::PERSONS;
use grindvakt_demo::{Outcome, Person};
use http::{Method, StatusCode};
use serde_json::json;

use crate::support::process::Process;
use crate::support::tokens::TokenKey;
use crate::support::{Client, World};

/// Of the numbers that the Swedish Tax Agency publishes for testing.
const NUMBER: &str = "195006262546";

/// In every form in which somebody could write it.
const FORMS: [&str; 4] = ["195006262546", "19500626-2546", "5006262546", "500626-2546"];

/// What a NameID, a name, a `sub` and cookies look like.
const WORDS: [&str; 7] = ["Åsa", "Öberg", "%C3%85sa", "name-id-of-asa", "sub-of-asa", "cookie-of-asa", "agent-of-asa"];

fn person() -> Person {
    Person::new(NUMBER, "Åsa", "Öberg")
}

const CONFIG: &str = r#"
[[provider]]
id = "api"
protocol = "jwt"
issuer = "https://as.example.se"
audience = "https://etjanst.example.se/api"
jwks_file = "api.json"
[[route]]
path = "/api/*"
bearer = ["api"]
require = ["personal_number"]
forward = ["personal_number"]
"#;

/// Everything that a person could be found in.
struct Outputs(Vec<(String, String)>);

impl Outputs {
    fn add(&mut self, from: impl Into<String>, text: impl Into<String>) {
        self.0.push((from.into(), text.into()));
    }

    /// Fails with every place in which somebody is.
    fn hold_nobody(&self) {
        let mut words: Vec<String> = FORMS.iter().chain(&WORDS).map(|word| (*word).to_owned()).collect();
        words.extend(PERSONS.iter().filter_map(|person| person.number.as_deref().map(str::to_owned)));
        let mut found = BTreeSet::new();
        for (from, text) in &self.0 {
            for word in words.iter().filter(|word| text.contains(word.as_str())) {
                let at = text.find(word.as_str()).unwrap();
                let (begin, end) = (text.floor_char_boundary(at.saturating_sub(80)), text.ceil_char_boundary(at + 80));
                found.insert(format!("{from}: …{}…", &text[begin..end.min(text.len())]));
            }
        }
        assert!(found.is_empty(), "{} places:\n{}", found.len(), found.into_iter().collect::<Vec<_>>().join("\n"));
    }
}

/// A client in whose every header the person is.
fn client(process: &Process) -> Client {
    let mut client = Client::new(process.public);
    for (name, value) in [
        ("user-agent", "agent-of-asa 195006262546"),
        ("referer", "https://etjanst.example.se/arende/195006262546?namn=%C3%85sa"),
        ("x-eid-personal-number", NUMBER),
        ("x_eid_subject", "sub-of-asa"),
        ("x-forwarded-for", "19500626-2546"),
        ("x-forwarded-user", "sub-of-asa"),
        ("from", "name-id-of-asa@example.se"),
        ("traceparent", "00-19500626254619500626254619500626-1950062625461950-01"),
        ("tracestate", "vendor=195006262546"),
        ("baggage", "person=195006262546"),
    ] {
        client.headers.push((name.into(), value.into()));
    }
    client.cookies.insert("app".into(), "cookie-of-asa-195006262546".into());
    client.cookies.insert("__Host-eid-etjanst".into(), "cookie-of-asa".into());
    client.cookies.insert("__Host-eid-etjanst-195006262546".into(), "cookie-of-asa".into());
    client
}

/// Requests that lead to every kind of answer.
async fn visit(process: &Process, out: &mut Outputs) {
    for (method, target) in [
        (Method::GET, "/ansokan/195006262546"),
        (Method::GET, "/ansokan/%C3%85sa/19500626-2546?pnr=195006262546"),
        (Method::GET, "/om/195006262546?q=500626-2546"),
        (Method::GET, "/om/a\\195006262546"),
        (Method::GET, "/om/%2e%2e/195006262546"),
        (Method::POST, "/ansokan/195006262546"),
        (Method::TRACE, "/ansokan/195006262546"),
        (Method::GET, "/eid/195006262546"),
        (Method::GET, "/eid/login?rd=/ansokan/195006262546&eid=195006262546"),
        (Method::GET, "/eid/login?rd=https://evil.example/195006262546"),
        (Method::GET, "/eid/session?195006262546"),
        (Method::POST, "/eid/saml/acs?195006262546"),
        (Method::PUT, "/eid/logout?195006262546"),
    ] {
        for xhr in [false, true] {
            let mut client = client(process);
            if xhr {
                client.headers.retain(|(name, _)| name != "accept");
                client.headers.push(("accept".into(), "application/json".into()));
            }
            let reply = client.send(method.clone(), target, &[], "").await;
            // Where a login leads back to is the visitor's own address: it goes to them alone.
            let own_way = target.contains("rd=") || target.starts_with("/ansokan");
            if !own_way || !reply.status.is_redirection() && !reply.body.contains("/eid/login?") {
                out.add(format!("the answer to {method} {target}"), reply.body);
            }
        }
    }
}

/// Logins that end in every way.
async fn log_in(process: &Process, world: &World, out: &mut Outputs) {
    for outcome in Outcome::ALL {
        let mut client = client(process);
        let (request, relay_state) = client.begin(world, "/ansokan/1").await;
        let now = SystemClock.now();
        let response = world.idp.response(&request).person(&person()).outcome(outcome).at(now).build();
        let reply = client.answer(&response, &relay_state).await;
        if outcome == Outcome::Success {
            assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
            let page = client.get("/ansokan/195006262546").await;
            assert_eq!(page.status, StatusCode::OK);
            // Once more, and what is left of it afterwards.
            out.add("a replay", client.answer(&response, &relay_state).await.body);
            out.add("the session", client.get("/eid/session").await.body);
            let same_origin = [("sec-fetch-site", "same-origin")];
            out.add("a logout", client.send(Method::POST, "/eid/logout", &same_origin, "").await.body);
        }
        out.add(format!("the page after {}", outcome.name()), reply.body);
    }
}

/// Messages in which the person stands where none belongs.
async fn disguise(process: &Process, world: &World, out: &mut Outputs) {
    let mut client = client(process);
    let (request, relay_state) = client.begin(world, "/ansokan/1").await;
    let good = world.idp.response(&request).person(&person()).at(SystemClock.now()).build();
    for (from, to) in [
        ("https://bankid.example.com/idp", "https://idp.example/195006262546"),
        ("https://etjanst.example.se/eid/saml/acs", "https://etjanst.example.se/195006262546"),
        ("https://etjanst.example.se/sp", "19500626-2546"),
        ("urn:oasis:names:tc:SAML:2.0:status:Success", "urn:195006262546"),
        ("urn:oasis:names:tc:SAML:2.0:cm:bearer", "urn:195006262546"),
        ("Version=\"2.0\"", "Version=\"195006262546\""),
        (" ID=\"", " ID=\"_195006262546"),
        ("InResponseTo=\"", "InResponseTo=\"_195006262546"),
        ("IssueInstant=\"", "IssueInstant=\"195006262546"),
        ("NotOnOrAfter=\"", "NotOnOrAfter=\"195006262546"),
        ("Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"", "Algorithm=\"urn:195006262546\""),
        ("<saml2:Subject>", "<saml2:Subject195006262546>"),
        ("<saml:Subject>", "<saml:Subject195006262546>"),
        ("</", "</195006262546"),
        ("URI=\"#", "URI=\"#195006262546"),
    ] {
        let changed = good.replace(from, to);
        if changed != good {
            let reply = client.clone().answer(&changed, &relay_state).await;
            assert!(reply.status.is_client_error(), "{from}: {}", reply.status);
            out.add(format!("{from} changed"), reply.body);
        }
    }
    for (name, value) in [
        ("SAMLResponse", NUMBER),
        ("SAMLResponse", "%C3%85sa"),
        ("RelayState", NUMBER),
        ("195006262546", "195006262546"),
    ] {
        out.add("a form", client.clone().post("/eid/saml/acs", &[(name, value)]).await.body);
    }
    // Every vector of messages: most of them hold persons, in every shape that a refusal can speak of.
    let vectors = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/saml");
    let mut sent = 0;
    for vector in std::fs::read_dir(vectors).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(text) = std::fs::read_to_string(&vector) else { continue };
        if vector.extension().is_some_and(|e| e == "xml") && text.len() < 100_000 {
            out.add(vector.display().to_string(), client.clone().answer(&text, &relay_state).await.body);
            sent += 1;
        }
    }
    assert!(sent > 500, "only {sent} vectors were sent");
}

/// Bearer tokens that say who somebody is.
async fn present(process: &Process, key: &TokenKey, out: &mut Outputs) {
    let now = SystemClock.now().as_secs();
    let good = json!({
        "iss": "https://as.example.se", "aud": "https://etjanst.example.se/api", "sub": "sub-of-asa",
        "client_id": "c", "jti": NUMBER, "iat": now, "exp": now + 60, "name": "Åsa Öberg",
        "https://id.oidc.se/claim/personalIdentityNumber": NUMBER,
    });
    for (claim, value) in [
        ("nothing", json!(1)),
        ("iss", json!("https://as.example.se/195006262546")),
        ("aud", json!(NUMBER)),
        ("exp", json!(195_006_262_546_i64 - 400_000_000_000)),
        ("https://id.oidc.se/claim/personalIdentityNumber", json!("195006262545")),
        ("scope", json!(195_006_262_546_i64)),
    ] {
        let mut claims = good.clone();
        claims[claim] = value;
        let token = key.access_token(&claims);
        for authorization in [format!("Bearer {token}"), format!("Bearer {NUMBER}"), format!("Bearer {token}x")] {
            let mut client = client(process).xhr();
            client.cookies.clear();
            client.headers.push(("authorization".into(), authorization));
            out.add(format!("a token: {claim}"), client.get("/api/195006262546").await.body);
        }
    }
}

/// Every document that an operator can look at.
async fn look(process: &Process, out: &mut Outputs) {
    for path in ["/metrics", "/status", "/status?json", "/readyz", "/195006262546"] {
        let reply = Client::new(process.admin).get(path).await;
        out.add(path, reply.body);
    }
    for line in process.told() {
        out.add("the log", line);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_found_in_anything_that_comes_out() {
    let key = TokenKey::new("api-1");
    let mut world = World::with_files(CONFIG, &[("api.json".to_owned(), key.jwks())]).await;
    world.write("human.toml", &format!("log = \"human\"\n{}", world.config()));
    // Its levels are told apart by what is written, not by how much; and its form, for machines and for people, by how.
    for (config, level) in [("grindvakt.toml", "info"), ("grindvakt.toml", "trace"), ("human.toml", "trace")] {
        let process = Process::start_as(world.folder.path(), config, &[("RUST_LOG", level)]);
        let mut out = Outputs(Vec::new());
        visit(&process, &mut out).await;
        log_in(&process, &world, &mut out).await;
        disguise(&process, &world, &mut out).await;
        present(&process, &key, &mut out).await;
        look(&process, &mut out).await;
        assert!(process.has_told("login_finished") && process.has_told("login_refused"));
        let lines = process.told();
        assert!(lines.len() > 300, "{config} {level}: only {} lines", lines.len());
        let for_people =
            lines.iter().filter(|line| line.starts_with("{\"line\":") || line.contains(",\"line\":")).count();
        assert_eq!(for_people, if config == "human.toml" { lines.len() } else { 0 }, "{config}: the form of its lines");
        // The trace is passed on, and its lines are found by it: it was of the right form, and is nobody's number.
        let said = if config == "human.toml" { " trace_id=" } else { "\"trace_id\":" };
        let of_the_trace = lines.iter().filter(|line| line.contains(said)).count();
        assert!(of_the_trace > 100, "{config} {level}: only {of_the_trace} lines say their trace");
        let Outputs(found) = out;
        // The id of the trace is what the caller chose: 32 hexadecimal digits.
        let trace = "19500626254619500626254619500626";
        Outputs(found.into_iter().map(|(from, text)| (from, text.replace(trace, "the trace"))).collect()).hold_nobody();
    }
    world.stop().await;
}

/// What commands print of a message, unless they are asked for the identity.
#[tokio::test(flavor = "multi_thread")]
async fn commands_name_nobody_unless_they_are_asked_to() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    let mut out = Outputs(Vec::new());
    for outcome in Outcome::ALL {
        let (request, _) = client.begin(&world, "/ansokan/1").await;
        let now = SystemClock.now();
        let response = world.idp.response(&request).person(&person()).outcome(outcome).at(now).build();
        let file = world.folder.path().join("response.xml");
        std::fs::write(&file, response).unwrap();
        let printed = Command::new(env!("CARGO_BIN_EXE_grindvakt"))
            .args(["verify", "--config", "grindvakt.toml", "--in-response-to", &request.id, "response.xml"])
            .current_dir(world.folder.path())
            .output()
            .unwrap();
        let verdict = String::from_utf8_lossy(&printed.stdout).contains("\"verdict\": \"");
        assert!(verdict, "{}: {printed:?}", outcome.name());
        println!("{}: {}", outcome.name(), printed.status);
        out.add(format!("verify: {}", outcome.name()), String::from_utf8_lossy(&printed.stdout));
        out.add(format!("verify: {}", outcome.name()), String::from_utf8_lossy(&printed.stderr));
    }
    out.hold_nobody();
}
