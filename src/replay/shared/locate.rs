//! Where the primary is, and whether what is found there may be relied on.

use std::sync::Arc;

use redis::Value;
use tokio::sync::Notify;

use super::connect::Connection;
use super::scripts::Names;
use super::settings::{NodeAddress, Settings, Topology};
use super::{FaultKind, StoreFault};

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) version: String,
    pub(super) role: String,
    /// None: it does not tell.
    pub(super) policy: Option<String>,
}

impl About {
    pub(super) async fn ask(connection: &Connection, settings: &Settings) -> Result<Self, StoreFault> {
        let mut out = Self::default();
        for section in ["server", "replication", "memory"] {
            let mut command = redis::cmd("INFO");
            let text: String = connection.ask(settings, command.arg(section)).await?;
            out.read(&text);
        }
        Ok(out)
    }

    fn read(&mut self, text: &str) {
        for (key, value) in text.lines().filter_map(|line| line.trim_end().split_once(':')) {
            match key {
                "redis_version" => value.clone_into(&mut self.version),
                "role" => value.clone_into(&mut self.role),
                "maxmemory_policy" => self.policy = Some(value.to_owned()),
                _ => {}
            }
        }
    }

    /// Whether uses may be remembered here. A policy that cannot be read is no fault, but worth a warning.
    pub(super) fn judge(&self, node: &NodeAddress) -> Result<Option<String>, StoreFault> {
        let fault = |kind, detail: &dyn std::fmt::Display| Err(StoreFault::new(kind, format_args!("{node}: {detail}")));
        if self.role != "master" {
            return fault(FaultKind::NoPrimary, &format_args!("it is a {}", self.role));
        }
        match self.policy.as_deref() {
            Some("noeviction") => Ok(None),
            Some(policy) => {
                let detail = format_args!(
                    "maxmemory-policy is {policy}: it could throw a use away, and an answer would pass twice; set it \
                     to noeviction"
                );
                fault(FaultKind::Evicts, &detail)
            }
            None => Ok(Some(format!(
                "{node} does not tell its maxmemory-policy: anything but noeviction could throw a use away"
            ))),
        }
    }
}

/// Connects to the primary, by the first of the nodes that leads there. Where none does, the fault that says the most: a
/// wrong password tells more than a neighbour that is down.
pub(super) async fn primary(
    settings: &Settings,
    names: &Names,
    wake: &Arc<Notify>,
) -> Result<(Connection, About), StoreFault> {
    let vague =
        |fault: &StoreFault| matches!(fault.kind, FaultKind::Unreachable | FaultKind::Timeout | FaultKind::NoPrimary);
    let mut told: Option<StoreFault> = None;
    for node in &settings.nodes {
        match by_way_of(settings, node, names, wake).await {
            Ok(found) => return Ok(found),
            Err(fault) if told.as_ref().is_none_or(|told| vague(told) && !vague(&fault)) => told = Some(fault),
            Err(_) => {}
        }
    }
    Err(told.unwrap_or_else(|| StoreFault::new(FaultKind::Unreachable, "no nodes")))
}

async fn by_way_of(
    settings: &Settings,
    node: &NodeAddress,
    names: &Names,
    wake: &Arc<Notify>,
) -> Result<(Connection, About), StoreFault> {
    let address = match &settings.topology {
        Topology::Single => node.clone(),
        Topology::Sentinel { master } => ask_sentinel(settings, node, master, wake).await?,
        Topology::Cluster => ask_cluster(settings, node, names, wake).await?,
    };
    let (connection, about) = served(settings, address, wake).await?;
    // A replica, or what a Sentinel has not noticed yet: the next node may know better.
    if about.role == "master" {
        return Ok((connection, about));
    }
    Err(StoreFault::new(FaultKind::NoPrimary, format_args!("{}: it is a {}", connection.node, about.role)))
}

async fn served(settings: &Settings, node: NodeAddress, wake: &Arc<Notify>) -> Result<(Connection, About), StoreFault> {
    let connection = Connection::open(settings, &node, &settings.login, settings.database, wake).await?;
    let about = About::ask(&connection, settings).await?;
    Ok((connection, about))
}

