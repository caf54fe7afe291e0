//! `grindvakt keys rotate`: a plan for the service's own SAML keys that remembers where it is, and takes no step before the
//! one before it is seen (docs/key-rotation.md).
//!
//! It makes the new key and judges; what is in force is the configuration, which the operator changes. Each step is looked
//! for where it takes effect: in the configuration, and in the feed that the providers read.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::keys::write_secret;
use super::metadata::signer;
use crate::base::{Secret, UnixTime};
use crate::config::{self, Config, KeySource};
use crate::crypto::own::{SigningKey, generate_p256_pem, generate_rsa_pem};
use crate::crypto::trusted::PublicKey;
use crate::verify::saml::metadata::{PublishedService, read_published};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Replace one of the service's own SAML keys, step by step: publish, wait until the federation's feed has it, switch, keep
/// the old one for a while, remove. A step is refused while the one before is not seen.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    step: Step,
    /// Configuration file or folder; repeat it to merge several.
    #[arg(long, value_name = "PATH", global = true)]
    config: Vec<PathBuf>,
    /// Which key.
    #[arg(long, value_enum, default_value = "signing", global = true)]
    kind: Kind,
    /// Where the plan is kept [default: key-rotation-<kind>.json in [state] dir]
    #[arg(long, value_name = "FILE", global = true)]
    state: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Step {
    /// Make the new key beside the old one, and begin the plan.
    Start,
    /// Take the next step, if the one before is seen. Run it as often as you like.
    Next(Next),
    /// Where the plan is, and what comes next.
    Status,
    /// Forget the plan. Keys stay where they are.
    Abandon,
}

#[derive(Debug, clap::Args)]
struct Next {
    /// The federation's feed of services, as fetched: what providers see of us.
    #[arg(long, value_name = "FILE")]
    feed: Option<PathBuf>,
    /// A pinned certificate in PEM that must have signed it. Repeat it during a roll-over.
    #[arg(long, value_name = "CERT")]
    signer: Vec<PathBuf>,
    /// The instant to judge at, as RFC 3339 [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = super::instant)]
    at: Option<UnixTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// What requests are signed with.
    Signing,
    /// What assertions are encrypted to.
    Decryption,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Decryption => "decryption",
        }
    }

    fn configured(self, config: &Config) -> &[KeySource] {
        match self {
            Self::Signing => &config.keys.signing,
            Self::Decryption => &config.keys.decryption,
        }
    }

    fn published(self, service: &PublishedService) -> &[[u8; 32]] {
        match self {
            Self::Signing => &service.signing,
            Self::Decryption => &service.encryption,
        }
    }
}

/// How far the plan has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    /// The new key is made.
    Made,
    /// The configuration publishes it.
    Published,
    /// Providers can see it.
    Seen,
    /// It is the one that signs.
    Switched,
}

impl Done {
    const ALL: [Self; 4] = [Self::Made, Self::Published, Self::Seen, Self::Switched];

    const fn name(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Published => "published",
            Self::Seen => "seen",
            Self::Switched => "switched",
        }
    }
}

/// What is remembered between two steps. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plan {
    kind: Kind,
    old: PathBuf,
    new: PathBuf,
    done: Done,
    /// Before this instant the next step is not taken.
    not_before: Option<UnixTime>,
}

impl Plan {
    fn to_json(&self) -> Value {
        json!({
            "version": 1,
            "kind": self.kind.name(),
            "old": self.old,
            "new": self.new,
            "done": self.done.name(),
            "not_before": self.not_before.map(|at| at.to_string()),
        })
    }

    fn from_json(value: &Value, kind: Kind) -> Option<Self> {
        let text = |name: &str| value.get(name)?.as_str();
        if value.get("version")?.as_u64()? != 1 || text("kind")? != kind.name() {
            return None;
        }
        let not_before = match text("not_before") {
            Some(at) => Some(UnixTime::parse_rfc3339(at).ok()?),
            None => None,
        };
        let done = text("done")?;
        let done = Done::ALL.into_iter().find(|known| known.name() == done)?;
        Some(Self { kind, old: text("old")?.into(), new: text("new")?.into(), done, not_before })
    }

