//! The e-services of docs/examples, in three languages, behind a real sidecar: one story for all (feature `peers`).
//!
//! T55: an application that believes whoever reaches its port. The examples believe the signed token and nothing else.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use grindvakt::base::{Clock as _, Secret, SystemClock};
use grindvakt::crypto::own::{SigningKey, generate_p256_pem};
use grindvakt_demo::Person;
use grindvakt_demo::dev::{Dev, Listen, Options, Plan, Routes};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::{BASE, Client, Reply, World};

/// A virtual machine may take its time to start on a busy computer.
const STARTING: Duration = Duration::from_secs(120);

/// An example: how it is started.
struct Example {
    language: &'static str,
    command: fn() -> Command,
}

const EXAMPLES: [Example; 3] = [
    Example { language: "Python", command: python },
    Example { language: "Node", command: node },
    Example { language: "Java", command: java },
];

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/examples").join(name)
}

/// A program of this machine, or a test that says what is missing.
fn program(name: &str, package: &str) -> Command {
    let there = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(
        there.is_ok_and(|status| status.success()),
        "{name} is missing; `make test` installs it (Debian: {package})"
    );
    Command::new(name)
}

fn python() -> Command {
    let python = std::env::var("GRINDVAKT_PEERS_PYTHON")
        .expect("GRINDVAKT_PEERS_PYTHON names the Python with PyJWT; `make test` sets it");
    let mut command = Command::new(python);
    command.arg(file("python/app.py"));
    command
}

fn node() -> Command {
    let mut command = program("node", "nodejs");
    command.arg(file("node/app.mjs"));
    command
}

fn java() -> Command {
    // The one file is compiled on the way, which takes the compiler.
    program("javac", "openjdk-17-jdk-headless");
    let mut command = program("java", "openjdk-17-jdk-headless");
    command.arg(file("java/App.java"));
    command
}

/// An example that runs; ended when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Starts an example at `port`, for the service `audience` at `issuer` behind `sidecar`; none when it ends at once.
    async fn start(
        example: &Example,
        port: SocketAddr,
        issuer: &str,
        audience: &str,
        sidecar: SocketAddr,
    ) -> Option<Self> {
        let child = (example.command)()
            .env("PORT", port.port().to_string())
            .env("EID_ISSUER", issuer)
            .env("EID_AUDIENCE", audience)
            .env("EID_JWKS", format!("http://{sidecar}/eid/jwks.json"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", example.language));
        let mut process = Self(child);
        let began = Instant::now();
        while TcpStream::connect(port).await.is_err() {
            if process.0.try_wait().unwrap().is_some() || began.elapsed() > STARTING {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(process)
    }
}

/// A port that is free until somebody else is quicker.
async fn free_port() -> SocketAddr {
    tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
}

/// An example, and the sidecar in front of it.
struct Running {
    _process: Process,
    world: World,
    /// The example's own port, which only the sidecar should reach.
    port: SocketAddr,
}

impl Running {
    async fn new(example: &Example) -> Self {
        // Somebody may be quicker to take the port.
        for _ in 0..3 {
            if let Some(running) = Self::try_start(example).await {
                return running;
            }
        }
        panic!("the {} example does not start", example.language);
    }

    async fn try_start(example: &Example) -> Option<Self> {
        let port = free_port().await;
        let route = "[[route]]\npath = \"/*\"\nforward = [\"name\", \"loa\"]\n";
        let world = World::with_upstream(route, port).await;
        let process = Process::start(example, port, BASE, "etjanst", world.public()).await?;
        Some(Self { _process: process, world, port })
    }

    /// Logs `person` in at this client, and shows them the front page.
    async fn log_in(&self, client: &mut Client, person: &Person) -> Reply {
        let (request, relay_state) = client.begin(&self.world, "/").await;
        let response = self.world.idp.response(&request).person(person).at(SystemClock.now()).build();
        let reply = client.answer(&response, &relay_state).await;
        assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/"), "{}", reply.body);
        let reply = client.get("/").await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        reply
    }

    /// A request straight to the example's port, past the sidecar.
    async fn straight(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut client = Client::new(self.port);
        let form = [("content-type", "application/x-www-form-urlencoded")];
        client.send(method, path, &[headers, &form].concat(), body).await
    }
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// The sidecar's own token key, in the hands of a test: to make what it would never make.
struct Mint {
    key: SigningKey,
    kid: String,
    /// The public key as PEM: what a verifier that is led to HMAC would take for the secret.
    public_pem: String,
}

impl Mint {
    async fn new(world: &World) -> Self {
        let pem = std::fs::read(world.folder.path().join("identity.pem")).unwrap();
        let key = SigningKey::from_pem(&Secret::new(pem), "token").unwrap();
        let jwks: Value = serde_json::from_str(&Client::new(world.public()).get("/eid/jwks.json").await.body).unwrap();
        // SubjectPublicKeyInfo of P-256 (RFC 5480): the same 26 bytes before every point, then the point.
        let head = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
        let body = head.to_owned() + &base64_simd::STANDARD.encode_to_string(key.p256_point().unwrap());
        let public_pem =
            format!("-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n", &body[..64], &body[64..]);
        Self { key, kid: jwks["keys"][0]["kid"].as_str().unwrap().to_owned(), public_pem }
    }

    fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "grindvakt+jwt", "kid": self.kid })
    }

    /// A token that says `claims` under `header`, signed by `sign`.
    fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let signed = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = sign(signed.as_bytes());
        format!("{signed}.{}", base64url(signature))
    }

    /// Signed by the real key.
    fn real(&self, header: &Value, claims: &Value) -> String {
        Self::token(header, claims, |text| self.key.sign(text).unwrap())
    }
}