/// What a Sentinel calls the primary's address (Sentinel's guidelines for clients, step 2).
async fn ask_sentinel(
    settings: &Settings,
    node: &NodeAddress,
    master: &str,
    wake: &Arc<Notify>,
) -> Result<NodeAddress, StoreFault> {
    let sentinel = Connection::open(settings, node, &settings.sentinel_login, 0, wake).await?;
    let mut command = redis::cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
    let found: Option<(String, u16)> = sentinel.ask(settings, &command).await?;
    let unknown = || StoreFault::new(FaultKind::NoPrimary, format_args!("{node}: no primary is called {master:?}"));
    found.map(|(host, port)| NodeAddress { host, port }).ok_or_else(unknown)
}

/// The node of a cluster that serves our slot.
async fn ask_cluster(
    settings: &Settings,
    node: &NodeAddress,
    names: &Names,
    wake: &Arc<Notify>,
) -> Result<NodeAddress, StoreFault> {
    let some = Connection::open(settings, node, &settings.login, 0, wake).await?;
    let mut command = redis::cmd("CLUSTER");
    let slot: i64 = some.ask(settings, command.arg("KEYSLOT").arg(names.line())).await?;
    let mut command = redis::cmd("CLUSTER");
    let ranges: Vec<Value> = some.ask(settings, command.arg("SLOTS")).await?;
    let nobody = || StoreFault::new(FaultKind::NoPrimary, format_args!("{node}: nobody serves slot {slot}"));
    ranges.iter().find_map(|range| serves(range, slot, node)).ok_or_else(nobody)
}

/// The primary of a range (`CLUSTER SLOTS`: start, end, primary, replicas) that holds `slot`. Without a host it is the
/// node that was asked.
fn serves(range: &Value, slot: i64, asked: &NodeAddress) -> Option<NodeAddress> {
    let Value::Array(range) = range else { return None };
    let [Value::Int(start), Value::Int(end), Value::Array(primary), ..] = range.as_slice() else { return None };
    if !(*start..=*end).contains(&slot) {
        return None;
    }
    let [host, Value::Int(port), ..] = primary.as_slice() else { return None };
    let host = match host {
        Value::BulkString(host) => String::from_utf8(host.clone()).ok()?,
        Value::SimpleString(host) => host.clone(),
        _ => String::new(),
    };
    let host = if host.is_empty() || host == "?" { asked.host.clone() } else { host };
    Some(NodeAddress { host, port: u16::try_from(*port).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> NodeAddress {
        NodeAddress::parse(text, 6379).unwrap_or(NodeAddress { host: String::new(), port: 0 })
    }

    #[test]
    fn a_server_that_could_forget_is_refused() {
        let good = "role:master\r\nmaxmemory_policy:noeviction\r\n";
        let judged = |text: &str| {
            let mut about = About::default();
            about.read(text);
            about.judge(&node("redis")).map(|warning| warning.is_some()).map_err(|fault| fault.kind)
        };
        assert_eq!(judged(good), Ok(false));
        assert_eq!(judged(&good.replace("maxmemory_policy:noeviction", "x:y")), Ok(true));
        for policy in ["allkeys-lru", "volatile-ttl", "volatile-lru", ""] {
            assert_eq!(judged(&good.replace("noeviction", policy)), Err(FaultKind::Evicts), "{policy}");
        }
        assert_eq!(judged(&good.replace("role:master", "role:slave")), Err(FaultKind::NoPrimary));
    }

    #[test]
    fn a_cluster_says_who_serves_a_slot() {
        let text = |text: &str| Value::BulkString(text.into());
        let primary = |host: Value, port: i64| Value::Array(vec![host, Value::Int(port), text("id")]);
        let range = |from: i64, to: i64, primary: Value| Value::Array(vec![Value::Int(from), Value::Int(to), primary]);
        let asked = node("10.0.0.9:7000");
        let found = |range: &Value, slot| serves(range, slot, &asked).map(|node| node.to_string());
        let one = range(0, 5460, primary(text("10.0.0.1"), 7001));
        assert_eq!(found(&one, 5460).as_deref(), Some("10.0.0.1:7001"));
        assert_eq!(found(&one, 5461), None);
        for itself in [text(""), text("?"), Value::Nil] {
            assert_eq!(found(&range(0, 1, primary(itself, 7002)), 0).as_deref(), Some("10.0.0.9:7002"));
        }
        for bad in
            [Value::Nil, Value::Array(Vec::new()), range(0, 1, Value::Nil), range(0, 1, primary(text("x"), 70_000))]
        {
            assert_eq!(found(&bad, 0), None, "{bad:?}");
        }
    }
}
