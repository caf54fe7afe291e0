//! From the configured feeds to a snapshot. Blocking: it reads files and verifies whole feeds; for start and reload.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::environment::{admit, admit_signer, foreign_anchor};
use super::{ProviderEntry, Snapshot};
use crate::base::UnixTime;
use crate::config::{Config, Environment, JwtProvider, MetadataSource, OidcProvider, Protocol, Provider};
use crate::crypto::trusted::PublicKey;
use crate::verify::jose::KeySet;
use crate::verify::saml::IdpMetadata;
use crate::verify::saml::metadata::{Feed, FeedExpect, read_feed};
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

impl FeedFault {
    /// Whether it is a mistake of whoever set this sidecar up, and not of a feed's operator: then nothing starts. A demo
    /// key outside of development is one.
    pub fn is_ours(&self) -> bool {
        self.cause.reason() == Reason::DemoKey
    }
}

/// `feed, entity: cause`, on one line.
impl std::fmt::Display for FeedFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "metadata {:?}", self.feed)?;
        if let Some(entity_id) = &self.entity_id {
            write!(f, ", {entity_id}")?;
        }
        write!(f, ": {}", self.cause)
    }
}

/// Reads every feed and finds every configured provider in its own. A feed that fails takes its providers' keys, and
/// nobody else's.
pub fn load(config: &Config, now: UnixTime) -> (Snapshot, Vec<FeedFault>) {
    load_from(config.environment, &config.metadata, &config.providers, now)
}

