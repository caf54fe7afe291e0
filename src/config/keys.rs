//! Key files: named by the configuration, read when something needs them.

use std::fmt;
use std::path::{Path, PathBuf};

use super::reader::Section;
use super::{ClientAuth, Config, Environment, Problem};
use crate::base::{ProviderId, Secret};
use crate::crypto::digest::{Random, random_bytes};
use crate::crypto::own::{
    DecryptionKeys, OwnKeyError, SigningKey, generate_p256_pem, generate_rsa_pem, is_demo_pem, is_demo_secret,
};

/// Where one secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In a file.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

impl KeySource {
    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Env(_) => None,
        }
    }

    /// Reads a text of one line, such as a password. Read it when it is needed: it may have changed.
    ///
    /// # Errors
    /// Why it cannot be read, and where it is; nothing of what it holds.
    pub fn read_line(&self) -> Result<Secret<String>, String> {
        let named = |e: &dyn fmt::Display| format!("{self}: {e}");
        let bytes = read(self).map_err(|e| named(&e))?;
        let text = std::str::from_utf8(bytes.expose()).map_err(|_| named(&"is not text"))?;
        let line = text.trim_end_matches(['\r', '\n']);
        if line.is_empty() || line.contains(['\r', '\n']) {
            return Err(named(&"must hold one line"));
        }
        Ok(Secret::new(line.to_owned()))
    }

    fn problem(&self, message: String) -> Problem {
        let file = match self {
            Self::File(path) => path.clone(),
            Self::Env(name) => PathBuf::from(format!("${name}")),
        };
        Problem { file, line: 0, place: String::new(), message }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Env(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// `[keys]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFiles {
    /// The first signs, all are published.
    pub signing: Vec<KeySource>,
    /// All open; for encrypted assertions.
    pub decryption: Vec<KeySource>,
    /// The first seals, all open.
    pub sealing: Vec<KeySource>,
    /// Key of subjects and store keys.
    pub digest: Option<KeySource>,
    /// Keys that are known beside it: the one to come, or the one before.
    pub digest_also: Vec<KeySource>,
    /// Key of X-Eid-Assertion.
    pub identity_token: Option<KeySource>,
    /// Keys that are published beside it: the one to come, or the one before.
    pub identity_token_also: Vec<KeySource>,
}

/// Keys, ready to use. No `Debug`.
pub struct LoadedKeys {
    /// The first signs, all are published.
    pub signing: Vec<SigningKey>,
    /// The first is published, all open what was encrypted to us.
    pub decryption: DecryptionKeys,
    /// The first seals, all open.
    pub sealing: Vec<Secret<[u8; 32]>>,
    /// Key of subjects and store keys.
    pub digest: Secret<[u8; 32]>,
    /// Keys that are known beside it.
    pub digest_also: Vec<Secret<[u8; 32]>>,
    /// Key of X-Eid-Assertion: P-256.
    pub identity_token: SigningKey,
    /// Keys that are published beside it: P-256.
    pub identity_token_also: Vec<SigningKey>,
    /// How we show OpenID providers that we are their client. One that is not here knows us as a public client.
    pub clients: Vec<(ProviderId, ClientCredential)>,
    /// What was made at start because the configuration names none.
    pub warnings: Vec<String>,
}

/// How we show one OpenID provider that we are its client. No `Debug`.
pub enum ClientCredential {
    /// `private_key_jwt`: a key, and what the provider calls it where that is not its thumbprint.
    Key(SigningKey, Option<String>),
    /// `client_secret_basic`.
    Secret(Secret<String>),
}

/// One secret, named by its file or by an environment variable.
pub(super) fn source(s: &mut Section<'_>, file: &'static str, env: &'static str) -> Option<KeySource> {
    let (path, name) = (s.path(file), s.text(env));
    if let (Some(_), Some(name)) = (&path, &name) {
        s.problem(&name.at, format!("`{file}` and `{env}` are both there; keep one"));
    }
    path.map(KeySource::File).or_else(|| name.map(|name| KeySource::Env(name.text)))
}

pub(super) fn read_keys(root: &mut Section<'_>) -> KeyFiles {
    let Some(mut s) = root.section("keys") else { return KeyFiles::default() };
    let many = |s: &mut Section<'_>, file, env| {
        let files = s.paths(file).into_iter().map(|(path, _)| KeySource::File(path));
        let mut out: Vec<_> = files.collect();
        out.extend(s.texts(env).unwrap_or_default().into_iter().map(|text| KeySource::Env(text.text)));
        out
    };
    let keys = KeyFiles {
        signing: many(&mut s, "signing", "signing_env"),
        decryption: many(&mut s, "decryption", "decryption_env"),
        sealing: many(&mut s, "sealing", "sealing_env"),
        digest: source(&mut s, "digest", "digest_env"),
        digest_also: many(&mut s, "digest_also", "digest_also_env"),
        identity_token: source(&mut s, "identity_token", "identity_token_env"),
        identity_token_also: many(&mut s, "identity_token_also", "identity_token_also_env"),
    };
    if keys.digest.is_none() && !keys.digest_also.is_empty() {
        s.problem(&s.at().clone(), "`digest_also` needs a `digest`: one that is made at start has nothing beside it");
    }
    s.finish();
    keys
}