fn with(mut value: Value, key: &str, other: Value) -> Value {
    value[key] = other;
    value
}

fn without(mut value: Value, key: &str) -> Value {
    value.as_object_mut().unwrap().remove(key);
    value
}

/// What the page and the headers of an answer hold together.
fn everything(reply: &Reply) -> String {
    let headers: Vec<String> =
        reply.headers.iter().map(|(n, v)| format!("{n}: {}", String::from_utf8_lossy(v.as_bytes()))).collect();
    format!("{}\n{}", headers.join("\n"), reply.body)
}

/// A logs in, logs out, and B logs in at the same browser: not a byte of A.
async fn one_after_the_other(running: &Running) {
    let asa = Person::new("195006262546", "Åsa", "Öberg");
    let nils = Person::new("195207306886", "Nils", "Ström");
    let mut browser = Client::new(running.world.public());

    let page = running.log_in(&mut browser, &asa).await;
    assert!(page.body.contains("<strong>Åsa Öberg</strong>"), "{}", page.body);
    assert!(page.body.contains("http://id.elegnamnden.se/loa/1.0/loa3"), "{}", page.body);
    let set = page.set_cookies();
    let app = set.iter().find(|cookie| cookie.starts_with("app=")).expect("a session of its own");
    assert!(app.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{app}");
    let first = browser.cookies["app"].clone();

    let reply = browser.post("/anteckning", &[("text", "hemligt om grinden")]).await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, format!("{BASE}/").as_str()));
    let page = browser.get("/").await;
    assert!(page.body.contains("<li>hemligt om grinden</li>"), "{}", page.body);
    assert_eq!(browser.cookies["app"], first, "one login, one session");
    assert_eq!(page.header("cache-control"), "private, no-store");

    // A form of another site is not taken in Åsa's name.
    let reply = browser.send(Method::POST, "/anteckning", &[("origin", "https://evil.example")], "text=x").await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    let own = [("origin", BASE), ("content-type", "application/x-www-form-urlencoded")];
    let reply = browser.send(Method::POST, "/anteckning", &own, "text=eget").await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);

    let reply = browser.send(Method::POST, "/eid/logout", &[("sec-fetch-site", "same-origin")], "").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    assert_eq!(browser.cookies["app"], first, "the application's cookie is still in the browser");

    let page = running.log_in(&mut browser, &nils).await;
    assert!(page.body.contains("<strong>Nils Ström</strong>"), "{}", page.body);
    let (page, again) = (everything(&page), everything(&browser.get("/").await));
    for trace in ["Åsa", "Öberg", "hemligt", "grinden", "eget", first.as_str()] {
        assert!(!page.contains(trace) && !again.contains(trace), "{trace} in\n{page}\n{again}");
    }
    assert_ne!(browser.cookies["app"], first);

    // Without a logout in between the same holds: the login decides, not what the person pressed.
    let reply = browser.post("/anteckning", &[("text", "av Nils")]).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    let page = running.log_in(&mut browser, &asa).await;
    assert!(page.body.contains("Åsa Öberg") && !everything(&page).contains("Nils"), "{}", page.body);

    // And a name is text, whatever is in it.
    let page = running.log_in(&mut browser, &Person::new("195207306886", "<script>\"&'", "</strong>")).await;
    assert!(page.body.contains("<strong>&lt;script&gt;&quot;&amp;&#"), "{}", page.body);
}

