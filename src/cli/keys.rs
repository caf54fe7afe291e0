//! `grindvakt keys`: make the service's keys, and print its SP metadata.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::base::{Secret, UnixTime};
use crate::config::{self, ClientCredential, MadeKeys, load_clients, load_decryption, load_keys};
use crate::crypto::digest::{SystemRandom, random_bytes};
use crate::crypto::own::{generate_p256_pem, generate_rsa_pem};
use crate::gate::service_metadata;
use crate::request::ClientKey;
use crate::request::jwt::encryption_jwk;

/// Make keys, and show what the service publishes of them.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Generate(Generate),
    SpMetadata(SpMetadata),
    ClientJwks(ClientJwks),
    Rotate(super::rotate::Args),
}

/// Make every key of the service in a folder, and print the [keys] section that names them.
#[derive(Debug, clap::Args)]
struct Generate {
    /// The folder; it is made if it is not there.
    #[arg(long, default_value = ".", value_name = "DIR")]
    out: PathBuf,
    /// Replace keys that are there: sessions end, and providers must be told of the new signing key.
    #[arg(long)]
    force: bool,
}

/// Print the SP metadata to hand to the federation or a provider.
#[derive(Debug, clap::Args)]
struct SpMetadata {
    /// Configuration file or folder; repeat it to merge several.
    #[arg(long, required = true, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// Hold it against the joining rules of Sweden Connect first: everything that is missing is said, and nothing printed.
    #[arg(long)]
    federation: bool,
}

/// Print the JWKS to hand to an OpenID provider: the key that shows who we are, and the one to encrypt to.
#[derive(Debug, clap::Args)]
struct ClientJwks {
    /// Configuration file or folder; repeat it to merge several.
    #[arg(long, required = true, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// The [[provider]]; it may be left out where only one has a `client_key`.
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
}

/// Runs the command. Exit status: 0 done, 1 a file is in the way or cannot be written, 78 configuration.
pub fn run(args: &Args, now: UnixTime) -> ExitCode {
    match &args.command {
        Command::Generate(args) => match generate(args) {
            Ok(section) => super::print(&section),
            Err(e) => {
                super::warn(format_args!("grindvakt: {e}"));
                ExitCode::from(super::REFUSED)
            }
        },
        Command::SpMetadata(args) => sp_metadata(args),
        Command::ClientJwks(args) => client_jwks(args),
        Command::Rotate(args) => super::rotate::run(args, now),
    }
}

fn generate(args: &Generate) -> Result<String, String> {
    let failed = |path: &Path, e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    std::fs::create_dir_all(&args.out).map_err(|e| failed(&args.out, &e))?;
    let names = ["sp-signing.pem", "sp-decrypt.pem", "session.key", "digest.key", "identity.pem"];
    // All or nothing: half a set of keys is worse than none.
    let there: Vec<_> = names.iter().filter(|name| args.out.join(name).exists()).copied().collect();
    if !there.is_empty() && !args.force {
        return Err(format!("{} already there: --force replaces them", there.join(", ")));
    }
    let random = SystemRandom::new();
    let symmetric = || -> Result<Secret<String>, String> {
        let key = Secret::new(random_bytes::<32>(&random).map_err(|e| e.to_string())?);
        Ok(Secret::new(base64_simd::STANDARD.encode_to_string(key.expose()) + "\n"))
    };
    let library = |e: crate::crypto::own::OwnKeyError| e.to_string();
    for name in names {
        let text = match name {
            "sp-signing.pem" | "sp-decrypt.pem" => generate_rsa_pem().map_err(library)?,
            "identity.pem" => generate_p256_pem().map_err(library)?,
            _ => symmetric()?,
        };
        let path = args.out.join(name);
        write_secret(&path, text.expose()).map_err(|e| failed(&path, &e))?;
    }
    let path = |name: &str| toml::Value::String(args.out.join(name).display().to_string()).to_string();
    Ok(format!(
        "[keys]\nsigning        = [{}]\ndecryption     = [{}]\nsealing        = [{}]\ndigest         = {}\nidentity_token = {}\n",
        path("sp-signing.pem"),
        path("sp-decrypt.pem"),
        path("session.key"),
        path("digest.key"),
        path("identity.pem"),
    ))
}

/// Writes a file that only its owner can read, from its first byte on, and puts it in place whole.
pub(super) fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let part = path.with_extension("part");
    let _ = std::fs::remove_file(&part);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

fn client_jwks(args: &ClientJwks) -> ExitCode {
    let config = match config::load(&args.config) {
        Ok(config) => config,
        Err(problems) => return super::problems(&problems),
    };
    let (clients, decryption) = match (load_clients(&config), load_decryption(&config)) {
        (Ok(clients), Ok(decryption)) => (clients, decryption),
        (clients, decryption) => {
            let problems = clients.err().into_iter().chain(decryption.err()).flatten();
            return super::problems(&problems.collect::<Vec<_>>());
        }
    };
    let named = |id: &str| args.provider.as_deref().is_none_or(|wanted| wanted == id);
    let mut keys = clients.into_iter().filter_map(|(id, credential)| match credential {
        ClientCredential::Key(key, kid) if named(id.as_str()) => Some(ClientKey::new(key, kid)),
        ClientCredential::Key(..) | ClientCredential::Secret(_) => None,
    });
    let refused = |what: &str| {
        super::warn(format_args!("grindvakt: {what}"));
        ExitCode::from(super::CONFIG)
    };
    match (keys.next(), keys.next()) {
        (None, _) => refused("no [[provider]] of that name has a `client_key`"),
        (Some(_), Some(_)) => refused("several [[provider]] have a `client_key`: say which by --provider"),
        (Some(key), None) => {
            let encryption = decryption.published().and_then(encryption_jwk);
            let keys: Vec<_> = key.jwk().into_iter().chain(encryption).collect();
            super::print(&format!("{:#}\n", serde_json::json!({ "keys": keys })))
        }
    }
}

fn sp_metadata(args: &SpMetadata) -> ExitCode {
    let config = match config::load(&args.config) {
        Ok(config) => config,
        Err(problems) => return super::problems(&problems),
    };
    if config.keys.signing.is_empty() {
        let what = "[keys] names no `signing`: what is published must be the key that will sign. `grindvakt keys generate` makes one";
        super::warn(format_args!("grindvakt: {what}"));
        return ExitCode::from(super::CONFIG);
    }
    let missing = if args.federation { super::joining::missing(&config) } else { Vec::new() };
    if !missing.is_empty() {
        missing.iter().for_each(super::warn);
        return ExitCode::from(super::CONFIG);
    }
    match load_keys(&config, &SystemRandom::new(), &mut MadeKeys::default()) {
        Ok(keys) => super::print(&service_metadata(&config, &keys.signing, keys.decryption.published())),
        Err(problems) => super::problems(&problems),
    }
}
