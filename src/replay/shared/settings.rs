//! Where a shared store is, and how it is spoken to.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Secret, ServiceId};

/// A server's name or address, and its port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeAddress {
    /// Name, or address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl NodeAddress {
    /// Reads `host:port`, `host`, `[::1]:port` or an address alone; without a port it is `usual`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, usual: u16) -> Result<Self, String> {
        let wrong = || format!("must be a host and a port such as \"127.0.0.1:6379\", not {text:?}");
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { host: address.to_string(), port: usual });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
            _ => (text, usual),
        };
        let host = match host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?.to_string(),
            None => host.to_ascii_lowercase(),
        };
        let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        let good = host.parse::<IpAddr>().is_ok() || (!host.is_empty() && host.bytes().all(named));
        if good && port != 0 { Ok(Self { host, port }) } else { Err(wrong()) }
    }

    /// Whether it is this machine: `localhost`, a name under it, or a loopback address.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// How the primary is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topology {
    /// The first of the nodes that is one.
    Single,
    /// Sentinels are asked.
    Sentinel {
        /// What they call it.
        master: String,
    },
    /// The node of a cluster that serves the service's slot.
    Cluster,
}

/// Reads a password anew for each connection: it can be changed without a restart.
pub type PasswordSource = Arc<dyn Fn() -> Result<Secret<String>, String> + Send + Sync>;

/// Who we are to a server.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The ACL user; none is `default`.
    pub username: Option<String>,
    /// The password; none: the server asks for none.
    pub password: Option<PasswordSource>,
}

/// TLS to every server of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreTls {
    /// Who may vouch for them, in PEM, instead of the system's roots.
    pub ca: Option<PathBuf>,
}

/// All that a shared store is opened with.
#[derive(Clone)]
pub struct Settings {
    /// Names the keys: services may share a server.
    pub service: ServiceId,
    /// Servers, or Sentinels, or some nodes of a cluster.
    pub nodes: Vec<NodeAddress>,
    /// How the primary is found.
    pub topology: Topology,
    /// The numbered database; always 0 in a cluster.
    pub database: u32,
    /// Who we are to the servers.
    pub login: Credentials,
    /// Who we are to Sentinels.
    pub sentinel_login: Credentials,
    /// TLS; none speaks in clear.
    pub tls: Option<StoreTls>,
    /// How long making one connection may take.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The longest that a session of this service lasts.
    pub lifetime: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, written, loopback) in [
            ("127.0.0.1:6379", "127.0.0.1:6379", true),
            ("redis", "redis:6379", false),
            ("Redis-0.redis.svc:6380", "redis-0.redis.svc:6380", false),
            ("[::1]:7000", "[::1]:7000", true),
            ("::1", "[::1]:6379", true),
            ("[2001:db8::1]", "[2001:db8::1]:6379", false),
            ("localhost:1", "localhost:1", true),
            ("store.localhost:1", "store.localhost:1", true),
        ] {
            let read = NodeAddress::parse(text, 6379);
            assert_eq!(read.as_ref().map(ToString::to_string), Ok(written.to_owned()));
            assert_eq!(read.map(|node| node.is_loopback()), Ok(loopback), "{text}");
        }
        for bad in
            ["", ":6379", "redis:", "redis:0", "redis:70000", "redis://x:1", "a b:1", "[redis]:1", "user@redis:1"]
        {
            assert!(NodeAddress::parse(bad, 6379).is_err(), "{bad}");
        }
    }
}
