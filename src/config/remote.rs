//! Addresses that we call, parsed once: https, or http on loopback.

use std::fmt;
use std::net::IpAddr;

/// An address of a feed, a provider or a key set. Plain http is for loopback alone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RemoteUrl {
    text: String,
    tls: bool,
    host: String,
    port: u16,
    target_at: usize,
}

impl RemoteUrl {
    /// Parses an address; it may hold a query, and no user name and no fragment.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !crate::verify::saml::metadata::is_safe_endpoint(text) {
            return Err("must be an https address (http only on localhost, *.localhost and loopback addresses)".into());
        }
        if text.contains('#') {
            return Err("must hold no fragment".into());
        }
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let authority = rest.get(..end).unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let tls = scheme == "https";
        let port = match port {
            None => Some(if tls { 443 } else { 80 }),
            Some(port) => port.parse().ok().filter(|port| *port != 0),
        };
        Ok(Self {
            host: host_name(host).ok_or("must name a host")?,
            port: port.ok_or("must have a port from 1 to 65535")?,
            target_at: scheme.len() + 3 + end,
            text: text.to_owned(),
            tls,
        })
    }

    /// The whole address, as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is https.
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host's name or address, in lower case and without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also where it is the scheme's own.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as the `Host` header has them: the scheme's own port is left out (RFC 9110, 7.2).
    pub fn authority(&self) -> String {
        if self.port == if self.tls { 443 } else { 80 } { bracketed(&self.host) } else { self.host_and_port() }
    }

    /// Host and port, as CONNECT has them (RFC 9110, 9.3.6).
    pub fn host_and_port(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port)
    }

    /// Path and query as a request line has them.
    pub fn target(&self) -> String {
        match self.text.get(self.target_at..).unwrap_or_default() {
            path if path.starts_with('/') => path.to_owned(),
            query => format!("/{query}"),
        }
    }

    /// Whether the host is a loopback name or address: never asked of DNS, never reached through a proxy.
    pub fn is_loopback(&self) -> bool {
        is_loopback_name(&self.host) || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether both lead to one scheme, host and port: what a document may name beyond its own address.
    pub fn same_origin(&self, other: &Self) -> bool {
        (self.tls, &self.host, self.port) == (other.tls, &other.host, other.port)
    }
}

/// `localhost` and every name under it (RFC 6761, 6.3).
pub fn is_loopback_name(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// A host as it stands in an address, in lower case and without brackets.
pub(super) fn host_name(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().ok().map(|ip| ip.to_string());
    }
    let good = !text.is_empty()
        && text.len() <= 253
        && !text.starts_with(['.', '-'])
        && !text.contains("..")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
    good.then(|| text.to_ascii_lowercase())
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_address() {
        for (text, host, port, authority, target) in [
            ("https://md.example.se/role/idp.xml", "md.example.se", 443, "md.example.se", "/role/idp.xml"),
            ("https://MD.example.se:8443", "md.example.se", 8443, "md.example.se:8443", "/"),
            ("https://md.example.se?x=1", "md.example.se", 443, "md.example.se", "/?x=1"),
            ("https://md.example.se:443/a?b=c:d", "md.example.se", 443, "md.example.se", "/a?b=c:d"),
            ("http://[::1]:9000/x", "::1", 9000, "[::1]:9000", "/x"),
            ("http://feed.localhost/x", "feed.localhost", 80, "feed.localhost", "/x"),
        ] {
            let url = RemoteUrl::parse(text).unwrap();
            assert_eq!((url.host(), url.port(), url.authority().as_str()), (host, port, authority), "{text}");
            assert_eq!(url.target(), target, "{text}");
        }
        assert!(RemoteUrl::parse("https://127.0.0.2/").unwrap().is_loopback());
        assert!(!RemoteUrl::parse("https://localhost.example.se/").unwrap().is_loopback());
    }

    #[test]
    fn what_we_never_call() {
        for bad in [
            "http://md.example.se/feed",
            "https://user@md.example.se/",
            "https://md.example.se/#x",
            "https://md.example.se:0/",
            "https://md.example.se:65536/",
            "https://md..example.se/",
            "https://[::1/",
            "https://[md]/",
            "https://%6c/",
            "ftp://md.example.se/",
            "https:///x",
            "md.example.se",
        ] {
            assert!(RemoteUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins() {
        let of = |text: &str| RemoteUrl::parse(text).unwrap();
        assert!(of("https://op.example.se/a").same_origin(&of("https://OP.example.se:443/b")));
        for other in ["https://op.example.se:8443/", "https://keys.op.example.se/", "https://example.se/"] {
            assert!(!of("https://op.example.se/a").same_origin(&of(other)), "{other}");
        }
    }
}