    /// What the operator does next, in words.
    fn what_next(&self) -> String {
        let (old, new, kind) = (self.old.display(), self.new.display(), self.kind.name());
        let wait = self.not_before.map_or_else(String::new, |at| format!(" Not before {at}."));
        match (self.done, self.kind) {
            (Done::Made, Kind::Signing) => format!(
                "write {kind} = [\"{old}\", \"{new}\"] into [keys] (the first signs, both are published), and run `keys rotate next`"
            ),
            (Done::Made, Kind::Decryption) => format!(
                "write {kind} = [\"{new}\", \"{old}\"] into [keys] (the first is published, both open), and run `keys rotate next`"
            ),
            (Done::Published, _) => {
                "give `keys sp-metadata` to the federation; when its feed has it, run `keys rotate next --feed FILE \
                                     --signer CERT` with the feed of services"
                    .to_owned()
            }
            (Done::Seen, Kind::Signing) => format!(
                "write {kind} = [\"{new}\", \"{old}\"] into [keys] (the new one signs), and run `keys rotate next`.{wait}"
            ),
            (Done::Seen, Kind::Decryption) | (Done::Switched, _) => {
                format!("write {kind} = [\"{new}\"] into [keys] (the old one goes), and run `keys rotate next`.{wait}")
            }
        }
    }
}

/// Runs the command. Exit status: 0 done, 1 refused, 64 a file that cannot be read, 78 configuration.
pub(super) fn run(args: &Args, now: UnixTime) -> ExitCode {
    // One of every step and not of the first alone: the library has no way to demand that of it.
    if args.config.is_empty() {
        return super::usage("--config is missing: name the configuration file or folder");
    }
    let config = match config::load(&args.config) {
        Ok(config) => config,
        Err(problems) => return super::problems(&problems),
    };
    let file = args.state.clone().or_else(|| {
        let name = format!("key-rotation-{}.json", args.kind.name());
        config.state_dir.as_ref().map(|dir| dir.join(name))
    });
    let Some(file) = file else {
        return super::usage("nowhere to keep the plan: name a file by --state, or a folder by [state] dir");
    };
    let done = match &args.step {
        Step::Start => start(&config, args.kind, &file, now),
        Step::Status => read(&file, args.kind).map(|plan| format!("{}. Next: {}", plan.done.name(), plan.what_next())),
        Step::Abandon => read(&file, args.kind).and_then(|plan| {
            std::fs::remove_file(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            Ok(format!("forgotten; {} and {} stay", plan.old.display(), plan.new.display()))
        }),
        Step::Next(next) => {
            let now = next.at.unwrap_or(now);
            read(&file, args.kind).and_then(|plan| {
                let seen = next.feed.as_deref().map(|feed| in_feed(&config, feed, &next.signer, now)).transpose()?;
                advance(&plan, &config, seen.as_ref(), now).and_then(|after| keep(&file, after))
            })
        }
    };
    match done {
        Ok(said) => super::print(&format!("{said}\n")),
        Err(why) => {
            super::warn(format_args!("refused: {why}"));
            ExitCode::from(super::REFUSED)
        }
    }
}

fn read(file: &Path, kind: Kind) -> Result<Plan, String> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("no plan for the {} key: begin with `keys rotate start`", kind.name()));
        }
        Err(e) => return Err(format!("{}: {e}", file.display())),
    };
    let value: Option<Value> = serde_json::from_slice(&text).ok();
    let plan = value.and_then(|value| Plan::from_json(&value, kind));
    plan.ok_or_else(|| format!("{}: is no plan for the {} key of this version", file.display(), kind.name()))
}

fn write(file: &Path, plan: &Plan) -> Result<(), String> {
    write_secret(file, &format!("{:#}\n", plan.to_json())).map_err(|e| format!("{}: {e}", file.display()))
}

/// Keeps where the plan is; at its end there is nothing to keep.
fn keep(file: &Path, after: Option<Plan>) -> Result<String, String> {
    match after {
        Some(plan) => {
            write(file, &plan)?;
            Ok(format!("{}. Next: {}", plan.done.name(), plan.what_next()))
        }
        None => {
            std::fs::remove_file(file).map_err(|e| format!("{}: {e}", file.display()))?;
            Ok("done. The old key is in use nowhere: give `keys sp-metadata` to the federation once more, and destroy its file".to_owned())
        }
    }
}

fn start(config: &Config, kind: Kind, file: &Path, now: UnixTime) -> Result<String, String> {
    if file.exists() {
        return Err(format!("{}: a plan is under way: `keys rotate status`", file.display()));
    }
    let [KeySource::File(old)] = kind.configured(config) else {
        let what = "must name just one key, in a file: there is one to replace, and no change under way";
        return Err(format!("`{}` in [keys] {what}", kind.name()));
    };
    let day: String = now.to_string().chars().take(10).filter(char::is_ascii_digit).collect();
    let stem = old.file_stem().and_then(|stem| stem.to_str()).unwrap_or(kind.name());
    let new = old.with_file_name(format!("{stem}-{day}.pem"));
    if new.exists() {
        return Err(format!("{}: is there already", new.display()));
    }
    let p256 = kind == Kind::Signing && key(old, config)?.is_p256();
    let pem = if p256 { generate_p256_pem() } else { generate_rsa_pem() }.map_err(|e| e.to_string())?;
    write_secret(&new, pem.expose()).map_err(|e| format!("{}: {e}", new.display()))?;
    let plan = Plan { kind, old: old.clone(), new, done: Done::Made, not_before: None };
    write(file, &plan)?;
    Ok(format!("made {}. Next: {}", plan.new.display(), plan.what_next()))
}

