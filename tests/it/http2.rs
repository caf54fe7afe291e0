//! HTTP/2 in clear text on our own address: as an ingress speaks it, and as a stranger does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Method, Request, StatusCode, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::raw::{PATIENCE, exchange};
use crate::support::service::{Body, H2, Service, coming, data, next, nothing, ok, read, request, trailers, whole};
use crate::support::{Client, World, eventually, metric};

#[tokio::test]
async fn a_session_is_the_same_over_http_2() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    let h2 = H2::connect(world.public()).await;
    let (status, headers, ..) = read(h2.send(request(&client, "/ansokan/1").body(nothing()).unwrap()).await).await;
    assert_eq!((status, headers["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, "/eid/login?rd=/ansokan/1"));
    client.log_in(&world, "/ansokan/").await;

    // Cookies in crumbs, as RFC 9113 (8.2.3) lets clients send them.
    let mut crumbs =
        Request::builder().uri("http://etjanst.example.se/ansokan/1?x=1").header("x-eid-subject", "forged");
    for crumb in
        std::iter::once("a=1".to_owned()).chain(client.cookie().split("; ").map(str::to_owned)).chain(["b=2".into()])
    {
        crumbs = crumbs.header("cookie", crumb);
    }
    let (status, headers, body, _) = read(h2.send(crumbs.body(nothing()).unwrap()).await).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"hello"[..]));
    assert_eq!(headers["cache-control"], "private");
    assert_eq!(headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["app=1"], "the e-service cannot set ours");
    assert!(headers.get("x-hop").is_none() && headers.get("connection").is_none());
    let seen = world.seen();
    assert_eq!(seen.target, "/ansokan/1?x=1");
    assert_eq!(seen.one("host"), "etjanst.example.se");
    assert_eq!(seen.one("x-forwarded-proto"), "https");
    assert!(seen.one("x-eid-subject").starts_with("personal-number:"));
    assert_eq!(seen.one("x-eid-personal-number"), "195006262546");
    assert!(seen.one("cookie").starts_with("a=1; ") && seen.one("cookie").ends_with("b=2"), "{}", seen.one("cookie"));
    assert!(!seen.one("cookie").contains("__Host-eid"), "our cookies stay with us");

    // A whole form over HTTP/2.
    let post = request(&client, "/ansokan/2").method(Method::POST).body(whole(vec![b'x'; 200_000])).unwrap();
    let (status, ..) = read(h2.send(post).await).await;
    assert_eq!((status, world.seen().body.len()), (StatusCode::OK, 200_000));
}

#[tokio::test]
async fn many_at_once_share_a_connection() {
    let service = Service::new(Version::HTTP_11, |request| async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        ok(whole(request.uri().path().to_owned()))
    })
    .await;
    let world = World::with_upstream("", service.address).await;
    let h2 = H2::connect(world.public()).await;
    let client = Client::new(world.public());
    let mut all = tokio::task::JoinSet::new();
    for n in 0..300 {
        let (h2, request) = (h2.clone(), request(&client, &format!("/om/{n}")).body(nothing()).unwrap());
        all.spawn(async move {
            let (status, _, body, _) = read(h2.send(request).await).await;
            (status, body, format!("/om/{n}"))
        });
    }
    let began = Instant::now();
    while let Some(answer) = all.join_next().await {
        let (status, body, path) = answer.unwrap();
        assert_eq!((status, &body[..]), (StatusCode::OK, path.as_bytes()));
    }
    assert!(began.elapsed() < Duration::from_secs(5), "one after the other");
    assert!(!h2.is_closed());
}

/// A connection in HTTP/2 without anyone who is polite on it.
async fn rude(
    address: std::net::SocketAddr,
    window: u32,
) -> (SendRequest<Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window);
    let (sender, connection) = builder.handshake(stream).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn om() -> Request<()> {
    Request::builder().uri("http://e/om/x").body(()).unwrap()
}

