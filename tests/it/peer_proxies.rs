//! Real proxies with the configurations of deploy/examples: HAProxy in front of us, and nginx, Caddy, Envoy and Traefik that
//! ask us.
//!
//! Of an example only addresses and the places of its files are replaced.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use grindvakt::base::{Clock as _, SystemClock};
use grindvakt::http::headers::{FAMILIES_OF_OTHERS, NAMES_OF_OTHERS};
use grindvakt_demo::Outcome;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::proxy_examples::{example, taken_off_by_nginx};
use crate::support::program::{Program, python};
use crate::support::raw::{PATIENCE, exchange};
use crate::support::redis::free_port;
use crate::support::service::{Body, Service, nothing, ok, whole};
use crate::support::tls::Authority;
use crate::support::{BASE, Client, Reply, Seen, World, eventually};

const HOST: &str = "etjanst.example.se";

/// What the e-service got, in order.
type Got = Arc<Mutex<Vec<Seen>>>;

/// An e-service that remembers what it got, and says back what comes through a WebSocket.
async fn e_service() -> (Service, Got) {
    let got = Got::default();
    let keeps = Arc::clone(&got);
    let service = Service::new(Version::HTTP_11, move |request| answer(request, Arc::clone(&keeps))).await;
    (service, got)
}

async fn answer(mut request: Request<Incoming>, got: Got) -> http::Response<Body> {
    let headers = request.headers().iter();
    let headers = headers.map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect();
    let target = request.uri().to_string();
    let key = request.headers().get("sec-websocket-key").map(|key| derive_accept_key(key.as_bytes()));
    let upgrade = key.is_some().then(|| hyper::upgrade::on(&mut request));
    let body = request.into_body().collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    got.lock().unwrap().push(Seen { target: target.clone(), headers, body });
    let (Some(accept), Some(upgrade)) = (key, upgrade) else {
        let mut out = ok(whole(format!("the e-service's {target}")));
        // Its own refusals are its own.
        if target.starts_with("/ansokan/eget") {
            *out.status_mut() = StatusCode::FORBIDDEN;
        }
        // What is the same for everyone.
        let keeps = |name, value| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let (name, value) = match target.as_str() {
            "/ansokan/alla" => keeps("cache-control", "public, max-age=60"),
            "/ansokan/alla-cdn" => keeps("cdn-cache-control", "max-age=60"),
            "/ansokan/alla-delade" => keeps("cache-control", "S-MaxAge=60"),
            // What caches are told to keep nothing of, and what they are left to guess about.
            "/ansokan/ingen" => keeps("surrogate-control", "no-store"),
            "/ansokan/gissa" => keeps("vary", "accept-encoding"),
            _ => keeps("cache-control", "private, max-age=60"),
        };
        out.headers_mut().insert(name, value);
        return out;
    };
    tokio::spawn(async move {
        let upgraded = TokioIo::new(upgrade.await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if !message.is_close() && socket.send(message).await.is_err() {
                return;
            }
        }
    });
    http::Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", accept)
        .body(nothing())
        .unwrap()
}

/// A proxy with its example, in front of a sidecar and an e-service.
struct Stage {
    world: World,
    got: Got,
    /// A plain way to the proxy, which speaks TLS.
    public: SocketAddr,
    name: &'static str,
    _proxy: Program,
}

/// Replaces `from`, which must be there.
fn put(text: String, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the example has no {from:?}");
    text.replace(from, to)
}

impl Stage {
    async fn new(name: &'static str) -> Self {
        Self::with(name, "").await
    }

