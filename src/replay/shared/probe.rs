//! Whether a store would do, for `grindvakt check --online`: everything that serving asks of it is asked once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::locate;
use super::scripts::Names;
use super::{FaultKind, Settings, StoreFault, connect};
use crate::base::{Secret, UnixTime};
use crate::crypto::digest::{HmacKey, Random, random_bytes};
use crate::replay::{Ended, Instance, Mark, ReplayKey, SessionId};

/// A store that would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The primary.
    pub node: String,
    /// What it calls its version.
    pub version: String,
    /// What should be seen to all the same.
    pub warning: Option<String>,
}

/// Connects as a sidecar would and asks everything that it would ask. What it writes means nothing to anyone, but for the
/// store's line, which a sidecar would have begun.
///
/// # Errors
/// The first thing that would not do.
pub async fn probe(settings: &Settings, random: &dyn Random, now: UnixTime) -> Result<Probed, StoreFault> {
    let odd = |detail: &dyn std::fmt::Display| StoreFault::new(FaultKind::Answer, detail);
    let names = Names::new(settings);
    let (connection, about) = locate::primary(settings, &names, &Arc::new(Notify::new())).await?;
    let warning = about.judge(&connection.node)?;
    let fresh = Instance::new(random).map_err(|e| odd(&e))?;
    let key = ReplayKey::login(&HmacKey::new(&Secret::new(random_bytes(random).map_err(|e| odd(&e))?)), "probe");
    let session = SessionId::new(random).map_err(|e| odd(&e))?;

    let _: Vec<u8> = connection.ask(settings, &names.take_line(&fresh, None)).await?;
    // Under a line that is nobody's: refused in the same script that would take it.
    let (place, _): (i64, i64) =
        connection.ask(settings, &names.consume(&[key], &fresh, now.plus(Duration::from_secs(1)), now)).await?;
    if place > 0 {
        return Err(odd(&"it remembers what was never used"));
    }
    connection.handle.clone().subscribe(names.channel()).await.map_err(StoreFault::from)?;
    // An order about nobody, which is over already: replicas pass it by.
    let order = Ended { mark: Mark::Session(session), at: now, until: now };
    let _: i64 = connection.ask(settings, &names.end(&[order])).await?;
    let _: redis::Value = connection.ask(settings, &names.orders_after("0-0")).await?;
    let _: redis::Value = connection.ask(settings, &redis::cmd("TIME")).await?;
    let _: () = connection.ask(settings, &names.keep(session, b"probe", 1000)).await?;
    let kept: Option<Vec<u8>> = connect::ask(&connection.handle, settings, &names.fetch(session)).await?;
    if kept.as_deref() != Some(b"probe") {
        return Err(odd(&"it does not keep what it was given"));
    }
    Ok(Probed { node: connection.node.to_string(), version: about.version, warning })
}
