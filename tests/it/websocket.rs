//! WebSockets, with a client and a server that others wrote, and byte by byte where it must not work.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::raw::{PATIENCE, answers, raw_service, read_to_end};
use crate::support::service::{Body, Service, nothing, ok, whole};
use crate::support::{BASE, Client, World, metric};

/// What an e-service was asked, and what came through the tunnel.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<(Vec<(String, String)>, Vec<String>)>>);

impl Told {
    fn header(&self, name: &str) -> Vec<String> {
        self.0.lock().unwrap().0.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect()
    }

    fn messages(&self) -> Vec<String> {
        self.0.lock().unwrap().1.clone()
    }
}

/// An e-service that says back what it is told.
async fn echo() -> (Service, Told) {
    let told = Told::default();
    let tells = told.clone();
    let service = Service::new(Version::HTTP_11, move |request| switch(request, tells.clone())).await;
    (service, told)
}

async fn switch(mut request: Request<Incoming>, told: Told) -> http::Response<Body> {
    let headers = request.headers().iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()));
    told.0.lock().unwrap().0 = headers.collect();
    let Some(key) = request.headers().get("sec-websocket-key") else { return ok(whole("ordinary")) };
    let accept = derive_accept_key(key.as_bytes());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = TokioIo::new(upgrade.await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = &message {
                told.0.lock().unwrap().1.push(text.to_string());
            }
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
        .header("sec-websocket-protocol", "chat")
        .header("set-cookie", "__Host-eid-etjanst=planted")
        .header("set-cookie", "app=1")
        .body(nothing())
        .unwrap()
}

type Socket = WebSocketStream<TcpStream>;
type Answered = Result<(Socket, http::Response<Option<Vec<u8>>>), Error>;

