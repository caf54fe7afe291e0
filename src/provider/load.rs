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
    /// Why it cannot be used; `entity_missing` when the feed does not have it, and only then.
    pub fn get(&self, entity_id: &str) -> Result<&Arc<IdpMetadata>, Reject> {
        match self.found.get(entity_id) {
            Some(Ok(idp)) => Ok(idp),
            Some(Err(reject)) => Err(reject.clone()),
            None if self.covers(entity_id) => {
                Err(Reject::new(Reason::EntityMissing, format_args!("{entity_id:?} is not in the feed")))
            }
            None => {
                // Not that the feed lacks it: nobody has been withdrawn (T54).
                let detail = format_args!("the feed has not been read since {entity_id:?} was configured");
                Err(Reject::new(Reason::ProviderWithoutKeys, detail))
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
pub(super) fn pinned_keys(path: &Path) -> (Result<Arc<KeySet>, Reject>, Vec<Reject>) {
    let read = std::fs::read(path).map_err(|error| unreadable(path, &error));
    match read.and_then(|document| KeySet::parse(&document)) {
        Ok((keys, warnings)) => {
            let left_out = warnings.iter().map(|warning| Reject::new(Reason::KeyLeftOut, warning));
            (Ok(Arc::new(keys)), left_out.collect())
        }
        Err(cause) => (Err(cause.clone()), vec![cause]),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::fixture::NOW;
    use super::*;

    /// Feeds and certificates from a signer that is not ours.
    fn vector(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
    }

    #[test]
    fn a_file_may_pin_several_signers_and_any_of_them_will_do() {
        let dir = tempfile::tempdir().unwrap();
        let pem = |name: &str| std::fs::read_to_string(vector(&format!("keys/{name}.crt"))).unwrap();
        let der = CertificateDer::from_pem_slice(pem("feed-signer").as_bytes()).unwrap();
        let broken = pem("stranger").replacen("MII", "MIJ", 1);
        let wanted = "https://a.example.se/saml";
        let feed = std::fs::read(vector("metadata/good.xml")).unwrap();
        for (what, bundle, expect) in [
            ("one", pem("feed-signer"), None),
            ("ours last", pem("stranger") + &pem("feed-signer-next") + &pem("feed-signer"), None),
            ("ours first", pem("feed-signer") + &pem("stranger"), None),
            ("with words between", format!("old:\n{}\nnew:\n{}", pem("stranger"), pem("feed-signer")), None),
            ("none of them", pem("stranger") + &pem("feed-signer-next"), Some("signature_invalid")),
            ("one of them broken", pem("feed-signer") + &broken, Some("provider_without_keys")),
            ("cut off", pem("feed-signer") + "-----BEGIN CERTIFICATE-----\nMIIB", Some("provider_without_keys")),
            ("empty", String::new(), Some("provider_without_keys")),
            ("only words", "none yet".to_owned(), Some("provider_without_keys")),
        ] {
            let path = dir.path().join("signers.pem");
            std::fs::write(&path, bundle).unwrap();
            let read = signers(Environment::Test, &[path])
                .and_then(|keys| reader(Environment::Test, keys, vec![wanted.to_owned()])(&feed, NOW));
            assert_eq!(read.as_ref().err().map(Reject::code), expect, "{what}");
            assert_eq!(read.is_ok_and(|document| document.value.get(wanted).is_ok()), expect.is_none(), "{what}");
        }
        let path = dir.path().join("signer.crt");
        std::fs::write(&path, &der).unwrap();
        assert_eq!(signers(Environment::Test, &[path.clone(), path]).unwrap().len(), 2, "in DER, one a file");
    }
}
