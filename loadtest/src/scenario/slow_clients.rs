//! Hundreds of clients that take their time, on purpose or on a train, beside people who work. They must cost memory by
//! the connection and no more, and nobody else may wait for them.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::steady::session_traffic;
use super::{Running, Scenario};
use crate::Failed;
use crate::bench::Bench;
use crate::drive::{Lane, Pace};
use crate::report::Better;
use crate::traffic::Traffic as _;
use crate::world::{ACS, HOST};

/// How long the crowd is given to gather.
const COMING: Duration = Duration::from_secs(4);

/// Between one sip and the next.
const SIP: Duration = Duration::from_millis(250);

/// The receive window of a slow client, as of a telephone on a train.
const WINDOW: u32 = 16 * 1024;

/// Bytes that a slow reader asks for, a page with pictures, and of which it takes a kilobyte at a time. Much more would
/// measure how fast the e-service fills the kernel's buffers.
const LONG: u64 = 2 * 1024 * 1024;

/// The scenario.
pub(super) struct SlowClients;

impl Scenario for SlowClients {
    fn name(&self) -> &'static str {
        "slow-clients"
    }

    fn about(&self) -> &'static str {
        "hundreds of connections that send or read a few bytes at a time, beside good traffic"
    }

    fn run<'a>(&'a self, bench: &'a mut Bench) -> Running<'a> {
        Box::pin(among(bench))
    }
}

/// How the slow ones fared.
#[derive(Default)]
struct Fate {
    open: Cell<usize>,
    most: Cell<usize>,
    cut: Cell<usize>,
}

/// A connection with a small window: without it, the kernel would take in megabytes on behalf of who reads nothing.
async fn connect(to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(WINDOW)?;
    socket.connect(to).await
}

/// Is slow, again and again, until it is dropped.
async fn slow(kind: usize, to: SocketAddr, cookie: Rc<str>, fate: Rc<Fate>) {
    // Not all at the same instant.
    tokio::time::sleep(Duration::from_millis(kind as u64)).await;
    loop {
        if let Ok(stream) = connect(to).await {
            fate.open.set(fate.open.get() + 1);
            fate.most.set(fate.most.get().max(fate.open.get()));
            // However it ends: the other side had enough of it.
            let _ = match kind % 3 {
                0 => headers(stream).await,
                1 => form(stream).await,
                _ => reading(stream, &cookie).await,
            };
            fate.open.set(fate.open.get().saturating_sub(1));
            fate.cut.set(fate.cut.get() + 1);
        }
        tokio::time::sleep(SIP).await;
    }
}

/// Sends `rest` a byte at a time, and gives up when the other side has closed.
async fn sips(mut stream: TcpStream, rest: impl Iterator<Item = u8>) -> std::io::Result<()> {
    let mut seen = [0; 64];
    for byte in rest {
        stream.write_all(&[byte]).await?;
        tokio::time::sleep(SIP).await;
        match stream.try_read(&mut seen) {
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Never comes to the end of its headers.
async fn headers(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX-Slow: ").as_bytes()).await?;
    sips(stream, std::iter::repeat(b'a')).await
}

/// Never comes to the end of its form.
async fn form(mut stream: TcpStream) -> std::io::Result<()> {
    let head = format!(
        "POST {ACS} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 100000\r\n\r\nSAMLResponse="
    );
    stream.write_all(head.as_bytes()).await?;
    sips(stream, std::iter::repeat(b'A')).await
}

/// Reads a long answer a kilobyte at a time.
async fn reading(mut stream: TcpStream, cookie: &str) -> std::io::Result<()> {
    let head = format!("GET /app/bytes/{LONG} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut sip = [0; 1024];
    while stream.read(&mut sip).await? > 0 {
        tokio::time::sleep(SIP).await;
    }
    Ok(())
}

async fn among(bench: &mut Bench) -> Result<(), Failed> {
    let sessions = session_traffic(bench).await?;
    let shot = sessions.next().ok_or_else(|| Failed("no session".to_owned()))?;
    let cookie = shot.request.headers().get(http::header::COOKIE).and_then(|value| value.to_str().ok());
    let cookie: Rc<str> = cookie.unwrap_or_default().into();
    let sidecar = bench.sidecar();
    let good = Lane {
        name: "session requests".to_owned(),
        address: sidecar.address,
        pace: Pace::Rate(bench.options.rate_or(500.0)),
        connections: 32,
        tolerance: bench.options.max_errors,
        traffic: sessions,
    };
    bench.warm_up(std::slice::from_ref(&good)).await?;
    bench.measure("good alone", sidecar, vec![good.clone()], bench.options.duration() / 2).await?;
    let before = sidecar.process.memory().rss_kb;

    let wanted = bench.options.connections_or(600);
    let fate = Rc::new(Fate::default());
    let mut crowd = JoinSet::new();
    for kind in 0..wanted {
        crowd.spawn_local(slow(kind, sidecar.address, Rc::clone(&cookie), Rc::clone(&fate)));
    }
    // They come within a second, and whoever asks for much is sent much at once: that is noted, but it is a crowd's
    // beginning and not its slowness that others then wait for.
    bench.measure("slow clients come", sidecar, vec![good.clone()], COMING).await?;
    bench.measure("among slow clients", sidecar, vec![good], bench.options.duration()).await?;
    let with = sidecar.process.memory().rss_kb;
    crowd.abort_all();

    bench.fine("good alone", "session requests");
    bench.fine("among slow clients", "session requests");
    if let Some(phase) = bench.phase("slow clients come", "sidecar") {
        let p99 = phase.lanes.first().map_or(0, |lane| lane.latency.p99);
        bench.report.figure("p99_while_slow_clients_come", p99 as f64, "µs", Better::Lower);
    }
    let (most, cut) = (fate.most.get(), fate.cut.get());
    let notes = format!("at most {most} of {wanted} slow clients were connected at once; {cut} times one was cut off");
    bench.report.notes.push(notes);
    if most < wanted * 9 / 10 {
        bench.report.failures.push(format!("only {most} of {wanted} slow clients could connect"));
    }
    let each = with.saturating_sub(before) as f64 / most.max(1) as f64;
    bench.report.figure("memory_per_slow_client", each, "KB", Better::Lower);
    Ok(())
}