/// Keys that were made because the configuration names none. They live as long as the process: a reload that made new
/// ones would log everyone out.
#[derive(Default)]
pub struct MadeKeys {
    signing: Option<Secret<String>>,
    sealing: Option<Secret<[u8; 32]>>,
    digest: Option<Secret<[u8; 32]>>,
    identity_token: Option<Secret<String>>,
}

/// Reads every key that `config` names. A key that it does not name is made, with a warning: sessions then end with the
/// process, and subjects change with it. What was made before is in `made`, and used again.
///
/// # Errors
/// Every key that cannot be read or is none.
pub fn load_keys(config: &Config, random: &dyn Random, made: &mut MadeKeys) -> Result<LoadedKeys, Vec<Problem>> {
    let (mut problems, mut more_problems) = (Vec::new(), Vec::new());
    let mut warnings = Vec::new();
    let mut fail = |source: &KeySource, message: String| problems.push(source.problem(message));
    let common_name = config.service.entity_id.as_str();

    let mut signing = Vec::new();
    for source in &config.keys.signing {
        match pem(config, source).and_then(|pem| SigningKey::from_pem(&pem, common_name).map_err(|e| e.to_string())) {
            Ok(key) => signing.push(key),
            Err(e) => fail(source, e),
        }
    }
    let mut sealing = Vec::new();
    for source in &config.keys.sealing {
        match read(source).and_then(|text| symmetric(config, &text)) {
            Ok(key) => sealing.push(key),
            Err(e) => fail(source, e),
        }
    }
    let decryption = match load_decryption(config) {
        Ok(keys) => keys,
        Err(more) => {
            more_problems.extend(more);
            DecryptionKeys::default()
        }
    };
    let digest =
        config.keys.digest.as_ref().and_then(|source| match read(source).and_then(|text| symmetric(config, &text)) {
            Ok(key) => Some(key),
            Err(e) => {
                fail(source, e);
                None
            }
        });
    let mut digest_also = Vec::new();
    for source in &config.keys.digest_also {
        match read(source).and_then(|text| symmetric(config, &text)) {
            Ok(key) => digest_also.push(key),
            Err(e) => fail(source, e),
        }
    }
    let mut for_tokens = |source: &KeySource| {
        let key =
            pem(config, source).and_then(|pem| SigningKey::from_pem(&pem, common_name).map_err(|e| e.to_string()));
        match key {
            Ok(key) if key.is_p256() => Some(key),
            Ok(_) => {
                fail(source, "ES256 needs a P-256 key".into());
                None
            }
            Err(e) => {
                fail(source, e);
                None
            }
        }
    };
    let token = config.keys.identity_token.as_ref().and_then(&mut for_tokens);
    let identity_token_also: Vec<SigningKey> = config.keys.identity_token_also.iter().filter_map(for_tokens).collect();
    let clients = match load_clients(config) {
        Ok(clients) => clients,
        Err(more) => {
            more_problems.extend(more);
            Vec::new()
        }
    };
    problems.append(&mut more_problems);
    if !problems.is_empty() {
        return Err(problems);
    }

    let warning = |what: &str, loss: &str| format!("[keys] names no `{what}`: one was made for this process; {loss}");
    let library =
        |e: String| vec![Problem { file: PathBuf::from("[keys]"), line: 0, place: String::new(), message: e }];
    let symmetric_key = |kept: &mut Option<Secret<[u8; 32]>>| match kept {
        Some(key) => Ok(Secret::new(*key.expose())),
        None => {
            let bytes = random_bytes::<32>(random).map_err(|e| library(e.to_string()))?;
            Ok::<_, Vec<Problem>>(Secret::new(*kept.insert(Secret::new(bytes)).expose()))
        }
    };
    let pem_key = |kept: &mut Option<Secret<String>>, make: fn() -> Result<Secret<String>, OwnKeyError>| {
        let pem = match kept {
            Some(pem) => pem,
            None => kept.insert(make().map_err(|e| library(e.to_string()))?),
        };
        let pem = Secret::new(pem.expose().clone().into_bytes());
        SigningKey::from_pem(&pem, common_name).map_err(|e| library(e.to_string()))
    };
    if signing.is_empty() {
        warnings.push(warning("signing", "providers that want signed requests will not know it"));
        signing.push(pem_key(&mut made.signing, generate_rsa_pem)?);
    }
    if sealing.is_empty() {
        warnings.push(warning("sealing", "sessions end when it stops"));
        sealing.push(symmetric_key(&mut made.sealing)?);
    }
    let digest = match digest {
        Some(key) => key,
        None => {
            warnings.push(warning("digest", "X-Eid-Subject changes when it stops"));
            symmetric_key(&mut made.digest)?
        }
    };
    let identity_token = match token {
        Some(key) => key,
        None => {
            warnings.push(warning("identity_token", "the key at jwks.json changes when it stops"));
            pem_key(&mut made.identity_token, generate_p256_pem)?
        }
    };
    Ok(LoadedKeys {
        signing,
        decryption,
        sealing,
        digest,
        digest_also,
        identity_token,
        identity_token_also,
        clients,
        warnings,
    })
}