    /// With more lines of configuration.
    async fn with(name: &'static str, more: &str) -> Self {
        let (service, got) = e_service().await;
        let mut world = World::with_upstream(more, service.address).await;
        let ways = match name {
            "haproxy" | "haproxy alone" => "",
            "caddy" => "forward_auth = [\"traefik\"]",
            asks => &format!("forward_auth = [\"{asks}\"]"),
        };
        let listen = format!("[listen]\ntrusted_proxies = [\"127.0.0.1/32\"]\n{ways}");
        world.configure(|text| text.replace("[listen]", &listen)).await;
        let authority = Authority::new();
        let (certificate, key) = authority.issue(HOST);
        let folder = world.folder.path().display().to_string();
        for (file, text) in [("tls.crt", &certificate), ("tls.key", &key), ("tls.pem", &format!("{certificate}{key}"))]
        {
            std::fs::write(world.folder.path().join(file), text).unwrap();
        }
        let port = free_port();
        let (mine, theirs) = (world.public().to_string(), service.address.to_string());
        let (command, ready) = match name {
            "haproxy" | "haproxy alone" => {
                let text = put(example("haproxy.cfg"), "bind :443", &format!("bind 127.0.0.1:{port}"));
                let text = put(text, "/etc/haproxy/", &format!("{folder}/"));
                let next = if name == "haproxy" { &mine } else { &theirs };
                let text = put(text, "127.0.0.1:8080", next);
                let text = put(text, "port 9464", &format!("addr 127.0.0.1 port {}", world.admin().port()));
                world.write("haproxy.cfg", &text);
                let mut command = Command::new("haproxy");
                command.args(["-db", "-V", "-f", "haproxy.cfg"]);
                (command, "as the polling mechanism")
            }
            "nginx" => {
                let text = put(example("nginx.conf"), "listen 443", &format!("listen 127.0.0.1:{port}"));
                let text = put(text, "/etc/nginx/", &format!("{folder}/"));
                let text = put(put(text, "127.0.0.1:8080", &mine), "127.0.0.1:8000", &theirs);
                world.write("nginx.conf", &text);
                let settings = format!(
                    "daemon off; master_process off; user root; pid {folder}/nginx.pid; error_log stderr notice;"
                );
                let mut command = Command::new("nginx");
                command.args(["-c", &format!("{folder}/nginx.conf"), "-g", &settings]);
                (command, "event method")
            }
            "caddy" => {
                let text = put(example("Caddyfile"), "example.se:443", &format!("example.se:{port}"));
                let text = put(text, "/etc/caddy/", &format!("{folder}/"));
                let text = put(put(text, "127.0.0.1:8080", &mine), "127.0.0.1:8000", &theirs);
                world.write("Caddyfile", &text);
                let mut command = Command::new("caddy");
                command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]).env("HOME", &folder);
                (command, "serving initial configuration")
            }
            "traefik" => {
                let text = put(example("traefik.yml"), "/etc/traefik/", &format!("{folder}/"));
                let text = put(put(text, "127.0.0.1:8080", &mine), "127.0.0.1:8000", &theirs);
                world.write("grindvakt.yml", &text);
                let mut started = text.lines().filter_map(|line| line.strip_prefix("#   traefik "));
                let (Some(flags), None) = (started.next(), started.next()) else { panic!("not one way to start it") };
                let flags = put(flags.to_owned(), "=:443", &format!("=127.0.0.1:{port}"));
                let mut command = Command::new(PathBuf::from(python()).with_file_name("traefik"));
                command.args(flags.split(' ')).args(["--log.level=INFO", "--log.noColor=true"]);
                (command, "Starting provider *file.Provider")
            }
            _ => {
                let text = put(
                    example("envoy.yaml"),
                    "address: 0.0.0.0, port_value: 443",
                    &format!("address: 127.0.0.1, port_value: {port}"),
                );
                let text = put(text, "/etc/envoy/", &format!("{folder}/"));
                let text = put(text, "port_value: 8080", &format!("port_value: {}", world.public().port()));
                let text = put(text, "http://127.0.0.1:8080", &format!("http://{mine}"));
                let text = put(text, "port_value: 8000", &format!("port_value: {}", service.address.port()));
                world.write("envoy.yaml", &text);
                let envoy = PathBuf::from(python()).with_file_name("envoy");
                let mut command = Command::new(envoy);
                command.args(["-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "1"]);
                (command, "starting main dispatch loop")
            }
        };
        let mut command = command;
        command.current_dir(world.folder.path());
        let (proxy, ()) = Program::start(command, |line| line.contains(ready).then_some(()));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        eventually(20, "the proxy listens", || async { TcpStream::connect(address).await.is_ok() }).await;
        let public = authority.tunnel(HOST, address).await;
        let stage = Self { world, got, public, name, _proxy: proxy };
        // HAProxy looks first whether there is anybody.
        eventually(20, "the proxy passes on", || async { stage.client().get("/om/x").await.status == StatusCode::OK })
            .await;
        stage.got.lock().unwrap().clear();
        stage
    }

