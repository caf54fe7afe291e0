//! The real program as a process: what it holds of a gigabyte, and how it ends.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::process::Process;
use crate::support::service::{
    Body, H2, Service, coming, data, h1, h1_request, next, nothing, ok, read, request, whole,
};
use crate::support::{Client, World, eventually, metric};

const PIECE: usize = 64 * 1024;

/// Sends so many bytes into a body.
fn zeros(bytes: u64) -> Body {
    let (sender, body) = coming();
    tokio::spawn(async move {
        let piece = Bytes::from(vec![0; PIECE]);
        for _ in 0..bytes / PIECE as u64 {
            if sender.send(data(piece.clone())).await.is_err() {
                return;
            }
        }
    });
    body
}

/// Counts what comes.
async fn count(mut body: Incoming) -> u64 {
    let mut all = 0;
    while let Some(frame) = body.frame().await {
        all += frame.unwrap().into_data().map_or(0, |data| data.len() as u64);
    }
    all
}

/// Takes uploads and gives downloads of any size.
async fn warehouse(version: Version) -> Service {
    Service::new(version, |request: Request<Incoming>| async move {
        match request.uri().path().strip_prefix("/ansokan/download/") {
            Some(bytes) => ok(zeros(bytes.parse().unwrap())),
            None => ok(whole(count(request.into_body()).await.to_string())),
        }
    })
    .await
}

/// The most memory that the program may ever have had, in KB.
const MOST_KB: u64 = 40 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_goes_through_a_little_at_a_time() {
    for (version, bytes) in [(Version::HTTP_11, 1_u64 << 30), (Version::HTTP_2, 1 << 30)] {
        let service = warehouse(version).await;
        let protocol = if version == Version::HTTP_2 { "h2c" } else { "http1" };
        let world = World::with_upstream(&format!("[upstream]\nprotocol = \"{protocol}\"\n"), service.address).await;
        let mut client = Client::new(world.public());
        client.log_in(&world, "/ansokan/").await;
        // Another process with the same keys: the session is in the cookie.
        let process = Process::start(world.folder.path());
        let h2 = H2::connect(process.public).await;
        let send = async |asks: Request<Body>| match version {
            Version::HTTP_2 => h2.try_send_patiently(asks).await,
            _ => h1(process.public, asks).await,
        };
        let asks = |target: &str| match version {
            Version::HTTP_2 => request(&client, target),
            _ => h1_request(&client, target),
        };
        let upload = asks("/ansokan/upload").method(Method::POST).body(zeros(bytes)).unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(120), send(upload)).await.expect("too slow");
        let (status, _, got, _) = read(answer).await;
        assert_eq!((status, got), (StatusCode::OK, bytes.to_string().into()));
        let after_upload = process.memory_kb();
        let answer = send(asks(&format!("/ansokan/download/{bytes}")).body(nothing()).unwrap()).await;
        let got = tokio::time::timeout(Duration::from_secs(120), count(answer.into_body())).await.expect("too slow");
        assert_eq!(got, bytes);
        let after_download = process.memory_kb();
        println!("{protocol}: {after_upload:?} KB after the upload, {after_download:?} after the download (most, now)");
        assert!(after_upload.0 < MOST_KB, "{protocol}: {after_upload:?} KB after an upload of {bytes} bytes");
        assert!(after_download.0 < MOST_KB, "{protocol}: {after_download:?} KB after a download of {bytes} bytes");
    }
}

/// What takes its time: an upload that is read whole, a request that is answered late, a WebSocket, a stream of events.
async fn busy() -> Service {
    Service::new(Version::HTTP_11, |mut request: Request<Incoming>| async move {
        match request.uri().path() {
            "/om/upload" => ok(whole(count(request.into_body()).await.to_string())),
            "/om/late" => {
                tokio::time::sleep(Duration::from_millis(1500)).await;
                ok(whole("late"))
            }
            "/om/events" => {
                let (sender, body) = coming();
                tokio::spawn(async move { while sender.send(data("tick")).await.is_ok() {} });
                ok(body)
            }
            _ => {
                let key = request.headers()["sec-websocket-key"].as_bytes();
                let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key);
                let upgrade = hyper::upgrade::on(&mut request);
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
        }
    })
    .await
}