#[tokio::test]
async fn what_we_take_is_announced_and_bounded() {
    let world = World::new("").await;
    let (sender, _connection) = rude(world.public(), 65_535).await;
    let mut sender = sender.ready().await.unwrap();
    let announced = sender.clone();
    eventually(5, "our settings", || async { announced.current_max_send_streams() == 100 }).await;
    // Headers over the limit, and many small ones that are over it only together with what each costs.
    for request in [
        om().headers().clone(),
        {
            let mut big = http::HeaderMap::new();
            big.insert("x-big", "x".repeat(33 * 1024).parse().unwrap());
            big
        },
        {
            let mut many = http::HeaderMap::new();
            for n in 0..900 {
                many.append(http::HeaderName::from_bytes(format!("x-{n}").as_bytes()).unwrap(), "1".parse().unwrap());
            }
            many
        },
    ] {
        let fits = request.is_empty();
        let mut asked = om();
        *asked.headers_mut() = request;
        sender = sender.ready().await.unwrap();
        let (response, _) = sender.send_request(asked, true).unwrap();
        let status = response.await.map(|response| response.status().as_u16());
        match status {
            Ok(status) => assert_eq!(status, if fits { 200 } else { 431 }),
            Err(error) => assert!(!fits, "{error}"),
        }
    }
    for method in [Method::CONNECT, Method::TRACE] {
        let uri = if method == Method::CONNECT { "e:443" } else { "http://e/om/x" };
        sender = sender.ready().await.unwrap();
        let (response, _) =
            sender.send_request(Request::builder().method(method.clone()).uri(uri).body(()).unwrap(), true).unwrap();
        assert_eq!(response.await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
}

#[tokio::test]
async fn a_flood_of_resets_ends_its_connection_and_hardly_reaches_the_e_service() {
    let reached = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reached);
    let service = Service::new(Version::HTTP_11, move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            ok(nothing())
        }
    })
    .await;
    let world = World::with_upstream("", service.address).await;
    // Taken back as soon as they are sent (CVE-2023-44487), and as soon as they are on their way to the e-service.
    for wait in [None, Some(Duration::from_millis(2))] {
        let before = reached.load(Ordering::Relaxed);
        let (mut sender, connection) = rude(world.public(), 65_535).await;
        let mut sent = 0;
        while sent < 2_000 {
            let Ok(ready) = sender.clone().ready().await else { break };
            sender = ready;
            let post = Request::builder().method(Method::POST).uri("http://e/om/x").body(()).unwrap();
            let Ok((response, mut stream)) = sender.send_request(post, false) else { break };
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                // So that it goes out at all.
                None => tokio::task::yield_now().await,
            }
            stream.send_reset(h2::Reason::CANCEL);
            drop(response);
            sent += 1;
        }
        drop(sender);
        let _ = tokio::time::timeout(PATIENCE, connection).await.expect("the connection goes on");
        let reached = reached.load(Ordering::Relaxed) - before;
        assert!(sent < 2_000 && reached <= 150, "{wait:?}: {sent} sent, {reached} reached the e-service");
    }
    eventually(5, "the flood is counted", || async {
        metric(world.admin(), "grindvakt_streams_cut_total{why=\"reset_flood\"}").await >= 1.0
    })
    .await;

    // A person who goes from page to page before they are loaded is no flood.
    let h2 = H2::connect(world.public()).await;
    for _ in 0..40 {
        let (h2, request) = (h2.clone(), request(&Client::new(world.public()), "/om/x").body(nothing()).unwrap());
        let _ = tokio::time::timeout(Duration::from_millis(5), async move { h2.try_send(request).await }).await;
    }
    assert!(!h2.is_closed());
}

/// An answer that never ends, and how much of it was taken.
async fn endless(version: Version) -> (Service, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let service = Service::new(version, move |request| {
        let counted = Arc::clone(&counted);
        async move {
            if request.uri().path() != "/om/endless" {
                return ok(whole("short"));
            }
            let (sender, body) = coming();
            tokio::spawn(async move {
                while sender.send(data(vec![0; 16 * 1024])).await.is_ok() {
                    counted.fetch_add(16 * 1024, Ordering::Relaxed);
                }
                counted.store(usize::MAX, Ordering::Relaxed);
            });
            ok(body)
        }
    })
    .await;
    (service, taken)
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_cut_and_its_neighbours_live_on() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (service, taken) = endless(version).await;
        let protocol = if version == Version::HTTP_2 { "h2c" } else { "http1" };
        let settings = format!("[upstream]\nidle_timeout = \"1s\"\nprotocol = \"{protocol}\"\n");
        let world = World::with_upstream(&settings, service.address).await;
        let (sender, _connection) = rude(world.public(), 1_000).await;
        let mut sender = sender.ready().await.unwrap();
        let endless = Request::builder().uri("http://e/om/endless").body(()).unwrap();
        let (response, _) = sender.send_request(endless, true).unwrap();
        let mut unread = response.await.unwrap().into_body();
        // Not a byte of it is taken: the window stays closed. Meanwhile others are answered.
        for _ in 0..3 {
            sender = sender.ready().await.unwrap();
            let (response, _) = sender.send_request(om(), true).unwrap();
            assert_eq!(response.await.unwrap().status(), StatusCode::OK);
        }
        eventually(10, "the e-service is rid of it", || async { taken.load(Ordering::Relaxed) == usize::MAX }).await;
        let cut = async {
            loop {
                match unread.data().await {
                    Some(Ok(_)) => {}
                    other => break other.map(|got| got.map(|_| ())),
                }
            }
        };
        let cut = tokio::time::timeout(PATIENCE, cut).await.unwrap();
        assert!(matches!(&cut, Some(Err(error)) if error.is_reset()), "{cut:?}");
        sender = sender.ready().await.unwrap();
        let (response, _) = sender.send_request(om(), true).unwrap();
        assert_eq!(response.await.unwrap().status(), StatusCode::OK, "the connection lives on");
        assert_eq!(metric(world.admin(), "grindvakt_streams_cut_total{why=\"idle\"}").await, 1.0);
    }
}

