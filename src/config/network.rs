//! `[network]` and the environment's word on proxies: how we get out.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use super::reader::Section;
use super::remote::host_name;
use super::{Network, Problem, RemoteUrl};
use crate::base::Secret;

/// How requests of our own leave the pod.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    /// Further certificates that may vouch for a server, in PEM, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// From `HTTPS_PROXY`.
    pub proxy: Option<ProxyAddress>,
    /// From `NO_PROXY`.
    pub no_proxy: NoProxy,
}

impl Outbound {
    /// The proxy that a call to `url` goes through. Loopback never does, and plain http is for loopback alone: that is
    /// why `HTTP_PROXY` has nothing to say here.
    pub fn proxy_for(&self, url: &RemoteUrl) -> Option<&ProxyAddress> {
        let direct = !url.is_tls() || url.is_loopback() || self.no_proxy.covers(url.host(), url.port());
        self.proxy.as_ref().filter(|_| !direct)
    }
}

/// A forward proxy, spoken to in clear: what goes through it is TLS of its own.
#[derive(Clone)]
pub struct ProxyAddress {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `user:password` for Proxy-Authorization, where the address holds one.
    pub credentials: Option<std::sync::Arc<Secret<String>>>,
}

impl ProxyAddress {
    /// Parses `http://[user:password@]host[:port]`, or `host:port`.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence that does not repeat it: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "must be http://host:port".to_owned();
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err("must be an http address: the proxy is spoken to in clear, and carries TLS".into()),
            None => text,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((credentials, authority)) => (Some(credentials), authority),
            None => (None, rest),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
            _ => (authority, 80),
        };
        let credentials = match credentials {
            None => None,
            Some(text) => {
                let text = percent_encoding::percent_decode_str(text).decode_utf8().map_err(|_| wrong())?;
                Some(std::sync::Arc::new(Secret::new(text.into_owned())))
            }
        };
        Ok(Self { host: host_name(host).ok_or_else(wrong)?, port, credentials })
    }
}

impl fmt::Display for ProxyAddress {
    /// Without the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "http://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "http://{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `NO_PROXY`: hosts that are called directly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy {
    everything: bool,
    rules: Vec<Direct>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Direct {
    /// A name and every name under it, on one port or on all.
    Name(String, Option<u16>),
    Network(Network),
}

impl NoProxy {
    /// Parses a list with commas: `*`, names (each covers what is under it, with or without a leading dot), addresses
    /// and networks in CIDR form; names and addresses may have a port.
    ///
    /// # Errors
    /// The entry that is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut out = Self::default();
        for entry in text.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()) {
            if entry == "*" {
                out.everything = true;
                continue;
            }
            if let Ok(network) = Network::parse(entry.trim_matches(['[', ']'])) {
                out.rules.push(Direct::Network(network));
                continue;
            }
            let bare = entry.strip_prefix("*.").or_else(|| entry.strip_prefix('.')).unwrap_or(entry);
            let (name, port) = match bare.rsplit_once(':') {
                Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse().ok())),
                _ => (bare, None),
            };
            match (host_name(name), port) {
                (Some(name), None) => out.rules.push(Direct::Name(name, None)),
                (Some(name), Some(Some(port))) => out.rules.push(Direct::Name(name, Some(port))),
                _ => return Err(format!("{entry:?} is no host, address or network")),
            }
        }
        Ok(out)
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        let address: Option<IpAddr> = host.parse().ok();
        self.everything
            || self.rules.iter().any(|rule| match rule {
                Direct::Name(name, only) => {
                    let under =
                        host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                    under && only.is_none_or(|only| only == port)
                }
                Direct::Network(network) => address.is_some_and(|address| network.contains(address)),
            })
    }
}

/// `[network]`, and `HTTPS_PROXY` and `NO_PROXY` of the process; in lower case they win, as they do in other programs.
pub(super) fn read_network(root: &mut Section<'_>) -> Outbound {
    let ca_file = root.section("network").and_then(|mut s| {
        let file = s.path("ca_file");
        s.finish();
        file
    });
    let of_process = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    match from_environment(of_process) {
        Ok((proxy, no_proxy)) => Outbound { ca_file, proxy, no_proxy },
        Err(problem) => {
            root.problems.borrow_mut().push(problem);
            Outbound { ca_file, ..Outbound::default() }
        }
    }
}

