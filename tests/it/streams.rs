//! Bodies that stream, stand still, wait to be asked for, or must end: seen from both ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{Method, Request, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::raw::{PATIENCE, answers, read_to_end};
use crate::support::service::{
    H2, Service, coming, data, h1, h1_request, is_over_within, next, nothing, ok, read, request, unix_service, whole,
};
use crate::support::{Client, World, eventually, metric};

/// A service of events: one at once, and then one each time that it is poked.
pub async fn events() -> (Service, Arc<tokio::sync::Notify>) {
    let poke = Arc::new(tokio::sync::Notify::new());
    let poked = Arc::clone(&poke);
    let service = Service::new(Version::HTTP_11, move |_| {
        let poked = Arc::clone(&poked);
        async move {
            let (sender, body) = coming();
            tokio::spawn(async move {
                let mut n = 0;
                while sender.send(data(format!("data: {n}\n\n"))).await.is_ok() {
                    n += 1;
                    tokio::select! {
                        () = poked.notified() => {}
                        () = sender.closed() => return,
                    }
                }
            });
            let mut answer = ok(body);
            answer.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
            answer
        }
    })
    .await;
    (service, poke)
}

#[tokio::test]
async fn events_come_one_by_one() {
    let (service, poke) = events().await;
    let world = World::with_upstream("", service.address).await;
    let client = Client::new(world.public());
    let h2 = H2::connect(world.public()).await;
    let over_h1 = h1(world.public(), h1_request(&client, "/om/events").body(nothing()).unwrap()).await.into_body();
    let over_h2 = h2.send(request(&client, "/om/events").body(nothing()).unwrap()).await.into_body();
    for mut stream in [over_h1, over_h2] {
        assert_eq!(next(&mut stream).await.unwrap().unwrap(), "data: 0\n\n");
        for n in 1..10 {
            // Both streams wait for the same poke; what the other one gets is of no matter here.
            poke.notify_waiters();
            assert_eq!(next(&mut stream).await.unwrap().unwrap(), format!("data: {n}\n\n"));
        }
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_no_other_does() {
    let (service, poke) = events().await;
    let world = World::with_upstream("", service.address).await;
    let (mut a, mut b) = (Client::new(world.public()), Client::new(world.public()));
    a.log_in(&world, "/ansokan/").await;
    b.log_in(&world, "/ansokan/").await;
    let h2 = H2::connect(world.public()).await;
    let begin = async |client: &Client, target: &str| {
        h1(world.public(), h1_request(client, target).body(nothing()).unwrap()).await.into_body()
    };
    let mut of_a = begin(&a, "/ansokan/events").await;
    let mut of_a_h2 = h2.send(request(&a, "/ansokan/events").body(nothing()).unwrap()).await.into_body();
    let mut of_b = begin(&b, "/ansokan/events").await;
    let mut of_b_h2 = h2.send(request(&b, "/ansokan/events").body(nothing()).unwrap()).await.into_body();
    let mut of_nobody = begin(&a, "/om/events").await;
    for stream in [&mut of_a, &mut of_a_h2, &mut of_b, &mut of_b_h2, &mut of_nobody] {
        assert_eq!(next(stream).await.unwrap().unwrap(), "data: 0\n\n");
    }
    a.send(Method::POST, "/eid/logout", &[("sec-fetch-site", "same-origin")], "").await;
    assert!(is_over_within(&mut of_a, Duration::from_secs(2)).await, "A logged out");
    assert!(is_over_within(&mut of_a_h2, Duration::from_secs(2)).await, "A logged out");
    poke.notify_waiters();
    for (stream, whose) in [(&mut of_b, "B"), (&mut of_b_h2, "B, on the connection of A"), (&mut of_nobody, "nobody")] {
        assert_eq!(next(stream).await.unwrap().unwrap(), "data: 1\n\n", "{whose}");
    }
    assert_eq!(metric(world.admin(), "grindvakt_streams_cut_total{why=\"session_over\"}").await, 2.0);
    assert_eq!(b.xhr().get("/eid/session").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_stream_ends_at_the_sessions_absolute_end() {
    let (service, _poke) = events().await;
    let world = World::with_upstream("[session]\nidle_timeout = \"2s\"\nlifetime = \"2s\"\n", service.address).await;
    let mut client = Client::new(world.public());
    let began = Instant::now();
    client.log_in(&world, "/ansokan/").await;
    let mut stream =
        h1(world.public(), h1_request(&client, "/ansokan/events").body(nothing()).unwrap()).await.into_body();
    let mut open_to_all =
        h1(world.public(), h1_request(&client, "/om/events").body(nothing()).unwrap()).await.into_body();
    assert!(is_over_within(&mut stream, Duration::from_secs(4)).await);
    assert!(began.elapsed() >= Duration::from_millis(1900), "{:?}", began.elapsed());
    assert!(!is_over_within(&mut open_to_all, Duration::from_millis(700)).await, "what is public is nobody's session");
}

/// What a slow e-service does by path: it never answers, it stops in the middle, it answers late.
async fn slow() -> Service {
    Service::new(Version::HTTP_11, |request: Request<Incoming>| async move {
        match request.uri().path() {
            "/om/never" => std::future::pending().await,
            "/om/stops" => {
                let (sender, body) = coming();
                tokio::spawn(async move {
                    sender.send(data("half")).await.unwrap();
                    sender.closed().await;
                });
                ok(body)
            }
            "/om/reads" => {
                let length = request.into_body().collect().await.map(|body| body.to_bytes().len());
                ok(whole(length.map_or_else(|_| "broken".to_owned(), |length| length.to_string())))
            }
            _ => {
                tokio::time::sleep(Duration::from_millis(2500)).await;
                ok(whole("late"))
            }
        }
    })
    .await
}

const SHORT: &str = "[upstream]\nresponse_timeout = \"1s\"\nidle_timeout = \"1s\"\n";

#[tokio::test]
async fn an_answer_that_does_not_begin_is_504_and_one_that_stops_is_cut() {
    let service = slow().await;
    let world = World::with_upstream(SHORT, service.address).await;
    let mut client = Client::new(world.public()).xhr();
    let began = Instant::now();
    let reply = client.get("/om/never").await;
    assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT);
    assert!(reply.body.contains("\"upstream_timeout\""), "{}", reply.body);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(3), "{took:?}");
    let h2 = H2::connect(world.public()).await;
    let (status, ..) = read(h2.send(request(&client, "/om/never").body(nothing()).unwrap()).await).await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(metric(world.admin(), "grindvakt_upstream_failures_total").await, 2.0);

    let mut over_h1 = h1(world.public(), h1_request(&client, "/om/stops").body(nothing()).unwrap()).await.into_body();
    let mut over_h2 = h2.send(request(&client, "/om/stops").body(nothing()).unwrap()).await.into_body();
    for stream in [&mut over_h1, &mut over_h2] {
        assert_eq!(next(stream).await.unwrap().unwrap(), "half");
        next(stream).await.expect("half of it is not all").unwrap_err();
    }
    assert_eq!(metric(world.admin(), "grindvakt_streams_cut_total{why=\"idle\"}").await, 2.0);
}

#[tokio::test]
async fn without_a_limit_an_e_service_may_take_its_time() {
    let service = slow().await;
    let world =
        World::with_upstream("[upstream]\nresponse_timeout = 0\nidle_timeout = \"1s\"\n", service.address).await;
    let reply = Client::new(world.public()).get("/om/late").await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, "late"));
}

