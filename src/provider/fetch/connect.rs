//! The way to a host: name, TCP, proxy, TLS.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::error::{FetchError, TlsFault, told};
use super::tls;
use crate::base::limits::PROXY_HEAD_BYTES;
use crate::config::{ProxyAddress, RemoteUrl, is_loopback_name};

/// After so long without an answer the next address is tried beside the first (RFC 8305, 5: a pod whose IPv6 leads
/// nowhere is common).
const STAGGER: Duration = Duration::from_millis(250);

/// Anything that bytes go through both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection, and the certificate that the host showed.
pub(super) struct Connected {
    pub(super) stream: Box<dyn Stream>,
    pub(super) certificate: Option<CertificateDer<'static>>,
}

/// How far a connection may lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Wherever the address leads: it stands in the configuration.
    #[default]
    Anywhere,
    /// Not to this machine and its own link, whatever its name resolves to: a document said where.
    Outward,
}

/// Connects to `url`'s host, through `proxy` if there is one.
pub(super) async fn connect(
    url: &RemoteUrl,
    proxy: Option<&ProxyAddress>,
    tls: &TlsConnector,
    reach: Reach,
) -> Result<Connected, FetchError> {
    let stream = match proxy {
        None => tcp(url.host(), url.port(), reach).await?,
        Some(proxy) => tunnel(url, proxy).await?,
    };
    if !url.is_tls() {
        return Ok(Connected { stream: Box::new(stream), certificate: None });
    }
    let name = ServerName::try_from(url.host().to_owned()).map_err(|e| FetchError::Tls {
        host: url.host().to_owned(),
        fault: TlsFault::Other,
        detail: told(e),
        issuer: None,
    })?;
    let stream = tls.connect(name, stream).await.map_err(|e| tls::fault(url.host(), &e))?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).cloned();
    Ok(Connected { stream: Box::new(stream), certificate: certificate.map(CertificateDer::into_owned) })
}

async fn tcp(host: &str, port: u16, reach: Reach) -> Result<TcpStream, FetchError> {
    let mut addresses = resolve(host, port).await?;
    if reach == Reach::Outward {
        addresses.retain(|address| !is_near(address.ip()));
        if addresses.is_empty() {
            let detail =
                "it has no address but of this machine or its own link, and a document does not lead there".into();
            return Err(FetchError::Dns { host: host.to_owned(), detail });
        }
    }
    race(addresses).await.map_err(|e| FetchError::Connect { host: host.to_owned(), detail: told(e) })
}

/// This machine, and what it reaches without a router: the other containers of a pod, a cloud's metadata service.
fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        // All of 0.0.0.0/8 is "this host" (RFC 1122, 3.2.1.3).
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.octets()[0] == 0 || ip.is_link_local() || ip.is_multicast() || ip.is_broadcast()
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local() || ip.is_multicast(),
    }
}

/// The addresses of a host, the families taking turns. Loopback names never ask DNS (RFC 6761, 6.3).
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, FetchError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if is_loopback_name(host) {
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Ok(both.map(|ip| SocketAddr::new(ip, port)).to_vec());
    }
    let failed = |detail: String| FetchError::Dns { host: host.to_owned(), detail };
    let found = tokio::net::lookup_host((host, port)).await.map_err(|e| failed(told(e)))?;
    let (first, other): (Vec<SocketAddr>, Vec<SocketAddr>) = {
        let all: Vec<SocketAddr> = found.collect();
        let v6 = all.first().is_some_and(SocketAddr::is_ipv6);
        all.into_iter().partition(|address| address.is_ipv6() == v6)
    };
    let mut turns = Vec::with_capacity(first.len() + other.len());
    let (mut first, mut other) = (first.into_iter(), other.into_iter());
    loop {
        match (first.next(), other.next()) {
            (None, None) => break,
            (a, b) => turns.extend(a.into_iter().chain(b)),
        }
    }
    if turns.is_empty() { Err(failed("the name has no address".into())) } else { Ok(turns) }
}

/// The first address that answers; each begins a little after the one before it, or at once when that failed.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut running = JoinSet::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let next = waiting.next();
        let more = next.is_some();
        if let Some(address) = next {
            running.spawn(TcpStream::connect(address));
        }
        tokio::select! {
            done = running.join_next() => match done {
                None => return Err(last),
                Some(Ok(Ok(stream))) => {
                    // What is written is written whole: nothing is gained by waiting for more.
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Some(Ok(Err(error))) => last = error,
                Some(Err(_)) => {}
            },
            () = tokio::time::sleep(STAGGER), if more => {}
        }
    }
}

