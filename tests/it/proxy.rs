//! What passes through the proxy, seen from the e-service: on a socket of its own, byte by byte where it matters.

use std::time::Duration;

use grindvakt::base::{Clock as _, SystemClock};
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Client, World};

#[tokio::test]
async fn what_an_application_could_take_for_another_request_goes_no_further() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    let sent = [
        ("script_name", "/om"),
        ("path_info", "/hog/x"),
        ("x.forwarded.user", "admin"),
        ("script-name", "/om"),
        ("x-original-url", "/hog/x"),
        ("x-rewrite-url", "/hog/x"),
        ("x-http-method-override", "DELETE"),
        ("x-forwarded-email", "admin@example.se"),
        ("x-forwarded-groups", "admin"),
        ("x-forwarded-access-token", "t"),
        ("x-auth-request-user", "admin"),
        ("remote-user", "admin"),
        ("proxy", "http://evil.example"),
        ("x-kept", "1"),
    ];
    assert_eq!(client.send(Method::GET, "/om/x", &sent, "").await.status, StatusCode::OK);
    let seen = world.seen();
    assert_eq!(seen.one("x-kept"), "1");
    for (name, _) in sent.iter().filter(|(name, _)| *name != "x-kept") {
        assert!(seen.all(name).is_empty(), "{name} reached the e-service: {:?}", seen.headers);
    }
}

#[tokio::test]
async fn no_other_spelling_of_a_path_leads_round_its_route() {
    let world = World::new(
        r#"[[route]]
path = "/om/@admin/*"
[[route]]
path = "/om/stangt"
"#,
    )
    .await;
    let mut client = Client::new(world.public()).xhr();
    for (path, status) in [
        ("/om/x", StatusCode::OK),
        ("/om/stangt", StatusCode::UNAUTHORIZED),
        ("/om/stangt/", StatusCode::UNAUTHORIZED),
        ("/om/@admin/x", StatusCode::UNAUTHORIZED),
        ("/om/%40admin/x", StatusCode::UNAUTHORIZED),
        ("/om/%c0%ae%c0%ae/hog", StatusCode::BAD_REQUEST),
        ("/om/..%c0%afhog", StatusCode::BAD_REQUEST),
        ("/om/..%20/hog", StatusCode::BAD_REQUEST),
        ("/om/../hog", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(client.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_stranger_among_the_cookies_ends_no_session() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    let session = client.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; ");
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    let head = "GET /ansokan/ HTTP/1.1\r\nHost: etjanst.example.se\r\nConnection: close\r\nCookie: a=";
    stream.write_all(&[head.as_bytes(), b"\xe5; ", session.as_bytes(), b"\r\n\r\n"].concat()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("\r\ncache-control: private\r\n"), "what is a person's is private");
}

/// An e-service that answers 413 at once and never reads a body, and what it was sent.
async fn deaf_service(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            // One answer for each head.
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                if buffer[..read].windows(4).any(|w| w == b"\r\n\r\n") {
                    stream.write_all(b"HTTP/1.1 413 no\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                }
            }
        });
    }
}

#[tokio::test]
async fn an_upload_that_never_ends_holds_nobody_else_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = World::with_upstream("", listener.local_addr().unwrap()).await;
    tokio::spawn(deaf_service(listener));
    for _ in 0..4 {
        let mut hanging = TcpStream::connect(world.public()).await.unwrap();
        let head = "POST /om/x HTTP/1.1\r\nHost: e\r\nContent-Length: 100000\r\n\r\nabc";
        hanging.write_all(head.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        hanging.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 413");
        // Whoever comes next is answered while the upload still hangs.
        for _ in 0..4 {
            let mut client = Client::new(world.public());
            let next = tokio::time::timeout(Duration::from_secs(5), client.get("/om/y")).await;
            assert_eq!(next.expect("held up by another client's upload").status, StatusCode::PAYLOAD_TOO_LARGE);
        }
        drop(hanging);
    }
}

#[tokio::test]
async fn trailers_bring_no_identity() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = World::with_upstream("", listener.local_addr().unwrap()).await;
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut got, mut buffer) = (Vec::new(), [0; 4096]);
        while !got.windows(5).any(|w| w == b"0\r\n\r\n") && !got.windows(4).any(|w| w == b"loa4") {
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&got));
            got.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        String::from_utf8(got).unwrap().to_ascii_lowercase()
    });
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    let request = "POST /om/x HTTP/1.1\r\nHost: e\r\nTrailer: X-Eid-Subject, X_Eid_Loa\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n0\r\nX-Eid-Subject: admin\r\nX_Eid_Loa: loa4\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let got = tokio::time::timeout(Duration::from_secs(10), upstream).await.unwrap().unwrap();
    assert!(got.contains("abc") && !got.contains("admin") && !got.contains("trailer"), "{got}");
}

