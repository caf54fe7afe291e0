//! A wire between two sides that a test can cut, and that can go dead without a word.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Whole,
    /// Every connection breaks, and so does every new one.
    Cut,
    /// Nothing comes through, and nothing says so.
    Dead,
    /// What is said here arrives there, and no answer comes back.
    Mute,
}

/// A relay on loopback.
pub struct Relay {
    pub address: SocketAddr,
    wire: watch::Sender<Wire>,
    ahead: Arc<AtomicI64>,
    task: JoinHandle<()>,
}

impl Relay {
    /// To `target`, whole.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (wire, state) = watch::channel(Wire::Whole);
        let ahead = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&ahead);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *state.borrow() == Wire::Cut {
                    continue;
                }
                let (state, told) = (state.clone(), Arc::clone(&told));
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    let (near_in, near_out) = near.into_split();
                    let (far_in, far_out) = far.into_split();
                    let mut cut = state.clone();
                    tokio::select! {
                        () = pump(near_in, far_out, state.clone(), None) => {}
                        () = pump(far_in, near_out, state, Some(told)) => {}
                        _ = cut.wait_for(|wire| *wire == Wire::Cut) => {}
                    }
                });
            }
        });
        Self { address, wire, ahead, task }
    }

    pub fn cut(&self) {
        self.wire.send_replace(Wire::Cut);
    }

    pub fn go_dead(&self) {
        self.wire.send_replace(Wire::Dead);
    }

    pub fn swallow_answers(&self) {
        self.wire.send_replace(Wire::Mute);
    }

    /// The clock of the Redis behind it goes so many seconds ahead from now on, as far as `TIME` tells.
    pub fn clock_ahead(&self, seconds: i64) {
        self.ahead.store(seconds, Ordering::Relaxed);
    }

    pub fn mend(&self) {
        self.wire.send_replace(Wire::Whole);
    }
}

/// Passes on what comes. `answers` is how far the clock is ahead that is told in them; none: it is the other direction.
async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut state: watch::Receiver<Wire>,
    answers: Option<Arc<AtomicI64>>,
) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let passes = |wire: &Wire| *wire != Wire::Dead && (answers.is_none() || *wire != Wire::Mute);
        if state.wait_for(passes).await.is_err() {
            return;
        }
        let ahead = answers.as_ref().map_or(0, |ahead| ahead.load(Ordering::Relaxed));
        if ahead != 0 {
            turn_clock(&mut buffer[..count], ahead);
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// An answer to `TIME`: two strings, of which the first is the seconds.
fn turn_clock(answers: &mut [u8], ahead: i64) {
    const HEAD: &[u8] = b"*2\r\n$10\r\n";
    for at in 0..answers.len().saturating_sub(HEAD.len() + 10) {
        let (head, rest) = answers[at..].split_at_mut(HEAD.len());
        if head == HEAD
            && let Some(seconds) = std::str::from_utf8(&rest[..10]).ok().and_then(|text| text.parse::<i64>().ok())
        {
            rest[..10].copy_from_slice((seconds + ahead).to_string().as_bytes());
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