/// A tunnel to `url`'s host (RFC 9110, 9.3.6). The proxy resolves the name: a pod behind one often has no DNS.
async fn tunnel(url: &RemoteUrl, proxy: &ProxyAddress) -> Result<TcpStream, FetchError> {
    let failed = |detail: String, status| FetchError::Proxy { proxy: proxy.to_string(), detail, status };
    let unreachable = |error: FetchError| failed(format!("cannot be reached: {error}"), None);
    let mut stream = tcp(&proxy.host, proxy.port, Reach::Anywhere).await.map_err(unreachable)?;
    let target = url.host_and_port();
    let mut head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(credentials) = &proxy.credentials {
        head.push_str("Proxy-Authorization: Basic ");
        head.push_str(&base64_simd::STANDARD.encode_to_string(credentials.expose()));
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    let broken = |e: io::Error| failed(format!("broke off: {}", told(e)), None);
    stream.write_all(head.as_bytes()).await.map_err(broken)?;
    // Byte by byte: what follows the head belongs to TLS. A head has a few hundred.
    let mut answer = Vec::with_capacity(256);
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= PROXY_HEAD_BYTES {
            return Err(failed("answered without end".into(), None));
        }
        answer.push(stream.read_u8().await.map_err(broken)?);
    }
    match status(&answer) {
        Some(200..=299) => Ok(stream),
        Some(status) => Err(failed(format!("answered {status} to CONNECT {target}"), Some(status))),
        None => Err(failed("answered something that is not HTTP".into(), None)),
    }
}

fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head).ok()?.lines().next()?;
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "))?;
    let code = rest.get(..3)?;
    let ends = rest.get(3..).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    code.parse().ok().filter(|status| ends && (100..600).contains(status))
}

/// TLS for every connection: sessions are resumed where a host allows it.
pub(super) fn connector(config: rustls::ClientConfig) -> TlsConnector {
    TlsConnector::from(Arc::new(config))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn status_lines_of_proxies() {
        for (head, read) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Some(200)),
            ("HTTP/1.0 407 Proxy Authentication Required\r\n\r\n", Some(407)),
            ("HTTP/1.1 200\r\n\r\n", Some(200)),
            ("HTTP/1.1 2000\r\n\r\n", None),
            ("HTTP/2 200\r\n\r\n", None),
            ("SSH-2.0-OpenSSH\r\n\r\n", None),
            ("\r\n\r\n", None),
        ] {
            assert_eq!(status(head.as_bytes()), read, "{head:?}");
        }
    }

    #[test]
    fn what_is_near_is_near_in_every_spelling() {
        for (ip, near) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("0.0.0.0", true),
            ("0.1.2.3", true),
            ("169.254.169.254", true),
            ("255.255.255.255", true),
            ("224.0.0.1", true),
            ("::1", true),
            ("::", true),
            ("::ffff:127.0.0.1", true),
            ("::ffff:169.254.169.254", true),
            ("fe80::1", true),
            ("ff02::1", true),
            ("192.0.2.1", false),
            // A provider may be in an agency's own network.
            ("10.0.0.1", false),
            ("fd00::1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_near(ip.parse().unwrap()), near, "{ip}");
        }
    }

    /// Names and numbers that no reader of addresses takes for loopback, and that lead there.
    #[tokio::test]
    async fn a_document_leads_nobody_to_their_own_machine() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in
            ["127.0.0.1", "localhost", "a.localhost", "localhost.", "2130706433", "127.1", "0", "::ffff:127.0.0.1"]
        {
            let refused = tcp(host, port, Reach::Outward).await.map(drop).unwrap_err();
            assert_eq!(refused.code(), "dns", "{host}: {refused}");
        }
        assert!(tcp("127.0.0.1", port, Reach::Anywhere).await.is_ok());
    }

    #[tokio::test]
    async fn loopback_names_never_ask_dns() {
        for name in ["localhost", "md.localhost"] {
            let found = resolve(name, 80).await.unwrap();
            assert!(found.iter().all(|address| address.ip().is_loopback()), "{name}: {found:?}");
        }
        let missing = resolve("md.invalid", 443).await.unwrap_err();
        assert_eq!(missing.code(), "dns");
    }

    #[tokio::test]
    async fn an_address_that_leads_nowhere_costs_a_moment_only() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let stream = race(vec![closed, good]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert_eq!(race(vec![closed]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!(race(Vec::new()).await.is_err());
    }
}