#[tokio::test]
async fn an_e_service_in_http_2_is_spoken_to_as_such() {
    let service = Service::new(Version::HTTP_2, |request: Request<hyper::body::Incoming>| async move {
        let told = format!(
            "{:?} {} {:?} {:?}",
            request.version(),
            request.uri(),
            request.headers().get("host"),
            request.headers().get("x-eid-loa").is_some()
        );
        ok(whole(told))
    })
    .await;
    let world = World::with_upstream("[upstream]\nprotocol = \"h2c\"\n", service.address).await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    let expect = "HTTP/2.0 http://etjanst.example.se/ansokan/1?a=b None true";
    assert_eq!(client.get("/ansokan/1?a=b").await.body, expect);
    let h2 = H2::connect(world.public()).await;
    let (_, headers, body, _) = read(h2.send(request(&client, "/ansokan/1?a=b").body(nothing()).unwrap()).await).await;
    assert_eq!((&body[..], headers["cache-control"].to_str().unwrap()), (expect.as_bytes(), "private"));
    for n in 0..50 {
        let mut client = client.clone();
        assert_eq!(client.send(Method::POST, &format!("/ansokan/{n}"), &[], "body").await.status, StatusCode::OK);
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    assert!(service.connections() <= cores + 1, "{} connections for {cores} cores", service.connections());
    assert_eq!(Client::new(world.admin()).get("/upstream/readyz").await.status, StatusCode::OK);
}

/// What was decided on is what arrives (T46): a target of a query alone is about `/`, and the e-service is given that as its
/// `:path`, not the query.
#[tokio::test]
async fn t46_a_target_without_a_path_arrives_with_the_one_that_was_decided_on() {
    let service = Service::new(Version::HTTP_2, |request: Request<hyper::body::Incoming>| async move {
        // As it was sent: `path()` says `/` of nothing.
        ok(whole(request.uri().path_and_query().unwrap().as_str().to_owned()))
    })
    .await;
    let more = "[upstream]\nprotocol = \"h2c\"\n[[route]]\npath = \"/\"\naccess = \"anonymous\"\n";
    let world = World::with_upstream(more, service.address).await;
    for target in ["/?a=b", "http://e?a=b", "http://e/?a=b"] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n");
        let answers = exchange(world.public(), head.as_bytes()).await;
        assert_eq!((answers[0].status, &answers[0].body[..]), (200, &b"/?a=b"[..]), "{target}");
    }
}

