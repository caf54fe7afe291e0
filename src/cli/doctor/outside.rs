//! The way out: names, TCP, the outgoing proxy, TLS and whoever issued the certificate, and what their clocks say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::{Finding, Verdict};
use crate::base::{Clock, UnixTime};
use crate::config::{Config, Protocol, RemoteUrl};
use crate::provider::Snapshot;
use crate::provider::fetch::{FetchError, Fetcher, Probe, Reach, Times};

const AREA: &str = "way out";

/// Long enough for a slow proxy, short enough for somebody who waits.
pub(super) const TIMES: Times =
    Times { connect: Duration::from_secs(5), head: Duration::from_secs(5), whole: Duration::from_secs(10) };

/// Clocks that are this far apart are told of; logins are refused from `verification.clock_skew` on.
const CLOCKS_SECS: i64 = 5;

const INSPECTED: &str = "Nobody here vouches for whoever issued it. An outgoing proxy that inspects TLS is the best-known cause \
                         of failed e-ID logins: have this host exempted from inspection (or name its authority under \
                         `[network] ca_file`, which lets it read and change what passes).";

const fn advice(error: &FetchError) -> &'static str {
    match error {
        FetchError::Dns { .. } => "Ask the resolver of this machine or pod for the name; is it the right name?",
        FetchError::Connect { .. } => {
            "Is the way out closed (firewall, NetworkPolicy), or must it lead through HTTPS_PROXY?"
        }
        FetchError::Proxy { .. } => "The outgoing proxy must let us connect to this host.",
        FetchError::Tls { fault: crate::provider::fetch::TlsFault::UnknownIssuer, .. } => INSPECTED,
        FetchError::Tls { .. } => {
            "Somebody shows a certificate that is not this host's, or not now: look at the clock first."
        }
        FetchError::Timeout(_) => "A firewall that drops packets looks like this.",
        FetchError::Broken(_)
        | FetchError::Redirect { .. }
        | FetchError::Status(_)
        | FetchError::TooLarge { .. }
        | FetchError::Request(_) => "What answers there does not speak HTTP as it should.",
    }
}

/// Every address that serving calls or sends people to, once for each host, with what it is for.
fn addresses(config: &Config, snapshot: &Snapshot, now: UnixTime) -> BTreeMap<String, (RemoteUrl, String)> {
    let mut out = BTreeMap::new();
    let mut add = |url: RemoteUrl, what: String| {
        let host = url.authority();
        out.entry(host).or_insert((url, what));
    };
    for feed in &config.metadata {
        for url in feed.place.remote().into_iter().flat_map(|remote| &remote.urls) {
            add(url.clone(), format!("feed {}", feed.id));
        }
    }
    for provider in snapshot.all() {
        let id = &provider.config().id;
        match &provider.config().protocol {
            Protocol::Saml(_) => {
                let endpoint = provider.saml(now).ok().and_then(|saml| saml.endpoint());
                if let Some(url) = endpoint.and_then(|endpoint| RemoteUrl::parse(&endpoint.location).ok()) {
                    add(url, format!("provider {id}"));
                }
            }
            Protocol::Oidc(oidc) => add(oidc.published.discovery.clone(), format!("provider {id}")),
            Protocol::Jwt(jwt) if jwt.published.jwks_file.is_none() => {
                let url = jwt.published.jwks_url.clone().unwrap_or_else(|| jwt.published.discovery.clone());
                add(url, format!("provider {id}"));
            }
            Protocol::Jwt(_) => {}
        }
    }
    out
}

/// Asks each host, all at once.
pub(super) async fn look(
    config: &Config,
    snapshot: &Snapshot,
    clock: &Arc<dyn Clock>,
    runtime: &Handle,
) -> Vec<Finding> {
    let fetcher = match Fetcher::new(&config.network, Arc::clone(clock), runtime.clone()) {
        Ok(fetcher) => fetcher,
        Err(e) => {
            let advice = ("tls_setup", "See `[network] ca_file`, and the CA bundle of this machine or image.");
            return vec![Finding::worse(Verdict::Bad, AREA, "TLS", advice, e.to_string())];
        }
    };
    let mut asked = JoinSet::new();
    for (host, (url, what)) in addresses(config, snapshot, clock.now()) {
        let (fetcher, clock) = (fetcher.clone(), Arc::clone(clock));
        asked.spawn(async move {
            let probed = fetcher.probe(url, TIMES, Reach::Anywhere).await;
            (host, what, probed, clock.now())
        });
    }
    let mut all: Vec<(String, String, Result<Probe, FetchError>, UnixTime)> = Vec::new();
    while let Some(done) = asked.join_next().await {
        all.extend(done.ok());
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    if all.is_empty() {
        return vec![Finding::good(AREA, "", "nothing is asked of anybody outside")];
    }
    let mut out: Vec<Finding> = all.iter().map(|(host, what, probed, _)| way(host, what, probed)).collect();
    out.extend(one_issuer_for_all(config, &all));
    out.extend(clocks(&all));
    out
}

fn way(host: &str, what: &str, probed: &Result<Probe, FetchError>) -> Finding {
    match probed {
        Ok(Probe { status, issuer: Some(issuer), .. }) => {
            Finding::good(AREA, host, format!("{what}: answers {status}; certificate by {issuer}"))
        }
        Ok(Probe { status, issuer: None, .. }) => {
            Finding::good(AREA, host, format!("{what}: answers {status}, without TLS"))
        }
        Err(error) => {
            let detail = format!("{what}: {error}");
            Finding::worse(Verdict::Bad, AREA, host, (error.code(), advice(error)), detail)
        }
    }
}

/// Hosts of several organisations whose certificates have one issuer that we were told to believe: a proxy that inspects.
fn one_issuer_for_all(
    config: &Config,
    all: &[(String, String, Result<Probe, FetchError>, UnixTime)],
) -> Option<Finding> {
    config.network.ca_file.as_ref()?;
    let mut issuers = all.iter().filter_map(|(_, _, probed, _)| probed.as_ref().ok()?.issuer.as_deref());
    let first = issuers.next()?;
    let others: Vec<&str> = issuers.collect();
    (!others.is_empty() && others.iter().all(|other| *other == first)).then(|| {
        let advice = (
            "tls_inspected",
            "If that is an outgoing proxy, it reads and can change what passes: have these hosts exempted.",
        );
        let detail = format!("every certificate is by {first}, and `[network] ca_file` is set");
        Finding::worse(Verdict::Warning, AREA, "TLS", advice, detail)
    })
}

/// Our clock against everybody's: with one host it may be theirs, with most of them it is ours.
fn clocks(all: &[(String, String, Result<Probe, FetchError>, UnixTime)]) -> Option<Finding> {
    let mut apart: Vec<i64> = all
        .iter()
        .filter_map(|(_, _, probed, now)| Some(probed.as_ref().ok()?.date?.as_secs() - now.as_secs()))
        .collect();
    apart.sort_unstable();
    let middle = apart.get(apart.len() / 2).copied()?;
    let detail = format!("{middle} s against the middle of {} others", apart.len());
    let advice =
        ("clock", "Look at this machine's time service: logins are refused from `verification.clock_skew` on.");
    Some(match middle.abs() {
        0..=CLOCKS_SECS => Finding::good("clock", "", detail),
        6..=30 => Finding::worse(Verdict::Warning, "clock", "", advice, detail),
        _ => Finding::worse(Verdict::Bad, "clock", "", advice, detail),
    })
}
