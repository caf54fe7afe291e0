//! A wire between two sides that a test can cut, and that can go dead without a word.

use std::net::SocketAddr;

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
}

/// A relay on loopback.
pub struct Relay {
    pub address: SocketAddr,
    wire: watch::Sender<Wire>,
    task: JoinHandle<()>,
}

impl Relay {
    /// To `target`, whole.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (wire, state) = watch::channel(Wire::Whole);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *state.borrow() == Wire::Cut {
                    continue;
                }
                let state = state.clone();
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    let (near_in, near_out) = near.into_split();
                    let (far_in, far_out) = far.into_split();
                    let mut cut = state.clone();
                    tokio::select! {
                        () = pump(near_in, far_out, state.clone()) => {}
                        () = pump(far_in, near_out, state) => {}
                        _ = cut.wait_for(|wire| *wire == Wire::Cut) => {}
                    }
                });
            }
        });
        Self { address, wire, task }
    }

    pub fn cut(&self) {
        self.wire.send_replace(Wire::Cut);
    }

    pub fn go_dead(&self) {
        self.wire.send_replace(Wire::Dead);
    }

    pub fn mend(&self) {
        self.wire.send_replace(Wire::Whole);
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut state: watch::Receiver<Wire>,
) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if state.wait_for(|wire| *wire != Wire::Dead).await.is_err() || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
