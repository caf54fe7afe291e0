//! From the configured feeds to a snapshot. Blocking: it reads files and verifies whole feeds; for start and reload.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::environment::foreign_anchor;
use super::{ProviderEntry, Snapshot};
use crate::base::UnixTime;
use crate::config::{Config, Environment, MetadataSource};
use crate::crypto::trusted::PublicKey;
use crate::verify::saml::IdpMetadata;
use crate::verify::saml::metadata::{FeedExpect, read_feed};
use crate::verify::{Reason, Reject};

/// A feed that gave nothing, or a provider that its feed gives no use of. For the log: the snapshot holds it too.
#[derive(Clone, Debug)]
pub struct FeedFault {
    /// The feed's id.
    pub feed: String,
    /// The entityID concerned; none when it is the whole feed.
    pub entity_id: Option<String>,
    /// Why.
    pub cause: Reject,
}

/// Reads every feed and finds every configured provider in its own. A feed that fails takes its providers' keys, and
/// nobody else's.
pub fn load(config: &Config, now: UnixTime) -> (Snapshot, Vec<FeedFault>) {
    let mut faults = Vec::new();
    let mut found: HashMap<(String, String), Result<Arc<IdpMetadata>, Reject>> = HashMap::new();
    for source in &config.metadata {
        let wanted: Vec<&str> = config
            .providers
            .iter()
            .filter(|provider| provider.metadata == source.id)
            .map(|provider| provider.entity_id.as_str())
            .collect();
        let key = |entity_id: &str| (source.id.clone(), entity_id.to_owned());
        match read_source(config, source, &wanted, now) {
            Ok(feed) => {
                for refused in feed.refused {
                    faults.push(FeedFault {
                        feed: source.id.clone(),
                        entity_id: Some(refused.entity_id.clone()),
                        cause: refused.reject.clone(),
                    });
                    found.insert(key(&refused.entity_id), Err(refused.reject));
                }
                for idp in feed.idps {
                    found.insert(key(&idp.entity_id), Ok(Arc::new(idp)));
                }
            }
            Err(cause) => {
                faults.push(FeedFault { feed: source.id.clone(), entity_id: None, cause: cause.clone() });
                for entity_id in wanted {
                    found.insert(key(entity_id), Err(cause.clone()));
                }
            }
        }
    }
    let entries = config.providers.iter().map(|provider| {
        let idp = found.get(&(provider.metadata.clone(), provider.entity_id.clone())).cloned().unwrap_or_else(|| {
            let detail = format_args!("{:?} is not in the feed {:?}", provider.entity_id, provider.metadata);
            let cause = Reject::new(Reason::EntityMissing, detail);
            faults.push(FeedFault {
                feed: provider.metadata.clone(),
                entity_id: Some(provider.entity_id.clone()),
                cause: cause.clone(),
            });
            Err(cause)
        });
        ProviderEntry::new(provider.clone(), idp)
    });
    let snapshot = Snapshot::new(entries.collect());
    (snapshot, faults)
}

fn read_source(
    config: &Config,
    source: &MetadataSource,
    wanted: &[&str],
    now: UnixTime,
) -> Result<crate::verify::saml::metadata::Feed, Reject> {
    let mut signers = Vec::with_capacity(source.signers.len());
    for path in &source.signers {
        signers.push(signer(config.environment, path)?);
    }
    let bytes = read(&source.file)?;
    read_feed(&bytes, &FeedExpect { signers: &signers, now, only: Some(wanted), second_reader: true })
}

/// A pinned certificate, in PEM or DER. It is a container for a key: its own validity is not looked at (profile 3.7).
fn signer(environment: Environment, path: &Path) -> Result<PublicKey, Reject> {
    let refused = |why: &dyn std::fmt::Display| {
        Reject::new(Reason::ProviderWithoutKeys, format_args!("signer {}: {why}", path.display()))
    };
    let bytes = read(path)?;
    let der = CertificateDer::from_pem_slice(&bytes).map_or_else(|_| bytes.clone(), |der| der.to_vec());
    if let Some(federation) = foreign_anchor(environment, &der) {
        return Err(refused(&format_args!("the key of {federation}, in production")));
    }
    PublicKey::from_certificate(&der).map_err(|error| refused(&error))
}

fn read(path: &Path) -> Result<Vec<u8>, Reject> {
    std::fs::read(path)
        .map_err(|error| Reject::new(Reason::ProviderWithoutKeys, format_args!("{}: {error}", path.display())))
}
