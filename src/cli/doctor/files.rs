//! Files: who may read keys, what is in them, and how long feeds and certificates last.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Finding, Verdict};
use crate::base::UnixTime;
use crate::config::{Config, KeySource, MadeKeys, load_keys};
use crate::crypto::certificate;
use crate::crypto::digest::SystemRandom;
use crate::provider::{Snapshot, load};

const DAY: i64 = 86_400;
/// Feeds are published anew each day or so.
const FEED_DAYS: i64 = 2;
/// A roll-over of keys takes a federation weeks.
const CERTIFICATE_DAYS: i64 = 30;

/// Key files and the state folder.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let keys = &config.keys;
    let lists = [&keys.signing, &keys.decryption, &keys.sealing].into_iter().flatten();
    let sources = lists.chain(&keys.digest).chain(&keys.digest_also);
    let sources = sources.chain(&keys.identity_token).chain(&keys.identity_token_also);
    let mut out: Vec<Finding> = sources.filter_map(KeySource::file).map(key_file).collect();
    match &config.state_dir {
        Some(folder) => out.push(state(folder)),
        None => out.push(Finding::worse(
            Verdict::Warning,
            "files",
            "[state] dir",
            ("no_state", "Name a folder: without it a start without a network has no keys."),
            "none: no copy of a feed is kept",
        )),
    }
    out
}

fn key_file(path: &Path) -> Finding {
    let name = path.display().to_string();
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(e) => {
            let advice = ("key_unreadable", "`grindvakt keys generate` makes key files.");
            return Finding::worse(Verdict::Bad, "files", name, advice, e.to_string());
        }
    };
    let mode = about.permissions().mode() & 0o7777;
    let others = ("key_open", "Take the rights of others away: `chmod 600`, or 0440 for a group of the process alone.");
    match mode {
        _ if mode & 0o007 != 0 => Finding::worse(
            Verdict::Bad,
            "files",
            name,
            others,
            format!("everybody on this machine may use it ({mode:04o})"),
        ),
        _ if mode & 0o020 != 0 => {
            Finding::worse(Verdict::Warning, "files", name, others, format!("its group may change it ({mode:04o})"))
        }
        _ => Finding::good("files", name, format!("{mode:04o}")),
    }
}

/// Whether a file can be made in the folder, which is what is needed of it.
fn state(folder: &Path) -> Finding {
    let name = folder.display().to_string();
    let probe = folder.join(format!(".doctor-{}", std::process::id()));
    let written =
        fs::create_dir_all(folder).and_then(|()| fs::write(&probe, b"")).and_then(|()| fs::remove_file(&probe));
    match written {
        Ok(()) => Finding::good("files", name, "copies of feeds can be kept"),
        Err(e) => {
            let advice = ("state_unwritable", "Make it writable for the user of the process.");
            Finding::worse(Verdict::Bad, "files", name, advice, e.to_string())
        }
    }
}

/// What is on disk of feeds and keys of providers, and how long it may be used.
pub(super) fn metadata(config: &Config, now: UnixTime) -> (Snapshot, Vec<Finding>) {
    let (snapshot, faults) = load(config, now);
    let mut out: Vec<Finding> = faults
        .iter()
        .map(|fault| {
            // One that is fetched is not on disk before the first time.
            let far = config.metadata.iter().any(|feed| feed.id == fault.feed && feed.place.remote().is_some());
            let verdict = if far { Verdict::Warning } else { Verdict::Bad };
            let advice = (
                fault.cause.code(),
                "See docs/runbook.md; `grindvakt metadata FILE --signer CERT` tells more of a feed.",
            );
            Finding::worse(verdict, "metadata", fault.feed.as_str(), advice, fault.cause.to_string())
        })
        .collect();
    for provider in snapshot.all() {
        let id = provider.config().id.as_str();
        if provider.usable(now).is_err() {
            continue;
        }
        out.push(match provider.until() {
            None => Finding::good("keys", id, "valid, without an end of their own"),
            Some(until) => {
                let days = (until.as_secs() - now.as_secs()) / DAY;
                let detail = format!("valid until {until}: {days} days");
                let advice = ("keys_end", "The feed is published anew long before: refreshing it does not work.");
                if days < FEED_DAYS {
                    Finding::worse(Verdict::Warning, "keys", id, advice, detail)
                } else {
                    Finding::good("keys", id, detail)
                }
            }
        });
    }
    (snapshot, out)
}

/// Our own certificates, as providers see them.
pub(super) fn own_certificates(config: &Config, now: UnixTime) -> Vec<Finding> {
    let keys = match load_keys(config, &SystemRandom::new(), &mut MadeKeys::default()) {
        Ok(keys) => keys,
        Err(problems) => {
            let advice = ("keys_refused", "`grindvakt keys generate` makes keys that hold.");
            let told = |problem: &crate::config::Problem| {
                Finding::worse(Verdict::Bad, "keys", "our own", advice, problem.to_string())
            };
            return problems.iter().map(told).collect();
        }
    };
    let signing = keys.signing.iter().map(|key| ("our signing certificate", key.certificate()));
    let all = signing.chain(keys.decryption.published().map(|der| ("our encryption certificate", der)));
    let mut out = Vec::new();
    for (what, der) in all {
        let Some(end) = certificate::not_after(der) else { continue };
        let days = (end.as_secs() - now.as_secs()) / DAY;
        let detail = format!("until {end}: {days} days");
        let advice = ("certificate_ends", "Begin the roll-over: docs/runbook.md, GrindvaktOwnCertificateEnds.");
        out.push(match days {
            ..0 => Finding::worse(Verdict::Bad, "keys", what, advice, detail),
            0..CERTIFICATE_DAYS => Finding::worse(Verdict::Warning, "keys", what, advice, detail),
            _ => Finding::good("keys", what, detail),
        });
    }
    out
}