/// Whoever reaches the port brings nothing in but a token that the sidecar signed for this service, now.
async fn forged(running: &Running) {
    let mint = Mint::new(&running.world).await;
    let now = SystemClock.now().as_secs();
    let good = json!({
        "iss": BASE, "aud": "etjanst", "sub": "personal-number:abc", "sid": "en-session", "iat": now, "exp": now + 300,
        "provider": "bankid-a", "auth_time": now, "name": "Eva Dahl",
    });
    let header = mint.header();
    // What the table changes is what is refused: the same token unchanged is let in.
    let valid = mint.real(&header, &good);
    let reply = running.straight(Method::GET, "/", &[("x-eid-assertion", &valid)], "").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    assert!(reply.body.contains("Eva Dahl"), "{}", reply.body);

    let stranger = generate_p256_pem().unwrap().expose().clone().into_bytes();
    let stranger = SigningKey::from_pem(&Secret::new(stranger), "stranger").unwrap();
    let hmac = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, mint.public_pem.as_bytes());
    let tampered = {
        let parts: Vec<&str> = valid.split('.').collect();
        let claims = with(good.clone(), "sub", json!("personal-number:someone-else"));
        format!("{}.{}.{}", parts[0], base64url(claims.to_string()), parts[2])
    };
    let jwk = {
        let (x, y) = stranger.p256_point().unwrap().split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y) })
    };
    let by_stranger = |header: &Value| Mint::token(header, &good, |text| stranger.sign(text).unwrap());
    let tokens = [
        ("alg none", Mint::token(&with(header.clone(), "alg", json!("none")), &good, |_| Vec::new())),
        ("alg None", Mint::token(&with(header.clone(), "alg", json!("None")), &good, |_| Vec::new())),
        ("ES256 unsigned", Mint::token(&header, &good, |_| Vec::new())),
        ("a signature of zeros", Mint::token(&header, &good, |_| vec![0; 64])),
        (
            "HS256 with the public key",
            Mint::token(&with(header.clone(), "alg", json!("HS256")), &good, |text| {
                ring::hmac::sign(&hmac, text).as_ref().to_vec()
            }),
        ),
        ("another key", by_stranger(&header)),
        ("an unknown kid", by_stranger(&with(header.clone(), "kid", json!("stranger")))),
        ("no kid", mint.real(&without(header.clone(), "kid"), &good)),
        ("a kid that is no text", mint.real(&with(header.clone(), "kid", json!(1)), &good)),
        ("its own key along", by_stranger(&with(header.clone(), "jwk", jwk))),
        ("another kind of token", mint.real(&with(header.clone(), "typ", json!("JWT")), &good)),
        ("no typ", mint.real(&without(header.clone(), "typ"), &good)),
        ("changed after signing", tampered),
        ("expired", mint.real(&header, &with(good.clone(), "exp", json!(now - 120)))),
        ("no exp", mint.real(&header, &without(good.clone(), "exp"))),
        ("exp as a text", mint.real(&header, &with(good.clone(), "exp", json!((now + 300).to_string())))),
        ("from the future", mint.real(&header, &with(good.clone(), "iat", json!(now + 3600)))),
        ("no iat", mint.real(&header, &without(good.clone(), "iat"))),
        ("for another service", mint.real(&header, &with(good.clone(), "aud", json!("annan")))),
        ("for several services", mint.real(&header, &with(good.clone(), "aud", json!(["etjanst", "annan"])))),
        ("no aud", mint.real(&header, &without(good.clone(), "aud"))),
        ("of another issuer", mint.real(&header, &with(good.clone(), "iss", json!("https://annan.example.se")))),
        ("no iss", mint.real(&header, &without(good.clone(), "iss"))),
        ("no sub", mint.real(&header, &without(good.clone(), "sub"))),
        ("an empty sub", mint.real(&header, &with(good.clone(), "sub", json!("")))),
        ("no sid", mint.real(&header, &without(good.clone(), "sid"))),
        ("a sid that is no text", mint.real(&header, &with(good.clone(), "sid", json!(7)))),
        ("claims that are no object", Mint::token(&header, &json!([good]), |text| mint.key.sign(text).unwrap())),
        ("empty", String::new()),
        ("garbage", "x".to_owned()),
        ("two dots", "..".to_owned()),
        ("four parts", format!("{valid}.x")),
    ];
    for (what, token) in &tokens {
        let reply = running.straight(Method::GET, "/", &[("x-eid-assertion", token)], "").await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{what}: {}", reply.body);
        assert!(!everything(&reply).contains("Eva") && reply.set_cookies().is_empty(), "{what}");
    }
    // Plain headers say nothing, and two tokens are none.
    let plain =
        [("x-eid-subject", "personal-number:abc"), ("x-eid-session", "en-session"), ("x-eid-name", "Eva%20Dahl")];
    let twice = [("x-eid-assertion", valid.as_str()), ("x-eid-assertion", valid.as_str())];
    for headers in [&[][..], &plain, &twice] {
        let reply = running.straight(Method::GET, "/", headers, "").await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{headers:?}: {}", reply.body);
    }
    // A visitor who is let in cannot turn the way back to another host either.
    let lured = [
        ("x-eid-assertion", valid.as_str()),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.example"),
    ];
    let reply = running.straight(Method::POST, "/anteckning", &lured, "text=x").await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, format!("{BASE}/").as_str()));
}

