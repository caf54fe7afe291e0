//! From paths to a configuration.

use std::path::{Path, PathBuf};

use super::tree::{self, Table};
use super::{ClientAuth, Config, FeedPlace, KeySource, Problem, Protocol, compile};

/// Reads, merges and compiles `paths`: files, or folders of which every `*.toml` is taken in the order of the names.
///
/// # Errors
/// Every problem there is, in the order of the files.
pub fn load(paths: &[PathBuf]) -> Result<Config, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut texts = Vec::new();
    for path in paths {
        if path.is_dir() {
            match folder(path) {
                Ok(files) if files.is_empty() => problems.push(at_file(path, "holds no *.toml")),
                Ok(files) => files.iter().for_each(|file| read(file, &mut texts, &mut problems)),
                Err(e) => problems.push(at_file(path, &e.to_string())),
            }
        } else {
            read(path, &mut texts, &mut problems);
        }
    }
    if texts.is_empty() && problems.is_empty() {
        problems.push(at_file(Path::new("--config"), "names no file"));
    }
    whole(&texts, problems)
}

/// Every file that what is in force may hang on: the configuration's own, folders included, and each that it names.
pub fn sources(paths: &[PathBuf], config: &Config) -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> = Vec::new();
    for path in paths {
        out.push(path.clone());
        if path.is_dir() {
            out.extend(folder(path).unwrap_or_default());
        }
    }
    let keys = &config.keys;
    let lists = [&keys.signing, &keys.decryption, &keys.sealing].into_iter().flatten();
    let secrets = lists.chain(&keys.digest).chain(&keys.digest_also);
    let secrets = secrets.chain(&keys.identity_token).chain(&keys.identity_token_also);
    out.extend(secrets.filter_map(KeySource::file).map(Path::to_path_buf));
    for feed in &config.metadata {
        match &feed.place {
            FeedPlace::File(file) => out.push(file.clone()),
            FeedPlace::Url(remote) | FeedPlace::Mdq { remote, .. } => out.extend(remote.seed.clone()),
        }
        out.extend(feed.signers.iter().cloned());
    }
    out.extend(config.network.ca_file.clone());
    out.extend(config.pages.logo.as_ref().map(|logo| logo.file.clone()));
    for provider in &config.providers {
        match &provider.protocol {
            Protocol::Saml(_) => {}
            Protocol::Oidc(oidc) => {
                out.extend(oidc.published.jwks_file.clone());
                let source = oidc.client.as_ref().map(|client| match client {
                    ClientAuth::PrivateKeyJwt(source) | ClientAuth::SecretBasic(source) => source,
                });
                out.extend(source.and_then(KeySource::file).map(Path::to_path_buf));
            }
            Protocol::Jwt(jwt) => out.extend(jwt.published.jwks_file.clone()),
        }
    }
    out
}

/// [`load`], for a sidecar that is to serve: what `verify` can do without must be right too.
///
/// # Errors
/// Every problem there is.
pub fn load_to_serve(paths: &[PathBuf]) -> Result<Config, Vec<Problem>> {
    let mut config = load(paths)?;
    if config.unfit.is_empty() { Ok(config) } else { Err(std::mem::take(&mut config.unfit)) }
}

/// Compiles a text as if it stood in `file`.
///
/// # Errors
/// Every problem there is.
pub fn load_text(file: &Path, text: &str) -> Result<Config, Vec<Problem>> {
    whole(&[(file.to_path_buf(), text.to_owned())], Vec::new())
}

fn whole(texts: &[(PathBuf, String)], mut problems: Vec<Problem>) -> Result<Config, Vec<Problem>> {
    let mut merged: Option<Table> = None;
    for (file, text) in texts {
        let table = tree::parse(file, text, &mut problems);
        match &mut merged {
            None => merged = Some(table),
            Some(merged) => tree::merge(merged, table, "", &mut problems),
        }
    }
    // A file that is not TOML would give a problem for each key that it does not show.
    match merged.filter(|_| problems.is_empty()) {
        Some(table) => compile::compile(table),
        None => Err(problems),
    }
}

fn at_file(path: &Path, message: &str) -> Problem {
    Problem { file: path.to_path_buf(), line: 0, place: String::new(), message: message.to_owned() }
}

fn read(path: &Path, texts: &mut Vec<(PathBuf, String)>, problems: &mut Vec<Problem>) {
    match std::fs::read_to_string(path) {
        Ok(text) => texts.push((path.to_path_buf(), text)),
        Err(e) => problems.push(at_file(path, &format!("cannot be read: {e}"))),
    }
}

fn folder(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        // Kubernetes mounts hold folders and links whose names begin with two dots.
        let hidden = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && file.extension().is_some_and(|e| e == "toml") && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}