#[tokio::test]
async fn an_upload_may_take_long_and_must_not_stand_still() {
    let service = slow().await;
    let world = World::with_upstream(SHORT, service.address).await;
    let client = Client::new(world.public()).xhr();
    for over_h2 in [false, true] {
        let upload = |body| async {
            if over_h2 {
                let post = request(&client, "/om/reads").method(Method::POST).body(body).unwrap();
                read(H2::connect(world.public()).await.send(post).await).await
            } else {
                read(
                    h1(world.public(), h1_request(&client, "/om/reads").method(Method::POST).body(body).unwrap()).await,
                )
                .await
            }
        };
        // Longer than both times together, a little at a time.
        let (sender, body) = coming();
        let trickle = async move {
            for _ in 0..12 {
                sender.send(data("x")).await.unwrap();
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        let ((status, _, got, _), ()) = tokio::join!(upload(body), trickle);
        assert_eq!((status, &got[..]), (StatusCode::OK, &b"12"[..]), "over HTTP/2: {over_h2}");

        let (sender, body) = coming();
        sender.send(data("x")).await.unwrap();
        let (status, headers, got, _) = upload(body).await;
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT, "over HTTP/2: {over_h2}");
        assert!(String::from_utf8_lossy(&got).contains("\"request_timeout\""));
        assert_eq!(headers.get("connection").is_some_and(|c| c == "close"), !over_h2);
        drop(sender);
    }
    assert_eq!(metric(world.admin(), "grindvakt_upstream_failures_total").await, 0.0, "a slow client is no failure");
}

#[tokio::test]
async fn a_session_that_ends_meanwhile_is_not_waited_for() {
    let service = Service::new(Version::HTTP_11, |_| std::future::pending()).await;
    let world = World::with_upstream("", service.address).await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    let mut waiting = client.clone().xhr();
    let poll = tokio::spawn(async move { waiting.get("/ansokan/poll").await });
    eventually(5, "the e-service is asked", || async { service.connections() == 1 }).await;
    client.send(Method::POST, "/eid/logout", &[("sec-fetch-site", "same-origin")], "").await;
    let reply = tokio::time::timeout(Duration::from_secs(3), poll).await.expect("it waits on").unwrap();
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert!(
        reply.body.contains("\"needs_login\"") && reply.body.contains("\"login\":\"/eid/login\""),
        "{}",
        reply.body
    );
}

/// Reads one head from a socket.
async fn head(stream: &mut TcpStream) -> String {
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\n") {
        got.push(tokio::time::timeout(PATIENCE, stream.read_u8()).await.expect("no head").unwrap());
    }
    String::from_utf8(got).unwrap()
}

