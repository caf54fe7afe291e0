#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Duration;

use super::super::fixture::{NOW, key, provider, saml as with_saml};
use super::*;
use crate::config::load_text;

/// The configuration that the tests change: everything but feeds and providers is beside the point.
fn config(feeds: Vec<MetadataSource>, providers: Vec<Provider>) -> Config {
    let text = "environment = \"test\"\n[service]\nid = \"e\"\nentity_id = \"https://e.example.se/sp\"\n\
                base_url = \"https://e.example.se\"\nupstream = \"http://127.0.0.1:1\"\n[[metadata]]\nid = \"x\"\n\
                file = \"x.xml\"\n[[provider]]\nid = \"x\"\neid = \"x\"\nprotocol = \"saml\"\nentity_id = \"x\"\n\
                metadata = \"x\"\n";
    let config = load_text(Path::new("g.toml"), text).unwrap();
    Config { metadata: feeds, providers, ..config }
}

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

fn source(id: &str, place: FeedPlace, signers: Vec<PathBuf>) -> MetadataSource {
    MetadataSource { id: FeedId::new(id).unwrap(), place, signers }
}

fn of(id: &str, entity_id: &str, metadata: &str) -> Provider {
    with_saml(provider(id, "bankid"), |saml| {
        saml.entity_id = entity_id.to_owned();
        saml.metadata = metadata.to_owned();
    })
}

#[test]
fn a_feed_that_fails_takes_its_own_providers_and_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        FeedPlace::File(path)
    };
    let day = Duration::from_secs(24 * 3600);
    let certificate = key().certificate().to_vec();
    let a = entity("https://a.example.se", &certificate);
    let feeds = vec![
        source("good", at("good.xml", &feed(NOW.plus(day), &a)), Vec::new()),
        source("old", at("old.xml", &feed(NOW, &a)), Vec::new()),
        source("gone", FeedPlace::File(dir.path().join("gone.xml")), Vec::new()),
        source("broken", at("broken.xml", "<md:EntitiesDescriptor"), Vec::new()),
    ];
    let providers = vec![
        of("good", "https://a.example.se", "good"),
        of("missing", "https://b.example.se", "good"),
        of("old", "https://a.example.se", "old"),
        of("gone", "https://a.example.se", "gone"),
        of("broken", "https://a.example.se", "broken"),
    ];
    let (snapshot, faults) = load(&config(feeds, providers), NOW);
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
        ["https://a.example.se/sso", "entity_missing", "metadata_expired", "provider_without_keys", "xml_malformed"]
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
    let feeds = vec![source("feed", FeedPlace::File(file), vec![signer])];
    let (snapshot, faults) = load(&config(feeds, vec![provider("a", "bankid")]), NOW);
    assert!(!snapshot.any_usable(NOW));
    assert!(faults.first().unwrap().cause.detail().contains("signer.crt"));
}

#[test]
fn a_query_service_is_asked_for_one_entity() {
    let base = |text: &str| RemoteUrl::parse(text).unwrap();
    let entity = "https://idp.example.se/saml?a=å";
    for (service, by, url) in [
        (
            "https://mdq.example.se",
            MdqId::Uri,
            "https://mdq.example.se/entities/https%3A%2F%2Fidp.example.se%2Fsaml%3Fa%3D%C3%A5",
        ),
        (
            "https://mdq.example.se/md/",
            MdqId::Sha1,
            // The SHA-1 of the name by another program (coreutils).
            "https://mdq.example.se/md/entities/%7Bsha1%7D470bd6808cf9ea01265e53b07f357a86a8d86a9a",
        ),
    ] {
        assert_eq!(entity_url(&base(service), entity, by).unwrap().as_str(), url);
    }
}

#[test]
fn before_anything_was_fetched_a_provider_has_no_keys_and_no_fault() {
    let remote = Remote {
        urls: vec![RemoteUrl::parse("https://md.example.se/").unwrap()],
        seed: None,
        max_stale: Duration::from_secs(60),
    };
    let dir = tempfile::tempdir().unwrap();
    let pem = dir.path().join("signer.crt");
    std::fs::write(&pem, key().certificate()).unwrap();
    let feeds = vec![source("fed", FeedPlace::Url(remote), vec![pem])];
    let feeds = Feeds::open(&config(feeds, vec![of("a", "https://a.example.se", "fed")]), NOW);
    assert!(feeds.need_network() && feeds.faults().is_empty());
    let reject = feeds.snapshot().all().first().unwrap().usable(NOW).unwrap_err();
    assert_eq!(reject.code(), "provider_without_keys");
    assert!(reject.detail().contains("has not been fetched yet"), "{}", reject.detail());
    let status = feeds.status(NOW).remove(0);
    assert_eq!((status.freshness, status.origin, status.until), (Freshness::None, None, None));
}
