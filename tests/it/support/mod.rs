//! A sidecar with an e-service behind it and a provider beside it, and a client that keeps cookies.

#[cfg(feature = "peers")]
pub mod browser;
#[cfg(feature = "peers")]
pub mod eyes;
pub mod openid;
#[cfg(feature = "peers")]
pub mod png;
#[cfg(feature = "peers")]
pub mod previous;
pub mod process;
#[cfg(feature = "peers")]
pub mod program;
pub mod raw;
#[cfg(feature = "peers")]
pub mod redis;
#[cfg(feature = "peers")]
pub mod relay;
pub mod remote;
pub mod service;
pub mod stand;
#[cfg(feature = "peers")]
pub mod tls;
pub mod tokens;
#[cfg(feature = "peers")]
pub mod web;
#[cfg(feature = "peers")]
pub mod webdriver;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use grindvakt::app::{self, Running};
use grindvakt::base::{Clock as _, SystemClock};
use grindvakt::config::load;
use grindvakt::crypto::own::generate_p256_pem;
use grindvakt_demo::{DemoIdp, Feed, KnownService, Request};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

/// What the e-service was sent: the last request that reached it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    /// Every value of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    /// The one value of a header.
    pub fn one(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name}: {all:?} of {:?}", self.headers);
        all[0]
    }
}

/// An e-service that remembers what it was sent, answers `hello`, and tries to set our cookie.
pub async fn e_service() -> (SocketAddr, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let remembered = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let remembered = Arc::clone(&remembered);
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let remembered = Arc::clone(&remembered);
                async move {
                    let (parts, body) = request.into_parts();
                    let headers = parts.headers.iter();
                    let headers =
                        headers.map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
                    let headers = headers.collect();
                    let body = body.collect().await.unwrap().to_bytes().to_vec();
                    *remembered.lock().unwrap() = Seen { target: parts.uri.to_string(), headers, body };
                    http::Response::builder()
                        .header("set-cookie", "__Host-eid-etjanst=planted; Path=/")
                        .header("set-cookie", "app=1")
                        .header("connection", "x-hop")
                        .header("x-hop", "1")
                        .body(Full::new(Bytes::from_static(b"hello")))
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, seen)
}

/// A sidecar, its files and its provider.
pub struct World {
    pub idp: DemoIdp,
    pub other: DemoIdp,
    pub running: Option<Running>,
    pub seen: Arc<Mutex<Seen>>,
    pub folder: TempDir,
    config: String,
}

pub const BASE: &str = "https://etjanst.example.se";

impl World {
    /// Starts one. `more` goes into the configuration, `routes` is replaced by the common ones when empty.
    pub async fn new(more: &str) -> Self {
        let (upstream, seen) = e_service().await;
        Self::set_up(more, upstream, seen, &[])
    }

    /// Starts one with more files beside its configuration.
    pub async fn with_files(more: &str, files: &[(String, String)]) -> Self {
        let (upstream, seen) = e_service().await;
        Self::set_up(more, upstream, seen, files)
    }

    /// Starts one in front of another e-service than the common one.
    pub async fn with_upstream(more: &str, upstream: SocketAddr) -> Self {
        Self::set_up(more, upstream, Arc::default(), &[])
    }

    fn set_up(more: &str, upstream: SocketAddr, seen: Arc<Mutex<Seen>>, files: &[(String, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let idp = DemoIdp::new("https://bankid.example.com/idp", "https://bankid.example.com").named("BankID");
        let other =
            DemoIdp::new("https://freja.example.org/idp", "https://freja.example.org").certified(&["loa2", "loa3"]);
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("feed.xml"), Feed::new().idp(&idp).idp(&other).build()).unwrap();
        for name in ["sp.pem", "identity.pem"] {
            std::fs::write(path(name), generate_p256_pem().unwrap().expose()).unwrap();
        }
        for (name, byte) in [("session.key", 1u8), ("digest.key", 2)] {
            let key: Vec<u8> = (0..32).map(|i| i ^ byte).collect();
            std::fs::write(path(name), base64_simd::STANDARD.encode_to_string(key)).unwrap();
        }
        let config = format!(
            r#"environment = "test"
[service]
id = "etjanst"
entity_id = "{BASE}/sp"
base_url = "{BASE}"
upstream = "http://{upstream}"
forward = ["loa", "eid"]
[listen]
public = "127.0.0.1:0"
admin = "127.0.0.1:0"
shutdown_delay = "0s"
drain_timeout = "5s"
[store]
single_replica = true
[keys]
signing = ["sp.pem"]
sealing = ["session.key"]
digest = "digest.key"
identity_token = "identity.pem"
[[metadata]]
id = "feed"
file = "feed.xml"
[[provider]]
id = "bankid-a"
eid = "bankid"
label = "BankID"
protocol = "saml"
entity_id = "https://bankid.example.com/idp"
metadata = "feed"
encryption = "optional"
[[provider]]
id = "freja"
eid = "freja"
label = "Freja"
protocol = "saml"
entity_id = "https://freja.example.org/idp"
metadata = "feed"
encryption = "optional"
binding = "post"
[[route]]
path = "/ansokan/*"
loa = ["loa3", "uncertified-loa3"]
require = ["personal_number"]
forward = ["personal_number", "name", "loa", "eid"]
[[route]]
path = "/hog/*"
loa = ["loa4"]
[[route]]
path = "/lag/*"
loa = ["loa2"]
eid = ["freja"]
[[route]]
path = "/om/*"
access = "anonymous"
{more}
"#
        );
        let mut world = Self { idp, other, running: None, seen, folder, config };
        world.start();
        world
    }

    /// Starts the sidecar from its files.
    pub fn start(&mut self) {
        let path = self.folder.path().join("grindvakt.toml");
        std::fs::write(&path, &self.config).unwrap();
        let paths = [path];
        let config = load(&paths).unwrap_or_else(|problems| panic!("{problems:#?}"));
        self.running = Some(app::start(config, &paths).unwrap());
    }

    /// The configuration, as it stands in its file.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// Starts it again with another configuration.
    pub async fn configure(&mut self, change: impl FnOnce(&str) -> String) {
        self.config = change(&self.config);
        self.stop().await;
        self.start();
    }

    /// Changes the configuration's file under the running sidecar.
    pub fn rewrite(&mut self, change: impl FnOnce(&str) -> String) {
        self.config = change(&self.config);
        self.write("grindvakt.toml", &self.config);
    }

    /// Puts a file in place at once, as every careful writer does.
    pub fn write(&self, name: &str, text: &str) {
        let part = self.folder.path().join("part");
        std::fs::write(&part, text).unwrap();
        std::fs::rename(part, self.folder.path().join(name)).unwrap();
    }

    /// Stops it, in order.
    pub async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        tokio::task::spawn_blocking(move || running.shutdown()).await.unwrap();
    }

