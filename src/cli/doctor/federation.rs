//! Our own entry in the federation's feed of services: what providers know of us, against what we are. A request that is
//! signed by a key that is not there is refused by them, and what is encrypted to one that we do not have stays shut.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::outside::TIMES;
use super::{Finding, Verdict};
use crate::base::{Clock as _, SystemClock, UnixTime};
use crate::cli::metadata::signer;
use crate::config::{Config, FeedPlace, LoadedKeys, MadeKeys, MetadataSource, RemoteUrl, load_keys};
use crate::crypto::digest::SystemRandom;
use crate::crypto::trusted::PublicKey;
use crate::gate::{ACCEPTS_COORDINATION_NUMBER, entity_categories};
use crate::provider::fetch::{Fetcher, Request};
use crate::verify::saml::metadata::{PublishedEndpoint, PublishedService, is_safe_endpoint, read_published};

const AREA: &str = "federation";

/// Where a federation publishes services, beside where it publishes providers.
const PROVIDERS: &str = "/idp.xml";
const SERVICES: &str = "/sp.xml";

/// What the URI of every binding of SAML 2.0 begins with, and those that our metadata has.
const BINDINGS: &str = "urn:oasis:names:tc:SAML:2.0:bindings:";
const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

const DAY: i64 = 24 * 60 * 60;

/// A document in which our entry may be, and who must have signed it.
struct Place<'c> {
    at: String,
    feeds: Vec<&'c MetadataSource>,
}

/// Reads our entry, and holds it against the configuration.
pub(super) fn look(config: &Config, feed: Option<&str>, runtime: &Runtime) -> Vec<Finding> {
    let now = SystemClock.now();
    let places = places(config, feed);
    if places.is_empty() {
        let advice = ("federation_unknown", "Name the feed of services: `--federation FILE` or an address.");
        let detail = "no configured feed is fetched from an address";
        return vec![Finding::worse(Verdict::Bad, AREA, "", advice, detail)];
    }
    let (mut out, mut read) = (Vec::new(), Vec::new());
    for place in &places {
        match entry(config, place, runtime, now) {
            Ok(Some(entry)) => {
                out.extend(held_against(config, &place.at, &entry, now));
                return out;
            }
            Ok(None) => read.push(place.at.as_str()),
            Err(finding) => out.push(finding),
        }
    }
    // Not where one could be read, and perhaps where none could.
    if !read.is_empty() {
        let advice = (
            "not_in_the_federation",
            "Hand in `grindvakt keys sp-metadata --federation`; until it is published no provider knows us.",
        );
        let detail = format!("does not name {}", config.service.entity_id);
        out.push(Finding::worse(Verdict::Bad, AREA, read.join(", "), advice, detail));
    }
    out
}

/// The named one, signed by any of the configured signers; else what the configured feeds lead to.
fn places<'c>(config: &'c Config, feed: Option<&str>) -> Vec<Place<'c>> {
    if let Some(feed) = feed {
        return vec![Place { at: feed.to_owned(), feeds: config.metadata.iter().collect() }];
    }
    let mut out = Vec::new();
    for feed in &config.metadata {
        let FeedPlace::Url(remote) = &feed.place else { continue };
        let Some(url) = remote.urls.first().map(RemoteUrl::as_str) else { continue };
        let beside = url.strip_suffix(PROVIDERS).map(|folder| format!("{folder}{SERVICES}"));
        // A federation of one document has everybody in it.
        out.extend(beside.into_iter().chain([url.to_owned()]).map(|at| Place { at, feeds: vec![feed] }));
    }
    out
}

/// What the document says of us; none where it does not name us.
fn entry(
    config: &Config,
    place: &Place<'_>,
    runtime: &Runtime,
    now: UnixTime,
) -> Result<Option<PublishedService>, Finding> {
    let bad = |code: &'static str, advice: &'static str, detail: String| {
        Finding::worse(Verdict::Bad, AREA, place.at.as_str(), (code, advice), detail)
    };
    let mut signers = Vec::new();
    for path in place.feeds.iter().flat_map(|feed| &feed.signers) {
        let keys = signer(path).map_err(|e| {
            let detail = format!("{}: {e}", path.display());
            bad("signer", "The pinned certificate of the federation must be readable.", detail)
        })?;
        signers.extend(keys);
    }
    let bytes = match RemoteUrl::parse(&place.at) {
        Ok(url) => fetched(config, url, runtime).map_err(|(code, detail)| {
            bad(code, "See the way out above; or fetch it elsewhere, and name the file.", detail)
        })?,
        Err(_) => std::fs::read(Path::new(&place.at)).map_err(|e| {
            bad("feed_unreadable", "`--federation` takes a file, or an address of https.", e.to_string())
        })?,
    };
    read_published(&bytes, &signers, &config.service.entity_id, now).map_err(|reject| {
        bad(reject.code(), "It must be signed by who signs the configured feed, whole, and of now.", reject.to_string())
    })
}

