//! What the e-service is told of the client: rebuilt from what we know, never from what a stranger says (T45).

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::headers::remove_what_ends_here;
use crate::config::{BaseUrl, Network};

/// The public address of the service, ready to be put into headers.
pub struct PublicAddress {
    host: HeaderValue,
    authority: Authority,
    proto: HeaderValue,
    trusted: Vec<Network>,
}

impl PublicAddress {
    /// From the base_url; `trusted` are the proxies whose X-Forwarded-For counts. None for an authority that no header
    /// can hold, which the configuration does not let through.
    pub fn new(base_url: &BaseUrl, trusted: Vec<Network>) -> Option<Self> {
        let host = HeaderValue::from_str(base_url.authority()).ok()?;
        let authority = base_url.authority().parse().ok()?;
        Some(Self { host, authority, proto: HeaderValue::from_static(base_url.scheme()), trusted })
    }

    /// The authority, where it is not said in `Host`.
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Whether what stands at `peer` is a proxy that is believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted.iter().any(|network| network.contains(peer))
    }

    /// Sets `Host` and the X-Forwarded headers, after all that ends here was taken off.
    pub fn tell(&self, headers: &mut HeaderMap, peer: SocketAddr) {
        let chain = self.chain(headers, peer.ip());
        remove_what_ends_here(headers);
        headers.insert(HOST, self.host.clone());
        headers.insert(HeaderName::from_static("x-forwarded-host"), self.host.clone());
        headers.insert(HeaderName::from_static("x-forwarded-proto"), self.proto.clone());
        if let Ok(value) = HeaderValue::from_maybe_shared(chain) {
            headers.insert(HeaderName::from_static("x-forwarded-for"), value);
        }
    }

    /// The client's address: the farthest one that a trusted proxy vouches for, else whoever is connected to us.
    pub fn client(&self, headers: &HeaderMap, peer: SocketAddr) -> IpAddr {
        let trusted = |address: IpAddr| self.trusted.iter().any(|network| network.contains(address));
        let mut nearest = peer.ip().to_canonical();
        if !trusted(nearest) {
            return nearest;
        }
        let said: Vec<&[u8]> = headers
            .get_all("x-forwarded-for")
            .iter()
            .flat_map(|value| value.as_bytes().split(|b| *b == b','))
            .collect();
        for text in said.iter().rev() {
            let Some(address) = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<IpAddr>().ok())
            else {
                break;
            };
            nearest = address.to_canonical();
            if !trusted(nearest) {
                break;
            }
        }
        nearest
    }

    /// The addresses from the client to us. What a trusted proxy says is kept from its own end on, as far as it consists
    /// of addresses: what stands at the far end may have been sent by the client itself. What anyone else says is not.
    fn chain(&self, headers: &HeaderMap, peer: IpAddr) -> Bytes {
        let trusted = self.trusts(peer);
        let peer = peer.to_canonical();
        if !trusted {
            return written(peer);
        }
        let said: Vec<&[u8]> = headers
            .get_all("x-forwarded-for")
            .iter()
            .flat_map(|value| value.as_bytes().split(|b| *b == b','))
            .collect();
        let address = |text: &&[u8]| std::str::from_utf8(text).ok()?.trim().parse::<IpAddr>().ok();
        let mut chain: Vec<String> = vec![peer.to_string()];
        chain.extend(said.iter().rev().map_while(address).map(|address| address.to_string()));
        chain.reverse();
        chain.join(", ").into()
    }
}

/// An address as text. Most are of four numbers, and of those the general writer takes longer than all else that is done
/// for this header.
fn written(address: IpAddr) -> Bytes {
    let IpAddr::V4(address) = address else { return address.to_string().into() };
    let mut out = [0; "255.255.255.255".len()];
    let mut places = out.iter_mut();
    let mut left = places.len();
    let mut write = |byte| {
        if let Some(place) = places.next() {
            *place = byte;
            left -= 1;
        }
    };
    for (at, number) in address.octets().into_iter().enumerate() {
        if at > 0 {
            write(b'.');
        }
        for (digit, from) in [(number / 100, 100), (number / 10 % 10, 10), (number % 10, 0)] {
            if number >= from {
                write(b'0' + digit);
            }
        }
    }
    let length = out.len() - left;
    Bytes::copy_from_slice(out.get(..length).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_everybody_writes_them() {
        for number in 0..=255_u8 {
            let address = IpAddr::from([number, 255 - number, 0, number]);
            assert_eq!(written(address), address.to_string());
        }
        let six: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(written(six), "2001:db8::1");
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let base = BaseUrl::parse("https://e.example.se").unwrap();
        let address = PublicAddress::new(&base, vec![Network::parse("10.0.0.0/8").unwrap()]).unwrap();
        for (peer, said, chain) in [
            ("10.1.1.1:1", "192.0.2.7", "192.0.2.7, 10.1.1.1"),
            ("10.1.1.1:1", "192.0.2.7, evil", "10.1.1.1"),
            ("10.1.1.1:1", "127.0.0.1, evil, 203.0.113.9", "203.0.113.9, 10.1.1.1"),
            ("10.1.1.1:1", "", "10.1.1.1"),
            ("192.0.2.9:1", "127.0.0.1", "192.0.2.9"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_static(said));
            headers.insert("x-forwarded-host", HeaderValue::from_static("evil"));
            headers.insert(HOST, HeaderValue::from_static("evil"));
            address.tell(&mut headers, peer.parse().unwrap());
            assert_eq!(headers["x-forwarded-for"], chain);
            assert_eq!((&headers[HOST], &headers["x-forwarded-host"]), (&headers["x-forwarded-host"], &headers[HOST]));
            assert_eq!(headers[HOST], "e.example.se");
            assert_eq!(headers["x-forwarded-proto"], "https");
        }
    }
}