fn from_environment(get: impl Fn(&str) -> Option<String>) -> Result<(Option<ProxyAddress>, NoProxy), Problem> {
    let either = |lower: &'static str, upper: &'static str| {
        get(lower).map(|value| (lower, value)).or_else(|| get(upper).map(|value| (upper, value)))
    };
    let problem = |name: &str, message: String| Problem {
        file: PathBuf::from(format!("${name}")),
        line: 0,
        place: String::new(),
        message,
    };
    let proxy = match either("https_proxy", "HTTPS_PROXY") {
        None => None,
        Some((name, value)) => Some(ProxyAddress::parse(value.trim()).map_err(|message| problem(name, message))?),
    };
    let no_proxy = match either("no_proxy", "NO_PROXY") {
        // Without a proxy there is nothing to be excepted from: other programs' forms then stop nobody.
        Some((name, value)) if proxy.is_some() => NoProxy::parse(&value).map_err(|message| problem(name, message))?,
        _ => NoProxy::default(),
    };
    Ok((proxy, no_proxy))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn outbound(proxy: &str, no_proxy: &str) -> Outbound {
        let get = |name: &str| match name {
            "HTTPS_PROXY" => Some(proxy.to_owned()),
            "no_proxy" => Some(no_proxy.to_owned()),
            _ => None,
        };
        let (proxy, no_proxy) = from_environment(get).unwrap();
        Outbound { ca_file: None, proxy, no_proxy }
    }

    #[test]
    fn what_goes_through_the_proxy() {
        let rows: &[(&str, &str, bool)] = &[
            ("", "https://md.example.se/", true),
            ("", "https://localhost:8443/", false),
            ("", "http://feed.localhost/", false),
            ("", "https://127.0.0.9/", false),
            ("*", "https://md.example.se/", false),
            ("example.se", "https://md.example.se/", false),
            ("example.se", "https://example.se/", false),
            (".example.se", "https://md.example.se/", false),
            ("*.example.se", "https://md.example.se/", false),
            ("example.se", "https://notexample.se/", true),
            ("md.example.se:8443", "https://md.example.se/", true),
            ("md.example.se:8443", "https://md.example.se:8443/", false),
            ("10.0.0.0/8, other.se", "https://10.1.2.3/", false),
            ("10.0.0.0/8", "https://11.1.2.3/", true),
            ("[fd00::1]", "https://[fd00::1]/", false),
        ];
        for (no_proxy, url, through) in rows {
            let url = RemoteUrl::parse(url).unwrap();
            let outbound = outbound("http://proxy.example.se:3128", no_proxy);
            assert_eq!(outbound.proxy_for(&url).is_some(), *through, "{no_proxy:?} {url}");
        }
    }

    #[test]
    fn proxies_and_their_secrets() {
        let proxy = ProxyAddress::parse("http://svc:p%40ss@proxy.example.se:3128/").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.example.se", 3128));
        assert_eq!(proxy.credentials.as_ref().unwrap().expose(), "svc:p@ss");
        assert_eq!(format!("{proxy} {proxy:?}"), "http://proxy.example.se:3128 http://proxy.example.se:3128");
        assert_eq!(ProxyAddress::parse("proxy:3128").unwrap().port, 3128);
        assert_eq!(ProxyAddress::parse("http://[::1]:3128").unwrap().to_string(), "http://[::1]:3128");
        for bad in ["https://proxy:3128", "socks5://proxy", "http://", "http://pro xy", "http://proxy:x"] {
            assert!(ProxyAddress::parse(bad).is_err(), "{bad}");
        }
        let get = |name: &str| (name == "https_proxy").then(|| "http://u:hemligt@:1".to_owned());
        let problem = from_environment(get).unwrap_err().to_string();
        assert_eq!(problem, "$https_proxy: must be http://host:port");
        let get = |name: &str| Some(if name.contains("no") { "a b/c" } else { "http://proxy:1" }.to_owned());
        assert_eq!(from_environment(get).unwrap_err().to_string(), "$no_proxy: \"b/c\" is no host, address or network");
    }
}