fn fetched(config: &Config, url: RemoteUrl, runtime: &Runtime) -> Result<Vec<u8>, (&'static str, String)> {
    let fetcher = Fetcher::new(&config.network, Arc::new(SystemClock), runtime.handle().clone())
        .map_err(|e| ("tls_setup", e.to_string()))?;
    let request = Request::get(url).within(TIMES);
    let answer = runtime.block_on(fetcher.send(request)).and_then(|answer| answer.ok());
    answer.map(|answer| answer.body().to_vec()).map_err(|error| (error.code(), error.to_string()))
}

/// What is published, against what is in force here.
fn held_against(config: &Config, at: &str, entry: &PublishedService, now: UnixTime) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut worse = |verdict, code, advice, detail: String| {
        out.push(Finding::worse(verdict, AREA, at, (code, advice), detail));
    };
    match load_keys(config, &SystemRandom::new(), &mut MadeKeys::default()) {
        Ok(keys) => keys_held_against(&keys, entry, &mut worse),
        // Told of among the files.
        Err(_) => worse(Verdict::Bad, "keys_refused", "See our own keys above.", "our own keys cannot be read".into()),
    }
    addresses_held_against(config, entry, &mut worse);
    categories_held_against(config, entry, &mut worse);
    if out.is_empty() {
        let until = entry.valid_until.map_or_else(String::new, |until| {
            format!(", valid until {until}: {} days", (until.as_secs() - now.as_secs()) / DAY)
        });
        let detail = format!("our entry is what we are ({} keys){until}", entry.signing.len() + entry.encryption.len());
        out.push(Finding::good(AREA, at, detail));
    }
    out
}

fn keys_held_against(
    keys: &LoadedKeys,
    entry: &PublishedService,
    worse: &mut impl FnMut(Verdict, &'static str, &'static str, String),
) {
    let fingerprint = |der: &[u8]| PublicKey::from_certificate(der).ok().map(|key| *key.fingerprint());
    let signing: Vec<[u8; 32]> = keys.signing.iter().filter_map(|key| fingerprint(key.certificate())).collect();
    for (place, key) in signing.iter().enumerate().filter(|(_, key)| !entry.signing.contains(*key)) {
        let detail = format!("does not have our signing key {}, {}", place + 1, shown(key));
        match place {
            0 => worse(
                Verdict::Bad,
                "key_unpublished",
                "Providers refuse every request that it signs: put a key first that is published, or publish this one.",
                detail,
            ),
            _ => worse(Verdict::Warning, "key_unpublished", "It must not sign before it is there.", detail),
        }
    }
    for key in entry.signing.iter().filter(|key| !signing.contains(*key)) {
        let advice = "Whoever has it can sign in our name: hand in the metadata again without it.";
        worse(
            Verdict::Warning,
            "key_not_ours",
            advice,
            format!("has a signing key that is none of ours, {}", shown(key)),
        );
    }
    let opens: Vec<[u8; 32]> = keys.decryption.certificates().filter_map(fingerprint).collect();
    for key in entry.encryption.iter().filter(|key| !opens.contains(*key)) {
        worse(
            Verdict::Bad,
            "key_lost",
            "Providers may encrypt to it, and such an answer cannot be opened: put the key back under `[keys] decryption`, or publish without it.",
            format!("has an encryption key that we do not have, {}", shown(key)),
        );
    }
    let published = keys.decryption.published().and_then(fingerprint);
    if published.is_some_and(|key| !entry.encryption.contains(&key)) {
        let advice = "Hand in `grindvakt keys sp-metadata` again.";
        worse(Verdict::Warning, "key_unpublished", advice, "does not have our encryption key".to_owned());
    }
}

