//! Bytes on a socket: an e-service that keeps exactly what it was sent, and a client that sends exactly what it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Nothing here takes longer; what does has hung.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One request as it arrived, taken apart by a reader that knows one way only to write a request down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// `POST /x`.
    pub line: String,
    /// Names as they were written.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Trailers, as they were written.
    pub trailers: Vec<(String, String)>,
    /// The head, byte by byte.
    pub raw: Vec<u8>,
}

impl Arrived {
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }
}

/// What a raw e-service was sent, all connections together, in the order in which requests were complete.
#[derive(Clone, Default)]
pub struct Records(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    requests: Vec<Arrived>,
    faults: Vec<String>,
}

impl Records {
    /// What arrived since the last look; an error when something arrived that is no well-formed request.
    pub fn take(&self) -> Result<Vec<Arrived>, Vec<String>> {
        let kept = std::mem::take(&mut *self.0.lock().unwrap());
        if kept.faults.is_empty() { Ok(kept.requests) } else { Err(kept.faults) }
    }
}

/// An e-service on a socket: answers 200 with the target as its body to each well-formed request, and closes at the first
/// byte that is none.
pub async fn raw_service() -> (SocketAddr, Records) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let records = Records::default();
    let kept = records.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, kept.clone()));
        }
    });
    (address, records)
}

async fn serve(mut stream: TcpStream, records: Records) {
    let (mut got, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match split_request(&got) {
            Ok(Some((request, length))) => {
                let target = request.line.split(' ').nth(1).unwrap().to_owned();
                records.0.lock().unwrap().requests.push(request);
                got.drain(..length);
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{target}", target.len());
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
                continue;
            }
            Ok(None) => {}
            Err(fault) => {
                let fault = format!("{fault}: {:?}", String::from_utf8_lossy(&got));
                records.0.lock().unwrap().faults.push(fault);
                return;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => got.extend_from_slice(&buffer[..read]),
        }
    }
}

/// One request from the beginning of `bytes`, and how long it is; none while it is not complete.
fn split_request(bytes: &[u8]) -> Result<Option<(Arrived, usize)>, String> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let raw = bytes[..end + 4].to_vec();
    // Values may hold bytes beyond ASCII.
    let head: String = bytes[..end].iter().map(|b| char::from(*b)).collect();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = parts[..] else { return Err(format!("the request line {line:?}")) };
    if method.is_empty() || !target.starts_with('/') || target.bytes().any(|b| !b.is_ascii_graphic()) {
        return Err(format!("the request line {line:?}"));
    }
    let headers = lines.map(header).collect::<Result<Vec<_>, _>>()?;
    let of = |name: &str| -> Vec<&str> {
        headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    };
    if of("host").len() != 1 {
        return Err("not one Host".into());
    }
    let at = end + 4;
    let (body, trailers, length) = match (&of("content-length")[..], &of("transfer-encoding")[..]) {
        ([], []) => (Vec::new(), Vec::new(), at),
        ([length], []) => {
            let length: usize = length.parse().map_err(|_| format!("Content-Length: {length}"))?;
            let Some(body) = bytes.get(at..at + length) else { return Ok(None) };
            (body.to_vec(), Vec::new(), at + length)
        }
        ([], ["chunked"]) => match chunks(bytes, at)? {
            Some(read) => read,
            None => return Ok(None),
        },
        _ => return Err("a body with two lengths, or a coding that was not undone".into()),
    };
    let line = format!("{method} {target}");
    Ok(Some((Arrived { line, headers, body, trailers, raw }, length)))
}

fn header(line: &str) -> Result<(String, String), String> {
    let (name, value) = line.split_once(": ").or(line.split_once(':')).ok_or_else(|| format!("the header {line:?}"))?;
    let token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if !token || value.bytes().any(|b| b < 0x20 && b != b'\t') {
        return Err(format!("the header {line:?}"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

type Chunked = (Vec<u8>, Vec<(String, String)>, usize);

fn chunks(bytes: &[u8], mut at: usize) -> Result<Option<Chunked>, String> {
    let mut body = Vec::new();
    loop {
        let Some(end) = find(&bytes[at..], b"\r\n").map(|e| at + e) else { return Ok(None) };
        let size = std::str::from_utf8(&bytes[at..end]).map_err(|_| "a chunk size that is no text")?;
        let size = usize::from_str_radix(size, 16).map_err(|_| format!("the chunk size {size:?}"))?;
        at = end + 2;
        if size == 0 {
            break;
        }
        let Some(data) = bytes.get(at..at + size + 2) else { return Ok(None) };
        let data = data.strip_suffix(b"\r\n").ok_or("a chunk that does not end where it says")?;
        body.extend_from_slice(data);
        at += size + 2;
    }
    let mut trailers = Vec::new();
    loop {
        let Some(end) = find(&bytes[at..], b"\r\n").map(|e| at + e) else { return Ok(None) };
        let line = std::str::from_utf8(&bytes[at..end]).map_err(|_| "a trailer that is no text")?.to_owned();
        at = end + 2;
        if line.is_empty() {
            return Ok(Some((body, trailers, at)));
        }
        trailers.push(header(&line)?);
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}

/// An answer as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// Reads a connection to its end, and whether the end came in time. A reset is an end too.
pub async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> (Vec<u8>, bool) {
    let mut got = Vec::new();
    let read = tokio::time::timeout(PATIENCE, async {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            got.extend_from_slice(&buffer[..read]);
        }
    });
    let ended = read.await.is_ok();
    (got, ended)
}

/// Sends bytes on a connection of their own and reads it to its end.
pub async fn exchange(to: SocketAddr, bytes: &[u8]) -> Vec<Answer> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    // Whoever has answered need not have read everything.
    let ((got, ended), _) = tokio::join!(read_to_end(&mut reading), writing.write_all(bytes));
    assert!(ended, "the connection was left open after {:?}", String::from_utf8_lossy(&got));
    answers(&got)
}

/// The answers in what a client has read, in order; 1xx are left out.
pub fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let end = find(bytes, b"\r\n\r\n").unwrap_or_else(|| panic!("half a head: {}", String::from_utf8_lossy(bytes)));
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap();
        let status: u16 = line.strip_prefix("HTTP/1.").and_then(|l| l.get(2..5)).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines.map(|l| header(l).unwrap()).collect();
        bytes = &bytes[end + 4..];
        if (100..200).contains(&status) {
            continue;
        }
        let answer = Answer { status, headers, body: Vec::new() };
        let body = match (answer.header("content-length"), answer.header("transfer-encoding")) {
            (Some(length), None) => {
                let (body, rest) = bytes.split_at(length.parse().unwrap());
                bytes = rest;
                body.to_vec()
            }
            (None, Some("chunked")) => {
                let (body, _, length) = chunks(bytes, 0).unwrap().unwrap();
                bytes = &bytes[length..];
                body
            }
            (None, None) => std::mem::take(&mut bytes).to_vec(),
            other => panic!("an answer with two lengths: {other:?}"),
        };
        out.push(Answer { body, ..answer });
    }
    out
}