/// A new token key at the sidecar: the example asks for the keys again and goes on.
async fn roll_over(running: &mut Running) {
    let pem = generate_p256_pem().unwrap();
    std::fs::write(running.world.folder.path().join("identity.pem"), pem.expose()).unwrap();
    let address = running.world.public();
    let same_port = |text: &str| text.replacen("public = \"127.0.0.1:0\"", &format!("public = \"{address}\""), 1);
    running.world.configure(same_port).await;
    let mut browser = Client::new(address);
    let (request, relay_state) = browser.begin(&running.world, "/").await;
    let response = running.world.idp.response(&request).at(SystemClock.now()).build();
    browser.answer(&response, &relay_state).await;
    // Keys are asked for every few seconds at the most, whatever tokens come in.
    let began = Instant::now();
    loop {
        let page = browser.get("/").await;
        if page.status == StatusCode::OK {
            assert!(page.body.contains("Åsa Märta Öberg"), "{}", page.body);
            return;
        }
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{}", page.body);
        assert!(began.elapsed() < Duration::from_secs(30), "the new key was never asked for");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn example(language: &str) -> &'static Example {
    EXAMPLES.iter().find(|example| example.language == language).unwrap()
}

async fn story(language: &str) {
    let mut running = Running::new(example(language)).await;
    one_after_the_other(&running).await;
    forged(&running).await;
    roll_over(&mut running).await;
}

#[tokio::test]
async fn the_python_example_lets_one_person_after_the_other_in_and_nobody_else() {
    story("Python").await;
}

#[tokio::test]
async fn the_node_example_lets_one_person_after_the_other_in_and_nobody_else() {
    story("Node").await;
}

#[tokio::test]
async fn the_java_example_lets_one_person_after_the_other_in_and_nobody_else() {
    story("Java").await;
}

/// The example of a service's own tests, against an example behind `grindvakt-demo dev`.
#[tokio::test]
async fn the_example_of_a_test_suite_passes_behind_the_development_tool() {
    for attempt in 0..3 {
        let port = free_port().await;
        let options = Options {
            upstream: format!("http://{port}").parse().unwrap(),
            listen: Listen::new(0),
            tool: None,
            persons: None,
            routes: Routes::Everything,
            quiet: true,
        };
        let plan = Plan::read(options).unwrap_or_else(|e| panic!("{e}"));
        let dev = Dev::start(Path::new(env!("CARGO_BIN_EXE_grindvakt")), plan).await.unwrap_or_else(|e| panic!("{e}"));
        // The same ports by address: an old Node takes localhost for ::1.
        let local = |url: String| url.replace("localhost", "127.0.0.1");
        let (service, tool) = (local(dev.url("")), local(dev.tool_url("")));
        let sidecar = service.strip_prefix("http://").unwrap().parse().unwrap();
        let Some(_process) = Process::start(example("Node"), port, &dev.url(""), "dev", sidecar).await else {
            assert!(attempt < 2, "the Node example does not start");
            continue;
        };
        let suite = Command::new("node")
            .arg("--test")
            .arg("--test-reporter=tap")
            .arg(file("node/app.test.mjs"))
            .env("SERVICE", service)
            .env("TOOL", tool)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut suite = Process(suite);
        let began = Instant::now();
        let status = loop {
            if let Some(status) = suite.0.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < STARTING, "the suite does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let mut said = String::new();
        suite.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(status.success() && said.contains("# pass 5") && said.contains("# fail 0"), "{said}");
        return;
    }
}