/// Where messages come: both what is missing, and what leads elsewhere.
fn addresses_held_against(
    config: &Config,
    entry: &PublishedService,
    worse: &mut impl FnMut(Verdict, &'static str, &'static str, String),
) {
    let acs: Vec<_> = config.acs_urls().into_iter().map(|location| (POST, location)).collect();
    let missing = ("acs_unpublished", "Providers send no answer there: hand in `grindvakt keys sp-metadata` again.");
    for (binding, location) in acs.iter().filter(|own| !published(&entry.acs, own)) {
        worse(Verdict::Bad, missing.0, missing.1, format!("does not have {location} by {}", short(binding)));
    }
    let other = (
        "acs_not_ours",
        "A provider may send people's answers there: hand in the metadata again without it; an old path of our own is named under `[service] acs_aliases`.",
    );
    for end in entry.acs.iter().filter(|end| !acs.iter().any(|own| same(end, own))) {
        worse(
            seriousness(&end.location),
            other.0,
            other.1,
            format!("has {:?} by {}", end.location, short(&end.binding)),
        );
    }

    let location = config.slo_url();
    let slo = [REDIRECT, POST].map(|binding| (binding, location.clone()));
    let missing = (
        "slo_unpublished",
        "Providers tell us of no logout that began elsewhere, and answer none of ours: hand in the metadata again.",
    );
    for (binding, location) in slo.iter().filter(|own| !published(&entry.slo, own)) {
        worse(Verdict::Warning, missing.0, missing.1, format!("does not have {location} by {}", short(binding)));
    }
    let other =
        ("slo_not_ours", "Messages about logouts go there, and not to us: hand in the metadata again without it.");
    for end in &entry.slo {
        let binding = short(&end.binding);
        if !slo.iter().any(|own| same(end, own)) {
            let detail = format!("has {:?} by {binding}", end.location);
            worse(seriousness(&end.location), other.0, other.1, detail);
        }
        if let Some(answers) = end.response_location.as_ref().filter(|answers| **answers != location) {
            let detail = format!("has {answers:?} for answers by {binding}");
            worse(seriousness(answers), other.0, other.1, detail);
        }
    }
}

fn published(ends: &[PublishedEndpoint], own: &(&str, String)) -> bool {
    ends.iter().any(|end| same(end, own))
}

fn same(end: &PublishedEndpoint, (binding, location): &(&str, String)) -> bool {
    end.binding == *binding && end.location == *location
}

/// An address that no browser should be sent to does harm at once; another one perhaps.
fn seriousness(location: &str) -> Verdict {
    if is_safe_endpoint(location) { Verdict::Warning } else { Verdict::Bad }
}

/// A binding without the words that all of them begin with; anything else as it is, on one line.
fn short(binding: &str) -> String {
    match binding.strip_prefix(BINDINGS) {
        Some(name) if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => name.to_owned(),
        _ => format!("{binding:?}"),
    }
}

/// What providers choose by: both what is missing, and what we do not say of ourselves.
fn categories_held_against(
    config: &Config,
    entry: &PublishedService,
    worse: &mut impl FnMut(Verdict, &'static str, &'static str, String),
) {
    let own = entity_categories(config);
    for category in own.iter().filter(|category| !entry.entity_categories.iter().any(|its| its == *category)) {
        let advice = match *category {
            ACCEPTS_COORDINATION_NUMBER => {
                "Until providers see it, people with a coordination number are turned away by them: hand in the metadata again."
            }
            _ => {
                "Providers choose by it what they send, and whether they are offered to us: hand in the metadata again."
            }
        };
        worse(Verdict::Warning, "category_unpublished", advice, format!("does not have the category {category}"));
    }
    for category in entry.entity_categories.iter().filter(|category| !own.contains(&category.as_str())) {
        let advice = match category.as_str() {
            ACCEPTS_COORDINATION_NUMBER => {
                "Providers send people with a coordination number, and we turn them away: set `[service] accept_coordination_number`, or hand in the metadata again."
            }
            _ => {
                "Providers go by it, and may send what we do not ask for: name it under `[organisation] entity_categories`, or hand in the metadata again."
            }
        };
        worse(Verdict::Warning, "category_not_ours", advice, format!("has the category {category:?}"));
    }
}

/// The beginning of a fingerprint.
fn shown(fingerprint: &[u8; 32]) -> String {
    fingerprint.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<String>() + "…"
}
