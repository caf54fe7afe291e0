//! What is near: the shared store, the e-service, and whether anybody else reaches it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::{Finding, Verdict};
use crate::app;
use crate::base::UnixTime;
use crate::config::{Config, Upstream};
use crate::crypto::digest::SystemRandom;
use crate::replay::shared::probe;

/// On this machine a connection is made at once, or not at all.
const NEAR: Duration = Duration::from_secs(2);

pub(super) async fn look(config: &Config, now: UnixTime) -> Vec<Finding> {
    let mut out = vec![store(config, now).await];
    out.extend(upstream(config).await);
    out
}

async fn store(config: &Config, now: UnixTime) -> Finding {
    let Some(settings) = app::store_settings(config) else {
        return Finding::good("store", "memory", "of this process, for one replica");
    };
    match probe(&settings, &SystemRandom::new(), now).await {
        Ok(probed) => match &probed.warning {
            None => Finding::good("store", probed.node.clone(), format!("version {} would do", probed.version)),
            Some(warning) => {
                let advice = ("store_warning", "See docs/operations.md.");
                Finding::worse(Verdict::Warning, "store", probed.node.clone(), advice, warning.clone())
            }
        },
        Err(fault) => {
            let advice = (fault.kind.code(), "Nobody can log in without it: docs/operations.md says what it must be.");
            Finding::worse(Verdict::Bad, "store", "", advice, fault.to_string())
        }
    }
}

async fn upstream(config: &Config) -> Vec<Finding> {
    let upstream = &config.service.upstream;
    let name = upstream.to_string();
    let down = ("upstream_down", "Start it; `upstream` must be where it listens.");
    let (host, port) = match upstream {
        Upstream::Unix(path) => {
            return vec![match timeout(NEAR, UnixStream::connect(path)).await {
                Ok(Ok(_)) => Finding::good("e-service", name, "takes connections, on a socket that no network reaches"),
                Ok(Err(e)) => Finding::worse(Verdict::Bad, "e-service", name, down, e.to_string()),
                Err(_) => Finding::worse(Verdict::Bad, "e-service", name, down, "takes no connection in time"),
            }];
        }
        Upstream::Tcp { host, port } => (host.as_str(), *port),
    };
    let mut out = vec![match timeout(NEAR, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Finding::good("e-service", name.clone(), "takes connections"),
        Ok(Err(e)) => Finding::worse(Verdict::Bad, "e-service", name.clone(), down, e.to_string()),
        Err(_) => Finding::worse(Verdict::Bad, "e-service", name.clone(), down, "takes no connection in time"),
    }];
    out.push(exposed(&name, port).await);
    out
}

/// Whether the e-service's port answers on an address of this machine that others can reach: then anybody goes past us.
async fn exposed(name: &str, port: u16) -> Finding {
    let addresses = own_addresses();
    let mut open = Vec::new();
    for address in &addresses {
        if matches!(timeout(NEAR, TcpStream::connect((*address, port))).await, Ok(Ok(_))) {
            open.push(SocketAddr::new(*address, port).to_string());
        }
    }
    if !open.is_empty() {
        let advice = (
            "upstream_exposed",
            "Have the e-service listen on 127.0.0.1 or a Unix socket alone: whoever reaches it there comes in without a login, with whatever identity headers they like.",
        );
        return Finding::worse(
            Verdict::Bad,
            "e-service",
            name,
            advice,
            format!("it answers on {} too", open.join(", ")),
        );
    }
    let detail = match addresses.len() {
        0 => "this machine has no address that others could reach".to_owned(),
        looked => format!("its port answers on none of the {looked} other addresses of this machine"),
    };
    Finding::good("e-service", name, detail)
}

/// The addresses of this machine or pod that are not loopback: none where the system does not tell.
fn own_addresses() -> BTreeSet<IpAddr> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let mut out: BTreeSet<IpAddr> = v4(&read("/proc/net/fib_trie")).map(IpAddr::V4).collect();
    out.extend(v6(&read("/proc/net/if_inet6")).map(IpAddr::V6));
    out
}

/// The kernel's routing table: an address of our own is followed by a line `/32 host LOCAL`.
fn v4(table: &str) -> impl Iterator<Item = Ipv4Addr> {
    let lines = table.lines().zip(table.lines().skip(1));
    let own = lines.filter(|(_, next)| next.trim() == "/32 host LOCAL");
    own.filter_map(|(line, _)| line.trim().trim_start_matches("|-- ").parse().ok())
        .filter(|ip: &Ipv4Addr| !ip.is_loopback())
}

/// An address in 32 digits, then its interface, the length of its prefix, and its scope: 20 is of one link alone.
fn v6(table: &str) -> impl Iterator<Item = Ipv6Addr> {
    table.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (address, scope) = (words.next()?, words.nth(2)?);
        let address = Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?);
        (scope != "20" && !address.is_loopback()).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 10.1.2.0/24 2 0 2\n        \
                     |-- 10.1.2.3\n           /32 host LOCAL\n        |-- 10.1.2.255\n           /32 link BROADCAST\n     \
                     +-- 127.0.0.0/8 2 0 2\n           |-- 127.0.0.1\n              /32 host LOCAL\n";
        assert_eq!(v4(table).collect::<Vec<_>>(), [Ipv4Addr::new(10, 1, 2, 3)]);
        let table = "00000000000000000000000000000001 01 80 10 80       lo\n\
                     fe800000000000000000000000000001 02 40 20 80     eth0\n\
                     20010db8000000000000000000000005 02 40 00 80     eth0\n";
        assert_eq!(v6(table).collect::<Vec<_>>(), ["2001:db8::5".parse::<Ipv6Addr>().unwrap_or(Ipv6Addr::UNSPECIFIED)]);
        assert_eq!((v4("").count(), v6("garbage\n1 2\n").count()), (0, 0));
    }
}
