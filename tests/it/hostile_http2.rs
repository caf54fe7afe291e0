//! HTTP/2 as no client library would write it: frames by hand, and what of them reaches the e-service (T43, T57).

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::raw::{PATIENCE, Records, raw_service};
use crate::support::{Client, World};

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    fields: Vec<(String, String)>,
    data: Option<String>,
    expect: String,
    #[serde(rename = "about")]
    _about: String,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const GOOD: [(&str, &str); 4] = [(":method", "GET"), (":scheme", "http"), (":path", "/om/x"), (":authority", "e")];

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn latin_1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field that is never indexed, with both texts as they are (RFC 7541, 6.2.3).
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![0x10];
    for text in [latin_1(name), latin_1(value)] {
        assert!(text.len() < 127, "one byte says how long it is");
        out.push(u8::try_from(text.len()).unwrap());
        out.extend(text);
    }
    out
}

async fn connect(world: &World) -> TcpStream {
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
    stream
}

/// What becomes of stream 1: its status, or how it or the connection was ended.
async fn verdict(stream: &mut TcpStream) -> String {
    let reading = async {
        loop {
            let mut head = [0; 9];
            if stream.read_exact(&mut head).await.is_err() {
                return "closed".to_owned();
            }
            let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; length];
            if stream.read_exact(&mut payload).await.is_err() {
                return "closed".to_owned();
            }
            let code = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
            match head[3] {
                HEADERS => return status(&payload),
                RESET => return format!("reset {}", code(0)),
                GOAWAY if code(4) != 0 => return format!("goaway {}", code(4)),
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("no answer of any kind")
}

/// The status in a header block: it stands first, as an entry of the static table or with its name from there (RFC 7541,
/// appendix A).
fn status(block: &[u8]) -> String {
    match block[0] {
        0x88 => "200".into(),
        0x8c => "400".into(),
        0x8d => "404".into(),
        // A new value for `:status`, of three digits, by Huffman's code or as they are.
        0x48 if block[1] == 3 => String::from_utf8(block[2..5].to_vec()).unwrap(),
        0x48 => {
            // Each of 0, 1 and 2 is five bits, the other digits six (appendix B).
            let bits: String = block[2..2 + usize::from(block[1] & 0x7f)].iter().map(|b| format!("{b:08b}")).collect();
            let (mut rest, mut out) = (bits.as_str(), String::new());
            while out.len() < 3 {
                let five = u8::from_str_radix(&rest[..5], 2).unwrap();
                let width = if five < 3 { 5 } else { 6 };
                let code = u8::from_str_radix(&rest[..width], 2).unwrap();
                out.push(char::from(b'0' + if width == 5 { code } else { code - 0x19 + 3 }));
                rest = &rest[width..];
            }
            out
        }
        other => panic!("a block that begins with {other:#x}"),
    }
}

async fn play(world: &World, records: &Records, case: &Case) -> (String, Vec<String>) {
    let mut block = Vec::new();
    for (name, value) in &case.fields {
        if name == "@" {
            GOOD.iter().filter(|(name, _)| !value.contains(name)).for_each(|(n, v)| block.extend(field(n, v)));
        } else {
            block.extend(field(name, value));
        }
    }
    let mut stream = connect(world).await;
    let mut sent = frame(HEADERS, END_HEADERS | if case.data.is_none() { END_STREAM } else { 0 }, 1, &block);
    if let Some(data) = &case.data {
        sent.extend(frame(DATA, END_STREAM, 1, &latin_1(data)));
    }
    stream.write_all(&sent).await.unwrap();
    let got = verdict(&mut stream).await;
    // What comes after shows that the connection, or the next one, is as good as before.
    assert_eq!(Client::new(world.public()).get("/om/last").await.body, "/om/last", "{}", case.name);
    let arrived = match records.take() {
        Ok(arrived) => arrived,
        Err(faults) => return (got, faults),
    };
    let forged = arrived.iter().flat_map(|request| &request.headers).find(|(_, value)| value.contains("forged"));
    assert_eq!(forged, None, "{}", case.name);
    (got, arrived.into_iter().map(|request| request.line).filter(|line| line != "GET /om/last").collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn t57_what_http_2_forbids_reaches_nobody() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/http/http2.toml");
    let cases: Cases = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.case.len() >= 50, "the table has shrunk to {}", cases.case.len());
    let (address, records) = raw_service().await;
    let world = World::with_upstream("", address).await;
    let mut wrong = Vec::new();
    for case in &cases.case {
        let (got, arrived) = play(&world, &records, case).await;
        if got != case.expect || arrived.len() != usize::from(got == "200") {
            wrong.push(format!("{}: {got}, {arrived:?}, expected {}", case.name, case.expect));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.case.len(), wrong.join("\n"));
}

/// Sends `piece` again and again until the connection is closed; how many bytes that took.
async fn flood(world: &World, start: &[u8], piece: &[u8], most: usize) -> Option<usize> {
    let mut stream = connect(world).await;
    stream.write_all(start).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    // Who never read would be ended by a full buffer alone.
    let reader = tokio::spawn(async move {
        let mut nowhere = [0; 4096];
        while matches!(reading.read(&mut nowhere).await, Ok(1..)) {}
    });
    let flooding = async {
        let mut sent = 0;
        while sent < most {
            if writing.write_all(piece).await.is_err() {
                return Some(sent);
            }
            sent += piece.len();
            tokio::task::yield_now().await;
        }
        // All of it is taken: whether the connection still ends, the reader tells.
        tokio::time::timeout(Duration::from_secs(5), reader).await.is_ok().then_some(sent)
    };
    tokio::time::timeout(PATIENCE, flooding).await.expect("the flood was neither taken nor ended")
}

#[tokio::test(flavor = "multi_thread")]
async fn t57_floods_over_http_2_are_bounded() {
    let (address, records) = raw_service().await;
    let world = World::with_upstream("", address).await;
    const MEGABYTE: usize = 1024 * 1024;
    // A header block without an end (VU#421644): ended long before it fills anything.
    let begun: Vec<u8> = GOOD.iter().flat_map(|(name, value)| field(name, value)).collect();
    let more = field("x", &"y".repeat(100)).repeat(100);
    let start = frame(HEADERS, END_STREAM, 1, &begun);
    let sent = flood(&world, &start, &frame(CONTINUATION, 0, 1, &more), 8 * MEGABYTE).await;
    assert!(sent.is_some_and(|sent| sent < 8 * MEGABYTE), "CONTINUATION without an end: {sent:?}");
    let sent = flood(&world, &start, &frame(CONTINUATION, 0, 1, &[]), MEGABYTE / 2).await;
    assert!(sent.is_some(), "empty CONTINUATION without an end: {sent:?}");
    // What each costs an answer is answered or ended, and others are served meanwhile.
    for (what, piece) in [
        ("PING", frame(PING, 0, 0, &[0; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
        ("an empty stream of an even number", frame(HEADERS, END_HEADERS | END_STREAM, 2, &begun)),
    ] {
        let piece = piece.repeat(100);
        let mut client = Client::new(world.public());
        let (flooded, other) = tokio::join!(flood(&world, &[], &piece, MEGABYTE / 4), client.get("/om/y"));
        assert_eq!(other.status.as_u16(), 200, "{what}: {flooded:?}");
    }
    assert!(records.take().unwrap().iter().all(|request| request.line == "GET /om/y"));
}