const EXPECT: &str = "Host: e\r\nContent-Length: 5\r\nExpect: 100-continue\r\nAccept: application/json\r\n\r\n";

#[tokio::test]
async fn nobody_is_asked_for_a_body_that_is_refused() {
    // An e-service on a socket: it hears what is expected of it, and says what it likes.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = World::with_upstream("", listener.local_addr().unwrap()).await;
    let connect = async |head: &str| {
        let mut stream = TcpStream::connect(world.public()).await.unwrap();
        stream.write_all(format!("{head}{EXPECT}").as_bytes()).await.unwrap();
        stream
    };
    // Refused by us: no 100, and the connection ends, for nobody knows whether the body comes.
    let mut stream = connect("POST /ansokan/x HTTP/1.1\r\n").await;
    let (got, ended) = read_to_end(&mut stream).await;
    let got = answers(&got);
    assert_eq!((got.len(), got[0].status, got[0].header("connection"), ended), (1, 401, Some("close"), true));

    // Refused by the e-service: the same.
    let mut stream = connect("POST /om/x HTTP/1.1\r\n").await;
    let (mut upstream, _) = listener.accept().await.unwrap();
    assert!(head(&mut upstream).await.to_ascii_lowercase().contains("\r\nexpect: 100-continue\r\n"));
    upstream.write_all(b"HTTP/1.1 413 no\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let (got, ended) = read_to_end(&mut stream).await;
    let text = String::from_utf8_lossy(&got).into_owned();
    assert!(text.starts_with("HTTP/1.1 413 ") && ended, "no 100 before it: {text}");
    drop(upstream);

    // Wanted by the e-service: then the client is asked, and not before.
    let mut stream = connect("POST /om/x HTTP/1.1\r\n").await;
    let (mut upstream, _) = listener.accept().await.unwrap();
    head(&mut upstream).await;
    let mut early = [0; 1];
    assert!(
        tokio::time::timeout(Duration::from_millis(300), stream.peek(&mut early)).await.is_err(),
        "asked before the e-service has"
    );
    upstream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 100 "));
    stream.write_all(b"hello").await.unwrap();
    let mut body = [0; 5];
    tokio::time::timeout(PATIENCE, upstream.read_exact(&mut body)).await.unwrap().unwrap();
    assert_eq!(&body, b"hello");
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    drop(upstream);

    // One that says nothing: after a second the client is asked all the same.
    let mut stream = connect("POST /om/x HTTP/1.1\r\n").await;
    let (mut upstream, _) = listener.accept().await.unwrap();
    head(&mut upstream).await;
    let began = Instant::now();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 100 "));
    assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
    stream.write_all(b"hello").await.unwrap();
    tokio::time::timeout(PATIENCE, upstream.read_exact(&mut body)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_form_without_a_session_is_answered_not_lost_and_never_sent_again() {
    let world = World::new("").await;
    let client = Client::new(world.public());
    // As much as no buffer on the way holds: the answer comes in the middle of it.
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    let size = 30 * 1024 * 1024;
    let head = format!(
        "POST /ansokan/skicka HTTP/1.1\r\nHost: e\r\nAccept: text/html\r\nContent-Length: {size}\r\n\
         Referer: https://etjanst.example.se/ansokan/steg?n=2\r\n\r\n"
    );
    let (mut reading, mut writing) = stream.split();
    let sending = async {
        let _ = writing.write_all(head.as_bytes()).await;
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..size / piece.len() {
            if writing.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    let ((got, ended), ()) = tokio::join!(read_to_end(&mut reading), sending);
    let got = answers(&got);
    assert_eq!((got.len(), got[0].status, ended), (1, 401, true));
    let page = String::from_utf8(got[0].body.clone()).unwrap();
    assert!(page.contains(">Det du skrev har inte skickats</h1>"), "{page}");
    assert!(page.contains("/eid/login?rd=/ansokan/steg%3Fn%3D2&#38;locale=sv"), "back to the form: {page}");
    assert!(world.seen().target.is_empty(), "nothing of it reached the e-service");
    assert_eq!(got[0].header("www-authenticate"), Some("Cookie form-action=\"/eid/login\""));
    assert!(got[0].header("location").is_none());

    // The same as a script's call and as a navigation.
    let mut program = client.clone().xhr();
    let reply = program.post("/ansokan/skicka", &[("a", "b")]).await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::UNAUTHORIZED, "application/problem+json"));
    let mut person = client;
    assert_eq!(person.get("/ansokan/").await.status, StatusCode::SEE_OTHER);
    person.log_in(&world, "/ansokan/").await;
    let reply = person.post("/hog/skicka", &[("a", "b")]).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert!(reply.body.contains(">Det du skrev har inte skickats</h1>"), "{}", reply.body);
}

#[tokio::test]
async fn a_range_is_the_e_services_matter() {
    let service = Service::new(Version::HTTP_11, |request: Request<Incoming>| async move {
        let range = request.headers().get("range").map(|range| range.to_str().unwrap().to_owned());
        let mut answer = ok(whole("cde"));
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        answer.headers_mut().insert("content-range", "bytes 2-4/10".parse().unwrap());
        answer.headers_mut().insert("etag", "\"1\"".parse().unwrap());
        answer.headers_mut().insert("x-asked", range.unwrap_or_default().parse().unwrap());
        answer
    })
    .await;
    let world = World::with_upstream("", service.address).await;
    let mut client = Client::new(world.public());
    let reply = client.send(Method::GET, "/om/file", &[("range", "bytes=2-4"), ("if-range", "\"1\"")], "").await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::PARTIAL_CONTENT, "cde"));
    assert_eq!((reply.header("content-range"), reply.header("x-asked")), ("bytes 2-4/10", "bytes=2-4"));
    // HEAD tells of a length without a body.
    let reply = client.send(Method::HEAD, "/om/file", &[], "").await;
    assert_eq!((reply.header("content-length"), reply.body.as_str()), ("3", ""));
}

#[tokio::test]
async fn a_slow_reader_holds_the_e_service_back() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let service = Service::new(Version::HTTP_11, move |_| {
        let counted = Arc::clone(&counted);
        async move {
            let (sender, body) = coming();
            tokio::spawn(async move {
                for _ in 0..16 * 1024 {
                    if sender.send(data(vec![0; 64 * 1024])).await.is_err() {
                        return;
                    }
                    counted.fetch_add(64 * 1024, Ordering::Relaxed);
                }
            });
            ok(body)
        }
    })
    .await;
    let world = World::with_upstream("", service.address).await;
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    stream.write_all(b"GET /om/gigabyte HTTP/1.1\r\nHost: e\r\n\r\n").await.unwrap();
    head(&mut stream).await;
    // Nothing more is read: what is sent is what the buffers of four sockets hold.
    let mut before = usize::MAX;
    eventually(20, "it stands still", || {
        let now = sent.load(Ordering::Relaxed);
        let still = now == before;
        before = now;
        async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            still
        }
    })
    .await;
    let held = sent.load(Ordering::Relaxed);
    assert!(held < 64 * 1024 * 1024, "{} MB went into buffers", held >> 20);
    let mut buffer = vec![0; 1024 * 1024];
    for _ in 0..64 {
        stream.read_exact(&mut buffer).await.unwrap();
    }
    eventually(5, "it goes on", || async { sent.load(Ordering::Relaxed) > held }).await;
}

