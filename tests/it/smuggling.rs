//! Requests with two readings (T57): bytes on a socket, and what of them reaches an e-service that keeps every byte.

use std::path::Path;

use serde::Deserialize;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::World;
use crate::support::raw::{Arrived, Records, answers, raw_service, read_to_end};

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    send: String,
    status: Vec<u16>,
    arrives: Vec<String>,
    #[serde(default, rename = "tests")]
    _tests: Vec<String>,
    #[serde(rename = "about")]
    _about: String,
}

const LAST: &[u8] = b"GET /om/last HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n";

/// The bytes that a text of the table stands for.
fn bytes(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    let latin_1 = |text: &str| text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<u8>>();
    while let Some((before, after)) = rest.split_once("<<") {
        out.extend(latin_1(before));
        let (repeated, after) = after.split_once(">>").unwrap();
        let (what, times) = repeated.rsplit_once('*').unwrap();
        out.extend(latin_1(what).repeat(times.parse().unwrap()));
        rest = after;
    }
    out.extend(latin_1(rest));
    out
}

/// How the bytes are cut up on their way.
#[derive(Clone, Copy, Debug)]
enum Pieces {
    Whole,
    Halves,
    Bytes,
}

/// Longer cases are not sent byte by byte.
const SHORT: usize = 2_000;

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8], pieces: Pieces) {
    let size = match pieces {
        Pieces::Whole => bytes.len(),
        Pieces::Halves => bytes.len() / 2,
        Pieces::Bytes => 1,
    };
    for piece in bytes.chunks(size) {
        // The other side may have closed already: what it answered is what counts.
        if stream.write_all(piece).await.is_err() {
            return;
        }
        if size < bytes.len() {
            tokio::task::yield_now().await;
        }
    }
}

fn told(arrived: &Arrived) -> String {
    let body: String = arrived.body.iter().map(|b| char::from(*b)).collect();
    if body.is_empty() { arrived.line.clone() } else { format!("{} {body}", arrived.line) }
}

async fn play(world: &World, records: &Records, case: &Case, pieces: Pieces) -> (Vec<u16>, Vec<String>) {
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let all = [bytes(&case.send).as_slice(), LAST].concat();
    let (mut reading, mut writing) = stream.split();
    let ((got, ended), ()) = tokio::join!(read_to_end(&mut reading), send(&mut writing, &all, pieces));
    let mut statuses: Vec<u16> = answers(&got).iter().map(|answer| answer.status).collect();
    if !ended {
        statuses.push(0);
    }
    let arrived = records.take();
    (statuses, arrived.map_or_else(|faults| faults, |all| all.iter().map(told).collect()))
}

#[tokio::test(flavor = "multi_thread")]
async fn t57_every_request_with_two_readings_has_one_or_none() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/http/smuggling.toml");
    let cases: Cases = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.case.len() >= 160, "the table has shrunk to {}", cases.case.len());
    let (address, records) = raw_service().await;
    let world = World::with_upstream("", address).await;
    let mut wrong = Vec::new();
    for case in &cases.case {
        for pieces in [Pieces::Whole, Pieces::Halves, Pieces::Bytes] {
            if matches!(pieces, Pieces::Bytes) && bytes(&case.send).len() > SHORT {
                continue;
            }
            let (statuses, arrived) = play(&world, &records, case, pieces).await;
            if statuses != case.status || arrived != case.arrives {
                wrong.push(format!("{} ({pieces:?}): {statuses:?}, {arrived:?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.case.len(), wrong.join("\n"));
}
