//! Whoever is slow, sends half of something, or sends too much: bounded in time and room, and nobody else notices.

use std::time::{Duration, Instant};

use grindvakt::base::{Clock as _, SystemClock};
use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::raw::{answers, raw_service};
use crate::support::{Client, World, eventually};

/// What the connection brings until its end, and how long that took.
async fn until_closed(stream: &mut TcpStream) -> (Vec<u8>, Duration) {
    let begun = Instant::now();
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    let ended = tokio::time::timeout(Duration::from_secs(40), async {
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            got.extend_from_slice(&buffer[..read]);
        }
    });
    assert!(ended.await.is_ok(), "never closed");
    (got, begun.elapsed())
}

/// Sends `start`, then `more` again and again until the other side has closed.
async fn dribble(world: &World, start: &str, more: &str) -> (Vec<u8>, Duration) {
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    stream.write_all(start.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let more = more.to_owned();
    let dribbling = tokio::spawn(async move {
        while writing.write_all(more.as_bytes()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    });
    let begun = Instant::now();
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    let ended = tokio::time::timeout(Duration::from_secs(40), async {
        while let Ok(read @ 1..) = reading.read(&mut buffer).await {
            got.extend_from_slice(&buffer[..read]);
        }
    });
    assert!(ended.await.is_ok(), "never closed");
    dribbling.abort();
    (got, begun.elapsed())
}

/// Headers have ten seconds, forms fifteen; who takes longer is left, however busily they dribble (T57's slow relatives).
#[tokio::test(flavor = "multi_thread")]
async fn slow_headers_and_slow_forms_end_in_time() {
    let (address, records) = raw_service().await;
    let world = World::with_upstream("", address).await;
    let (seconds, form) = (Duration::from_secs, "application/x-www-form-urlencoded");
    let form = format!(
        "POST /eid/saml/acs HTTP/1.1\r\nHost: e\r\nContent-Type: {form}\r\nContent-Length: 5000\r\n\r\nSAMLResponse="
    );
    let silent = async {
        let mut stream = TcpStream::connect(world.public()).await.unwrap();
        until_closed(&mut stream).await
    };
    let half = async {
        let mut stream = TcpStream::connect(world.public()).await.unwrap();
        stream.write_all(b"GET /om/x HTTP/1.1\r\nHost: e\r\n").await.unwrap();
        until_closed(&mut stream).await
    };
    let half_form = async {
        let mut stream = TcpStream::connect(world.public()).await.unwrap();
        stream.write_all(form.as_bytes()).await.unwrap();
        until_closed(&mut stream).await
    };
    let everyone_else = async {
        for _ in 0..20 {
            assert_eq!(Client::new(world.public()).get("/om/y").await.status, StatusCode::OK);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let (silent, half, line, headers, half_form, slow_form, ()) = tokio::join!(
        silent,
        half,
        dribble(&world, "GET /om/", "x"),
        dribble(&world, "GET /om/x HTTP/1.1\r\nHost: e\r\n", "X: y\r\n"),
        half_form,
        dribble(&world, &form, "A"),
        everyone_else,
    );
    for (what, (got, took), status, least, most) in [
        ("nothing at all", silent, None, 9, 20),
        ("half a head", half, None, 9, 20),
        ("a target, byte by byte", line, None, 9, 20),
        ("header after header", headers, None, 9, 20),
        ("half a form", half_form, Some(400), 14, 30),
        ("a form, byte by byte", slow_form, Some(400), 14, 30),
    ] {
        assert!((seconds(least)..seconds(most)).contains(&took), "{what}: {took:?}");
        let statuses: Vec<u16> = answers(&got).iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, Vec::from_iter(status), "{what}");
    }
    assert!(records.take().unwrap().iter().all(|request| request.line == "GET /om/y"));
}

/// All forms that are being read share one room. Whoever fills it with halves makes logins wait, not the memory grow, and
/// the room comes back with the connection.
#[tokio::test(flavor = "multi_thread")]
async fn the_room_for_half_sent_forms_is_common_and_comes_back() {
    let world = World::new("").await;
    // A form may be 512 KiB, the room is 32 MiB.
    let length = 512 * 1024;
    let head = format!(
        "POST /eid/saml/acs HTTP/1.1\r\nHost: e\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n"
    );
    let half = [head.as_bytes(), &vec![b'A'; length - 1]].concat();
    let mut holding = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(world.public()).await.unwrap();
        stream.write_all(&half).await.unwrap();
        holding.push(stream);
    }
    // 64 times 512 KiB less a byte: so little is left that no message fits.
    let padding = "A".repeat(4096);
    eventually(10, "the room is full", || {
        let (mut stranger, padding) = (Client::new(world.public()), padding.clone());
        async move { stranger.answer(&padding, "x").await.status == StatusCode::SERVICE_UNAVAILABLE }
    })
    .await;
    let mut person = Client::new(world.public());
    let (request, relay_state) = person.begin(&world, "/ansokan/").await;
    let response = world.idp.response(&request).at(SystemClock.now()).build();
    let reply = person.clone().answer(&response, &relay_state).await;
    assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "10"));
    assert_eq!(Client::new(world.public()).get("/om/x").await.status, StatusCode::OK, "nobody else notices");

    // Half of them go away: the login that was refused has used nothing up.
    holding.truncate(32);
    eventually(10, "the room comes back", || {
        let (mut person, response, relay_state) = (person.clone(), response.clone(), relay_state.clone());
        async move { person.answer(&response, &relay_state).await.status == StatusCode::SEE_OTHER }
    })
    .await;
}

/// T28: nothing that comes in is ever inflated, so nothing can swell. A deflated message is no message.
#[tokio::test(flavor = "multi_thread")]
async fn t28_what_comes_deflated_is_not_inflated() {
    use std::io::Write as _;
    let world = World::new("").await;
    let bomb = {
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        (0..64).for_each(|_| deflate.write_all(&[b' '; 1024 * 1024]).unwrap());
        deflate.finish().unwrap()
    };
    assert!(bomb.len() < 100_000);
    let mut client = Client::new(world.public());
    let (_, relay_state) = client.begin(&world, "/ansokan/").await;
    let encoded = base64_simd::STANDARD.encode_to_string(&bomb);
    let form = [("SAMLResponse", encoded.as_str()), ("RelayState", relay_state.as_str())];
    assert_eq!(client.post("/eid/saml/acs", &form).await.status, StatusCode::FORBIDDEN);
    let refused = "grindvakt_logins_refused_total{code=\"xml_not_utf8\",provider=\"bankid-a\"}";
    let metrics = Client::new(world.admin()).get("/metrics").await.body;
    let counted: Vec<&str> =
        metrics.lines().filter(|line| line.contains("refused_total{") && !line.ends_with(" 0")).collect();
    assert!(counted.iter().any(|line| line.starts_with(refused)), "{counted:?}");
    // A body that says it is compressed is read as it is: no form.
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("content-encoding", "deflate")];
    let reply = client.send(http::Method::POST, "/eid/saml/acs", &headers, &encoded[..1000]).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
}