async fn open(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answered {
    let mut request = Request::builder()
        .uri(format!("ws://etjanst.example.se{path}"))
        .header("host", "etjanst.example.se")
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", "chat");
    if !client.cookies.is_empty() {
        request = request.header("cookie", format!("app=0; {}", client.cookie()));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let stream = TcpStream::connect(client.address).await.unwrap();
    let opening = client_async(request.body(()).unwrap(), stream);
    tokio::time::timeout(PATIENCE, opening).await.expect("no answer")
}

/// The status of an opening that was refused.
async fn refused(client: &Client, path: &str, headers: &[(&str, &str)]) -> u16 {
    match open(client, path, headers).await {
        Err(Error::Http(response)) => {
            assert_eq!(response.headers()["connection"], "close", "what follows was meant for a tunnel");
            response.status().as_u16()
        }
        Ok((_, response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
    }
}

async fn says_back(socket: &mut Socket, text: &str) -> bool {
    if socket.send(Message::text(text)).await.is_err() {
        return false;
    }
    let heard = tokio::time::timeout(PATIENCE, socket.next()).await.expect("nothing comes back");
    matches!(heard, Some(Ok(Message::Text(heard))) if heard.as_str() == text)
}

/// Waits until a socket is cut; false when it is still open after `time`.
async fn is_cut_within(socket: &mut Socket, time: Duration) -> bool {
    tokio::time::timeout(time, async { while let Some(Ok(_)) = socket.next().await {} }).await.is_ok()
}

#[tokio::test]
async fn a_websocket_is_opened_with_the_session_and_tells_who_it_is() {
    let (service, told) = echo().await;
    let world = World::with_upstream("", service.address).await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    let forged = [("x-eid-subject", "admin"), ("origin", BASE), ("x-forwarded-for", "10.0.0.1")];
    let (mut socket, response) = open(&client, "/ansokan/ws?a=b", &forged).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    assert_eq!(response.headers().get_all("set-cookie").iter().collect::<Vec<_>>(), ["app=1"]);
    assert_eq!(told.header("x-eid-personal-number"), ["195006262546"]);
    assert!(told.header("x-eid-subject")[0].starts_with("personal-number:"), "{:?}", told.header("x-eid-subject"));
    assert_eq!(told.header("cookie"), ["app=0"], "our cookies stay with us");
    assert_eq!(
        (told.header("host"), told.header("x-forwarded-for")),
        (vec!["etjanst.example.se".into()], vec!["127.0.0.1".into()])
    );
    assert_eq!((told.header("connection"), told.header("upgrade")), (vec!["upgrade".into()], vec!["websocket".into()]));
    for text in ["hej", "Åsa", &"x".repeat(300_000)] {
        assert!(says_back(&mut socket, text).await, "{} bytes", text.len());
    }
    socket.close(None).await.unwrap();
    assert!(is_cut_within(&mut socket, PATIENCE).await);
}

#[tokio::test]
async fn only_pages_of_the_service_open_one_with_a_session() {
    let (service, told) = echo().await;
    let settings =
        |text: &str| text.replacen("[listen]", "websocket_origins = [\"https://Other.example.se\"]\n[listen]", 1);
    let mut world = World::with_upstream("", service.address).await;
    world.configure(settings).await;
    let mut client = Client::new(world.public());
    assert_eq!(refused(&client, "/ansokan/ws", &[]).await, 401);
    client.log_in(&world, "/ansokan/").await;
    for (origin, status) in [
        (BASE, 101),
        ("https://other.example.se", 101),
        ("https://evil.example", 403),
        ("https://etjanst.example.se.evil.example", 403),
        ("http://etjanst.example.se", 403),
        ("https://annan.example.se", 403),
        ("null", 403),
    ] {
        assert_eq!(refused(&client, "/ansokan/ws", &[("origin", origin)]).await, status, "{origin}");
    }
    assert_eq!(refused(&client, "/ansokan/ws", &[("origin", BASE), ("origin", BASE)]).await, 403);
    assert_eq!(refused(&client, "/hog/ws", &[("origin", BASE)]).await, 403, "the level counts as for any request");
    // What is open to all is open to every page: there is nothing of anybody's in it.
    assert_eq!(refused(&client, "/om/ws", &[("origin", "https://evil.example")]).await, 101);
    assert!(told.header("x-eid-subject").is_empty());
}

#[tokio::test]
async fn what_is_sent_before_the_101_is_nobodys() {
    let (service, told) = echo().await;
    let world = World::with_upstream("", service.address).await;
    let head = "GET /om/ws HTTP/1.1\r\nHost: e\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // A masked text frame: "hi".
    let frame = b"\x81\x82\0\0\0\0hi";
    for early in [&frame[..], b"GET /hemligt HTTP/1.1\r\nHost: e\r\n\r\n", b"\n"] {
        let mut stream = TcpStream::connect(world.public()).await.unwrap();
        stream.write_all(&[head.as_bytes(), early].concat()).await.unwrap();
        let (got, ended) = read_to_end(&mut stream).await;
        assert!(ended, "the connection goes on after {early:?}");
        let got = String::from_utf8_lossy(&got).into_owned();
        assert!(got.is_empty() || (got.starts_with("HTTP/1.1 101 ") && got.ends_with("\r\n\r\n")), "{got}");
    }
    assert!(told.messages().is_empty(), "{:?}", told.messages());
    // The same frame after the 101.
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\n") {
        got.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(frame).await.unwrap();
    let mut back = [0; 4];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!((&back, told.messages()), (b"\x81\x02hi", vec!["hi".to_owned()]));
}

/// An e-service that answers a WebSocket with whatever it is told to.
async fn answering(status: u16, headers: &'static [(&'static str, &'static str)]) -> Service {
    Service::new(Version::HTTP_11, move |_| async move {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(nothing()).unwrap()
    })
    .await
}

#[tokio::test]
async fn an_e_service_that_does_not_agree_gets_no_tunnel() {
    for (status, headers, expect) in [
        (403, &[][..], 403),
        (200, &[("upgrade", "websocket"), ("connection", "upgrade")], 200),
        (426, &[("upgrade", "h2c"), ("connection", "upgrade")], 426),
        (101, &[("upgrade", "h2c"), ("connection", "upgrade")], 502),
        (101, &[("upgrade", "websocket, h2c"), ("connection", "upgrade")], 502),
    ] {
        let service = answering(status, headers).await;
        let world = World::with_upstream("", service.address).await;
        assert_eq!(refused(&Client::new(world.public()), "/om/ws", &[]).await, expect, "{status} {headers:?}");
    }
    // 101 to a request that asked for nothing.
    let service = answering(101, &[("upgrade", "websocket"), ("connection", "upgrade")]).await;
    let world = World::with_upstream("", service.address).await;
    assert_eq!(Client::new(world.public()).get("/om/x").await.status, StatusCode::BAD_GATEWAY);
    // An e-service that is spoken to in HTTP/2.
    let world = World::with_upstream("[upstream]\nprotocol = \"h2c\"\n", service.address).await;
    assert_eq!(refused(&Client::new(world.public()), "/om/ws", &[]).await, 501);
}

#[tokio::test]
async fn an_upgrade_to_anything_else_is_an_ordinary_request() {
    let (address, records) = raw_service().await;
    let world = World::with_upstream("", address).await;
    for upgrade in ["h2c", "TLS/1.0", "websocket/13", "SPDY/3.1"] {
        let mut stream = TcpStream::connect(world.public()).await.unwrap();
        let request = format!(
            "GET /om/x HTTP/1.1\r\nHost: e\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let (got, _) = read_to_end(&mut stream).await;
        assert_eq!(answers(&got).iter().map(|a| a.status).collect::<Vec<_>>(), [200], "{upgrade}");
        for arrived in records.take().unwrap() {
            for name in ["upgrade", "connection", "http2-settings"] {
                assert!(arrived.all(name).is_empty(), "{upgrade}: {name} reached the e-service");
            }
        }
    }
}

#[tokio::test]
async fn a_tunnel_ends_with_its_session() {
    let (service, _) = echo().await;
    let world = World::with_upstream("", service.address).await;
    let (mut a, mut b) = (Client::new(world.public()), Client::new(world.public()));
    a.log_in(&world, "/ansokan/").await;
    b.log_in(&world, "/ansokan/").await;
    let (mut of_a, _) = open(&a, "/ansokan/ws", &[]).await.unwrap();
    let (mut of_b, _) = open(&b, "/ansokan/ws", &[]).await.unwrap();
    let (mut of_nobody, _) = open(&a, "/om/ws", &[]).await.unwrap();
    for socket in [&mut of_a, &mut of_b, &mut of_nobody] {
        assert!(says_back(socket, "hej").await);
    }
    a.send(Method::POST, "/eid/logout", &[("sec-fetch-site", "same-origin")], "").await;
    assert!(is_cut_within(&mut of_a, Duration::from_secs(2)).await, "A logged out");
    assert!(says_back(&mut of_b, "hej").await && says_back(&mut of_nobody, "hej").await, "nobody else did");
    assert_eq!(metric(world.admin(), "grindvakt_streams_cut_total{why=\"session_over\"}").await, 1.0);
}

#[tokio::test]
async fn a_tunnel_ends_at_the_sessions_absolute_end_however_busy_it_is() {
    let (service, _) = echo().await;
    let world = World::with_upstream("[session]\nidle_timeout = \"3s\"\nlifetime = \"3s\"\n", service.address).await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    let began = std::time::Instant::now();
    let (mut socket, _) = open(&client, "/ansokan/ws", &[]).await.unwrap();
    let mut rounds = 0;
    while says_back(&mut socket, "still here").await {
        rounds += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(began.elapsed() < PATIENCE, "it goes on");
    }
    assert!(rounds >= 10 && began.elapsed() < Duration::from_secs(5), "{rounds} in {:?}", began.elapsed());
}

#[tokio::test]
async fn a_tunnel_that_stands_still_is_cut_and_one_that_does_not_is_not() {
    let (service, _) = echo().await;
    let world = World::with_upstream("[upstream]\ntunnel_idle_timeout = \"1s\"\n", service.address).await;
    let client = Client::new(world.public());
    let (mut still, _) = open(&client, "/om/ws", &[]).await.unwrap();
    let (mut busy, _) = open(&client, "/om/ws", &[]).await.unwrap();
    let talking = async {
        for _ in 0..30 {
            assert!(says_back(&mut busy, "hej").await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (cut, ()) = tokio::join!(is_cut_within(&mut still, Duration::from_secs(4)), talking);
    assert!(cut);
}