/// Over HTTP/2 the trailers of a request reach the e-service as trailers; what an application could take for ours does not
/// (T43).
#[tokio::test]
async fn t43_trailers_over_http_2_bring_no_identity() {
    let service = Service::new(Version::HTTP_2, |request| async move {
        let (_, _, body, got) = read(http::Response::new(request.into_body())).await;
        let mut names: Vec<_> = got.iter().map(|(n, v)| format!("{n}={}", v.to_str().unwrap())).collect();
        names.sort();
        ok(whole(format!("{} {}", body.len(), names.join(","))))
    })
    .await;
    let world = World::with_upstream("[upstream]\nprotocol = \"h2c\"\n", service.address).await;
    let h2 = H2::connect(world.public()).await;
    let send = async |pairs: &[(&'static str, &'static str)]| {
        let (sender, body) = coming();
        let post = Request::builder().method(Method::POST).uri("http://etjanst.example.se/om/x").body(body).unwrap();
        let frames = async {
            sender.send(data("abc")).await.unwrap();
            sender.send(trailers(pairs)).await.unwrap();
            drop(sender);
        };
        let (response, ()) = tokio::join!(h2.send(post), frames);
        String::from_utf8(read(response).await.2.to_vec()).unwrap()
    };
    assert_eq!(send(&[("x-checksum", "1"), ("grpc-status", "0")]).await, "3 grpc-status=0,x-checksum=1");
    let forged = [
        ("x-eid-subject", "admin"),
        ("x_eid_loa", "loa4"),
        ("x.eid.name", "A"),
        ("remote-user", "admin"),
        ("x-forwarded-for", "127.0.0.1"),
        ("authorization", "Bearer x"),
        ("cookie", "a=1"),
        ("x-checksum", "2"),
    ];
    assert_eq!(send(&forged).await, "3 x-checksum=2");
    assert_eq!(send(&forged[..3]).await, "3 ", "nothing is left of them: the body just ends");
}

#[tokio::test]
async fn a_drain_lets_streams_end_and_closes_what_is_idle() {
    let service = Service::new(Version::HTTP_11, |_| async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        ok(whole("late"))
    })
    .await;
    let mut world = World::with_upstream("", service.address).await;
    let (idle, busy) = (H2::connect(world.public()).await, H2::connect(world.public()).await);
    let client = Client::new(world.public());
    let running = tokio::spawn({
        let (busy, request) = (busy.clone(), request(&client, "/om/x").body(nothing()).unwrap());
        async move { read(busy.send(request).await).await }
    });
    eventually(5, "the request is on its way", || async { service.connections() == 1 }).await;
    let began = Instant::now();
    let stopping = tokio::spawn(async move {
        world.stop().await;
        world
    });
    eventually(3, "told to go away", || async { idle.is_closed() && busy.is_closed() }).await;
    let (status, _, body, _) = running.await.unwrap();
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"late"[..]));
    stopping.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "nothing was waited for in vain: {:?}", began.elapsed());
}

#[tokio::test]
async fn what_only_begins_like_http_2_is_no_way_in() {
    let world = World::new("").await;
    for (bytes, expect) in [
        (&b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"[..], &b"HTTP/1.1 400 "[..]),
        (b"PRI /om/x HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200 "),
        (b"P", b""),
        (b"", b""),
    ] {
        let mut stream = TcpStream::connect(world.public()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        if expect.is_empty() {
            stream.shutdown().await.unwrap();
        }
        let mut got = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut got)).await.unwrap().unwrap();
        assert!(
            got.starts_with(expect) && got.is_empty() == expect.is_empty(),
            "{bytes:?}: {}",
            String::from_utf8_lossy(&got)
        );
    }
    // A request in pieces of one byte, with a method that begins like the preface.
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in b"PUT /om/x HTTP/1.1\r\nHost: e\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok" {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut got = String::new();
    stream.read_to_string(&mut got).await.unwrap();
    assert!(got.starts_with("HTTP/1.1 200 "), "{got}");
    assert_eq!(world.seen().body, b"ok");
}

/// Both directions at once, as gRPC's streams go, between HTTP/2 and HTTP/2.
#[tokio::test]
async fn both_directions_go_at_once() {
    let service = Service::new(Version::HTTP_2, |request| async move {
        let (sender, body) = coming();
        tokio::spawn(async move {
            let mut asked = request.into_body();
            while let Some(Ok(piece)) = next(&mut asked).await {
                if sender.send(data(piece)).await.is_err() {
                    return;
                }
            }
            let _ = sender.send(trailers(&[("grpc-status", "0")])).await;
        });
        ok(body)
    })
    .await;
    let world = World::with_upstream("[upstream]\nprotocol = \"h2c\"\n", service.address).await;
    let h2 = H2::connect(world.public()).await;
    let (sender, body): (_, Body) = coming();
    let post = Request::builder().method(Method::POST).uri("http://etjanst.example.se/om/x").body(body).unwrap();
    let mut answer = h2.send(post).await.into_body();
    for n in 0..20 {
        let text = format!("message {n}");
        sender.send(data(text.clone())).await.unwrap();
        assert_eq!(next(&mut answer).await.unwrap().unwrap(), text, "it comes back before the next is sent");
    }
    drop(sender);
    let rest = http_body_util::BodyExt::collect(answer).await.unwrap();
    assert_eq!(rest.trailers().unwrap()["grpc-status"], "0");
}