    fn client(&self) -> Client {
        Client::new(self.public)
    }

    fn got(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.got.lock().unwrap())
    }

    /// Logs in by way of the proxy, as a browser does.
    async fn log_in(&self, client: &mut Client, rd: &str, outcome: Outcome) -> Reply {
        let (request, relay_state) = client.begin(&self.world, rd).await;
        let response = self.world.idp.response(&request).outcome(outcome).at(SystemClock.now()).build();
        client.answer(&response, &relay_state).await
    }

    async fn a_deep_link_leads_through_the_login_and_back(&self) {
        let name = self.name;
        let mut client = self.client();
        client.cookies.insert("app".into(), "1".into());
        let sent_away = client.get("/ansokan/1?steg=2&namn=%C3%85sa").await;
        assert_eq!(sent_away.status, StatusCode::SEE_OTHER, "{name}: {}", sent_away.body);
        let location = sent_away.header("location");
        let own = location.strip_prefix(BASE).unwrap_or(location);
        assert_eq!(own, "/eid/login?rd=/ansokan/1%3Fsteg%3D2%26namn%3D%25C3%2585sa", "{name}");
        let choice = client.get(own).await;
        assert!(choice.status == StatusCode::OK && choice.body.contains("BankID"), "{name}: {}", choice.body);
        let rd = own.split_once("rd=").unwrap().1.to_owned();
        let back = self.log_in(&mut client, &rd, Outcome::Success).await;
        assert_eq!(back.status, StatusCode::SEE_OTHER, "{name}: {}", back.body);
        assert_eq!(back.header("location"), "/ansokan/1?steg=2&namn=%C3%85sa", "{name}");
        assert!(self.got().is_empty(), "{name}: the e-service was asked before anybody was known");

        let page = client.get(back.header("location")).await;
        assert_eq!(page.status, StatusCode::OK, "{name}: {}", page.body);
        let got = self.got();
        assert_eq!(got.len(), 1, "{name}");
        let seen = &got[0];
        assert_eq!(seen.target, "/ansokan/1?steg=2&namn=%C3%85sa", "{name}");
        assert_eq!((seen.one("x-eid-personal-number"), seen.one("x-eid-method")), ("195006262546", "bankid"), "{name}");
        assert_eq!(seen.one("x-eid-assertion").split('.').count(), 3, "{name}");
        assert_eq!(seen.one("cookie"), "app=1", "{name}: our cookie reaches the e-service");
        assert_eq!(seen.one("x-forwarded-proto"), "https", "{name}");
        assert_eq!(seen.one("x-forwarded-host"), HOST, "{name}");
        // Behind HAProxy we add its address.
        assert!(seen.one("x-forwarded-for").split(", ").all(|address| address == "127.0.0.1"), "{name}: {seen:?}");

        // A form goes through whole, and what the e-service itself refuses is its own affair.
        let posted = client.post("/ansokan/1", &[("a", "å")]).await;
        assert_eq!((posted.status, self.got()[0].body.as_slice()), (StatusCode::OK, &b"a=%C3%A5"[..]), "{name}");
        let own = client.get("/ansokan/eget").await;
        assert_eq!((own.status, own.body.as_str()), (StatusCode::FORBIDDEN, "the e-service's /ansokan/eget"), "{name}");

        // What is not enough leads to a login that is; a program is told.
        self.got();
        let higher = client.get("/hog/1").await;
        assert_eq!(higher.status, StatusCode::SEE_OTHER, "{name}");
        assert!(higher.header("location").ends_with("/eid/login?rd=/hog/1"), "{name}: {}", higher.header("location"));
        assert_eq!(client.clone().xhr().get("/hog/1").await.status, StatusCode::FORBIDDEN, "{name}");

        // And out again.
        let same_origin = [("sec-fetch-site", "same-origin")];
        assert_eq!(client.send(Method::POST, "/eid/logout", &same_origin, "").await.status, StatusCode::OK, "{name}");
        assert_eq!(client.get("/ansokan/1").await.status, StatusCode::SEE_OTHER, "{name}");
        assert!(self.got().is_empty(), "{name}");
    }

    async fn a_refusal_leaves_nobody_inside(&self) {
        let mut client = self.client();
        for outcome in [Outcome::Cancel, Outcome::Tampered, Outcome::Unsigned] {
            let refused = self.log_in(&mut client, "/ansokan/1", outcome).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{} {}", self.name, outcome.name());
            assert!(refused.body.contains("class=\"reference\""), "{}: {}", self.name, refused.body);
            assert!(!client.cookies.contains_key("__Host-eid-etjanst"), "{}", self.name);
        }
        assert_eq!(client.get("/ansokan/1").await.status, StatusCode::SEE_OTHER, "{}", self.name);
        let program = client.xhr().get("/ansokan/1").await;
        assert_eq!(program.status, StatusCode::UNAUTHORIZED, "{}", self.name);
        assert!(program.body.contains("needs_login"), "{}: {}", self.name, program.body);
        assert!(self.got().is_empty(), "{}", self.name);
    }

    /// Nobody gets a header of ours in, under any of its spellings.
    async fn nobody_forges_a_header(&self, people: &[(&Client, &str)]) {
        let spellings = [
            "X-Eid-Subject",
            "x-eid-personal-number",
            "X-EID-PRID",
            "X-Eid-Whatever",
            "X_Eid_Subject",
            "x-eid_subject",
            "X_EID-Subject",
            "X.Eid.Subject",
            "X-Eid.Subject",
            "x-Eid-Assertion",
            "X-Eid-Refused",
        ];
        let folded = |name: &str| name.to_ascii_lowercase().replace(['_', '.'], "-");
        for (client, path) in people {
            // nginx removes no families of names: its list names each that we have, and of others it knows nothing.
            for spelling in spellings.iter().filter(|s| self.name != "nginx" || **s != "X-Eid-Whatever") {
                let mut forger = (*client).clone();
                forger.headers.push(((*spelling).into(), "forged".into()));
                let reply = forger.get(path).await;
                let got = self.got();
                // A proxy may as well take no such request.
                assert!(reply.status == StatusCode::OK || got.is_empty(), "{} {spelling}", self.name);
                for (name, value) in got.iter().flat_map(|seen| &seen.headers) {
                    let ours = folded(name).starts_with("x-eid-");
                    assert!(!ours || value != "forged", "{} {path}: {name} arrives", self.name);
                    // An empty one says nothing of anybody, but it is not ours to send either where nobody is known.
                    assert!(!ours || *path != "/om/x" || value.is_empty(), "{} {path}: {name}: {value}", self.name);
                }
            }
        }
    }

    async fn forged_headers_never_arrive(&self, person: &Client) {
        self.nobody_forges_a_header(&[(&self.client(), "/om/x"), (person, "/om/x"), (person, "/ansokan/1")]).await;
        // What decides is not what a client says.
        for (name, value) in [
            ("x-original-uri", "/om/x"),
            ("x-original-url", "https://etjanst.example.se/om/x"),
            ("x-forwarded-uri", "/om/x"),
            ("x-original-method", "OPTIONS"),
            ("x-rewrite-url", "/om/x"),
            ("x-envoy-original-path", "/om/x"),
            ("x-forwarded-method", "HEAD"),
            ("x-forwarded-prefix", "/om"),
        ] {
            let mut forger = self.client();
            forger.headers.push((name.into(), value.into()));
            let reply = forger.get("/ansokan/1").await;
            assert!(!reply.status.is_success() && self.got().is_empty(), "{} {name}: {}", self.name, reply.status);
        }
    }

    /// What is decided on is what stands in the request: nothing that asks a framework to take it for another one goes on.
    async fn no_request_is_taken_for_another(&self, person: &Client) {
        let mut names: Vec<String> = NAMES_OF_OTHERS.iter().map(|name| (*name).to_owned()).collect();
        // nginx removes no families: it is asked for those that its example names.
        match self.name {
            "nginx" => names.extend(taken_off_by_nginx()),
            _ => names.extend(FAMILIES_OF_OTHERS.iter().map(|family| format!("{family}whatever"))),
        }
        names.extend(
            ["x-forwarded-prefix", "x-forwarded-user", "x-original-uri", "x-envoy-original-path"].map(str::to_owned),
        );
        for name in &names {
            for (client, path) in [(self.client(), "/om/x"), (person.clone(), "/ansokan/1")] {
                let mut forger = client.clone();
                forger.headers.push((name.clone(), "/hog/1".into()));
                let reply = forger.get(path).await;
                let got = self.got();
                assert_eq!((reply.status, got.len()), (StatusCode::OK, 1), "{} {path} {name}", self.name);
                let arrived = got[0].all(name.as_str()).iter().any(|value| value.contains("hog"));
                assert!(!arrived, "{} {path}: {name} arrives", self.name);
            }
        }
    }

    async fn nobody_asks_from_outside(&self, person: &Client) {
        let mut person = person.clone();
        let asks = [("x-original-uri", "/ansokan/1"), ("x-original-method", "GET"), ("x-forwarded-uri", "/ansokan/1")];
        for path in [
            "/eid/auth/nginx",
            "/eid/auth/traefik",
            "/eid/auth/envoy/ansokan/1",
            "/eid/%61uth/nginx",
            "/eid//auth/nginx",
            "/eid/x/../auth/nginx",
            "/grindvakt-ask",
        ] {
            let answer = person.send(Method::GET, path, &asks, "").await;
            // Only nginx has the last one; to the others it is a path of the e-service.
            let fine = !answer.status.is_success() || (self.name != "nginx" && path == "/grindvakt-ask");
            assert!(fine && !answer.headers.contains_key("x-eid-subject"), "{} {path}: {}", self.name, answer.status);
        }
        self.got();
    }

    /// Paths that two readers could take for two: without a session none of them leads to what is guarded.
    async fn no_spelling_leads_round_the_guard(&self) {
        for target in [
            "/om/../ansokan/1",
            "/om/%2e%2e/ansokan/1",
            "/om/..%2fansokan/1",
            "//ansokan/1",
            "/om//../ansokan/1",
            "/%61nsokan/1",
            "/ansokan%2f1",
            "/om/x;/../ansokan/1",
            "/om\\..\\ansokan/1",
            "/ANSOKAN/1",
            "/ansokan/./1",
            "/om/%252e%252e/ansokan/1",
            "http://etjanst.example.se/ansokan/1",
            "/ansokan/1#/om/x",
            "/om/x#/../../ansokan/1",
            "/om/x?#/../../ansokan/1",
            "/eid/../ansokan/1",
            "/eid/%2e%2e/ansokan/1",
            "/eid/auth/../../ansokan/1",
        ] {
            let request = format!("GET {target} HTTP/1.1\r\nhost: {HOST}\r\naccept: */*\r\nconnection: close\r\n\r\n");
            let answers = exchange(self.public, request.as_bytes()).await;
            for seen in self.got() {
                let open = seen.target.starts_with("/om/") && !seen.target.to_lowercase().contains("..");
                let open = open && !seen.target.contains("%2e") && !seen.target.contains('\\');
                assert!(open, "{}: {target} arrives as {}", self.name, seen.target);
            }
            assert!(answers.iter().all(|a| !a.body.starts_with(b"the e-service's /ansokan")), "{} {target}", self.name);
        }
    }

    async fn websockets_open_for_pages_of_the_service(&self, person: &Client) {
        let open = async |client: &Client, origin: &str| {
            let mut request = Request::builder()
                .uri(format!("ws://{HOST}/ansokan/ws"))
                .header("host", HOST)
                .header("connection", "Upgrade")
                .header("upgrade", "websocket")
                .header("sec-websocket-version", "13")
                .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
                .header("origin", origin);
            if !client.cookies.is_empty() {
                request = request.header("cookie", client.cookie());
            }
            let stream = TcpStream::connect(client.address).await.unwrap();
            let opening = client_async(request.body(()).unwrap(), stream);
            tokio::time::timeout(PATIENCE, opening).await.expect("no answer")
        };
        let (mut socket, _) = open(person, BASE).await.unwrap_or_else(|e| panic!("{}: {e}", self.name));
        for text in ["ett", "två"] {
            socket.send(Message::text(text)).await.unwrap();
            let heard = tokio::time::timeout(PATIENCE, socket.next()).await.expect("nothing comes back");
            assert!(matches!(heard, Some(Ok(Message::Text(heard))) if heard.as_str() == text), "{}", self.name);
        }
        let seen = self.got();
        assert_eq!(seen[0].one("x-eid-personal-number"), "195006262546", "{}", self.name);
        assert!(seen[0].all("cookie").iter().all(|cookie| !cookie.contains("__Host-eid")), "{}", self.name);
        for (client, origin) in [(person, "https://evil.example"), (&self.client(), BASE)] {
            match open(client, origin).await {
                Err(Error::Http(response)) => {
                    let status = response.status().as_u16();
                    assert!(matches!(status, 303 | 401 | 403), "{} {origin}: {status}", self.name);
                }
                Err(other) => panic!("{}: {other}", self.name),
                Ok(_) => panic!("{}: a WebSocket opens for {origin}", self.name),
            }
        }
        assert!(self.got().is_empty(), "{}", self.name);
    }

    /// An e-service may keep kilobytes in cookies of its own: an answer to the proxy has them all.
    async fn large_cookies_of_the_service_go_on(&self, person: &Client) {
        let mut person = person.clone();
        let (first, second) = ("f".repeat(3000), "s".repeat(3000));
        person.cookies.insert("app-first".to_owned(), first.clone());
        person.cookies.insert("app-second".to_owned(), second.clone());
        let reply = person.get("/ansokan/stora").await;
        assert_eq!(reply.status, StatusCode::OK, "{}: {}", self.name, reply.body);
        let seen = self.got();
        let cookies = seen[0].all("cookie").join("; ");
        assert!(cookies.contains(&first) && cookies.contains(&second), "{}: {cookies}", self.name);
        assert!(!cookies.contains("__Host-eid"), "{}: {cookies}", self.name);
    }

    /// Without us nothing is passed on, open paths included.
    async fn without_us_nothing_gets_through(mut self, person: &Client) {
        self.world.stop().await;
        for path in ["/ansokan/1", "/om/x"] {
            let reply = person.clone().get(path).await;
            assert!(reply.status.is_server_error(), "{} {path}: {}", self.name, reply.status);
        }
        assert!(self.got().is_empty(), "{}: the proxy passes requests on without us", self.name);
    }
}