fn load_from(
    environment: Environment,
    sources: &[MetadataSource],
    providers: &[Provider],
    now: UnixTime,
) -> (Snapshot, Vec<FeedFault>) {
    let mut faults = Vec::new();
    let mut found: HashMap<(String, String), Result<Arc<IdpMetadata>, Reject>> = HashMap::new();
    for source in sources {
        let wanted: Vec<&str> = providers
            .iter()
            .filter_map(Provider::saml)
            .filter(|saml| saml.metadata == source.id)
            .map(|saml| saml.entity_id.as_str())
            .collect();
        let key = |entity_id: &str| (source.id.clone(), entity_id.to_owned());
        match read_source(environment, source, &wanted, now) {
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
                    let entity_id = idp.entity_id.clone();
                    let admitted = admit(environment, idp);
                    if let Err(cause) = &admitted {
                        let (feed, entity_id) = (source.id.clone(), Some(entity_id.clone()));
                        faults.push(FeedFault { feed, entity_id, cause: cause.clone() });
                    }
                    found.insert(key(&entity_id), admitted.map(Arc::new));
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
    let entries = providers.iter().map(|provider| {
        let saml = match &provider.protocol {
            Protocol::Saml(saml) => saml,
            Protocol::Oidc(OidcProvider { jwks_file, .. }) | Protocol::Jwt(JwtProvider { jwks_file, .. }) => {
                let keys = pinned_keys(provider, jwks_file.as_deref(), &mut faults);
                return ProviderEntry::of_tokens(provider.clone(), keys);
            }
        };
        let idp = found.get(&(saml.metadata.clone(), saml.entity_id.clone())).cloned().unwrap_or_else(|| {
            let detail = format_args!("{:?} is not in the feed {:?}", saml.entity_id, saml.metadata);
            let cause = Reject::new(Reason::EntityMissing, detail);
            faults.push(FeedFault {
                feed: saml.metadata.clone(),
                entity_id: Some(saml.entity_id.clone()),
                cause: cause.clone(),
            });
            Err(cause)
        });
        ProviderEntry::new(provider.clone(), idp)
    });
    let snapshot = Snapshot::new(entries.collect());
    (snapshot, faults)
}

/// The keys of a provider of tokens from its file. A key that is left out is told of; the others count.
fn pinned_keys(provider: &Provider, file: Option<&Path>, faults: &mut Vec<FeedFault>) -> Result<Arc<KeySet>, Reject> {
    let mut tell = |cause: Reject| {
        let entity_id = Some(provider.id.to_string());
        faults.push(FeedFault { feed: file.unwrap_or(Path::new("")).display().to_string(), entity_id, cause });
    };
    let Some(path) = file else {
        return Err(Reject::new(Reason::ProviderWithoutKeys, "no `jwks_file`: keys are not found by discovery yet"));
    };
    let read = read(path).and_then(|document| KeySet::parse(&document));
    match read {
        Ok((keys, warnings)) => {
            for warning in warnings {
                tell(Reject::new(Reason::KeyLeftOut, warning));
            }
            Ok(Arc::new(keys))
        }
        Err(cause) => {
            tell(cause.clone());
            Err(cause)
        }
    }
}

fn read_source(
    environment: Environment,
    source: &MetadataSource,
    wanted: &[&str],
    now: UnixTime,
) -> Result<Feed, Reject> {
    let mut signers = Vec::with_capacity(source.signers.len());
    for path in &source.signers {
        signers.extend(signer(environment, path)?);
    }
    let bytes = read(&source.file)?;
    read_feed(&bytes, &FeedExpect { signers: &signers, now, only: Some(wanted), second_reader: true })
}

/// The pinned certificates of a file, in DER or PEM; a PEM file may hold several, for a roll-over. Each is a container for a key: its own validity is not looked at (profile 3.7).
fn signer(environment: Environment, path: &Path) -> Result<Vec<PublicKey>, Reject> {
    let refused = |why: &dyn std::fmt::Display| {
        Reject::new(Reason::ProviderWithoutKeys, format_args!("signer {}: {why}", path.display()))
    };
    let bytes = read(path)?;
    let pem: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let mut ders: Vec<Vec<u8>> = pem.map_err(|error| refused(&error))?.iter().map(|der| der.to_vec()).collect();
    if ders.is_empty() {
        ders.push(bytes);
    }
    let key = |der: Vec<u8>| {
        admit_signer(environment, &der)?;
        match foreign_anchor(environment, &der) {
            Some(federation) => Err(refused(&format_args!("the key of {federation}, in production"))),
            None => PublicKey::from_certificate(&der).map_err(|error| refused(&error)),
        }
    };
    ders.into_iter().map(key).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, Reject> {
    std::fs::read(path)
        .map_err(|error| Reject::new(Reason::ProviderWithoutKeys, format_args!("{}: {error}", path.display())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::super::fixture::{NOW, key, provider, saml};
    use super::*;

    fn entity(entity_id: &str, certificate: &[u8]) -> String {
        format!(
            r#"<md:EntityDescriptor entityID="{entity_id}"><md:IDPSSODescriptor
            protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor use="signing">
            <ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate>
            </ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService
            Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{entity_id}/sso"/>
            </md:IDPSSODescriptor></md:EntityDescriptor>"#,
            base64_simd::STANDARD.encode_to_string(certificate)
        )
    }

    fn feed(until: UnixTime, entities: &str) -> String {
        format!(
            r#"<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" validUntil="{until}">{entities}</md:EntitiesDescriptor>"#
        )
    }

    #[test]
    fn a_feed_that_fails_takes_its_own_providers_and_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let day = Duration::from_secs(24 * 3600);
        let certificate = key().certificate().to_vec();
        let a = entity("https://a.example.se", &certificate);
        let source =
            |id: &str, file: std::path::PathBuf| MetadataSource { id: id.to_owned(), file, signers: Vec::new() };
        let sources = [
            source("good", at("good.xml", &feed(NOW.plus(day), &a))),
            source("old", at("old.xml", &feed(NOW, &a))),
            source("gone", dir.path().join("gone.xml")),
            source("broken", at("broken.xml", "<md:EntitiesDescriptor")),
        ];
        let of = |id: &str, entity_id: &str, metadata: &str| {
            saml(provider(id, "bankid"), |own| {
                own.entity_id = entity_id.to_owned();
                own.metadata = metadata.to_owned();
            })
        };
        let providers = [
            of("good", "https://a.example.se", "good"),
            of("missing", "https://b.example.se", "good"),
            of("old", "https://a.example.se", "old"),
            of("gone", "https://a.example.se", "gone"),
            of("broken", "https://a.example.se", "broken"),
        ];
        let (snapshot, faults) = load_from(Environment::Test, &sources, &providers, NOW);
        let verdicts: Vec<String> = snapshot
            .all()
            .iter()
            .map(|entry| match entry.saml(NOW) {
                Ok(saml) => saml.idp.sso.first().unwrap().location.clone(),
                Err(reject) => {
                    assert_eq!(reject.reason(), Reason::ProviderWithoutKeys);
                    let (_, why) = reject.detail().split_once(": ").unwrap();
                    why.split_once(':').unwrap().0.to_owned()
                }
            })
            .collect();
        assert_eq!(
            verdicts,
            [
                "https://a.example.se/sso",
                "entity_missing",
                "metadata_expired",
                "provider_without_keys",
                "xml_malformed"
            ]
        );
        let told: Vec<(&str, Option<&str>)> =
            faults.iter().map(|fault| (fault.feed.as_str(), fault.entity_id.as_deref())).collect();
        assert_eq!(told, [("old", None), ("gone", None), ("broken", None), ("good", Some("https://b.example.se"))]);
    }

    #[test]
    fn a_signer_that_is_no_certificate_gives_no_keys() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("feed.xml");
        std::fs::write(&file, feed(NOW.plus(Duration::from_secs(60)), "")).unwrap();
        let signer = dir.path().join("signer.crt");
        std::fs::write(&signer, "no certificate").unwrap();
        let source = MetadataSource { id: "feed".to_owned(), file, signers: vec![signer] };
        let (snapshot, faults) = load_from(Environment::Test, &[source], &[provider("a", "bankid")], NOW);
        assert!(!snapshot.any_usable(NOW));
        assert!(faults.first().unwrap().cause.detail().contains("signer.crt"));
    }
}