/// Reads what shows OpenID providers that we are their client, and nothing else.
///
/// # Errors
/// Every key or secret that cannot be read or is none.
pub fn load_clients(config: &Config) -> Result<Vec<(ProviderId, ClientCredential)>, Vec<Problem>> {
    let (mut clients, mut problems) = (Vec::new(), Vec::new());
    for (provider, own) in config.providers.iter().filter_map(|provider| Some((provider, provider.oidc()?))) {
        let (source, read) = match &own.client {
            None => continue,
            Some(ClientAuth::PrivateKeyJwt(source)) => {
                let key = pem(config, source).and_then(|pem| {
                    SigningKey::from_pem(&pem, &config.service.entity_id).map_err(|error| error.to_string())
                });
                (source, key.map(|key| ClientCredential::Key(key, own.client_key_id.clone())))
            }
            Some(ClientAuth::SecretBasic(source)) => (source, source.read_line().map(ClientCredential::Secret)),
        };
        match read {
            Ok(credential) => clients.push((provider.id.clone(), credential)),
            Err(message) => problems.push(source.problem(message)),
        }
    }
    if problems.is_empty() { Ok(clients) } else { Err(problems) }
}

/// Reads the decryption keys that `config` names, and nothing else: all that opening a message takes.
///
/// # Errors
/// Every key that cannot be read or is none.
pub fn load_decryption(config: &Config) -> Result<DecryptionKeys, Vec<Problem>> {
    let (mut keys, mut problems) = (DecryptionKeys::default(), Vec::new());
    for source in &config.keys.decryption {
        let added = pem(config, source)
            .and_then(|pem| keys.add(&pem, &config.service.entity_id).map_err(|error| error.to_string()));
        problems.extend(added.err().map(|message| source.problem(message)));
    }
    if problems.is_empty() { Ok(keys) } else { Err(problems) }
}

fn read(source: &KeySource) -> Result<Secret<Vec<u8>>, String> {
    match source {
        KeySource::File(path) => std::fs::read(path).map(Secret::new).map_err(|e| format!("cannot be read: {e}")),
        KeySource::Env(name) => std::env::var(name)
            .map(|text| Secret::new(text.into_bytes()))
            .map_err(|_| format!("the environment variable {name} is not set, or is not text")),
    }
}

/// What is said of a key of the demo.
const DEMO_KEY: &str = "is a key that grindvakt-demo made: those are for environment \"dev\" alone; \
                        `grindvakt keys generate` makes one of your own";

/// A key file with a private key, which must not be the demo's outside of development.
fn pem(config: &Config, source: &KeySource) -> Result<Secret<Vec<u8>>, String> {
    let text = read(source)?;
    if config.environment != Environment::Dev && is_demo_pem(&text) { Err(DEMO_KEY.to_owned()) } else { Ok(text) }
}

/// Every key of the demo that `config` names where it must not, of those that can be read: `check` needs no key to be
/// there, but one that is there must be no demo's.
pub fn demo_keys(config: &Config) -> Vec<Problem> {
    if config.environment == Environment::Dev {
        return Vec::new();
    }
    let keys = &config.keys;
    let pem = keys.signing.iter().chain(&keys.decryption).chain(&keys.identity_token).chain(&keys.identity_token_also);
    let pem = pem.filter(|source| read(source).is_ok_and(|text| is_demo_pem(&text)));
    let clients = config.providers.iter().filter_map(|provider| match &provider.oidc()?.client {
        Some(ClientAuth::PrivateKeyJwt(source)) => Some(source),
        Some(ClientAuth::SecretBasic(_)) | None => None,
    });
    let pem = pem.chain(clients.filter(|source| read(source).is_ok_and(|text| is_demo_pem(&text))));
    let lines = keys.sealing.iter().chain(&keys.digest).chain(&keys.digest_also);
    let refused = |source: &&KeySource| read(source).and_then(|text| symmetric(config, &text)).err();
    let lines = lines.filter(|source| refused(source).is_some_and(|said| said == DEMO_KEY));
    pem.chain(lines).map(|source| source.problem(DEMO_KEY.to_owned())).collect()
}

/// One line: the base64 of 32 random bytes.
fn symmetric(config: &Config, text: &Secret<Vec<u8>>) -> Result<Secret<[u8; 32]>, String> {
    let wrong = || "must hold one line, the base64 of 32 random bytes; `grindvakt keys generate` makes one".to_owned();
    let line = text.expose().trim_ascii();
    let bytes = base64_simd::STANDARD.decode_to_vec(line).map(Secret::new).map_err(|_| wrong())?;
    let key: [u8; 32] = bytes.expose().as_slice().try_into().map_err(|_| wrong())?;
    if config.environment != Environment::Dev && is_demo_secret(&key) {
        return Err(DEMO_KEY.to_owned());
    }
    // All bytes alike is a placeholder that somebody forgot.
    if key.iter().all(|b| Some(b) == key.first()) {
        return Err("holds a placeholder, not random bytes".into());
    }
    Ok(Secret::new(key))
}