async fn story(name: &'static str) {
    let stage = Stage::new(name).await;
    stage.a_deep_link_leads_through_the_login_and_back().await;
    stage.a_refusal_leaves_nobody_inside().await;
    let mut person = stage.client();
    stage.log_in(&mut person, "/ansokan/1", Outcome::Success).await;
    stage.forged_headers_never_arrive(&person).await;
    stage.no_request_is_taken_for_another(&person).await;
    stage.nobody_asks_from_outside(&person).await;
    stage.no_spelling_leads_round_the_guard().await;
    stage.websockets_open_for_pages_of_the_service(&person).await;
    stage.large_cookies_of_the_service_go_on(&person).await;
    stage.without_us_nothing_gets_through(&person).await;
}

/// A session that is used lives on: its cookie is renewed on the way, and reaches the browser by every proxy.
#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_cookie_reaches_the_browser() {
    tokio::join!(renewed("haproxy"), renewed("nginx"), renewed("caddy"), renewed("envoy"), renewed("traefik"));
}

async fn renewed(name: &'static str) {
    const SESSION: &str = "__Host-eid-etjanst";
    // Of so short a session the cookie is renewed after a quarter.
    let idle = Duration::from_secs(12);
    let stage = Stage::with(name, &format!("[session]\nidle_timeout = \"{}s\"\n", idle.as_secs())).await;
    let mut person = stage.client();
    stage.log_in(&mut person, "/ansokan/1", Outcome::Success).await;
    let first = person.cookies[SESSION].clone();
    assert_eq!(person.get("/ansokan/1").await.status, StatusCode::OK, "{name}");
    assert_eq!(person.cookies[SESSION], first, "{name}: renewed at every request");
    // Three times, each within the time that a cookie is good for: together longer than that.
    for _ in 0..3 {
        let before = person.cookies[SESSION].clone();
        tokio::time::sleep(idle / 4 + idle / 8).await;
        for path in ["alla", "alla-delade", "alla-cdn", "ingen", "gissa", "1"].map(|name| format!("/ansokan/{name}")) {
            // Each with the same cookie, which is worth a new one.
            let mut asks = person.clone();
            let reply = asks.get(&path).await;
            let renewed = asks.cookies[SESSION] != before;
            let says = |name: &str| {
                reply.headers.get_all(name).iter().map(|v| format!("{v:?} ").to_lowercase()).collect::<String>()
            };
            let (says, fields) = (says("cache-control"), says("cdn-cache-control"));
            let kept = says.contains("public") || says.contains("s-maxage") || !fields.is_empty();
            assert!(
                !renewed || ((says.contains("private") || says.contains("no-store")) && !kept),
                "{name}: a cookie in {path}, kept by {says}{fields}"
            );
            // A proxy may as well take off what tells a cache of its own to keep it.
            let for_all = path.contains("alla") && kept;
            assert_eq!((reply.body, renewed), (format!("the e-service's {path}"), !for_all), "{name}: {says}{fields}");
            if path == "/ansokan/1" {
                person = asks;
            }
        }
    }
    // The first one is long over.
    let mut old = stage.client();
    old.cookies.insert(SESSION.into(), first);
    assert_eq!(old.get("/ansokan/1").await.status, StatusCode::SEE_OTHER, "{name}");
    assert_eq!(person.get("/ansokan/1").await.status, StatusCode::OK, "{name}");
    assert!(stage.got().iter().all(|seen| seen.all("cookie").iter().all(|c| !c.contains(SESSION))), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_stands_in_front() {
    story("haproxy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_asks() {
    story("nginx").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_asks() {
    story("caddy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_asks() {
    story("envoy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traefik_asks() {
    story("traefik").await;
}

/// What HAProxy's example takes off it takes off by itself: here the e-service stands where Grindvakt should.
#[tokio::test(flavor = "multi_thread")]
async fn haproxy_takes_off_by_itself() {
    let stage = Stage::new("haproxy alone").await;
    let somebody = stage.client();
    stage.nobody_forges_a_header(&[(&somebody, "/om/x"), (&somebody, "/ansokan/1")]).await;
    stage.no_request_is_taken_for_another(&somebody).await;
}
