//! Reading one feed: its pinned keys, its verification, and the configured entities that are in it; and key files of
//! providers of tokens.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::environment::{admit, admit_signer, foreign_anchor, foreign_publisher};
use super::source::{Document, Reader, unreadable};
use crate::base::UnixTime;
use crate::config::Environment;
use crate::crypto::trusted::PublicKey;
use crate::verify::jose::KeySet;
use crate::verify::saml::IdpMetadata;
use crate::verify::saml::metadata::{FeedExpect, read_feed};
use crate::verify::{Reason, Reject};

/// What a feed says of the entities that were looked for in it.
#[derive(Debug)]
pub struct Entities {
    looked_for: Vec<String>,
    found: HashMap<String, Result<Arc<IdpMetadata>, Reject>>,
}

impl Entities {
    /// What it says of one.
    ///
    /// # Errors
    /// Why it cannot be used; `entity_missing` when the feed does not have it.
    pub fn get(&self, entity_id: &str) -> Result<&Arc<IdpMetadata>, Reject> {
        match self.found.get(entity_id) {
            Some(Ok(idp)) => Ok(idp),
            Some(Err(reject)) => Err(reject.clone()),
            None if self.covers(entity_id) => {
                Err(Reject::new(Reason::EntityMissing, format_args!("{entity_id:?} is not in the feed")))
            }
            None => {
                let detail = format_args!("the feed has not been read since {entity_id:?} was configured");
                Err(Reject::new(Reason::EntityMissing, detail))
            }
        }
    }

    /// Whether an entity was looked for.
    pub fn covers(&self, entity_id: &str) -> bool {
        self.looked_for.iter().any(|id| id == entity_id)
    }
}

/// The reader of a feed that one of `signers` must have signed (none: a local file that the operator vouches for), for the
/// entities of `wanted`.
pub(super) fn reader(environment: Environment, signers: Vec<PublicKey>, wanted: Vec<String>) -> Reader<Entities> {
    Box::new(move |bytes: &[u8], now: UnixTime| {
        let only: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let expect = FeedExpect { signers: &signers, now, only: Some(&only), second_reader: true };
        let feed = read_feed(bytes, &expect)?;
        if let Some(host) = foreign_publisher(environment, feed.publisher.as_deref()) {
            let detail = format_args!("{host} publishes a test federation, and this is production");
            return Err(Reject::new(Reason::MetadataOtherEnvironment, detail));
        }
        let mut found = HashMap::with_capacity(only.len());
        for refused in feed.refused {
            found.insert(refused.entity_id, Err(refused.reject));
        }
        for idp in feed.idps {
            found.insert(idp.entity_id.clone(), admit(environment, idp).map(Arc::new));
        }
        let value = Entities { looked_for: wanted.clone(), found };
        Ok(Document { value, valid_until: feed.valid_until, cache: feed.cache_duration, created: feed.created })
    })
}

/// The reader of what a metadata query service answers: a document of another entity is no answer.
pub(super) fn entity_reader(environment: Environment, signers: Vec<PublicKey>, entity: String) -> Reader<Entities> {
    let whole = reader(environment, signers, vec![entity.clone()]);
    Box::new(move |bytes: &[u8], now: UnixTime| {
        let document = whole(bytes, now)?;
        document.value.get(&entity)?;
        Ok(document)
    })
}

/// The pinned keys of a feed.
pub(super) fn signers(environment: Environment, paths: &[std::path::PathBuf]) -> Result<Vec<PublicKey>, Reject> {
    let mut keys = Vec::with_capacity(paths.len());
    for path in paths {
        keys.extend(signer(environment, path)?);
    }
    Ok(keys)
}

/// The pinned certificates of a file, in DER or PEM; a PEM file may hold several, for a roll-over. Each is a container for
/// a key: its own validity is not looked at (profile 3.7).
fn signer(environment: Environment, path: &Path) -> Result<Vec<PublicKey>, Reject> {
    let told = |reason: Reason, why: &dyn std::fmt::Display| {
        Reject::new(reason, format_args!("signer {}: {why}", path.display()))
    };
    let refused = |why: &dyn std::fmt::Display| told(Reason::ProviderWithoutKeys, why);
    let bytes = std::fs::read(path).map_err(|error| refused(&error))?;
    let pem: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let mut ders: Vec<Vec<u8>> = pem.map_err(|error| refused(&error))?.iter().map(|der| der.to_vec()).collect();
    if ders.is_empty() {
        ders.push(bytes);
    }
    let key = |der: Vec<u8>| {
        admit_signer(environment, &der)?;
        match foreign_anchor(environment, &der) {
            Some(federation) => {
                let why = format_args!("the key of {federation}, in production");
                Err(told(Reason::MetadataOtherEnvironment, &why))
            }
            None => PublicKey::from_certificate(&der).map_err(|error| refused(&error)),
        }
    };
    ders.into_iter().map(key).collect()
}

/// The keys of a provider of tokens from its file, and what keys were left out of it.
pub(super) fn pinned_keys(file: Option<&Path>) -> (Result<Arc<KeySet>, Reject>, Vec<Reject>) {
    let Some(path) = file else {
        let why = "no `jwks_file`: keys are not found by discovery yet";
        return (Err(Reject::new(Reason::ProviderWithoutKeys, why)), Vec::new());
    };
    let read = std::fs::read(path).map_err(|error| unreadable(path, &error));
    match read.and_then(|document| KeySet::parse(&document)) {
        Ok((keys, warnings)) => {
            let left_out = warnings.iter().map(|warning| Reject::new(Reason::KeyLeftOut, warning));
            (Ok(Arc::new(keys)), left_out.collect())
        }
        Err(cause) => (Err(cause.clone()), vec![cause]),
    }
}
