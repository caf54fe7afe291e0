//! Logins that are only begun, in numbers: they change what counts them, and nothing else.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::fixture::*;
use super::*;
use crate::session::Locale;

/// Every metric by its line.
fn metrics(world: &World) -> BTreeMap<String, String> {
    let metrics = world.gate.telemetry.metrics();
    world.gate.board.observe(metrics, world.clock.now());
    let text = metrics.text().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn begins(world: &World, eid: Option<&str>, from: IpAddr) -> Result<LoginStart, Refusal> {
    let none: [(&str, &str); 0] = [];
    let login = BeginLogin {
        rd: Some("/ansokan/1"),
        eid,
        choose: false,
        anyway: false,
        instead_of: None,
        counts: true,
        from: Some(from),
        locale: Locale::Sv,
        cookies: Cookies::new(&none),
    };
    world.gate.begin_login(login).await
}

async fn flood(addresses: u32) {
    let world = world();
    let offered = async || match begins(&world, None, IpAddr::from([198, 51, 100, 1])).await {
        Ok(LoginStart::Choose { options, why, .. }) => {
            let ids: Vec<String> =
                options.iter().map(|option| format!("{} {:?}", option.eid, option.trouble)).collect();
            format!("{ids:?} {why:?}")
        }
        _ => panic!("a choice of two"),
    };
    let (before, choice, reports) = (metrics(&world), offered().await, world.gate.board.reports(world.clock.now()));
    for n in 0..100_000_u32 {
        let network = n % addresses;
        let from = IpAddr::from([203, (network >> 8) as u8, network as u8, 1]);
        assert!(matches!(begins(&world, Some("bankid"), from).await, Ok(LoginStart::Redirect { .. })), "{n}");
        // An hour of it.
        if n % 28 == 0 {
            world.clock.advance(Duration::from_secs(1));
        }
    }
    // But for how many there were, which is shown and decides nothing.
    let mut known = world.gate.board.reports(world.clock.now());
    known.iter_mut().for_each(|report| report.begun_since = 0);
    assert_eq!(known, reports, "what is known of health");
    assert_eq!(offered().await, choice, "what people are offered");
    let after = metrics(&world);
    assert_eq!(after["grindvakt_logins_begun_total{provider=\"bankid-a\"}"], "100000");
    let changed: BTreeSet<&str> = after
        .iter()
        .filter(|(name, value)| before.get(*name).map_or("0", String::as_str) != *value)
        .map(|(name, _)| name.split('{').next().unwrap_or_default())
        .collect();
    assert_eq!(Vec::from_iter(changed), ["grindvakt_loa_asked_total", "grindvakt_logins_begun_total"]);
}

#[tokio::test]
async fn a_hundred_thousand_begun_logins_from_one_address_change_a_metric_and_nothing_else() {
    flood(1).await;
}

#[tokio::test]
async fn a_hundred_thousand_begun_logins_from_a_thousand_addresses_change_a_metric_and_nothing_else() {
    flood(1_000).await;
}
