//! Addresses on the command line: this machine, and nothing else.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use grindvakt::config::Upstream as Address;
use tokio::net::{TcpStream, UnixStream};

/// A port on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(u16);

impl Listen {
    /// The port; 0 takes any free one.
    pub const fn new(port: u16) -> Self {
        Self(port)
    }

    /// The port.
    pub const fn port(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "127.0.0.1:{}", self.0)
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = ["127.0.0.1:", "localhost:", ""].iter().find_map(|host| text.strip_prefix(host)?.parse().ok());
        port.map(Self).ok_or_else(|| {
            format!("must be a port, or 127.0.0.1:PORT: demo keys let anyone in, so they listen on this machine alone, not on {text:?}")
        })
    }
}

/// A developer's application, on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream(Address);

impl Upstream {
    /// Whether somebody listens there now.
    pub async fn answers(&self) -> bool {
        let connected = async {
            match &self.0 {
                // As the sidecar reaches it: loopback names ask no DNS.
                Address::Tcp { host, port } if is_name(host) => TcpStream::connect(("127.0.0.1", *port)).await.is_ok(),
                Address::Tcp { host, port } => TcpStream::connect((host.as_str(), *port)).await.is_ok(),
                Address::Unix(path) => UnixStream::connect(path).await.is_ok(),
            }
        };
        tokio::time::timeout(Duration::from_secs(1), connected).await.unwrap_or(false)
    }
}

fn is_name(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Upstream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = Address::parse(text)?;
        let here = match &address {
            Address::Unix(_) => true,
            Address::Tcp { host, .. } => is_name(host) || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        };
        if here {
            Ok(Self(address))
        } else {
            Err(format!(
                "must be on this machine (localhost, 127.0.0.1, [::1] or unix:/path): demo keys let anyone in, so {text:?} gets no visitors from here"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_taken() {
        for (text, port) in [("8090", 8090), ("127.0.0.1:0", 0), ("localhost:3000", 3000)] {
            assert_eq!(text.parse(), Ok(Listen::new(port)), "{text}");
        }
        for bad in
            ["", "0.0.0.0:8090", "[::]:8090", "192.168.1.2:8090", "dev.example.se:80", "127.0.0.1", "99999", "*:80"]
        {
            let refused = bad.parse::<Listen>().map_err(|e| e.contains("on this machine alone"));
            assert_eq!(refused, Err(true), "{bad}");
        }
        for text in [
            "http://localhost:8080",
            "http://127.0.0.2:8080",
            "http://[::1]:8080",
            "unix:/run/app.sock",
            "http://app.localhost:80",
        ] {
            assert_eq!(text.parse::<Upstream>().map(|u| u.to_string()), Ok(text.to_owned()));
        }
        for bad in [
            "http://10.0.0.1:8080",
            "http://etjanst.example.se",
            "http://0.0.0.0:8080",
            "http://localhost.example.se:80",
        ] {
            let refused = bad.parse::<Upstream>().map_err(|e| e.contains("must be on this machine"));
            assert_eq!(refused, Err(true), "{bad}");
        }
        assert_eq!(
            "https://localhost:8080".parse::<Upstream>(),
            Err("must be http://host:port or unix:/path".to_owned())
        );
    }
}
