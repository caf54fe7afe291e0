//! Addresses, parsed once.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use super::Config;

/// The public address of the service: https, or http on loopback; it may hold a path.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    origin_len: usize,
    host: String,
    loopback: bool,
}

impl BaseUrl {
    /// Parses an address without query and fragment.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_end_matches('/');
        if !crate::verify::saml::metadata::is_safe_endpoint(text) {
            return Err("must be an https address (http only on localhost, *.localhost and loopback addresses)".into());
        }
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let end = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        if path.contains(['?', '#']) || host.contains(['?', '#']) {
            return Err("must hold no query and no fragment".into());
        }
        if !path.is_empty() && crate::policy::normal_path(path).as_deref() != Ok(path) {
            return Err("must hold a path in its normal form".into());
        }
        Ok(Self {
            text: text.to_owned(),
            origin_len: scheme.len() + 3 + end,
            host: host.to_ascii_lowercase(),
            loopback: scheme == "http",
        })
    }

    /// The whole address, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        self.text.get(..self.origin_len).unwrap_or_default()
    }

    /// `http` or `https`.
    pub const fn scheme(&self) -> &'static str {
        if self.loopback { "http" } else { "https" }
    }

    /// Host and port, as the `Host` header has them.
    pub fn authority(&self) -> &str {
        &self.host
    }

    /// The path, without a slash at its end; empty for none.
    pub fn path(&self) -> &str {
        self.text.get(self.origin_len..).unwrap_or_default()
    }

    /// One of our own addresses: `name` behind the prefix.
    pub fn own_url(&self, prefix: &str, name: &str) -> String {
        format!("{}{prefix}/{name}", self.text)
    }

    /// The AssertionConsumerService under our own paths.
    pub fn acs_url(&self, prefix: &str) -> String {
        format!("{}{prefix}/saml/acs", self.text)
    }

    /// Whether it is http, which only a loopback address may be: development.
    pub const fn is_loopback_http(&self) -> bool {
        self.loopback
    }

    /// Whether the host is a loopback name or address, by http or https.
    pub fn is_loopback(&self) -> bool {
        let name = self
            .host
            .rsplit_once(':')
            .map_or(self.host.as_str(), |(name, port)| if port.ends_with(']') { self.host.as_str() } else { name });
        matches!(name, "localhost" | "127.0.0.1" | "[::1]") || name.ends_with(".localhost")
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether `text` can be an issuer: https, or http on loopback, with no query and no fragment. It is never changed, since
/// it is compared exactly.
///
/// # Errors
/// What is wrong with it, as a sentence.
pub(super) fn issuer(text: &str) -> Result<(), String> {
    if !crate::verify::saml::metadata::is_safe_endpoint(text) {
        return Err("must be an https address (http only on localhost, *.localhost and loopback addresses)".into());
    }
    if text.contains(['?', '#']) {
        return Err("must hold no query and no fragment".into());
    }
    Ok(())
}

/// Where the e-service listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// A host and a port, in clear: the e-service is in the same pod.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl Upstream {
    /// Parses `http://host[:port]` or `unix:/path`.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err("unix: needs an absolute path".into())
            };
        }
        let wrong = || "must be http://host:port or unix:/path".to_owned();
        let rest = text.strip_prefix("http://").ok_or_else(wrong)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
            _ => (rest, 80),
        };
        let good = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-[]:_".contains(&b));
        if good { Ok(Self::Tcp { host: host.trim_matches(['[', ']']).to_owned(), port }) } else { Err(wrong()) }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "http://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "http://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A network in CIDR form, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Parses `10.0.0.0/8` or `10.1.2.3`. A network of every address is refused: it would trust everyone.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no network such as 10.0.0.0/8");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        match bits.unwrap_or(width) {
            0 => Err(format!("{text:?} would trust every address")),
            bits if bits <= width => Ok(Self { address, bits }),
            _ => Err(wrong()),
        }
    }

    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = u32::from(self.bits);
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits,
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits,
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Config {
    /// Every address that a Response may be addressed to: our own first, then the aliases.
    pub fn acs_urls(&self) -> Vec<String> {
        let own = self.service.base_url.acs_url(&self.service.prefix);
        std::iter::once(own).chain(self.service.acs_aliases.iter().cloned()).collect()
    }

    /// Where messages of SAML single logout are addressed to.
    pub fn slo_url(&self) -> String {
        self.service.base_url.own_url(&self.service.prefix, "saml/logout")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn base_urls() {
        let url = BaseUrl::parse("https://etjanst.example.se:8443/app/").unwrap();
        assert_eq!(
            (url.origin(), url.path(), url.authority()),
            ("https://etjanst.example.se:8443", "/app", "etjanst.example.se:8443")
        );
        assert_eq!(url.acs_url("/eid"), "https://etjanst.example.se:8443/app/eid/saml/acs");
        assert!(BaseUrl::parse("http://etjanst.localhost:8080").unwrap().is_loopback_http());
        assert!(BaseUrl::parse("https://localhost").unwrap().is_loopback());
        for bad in [
            "",
            "http://etjanst.example.se",
            "etjanst.example.se",
            "https://a/?x",
            "https://a/#x",
            "https://a/../b",
            "https://",
        ] {
            assert!(BaseUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn upstreams_and_networks() {
        for text in ["http://127.0.0.1:8000", "http://[::1]:8000", "unix:/run/app.sock"] {
            assert_eq!(Upstream::parse(text).unwrap().to_string(), text);
        }
        for bad in ["https://a", "http://a/b", "http://", "unix:run", "http://a:x", "127.0.0.1:80"] {
            assert!(Upstream::parse(bad).is_err(), "{bad}");
        }
        let net = Network::parse("10.0.0.0/8").unwrap();
        assert!(net.contains("10.255.0.1".parse().unwrap()) && net.contains("::ffff:10.1.1.1".parse().unwrap()));
        assert!(!net.contains("11.0.0.1".parse().unwrap()) && !net.contains("::1".parse().unwrap()));
        for bad in ["0.0.0.0/0", "::/0", "10.0.0.0/33", "10.0.0", "a"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }
}