#[tokio::test]
async fn an_e_service_that_does_not_read_holds_the_client_back() {
    let service = Service::new(Version::HTTP_11, |request: Request<Incoming>| async move {
        // Holds the body and does not look at it.
        let _body = request.into_body();
        std::future::pending().await
    })
    .await;
    let world = World::with_upstream("[upstream]\nidle_timeout = \"3s\"\n", service.address).await;
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    let head = "POST /om/x HTTP/1.1\r\nHost: e\r\nContent-Length: 1073741824\r\nAccept: application/json\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![0; 64 * 1024];
    let mut sent = 0;
    while let Ok(Ok(())) = tokio::time::timeout(Duration::from_secs(1), stream.write_all(&piece)).await {
        sent += piece.len();
        assert!(sent < 64 * 1024 * 1024, "nobody holds it back");
    }
    // It is the e-service that stands still, and that is what is said.
    let (got, _) = read_to_end(&mut stream).await;
    let got = answers(&got);
    assert_eq!((got.len(), got[0].status), (1, 504));
}

#[tokio::test]
async fn an_e_service_on_a_unix_socket_is_like_any_other() {
    let mut world = World::new("").await;
    let path = world.folder.path().join("app.sock");
    unix_service(&path, |request: Request<Incoming>| async move {
        let host = request.headers()["host"].to_str().unwrap().to_owned();
        let target = request.uri().to_string();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        ok(whole(format!("{host} {target} {}", body.len())))
    });
    world
        .configure(|text| {
            let line = text.lines().find(|line| line.starts_with("upstream = ")).unwrap();
            text.replacen(line, &format!("upstream = \"unix:{}\"", path.display()), 1)
        })
        .await;
    let mut client = Client::new(world.public());
    for n in 0..20 {
        let reply = client.send(Method::POST, "/om/x?y=z", &[], &"b".repeat(n * 10_000)).await;
        assert_eq!(
            (reply.status, reply.body),
            (StatusCode::OK, format!("etjanst.example.se /om/x?y=z {}", n * 10_000))
        );
    }
    assert_eq!(Client::new(world.admin()).get("/upstream/readyz").await.status, StatusCode::OK);
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn an_answer_without_a_length_gives_its_connection_back_too() {
    let service = Service::new(Version::HTTP_11, |_| async {
        let (sender, body) = coming();
        tokio::spawn(async move { sender.send(data("chunk")).await });
        ok(body)
    })
    .await;
    let world = World::with_upstream("", service.address).await;
    let mut client = Client::new(world.public());
    for _ in 0..40 {
        assert_eq!(client.get("/om/x").await.body, "chunk");
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    assert!(service.connections() <= cores, "{} connections for {cores} cores", service.connections());
}

/// What the e-service refuses is its own: no reason to close a connection on which nothing is left over.
#[tokio::test]
async fn a_no_of_the_e_service_costs_no_connection() {
    let service = Service::new(Version::HTTP_11, |request: Request<Incoming>| async move {
        let length = request.into_body().collect().await.unwrap().to_bytes().len();
        let mut answer = ok(nothing());
        *answer.status_mut() = if length == 5 { StatusCode::NOT_FOUND } else { StatusCode::INTERNAL_SERVER_ERROR };
        answer
    })
    .await;
    let world = World::with_upstream("", service.address).await;
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    for _ in 0..5 {
        stream.write_all(b"POST /om/x HTTP/1.1\r\nHost: e\r\nContent-Length: 5\r\n\r\nhello").await.unwrap();
        let head = head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 404 ") && !head.contains("connection: close"), "{head}");
    }
}

#[tokio::test]
async fn a_connection_waits_for_its_next_request_for_a_while() {
    let mut world = World::new("").await;
    world.configure(|text| text.replacen("[listen]", "[listen]\nkeep_alive_timeout = \"1s\"", 1)).await;
    // HTTP/1: used again at once, and closed when nothing comes.
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /om/x HTTP/1.1\r\nHost: e\r\n\r\n").await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
        let mut body = [0; 5];
        stream.read_exact(&mut body).await.unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    let began = Instant::now();
    assert!(read_to_end(&mut stream).await.1);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    // HTTP/2: told to go away.
    let h2 = H2::connect(world.public()).await;
    let (status, ..) =
        read(h2.send(request(&Client::new(world.public()), "/om/x").body(nothing()).unwrap()).await).await;
    assert_eq!(status, StatusCode::OK);
    eventually(4, "GOAWAY", || async { h2.is_closed() }).await;
}

/// An e-service may have its say before it has heard all.
#[tokio::test]
async fn an_upload_goes_on_after_its_answer_and_must_not_stand_still() {
    let heard = Arc::new(AtomicUsize::new(0));
    let hears = Arc::clone(&heard);
    let service = Service::new(Version::HTTP_11, move |request: Request<Incoming>| {
        let hears = Arc::clone(&hears);
        async move {
            tokio::spawn(async move {
                let mut body = request.into_body();
                while let Some(Ok(_)) = body.frame().await {
                    hears.fetch_add(1, Ordering::Relaxed);
                }
                hears.fetch_add(1000, Ordering::Relaxed);
            });
            ok(whole("early"))
        }
    })
    .await;
    let mut world = World::with_upstream("[upstream]\nidle_timeout = \"2s\"\n", service.address).await;
    world.configure(|text| text.replacen("[listen]", "[listen]\nkeep_alive_timeout = \"1s\"", 1)).await;
    let client = Client::new(world.public());
    for over_h2 in [false, true] {
        heard.store(0, Ordering::Relaxed);
        let (sender, body) = coming();
        let answer = if over_h2 {
            let post = request(&client, "/om/x").method(Method::POST).body(body).unwrap();
            H2::connect(world.public()).await.send(post).await
        } else {
            h1(world.public(), h1_request(&client, "/om/x").method(Method::POST).body(body).unwrap()).await
        };
        let (status, _, got, _) = read(answer).await;
        assert_eq!((status, &got[..]), (StatusCode::OK, &b"early"[..]));
        // Longer than an idle connection lives, a little at a time.
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            sender.send(data("x")).await.unwrap();
        }
        eventually(2, "all of it came", || async { heard.load(Ordering::Relaxed) == 8 }).await;
        // And then no more, without an end.
        eventually(6, "the e-service is rid of it", || async { heard.load(Ordering::Relaxed) >= 1000 }).await;
        drop(sender);
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_not_waited_for() {
    let world = World::new("").await;
    let began = Instant::now();
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    // A whole request first: a client that has shown itself gets no more patience.
    stream.write_all(b"GET /om/x HTTP/1.1\r\nHost: e\r\n\r\n").await.unwrap();
    head(&mut stream).await;
    let (mut reading, mut writing) = stream.split();
    let trickling = async {
        for byte in b"GET /om/x HTTP/1.1\r\nHost: etjanst.example.se\r\nX-Slow: ".iter().cycle() {
            if writing.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    };
    let ended = tokio::select! {
        (_, ended) = read_to_end(&mut reading) => ended,
        () = trickling => true,
    };
    let took = began.elapsed();
    assert!(ended && took > Duration::from_secs(9) && took < Duration::from_secs(14), "{took:?}");
}