/// A WebSocket through which words go there and back.
async fn echoes(socket: &mut WebSocketStream<TcpStream>) {
    socket.send(Message::text("echo")).await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("nothing comes back");
    assert!(matches!(heard, Some(Ok(Message::Text(text))) if text.as_str() == "echo"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_cuts_nothing_before_the_deadline_and_says_what_it_cut_then() {
    let service = busy().await;
    let mut world = World::with_upstream("", service.address).await;
    world.configure(|text| text.replacen("drain_timeout = \"5s\"", "drain_timeout = \"4s\"", 1)).await;
    let client = Client::new(world.public());
    let mut process = Process::start(world.folder.path());

    let idle = H2::connect(process.public).await;
    let mut events = h1(process.public, h1_request(&client, "/om/events").body(nothing()).unwrap()).await.into_body();
    assert_eq!(next(&mut events).await.unwrap().unwrap(), "tick");
    let late = tokio::spawn(h1(process.public, h1_request(&client, "/om/late").body(nothing()).unwrap()));
    let (upload, body) = coming();
    let uploading =
        tokio::spawn(h1(process.public, h1_request(&client, "/om/upload").method(Method::POST).body(body).unwrap()));
    upload.send(data("first")).await.unwrap();
    let opening = Request::builder()
        .uri("ws://etjanst.example.se/om/ws")
        .header("host", "etjanst.example.se")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let stream = TcpStream::connect(process.public).await.unwrap();
    let (mut socket, _) = client_async(opening.body(()).unwrap(), stream).await.unwrap();
    eventually(5, "all are on their way", || async { service.connections() >= 4 }).await;

    let began = Instant::now();
    process.terminate();
    eventually(3, "new connections are refused", || async { TcpStream::connect(process.public).await.is_err() }).await;
    eventually(2, "what is idle is told to go", || async { idle.is_closed() }).await;
    // All of it goes on.
    let (status, _, body, _) = read(late.await.unwrap()).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"late"[..]));
    echoes(&mut socket).await;
    upload.send(data("second")).await.unwrap();
    drop(upload);
    let (status, _, body, _) = read(uploading.await.unwrap()).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"11"[..]));
    assert_eq!(next(&mut events).await.unwrap().unwrap(), "tick");
    assert!(began.elapsed() < Duration::from_secs(4) && process.ended().is_none(), "{:?}", began.elapsed());

    // Until the deadline.
    let cut = async { while let Some(Ok(_)) = events.frame().await {} };
    tokio::time::timeout(Duration::from_secs(10), cut).await.expect("the stream of events goes on");
    while let Some(Ok(_)) = socket.next().await {}
    assert!(began.elapsed() >= Duration::from_millis(3900), "cut after {:?}", began.elapsed());
    let told = process.wait_for("drain_deadline_passed");
    assert_eq!(
        (&told["connections"], &told["requests"], &told["tunnels"]),
        (&1.into(), &1.into(), &1.into()),
        "{told}"
    );
    eventually(5, "it ends", || {
        let ended = process.ended();
        async move { ended.is_some_and(|status| status.success()) }
    })
    .await;
}

/// Two hundred connections, each with something on its way: none is cut, and the program ends as soon as all have ended.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_cuts_none_of_two_hundred_connections() {
    const LATE: usize = 100;
    const UPLOADS: usize = 50;
    const SOCKETS: usize = 50;
    let service = busy().await;
    let mut world = World::with_upstream("", service.address).await;
    world.configure(|text| text.replacen("drain_timeout = \"5s\"", "drain_timeout = \"30s\"", 1)).await;
    let client = Client::new(world.public());
    let mut process = Process::start(world.folder.path());
    let asks = |target: &str| h1_request(&client, target);

    let mut uploads = Vec::new();
    for number in 0..UPLOADS {
        let (sender, body) = coming();
        let asked = asks("/om/upload").method(Method::POST);
        // Half of them say how much will come: "firstsecond".
        let asked = if number % 2 == 0 { asked } else { asked.header("content-length", "11") };
        let asked = asked.body(body).unwrap();
        uploads.push((sender.clone(), tokio::spawn(h1(process.public, asked))));
        sender.send(data("first")).await.unwrap();
    }
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        let opening = Request::builder()
            .uri("ws://etjanst.example.se/om/ws")
            .header("host", "etjanst.example.se")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let stream = TcpStream::connect(process.public).await.unwrap();
        let mut socket = client_async(opening.body(()).unwrap(), stream).await.unwrap().0;
        echoes(&mut socket).await;
        sockets.push(socket);
    }
    let late: Vec<_> =
        (0..LATE).map(|_| tokio::spawn(h1(process.public, asks("/om/late").body(nothing()).unwrap()))).collect();
    let admin = process.admin;
    eventually(10, "all are on their way", || async {
        // A WebSocket that is open has its answer.
        metric(admin, "grindvakt_upstream_in_flight").await >= (LATE + UPLOADS) as f64
    })
    .await;

    process.terminate();
    eventually(5, "new connections are refused", || async { TcpStream::connect(process.public).await.is_err() }).await;
    assert_eq!(Client::new(admin).get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    for request in late {
        let (status, _, body, _) = read(request.await.unwrap()).await;
        assert_eq!((status, &body[..]), (StatusCode::OK, &b"late"[..]));
    }
    for (sender, uploading) in uploads {
        sender.send(data("second")).await.unwrap();
        drop(sender);
        let (status, _, body, _) = read(uploading.await.unwrap()).await;
        assert_eq!((status, &body[..]), (StatusCode::OK, &b"11"[..]));
    }
    for socket in &mut sockets {
        echoes(socket).await;
    }
    assert!(process.ended().is_none(), "it waits for the WebSockets");
    drop(sockets);
    process.wait_for("stopped");
    assert!(process.has_told("drained") && !process.has_told("drain_deadline_passed"));
    eventually(5, "it ends", || {
        let ended = process.ended();
        async move { ended.is_some_and(|status| status.success()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_with_nothing_to_do_ends_at_once() {
    let world = World::new("").await;
    let mut process = Process::start(world.folder.path());
    let idle_h2 = H2::connect(process.public).await;
    let idle_h1 = TcpStream::connect(process.public).await.unwrap();
    let reply = Client::new(process.public).get("/om/x").await;
    assert_eq!(reply.status, StatusCode::OK);
    let began = Instant::now();
    process.terminate();
    process.wait_for("stopped");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(process.has_told("drained") && !process.has_told("drain_deadline_passed"));
    eventually(3, "it ends", || {
        let ended = process.ended();
        async move { ended.is_some_and(|status| status.success()) }
    })
    .await;
    assert!(idle_h2.is_closed());
    drop(idle_h1);
}
