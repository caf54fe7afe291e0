//! The way to one server: name, TCP, TLS, greeting.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::settings::{Credentials, NodeAddress, Settings};
use super::{FaultKind, StoreFault, tls};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A greeted connection. Clones of its handle may be used on any runtime; dropped, it closes.
pub(super) struct Connection {
    pub(super) handle: MultiplexedConnection,
    pub(super) node: NodeAddress,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Connects to `node`, within the configured time. `wake` is told of every message, and of the end.
    ///
    /// RESP3 lets messages come in beside answers, so that one connection is all it takes.
    pub(super) async fn open(
        settings: &Settings,
        node: &NodeAddress,
        login: &Credentials,
        database: u32,
        wake: &Arc<Notify>,
    ) -> Result<Self, StoreFault> {
        let slow = |_| StoreFault::new(FaultKind::Timeout, format_args!("{node}: no connection in time"));
        let made = tokio::time::timeout(settings.connect_timeout, async {
            let stream = stream(settings, node).await?;
            let mut about = RedisConnectionInfo::default()
                .set_protocol(ProtocolVersion::RESP3)
                .set_skip_set_lib_name()
                .set_db(i64::from(database));
            if let Some(username) = &login.username {
                about = about.set_username(username);
            }
            if let Some(password) = &login.password {
                let password = password().map_err(|detail| StoreFault::new(FaultKind::Denied, detail))?;
                about = about.set_password(password.expose());
            }
            let woken = Arc::clone(wake);
            let push = move |push: PushInfo| -> Result<(), redis::aio::SendError> {
                if matches!(push.kind, PushKind::Message | PushKind::Disconnection) {
                    woken.notify_one();
                }
                Ok(())
            };
            let config = AsyncConnectionConfig::new().set_response_timeout(None).set_push_sender(push);
            let (handle, driver) = MultiplexedConnection::new_with_config(&about, stream, config).await?;
            Ok::<_, StoreFault>((handle, tokio::spawn(driver)))
        });
        let (handle, driver) = made.await.map_err(slow)?.map_err(|fault| at(node, fault))?;
        Ok(Self { handle, node: node.clone(), driver })
    }

    /// Asks one thing, for as long as an answer may take.
    pub(super) async fn ask<T: FromRedisValue>(&self, settings: &Settings, command: &Cmd) -> Result<T, StoreFault> {
        ask(&self.handle, settings, command).await.map_err(|fault| at(&self.node, fault))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn at(node: &NodeAddress, fault: StoreFault) -> StoreFault {
    StoreFault::new(fault.kind, format_args!("{node}: {}", fault.detail))
}

/// Asks one thing on a connection that somebody else keeps.
pub(super) async fn ask<T: FromRedisValue>(
    handle: &MultiplexedConnection,
    settings: &Settings,
    command: &Cmd,
) -> Result<T, StoreFault> {
    let mut handle = handle.clone();
    let answer = tokio::time::timeout(settings.timeout, command.query_async::<T>(&mut handle)).await;
    answer.map_err(|_| StoreFault::new(FaultKind::Timeout, "no answer in time"))?.map_err(StoreFault::from)
}

async fn stream(settings: &Settings, node: &NodeAddress) -> Result<Box<dyn Stream>, StoreFault> {
    let tcp = tcp(node).await?;
    let Some(about) = &settings.tls else { return Ok(Box::new(tcp)) };
    let fault = |detail: &dyn std::fmt::Display| StoreFault::new(FaultKind::Tls, detail);
    let name = ServerName::try_from(node.host.clone()).map_err(|e| fault(&e))?;
    let tls = tls::connector(about)?.connect(name, tcp).await.map_err(|e| fault(&e))?;
    Ok(Box::new(tls))
}

/// The first address of `node` that answers.
async fn tcp(node: &NodeAddress) -> Result<TcpStream, StoreFault> {
    let unreachable = |detail: &dyn std::fmt::Display| StoreFault::new(FaultKind::Unreachable, detail);
    let addresses: Vec<SocketAddr> = match node.host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, node.port)],
        // Loopback names never ask DNS (RFC 6761, 6.3).
        Err(_) if node.is_loopback() => {
            let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            both.map(|address| SocketAddr::new(address, node.port)).to_vec()
        }
        Err(_) => {
            let found = tokio::net::lookup_host((node.host.as_str(), node.port)).await;
            found.map_err(|e| unreachable(&e))?.collect()
        }
    };
    let mut last = unreachable(&"the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // What is written is written whole: nothing is gained by waiting for more.
                stream.set_nodelay(true).map_err(|e| unreachable(&e))?;
                return Ok(stream);
            }
            Err(e) => last = unreachable(&e),
        }
    }
    Err(last)
}