    pub fn public(&self) -> SocketAddr {
        self.running.as_ref().unwrap().public()
    }

    pub fn admin(&self) -> SocketAddr {
        self.running.as_ref().unwrap().admin()
    }

    /// The last request that the e-service got.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// The service as providers know it.
    pub async fn known(&self) -> KnownService {
        let reply = Client::new(self.public()).get("/eid/saml/metadata").await;
        KnownService::from_metadata(&reply.body).unwrap()
    }
}

/// Polls until `holds`, for `seconds` at the most.
pub async fn eventually<F: Future<Output = bool>>(seconds: u64, what: &str, mut holds: impl FnMut() -> F) {
    let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "not within {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The value of a metric, by its name with its labels.
pub async fn metric(admin: SocketAddr, name: &str) -> f64 {
    let text = Client::new(admin).get("/metrics").await.body;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect()
    }
}

/// A client that keeps cookies as one host's browser would, and says that a person navigates unless told otherwise.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub cookies: BTreeMap<String, String>,
    pub headers: Vec<(String, String)>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, cookies: BTreeMap::new(), headers: vec![("accept".into(), "text/html".into())] }
    }

    /// A script of a page, not a person.
    #[must_use]
    pub fn xhr(mut self) -> Self {
        self.headers = vec![("accept".into(), "application/json".into()), ("sec-fetch-mode".into(), "cors".into())];
        self
    }

    /// Its cookies, as the `Cookie` header has them.
    pub fn cookie(&self) -> String {
        self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; ")
    }

    pub async fn get(&mut self, target: &str) -> Reply {
        self.send(Method::GET, target, &[], "").await
    }

    pub async fn post(&mut self, target: &str, form: &[(&str, &str)]) -> Reply {
        let body = grindvakt_demo::form::encode(form.iter().copied());
        self.send(Method::POST, target, &[("content-type", "application/x-www-form-urlencoded")], &body).await
    }

    pub async fn send(&mut self, method: Method, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = http::Request::builder().method(method).uri(target).header("host", "etjanst.example.se");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.cookies.is_empty() {
            request = request.header("cookie", self.cookie());
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
        let reply = Reply { status: parts.status, headers: parts.headers, body };
        for cookie in reply.set_cookies() {
            let (name, rest) = cookie.split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.into(), rest.split(';').next().unwrap().into());
            }
        }
        reply
    }

    /// Begins a login by HTTP-Redirect at BankID for `rd`: the provider's view of the request, and the RelayState.
    pub async fn begin(&mut self, world: &World, rd: &str) -> (Request, String) {
        let reply = self.get(&format!("/eid/login?eid=bankid&rd={rd}")).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
        let (address, query) = reply.header("location").split_once('?').unwrap();
        assert_eq!(address, world.idp.sso_url());
        let (request, relay_state) = world.known().await.redirect(query, address).unwrap();
        (request, relay_state.unwrap())
    }

    /// Posts an answer to the assertion consumer service, as a provider's page would.
    pub async fn answer(&mut self, response: &str, relay_state: &str) -> Reply {
        let encoded = base64_simd::STANDARD.encode_to_string(response);
        self.post("/eid/saml/acs", &[("SAMLResponse", &encoded), ("RelayState", relay_state)]).await
    }

    /// A whole login at BankID for `rd`.
    pub async fn log_in(&mut self, world: &World, rd: &str) -> Reply {
        let (request, relay_state) = self.begin(world, rd).await;
        let response = world.idp.response(&request).at(SystemClock.now()).build();
        self.answer(&response, &relay_state).await
    }
}