#[tokio::test]
async fn some_methods_are_not_for_here_and_a_picture_begins_no_login() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    let reply = client.send(Method::TRACE, "/ansokan/", &[], "").await;
    assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
    let mut page = Client::new(world.public());
    page.headers = vec![("sec-fetch-mode".into(), "no-cors".into()), ("sec-fetch-site".into(), "cross-site".into())];
    let reply = page.get("/eid/login?eid=bankid&rd=/ansokan/").await;
    assert_eq!((reply.status, reply.set_cookies().len()), (StatusCode::FORBIDDEN, 0));

    // Nor does a frame that nobody sees: five of them would push out what the person has begun.
    let mut person = Client::new(world.public());
    let (request, relay_state) = person.begin(&world, "/ansokan/1").await;
    for dest in ["iframe", "frame", "embed", "object", "fencedframe"] {
        let framed = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", dest), ("sec-fetch-site", "cross-site")];
        for target in ["/eid/login?eid=bankid&rd=/ansokan/", "/eid/login?eid=freja", "/eid/oidc/callback/x?state=y"] {
            let reply = person.send(Method::GET, target, &framed, "").await;
            assert!(
                reply.status.is_client_error() && reply.set_cookies().is_empty(),
                "{dest} {target}: {}",
                reply.status
            );
        }
    }
    let response = world.idp.response(&request).at(SystemClock.now()).build();
    assert_eq!(person.answer(&response, &relay_state).await.header("location"), "/ansokan/1");
}

#[tokio::test]
async fn an_unasked_login_is_confirmed_and_never_older_than_the_memory_of_it() {
    let mut world = World::new("").await;
    let skew = Duration::from_secs(1);
    world
        .configure(|text| {
            let text = text.replacen("label = \"BankID\"", "label = \"BankID\"\nallow_unsolicited = true", 1);
            text.replacen("[store]", "[verification]\nclock_skew = \"1s\"\n[store]", 1)
        })
        .await;
    let message = |world: &World, at| {
        let acs = format!("{}/eid/saml/acs", crate::support::BASE);
        world.idp.unsolicited(&format!("{}/sp", crate::support::BASE), &acs, at).build()
    };
    use grindvakt::base::Clock as _;
    let now = grindvakt::base::SystemClock.now();
    let mut client = Client::new(world.public());
    // The second is by a clock that is as far ahead as it may be: the process before this one would have taken it.
    for at in [now.minus(Duration::from_secs(30)), now.minus(skew)] {
        let reply = client.answer(&message(&world, at), "/ansokan/").await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "a restarted process cannot know whether this one was used");
    }
    tokio::time::sleep(skew + Duration::from_millis(100)).await;
    let new = message(&world, grindvakt::base::SystemClock.now().plus(skew));
    let reply = client.answer(&new, "/ansokan/").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    assert!(reply.body.contains("login/confirm"), "the person is asked first");
    let again = Client::new(world.public()).answer(&new, "/ansokan/").await;
    assert_eq!(again.status, StatusCode::FORBIDDEN, "once, and not again");

    // The process after it was used has not seen it. It was issued after that one's start, by the provider's clock.
    world.stop().await;
    world.start();
    let again = Client::new(world.public()).answer(&new, "/ansokan/").await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "{}", again.body);
    assert!(!again.body.contains("login/confirm"));
}