fn key(file: &Path, config: &Config) -> Result<SigningKey, String> {
    let pem = Secret::new(std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?);
    SigningKey::from_pem(&pem, &config.service.entity_id).map_err(|e| format!("{}: {e}", file.display()))
}

fn fingerprint(file: &Path, config: &Config) -> Result<[u8; 32], String> {
    let public = PublicKey::from_certificate(key(file, config)?.certificate()).map_err(|e| e.to_string())?;
    Ok(*public.fingerprint())
}

/// What the federation's feed says of us.
fn in_feed(config: &Config, feed: &Path, signers: &[PathBuf], now: UnixTime) -> Result<PublishedService, String> {
    let mut keys = Vec::new();
    for path in signers {
        keys.extend(signer(path).map_err(|e| format!("{}: {e}", path.display()))?);
    }
    let bytes = std::fs::read(feed).map_err(|e| format!("{}: {e}", feed.display()))?;
    let entity_id = &config.service.entity_id;
    let found = read_published(&bytes, &keys, entity_id, now).map_err(|reject| format!("the feed: {reject}"))?;
    found.ok_or_else(|| format!("the feed does not name the service {entity_id:?}"))
}

/// The plan after its next step; none when it is at its end.
fn advance(
    plan: &Plan,
    config: &Config,
    seen: Option<&PublishedService>,
    now: UnixTime,
) -> Result<Option<Plan>, String> {
    if let Some(at) = plan.not_before
        && now < at
    {
        return Err(format!("it is {now}: not before {at}, or a provider may still go by an older copy of the feed"));
    }
    let configured: Vec<&Path> = plan.kind.configured(config).iter().filter_map(KeySource::file).collect();
    let [old, new] = [plan.old.as_path(), plan.new.as_path()];
    let in_force = |wanted: &[&Path]| {
        let said = |paths: &[&Path]| paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
        if configured == wanted {
            return Ok(());
        }
        let name = plan.kind.name();
        Err(format!("`{name}` in [keys] is [{}]; this step wants [{}]", said(&configured), said(wanted)))
    };
    let to = |done, not_before| Ok(Some(Plan { done, not_before, ..plan.clone() }));
    match (plan.done, plan.kind) {
        (Done::Made, Kind::Signing) => in_force(&[old, new]).and_then(|()| to(Done::Published, None)),
        (Done::Made, Kind::Decryption) => in_force(&[new, old]).and_then(|()| to(Done::Published, None)),
        (Done::Published, kind) => {
            match kind {
                Kind::Signing => in_force(&[old, new])?,
                Kind::Decryption => in_force(&[new, old])?,
            }
            let Some(service) = seen else {
                return Err("say by --feed and --signer what the providers see of us".to_owned());
            };
            let (published, new, old) = (kind.published(service), fingerprint(new, config)?, fingerprint(old, config)?);
            if !published.contains(&new) {
                return Err("the feed does not have the new key".to_owned());
            }
            match kind {
                Kind::Signing if !published.contains(&old) => {
                    Err("the feed does not have the old key any more, and it still signs: publish both".to_owned())
                }
                // Providers that have fetched the feed as often as it asks for have it by then.
                Kind::Signing => to(Done::Seen, Some(now.plus(service.cache_duration.unwrap_or(DAY).max(HOUR)))),
                Kind::Decryption if published.contains(&old) => {
                    Err("the feed has the old key too, which providers may go on encrypting to".to_owned())
                }
                // A copy of the feed may be used until its end, and then somebody encrypts to the old key.
                Kind::Decryption => to(Done::Seen, Some(service.valid_until.unwrap_or(now.plus(14 * DAY)))),
            }
        }
        (Done::Seen, Kind::Signing) => {
            in_force(&[new, old])?;
            // Requests that were signed by the old key are still on their way for as long as a login may take.
            to(Done::Switched, Some(now.plus(HOUR)))
        }
        (Done::Seen, Kind::Decryption) | (Done::Switched, _) => in_force(&[new]).map(|()| None),
    }
}

#[cfg(test)]
#[path = "rotate_tests.rs"]
mod tests;
