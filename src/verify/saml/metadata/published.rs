//! What a federation's feed says of a service, ourselves: which of our keys and addresses its providers can see.

use std::time::Duration;

use super::entity::entity_categories;
use super::feed::signatures_stand_right;
use super::validity::Validity;
use crate::base::{UnixTime, limits};
use crate::crypto::trusted::PublicKey;
use crate::verify::dsig::{self, SignedElement};
use crate::verify::xml::{self, ns};
use crate::verify::{Reason, Reject, base64};

/// A service as a verified feed describes it.
#[derive(Debug, Default)]
pub struct PublishedService {
    /// Fingerprints of the keys that its requests may be signed with (see [`PublicKey::fingerprint`]).
    pub signing: Vec<[u8; 32]>,
    /// Fingerprints of the keys that it may be sent something encrypted to.
    pub encryption: Vec<[u8; 32]>,
    /// Where answers may be sent: its assertion consumer services, in their order.
    pub acs: Vec<PublishedEndpoint>,
    /// Where messages of single logout may be sent.
    pub slo: Vec<PublishedEndpoint>,
    /// Its entity categories (mdattr:EntityAttributes).
    pub entity_categories: Vec<String>,
    /// Until when a copy of what was read may be used.
    pub valid_until: Option<UnixTime>,
    /// How soon a copy should be fetched anew.
    pub cache_duration: Option<Duration>,
}

/// An address of a service as it is published, right or wrong: nobody is sent there on its account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedEndpoint {
    /// The URI of the binding; empty where there is none.
    pub binding: String,
    /// The address; empty where there is none.
    pub location: String,
    /// Where answers go, if elsewhere.
    pub response_location: Option<String>,
}

impl PublishedEndpoint {
    fn all_of(role: SignedElement<'_>, name: &'static str) -> Vec<Self> {
        let text = |e: SignedElement<'_>, name| e.attribute(name).map(|text| text.into_owned());
        let read = |e: SignedElement<'_>| Self {
            binding: text(e, "Binding").unwrap_or_default(),
            location: text(e, "Location").unwrap_or_default(),
            response_location: text(e, "ResponseLocation"),
        };
        role.children().filter(|e| e.is(ns::MD, name)).map(read).collect()
    }
}

/// Reads a feed that one of `signers` must have signed, and what it says of the service `entity_id`: none where it does not
/// name it, or not as a service.
///
/// # Errors
/// As [`super::read_feed`]; and `signature_missing` where there are no signers: nobody else's word is taken. What is wrong
/// with the entry of another service is nothing to this one.
pub fn read_published(
    bytes: &[u8],
    signers: &[PublicKey],
    entity_id: &str,
    now: UnixTime,
) -> Result<Option<PublishedService>, Reject> {
    let document = xml::read(bytes, &limits::FEED)?;
    let root = document.root();
    if !root.is(ns::MD, "EntitiesDescriptor") && !root.is(ns::MD, "EntityDescriptor") {
        let detail = format_args!("the document element is {}", root.local_name());
        return Err(Reject::new(Reason::NotMetadata, detail));
    }
    xml::second::veto(&document)?;
    signatures_stand_right(&document)?;
    document.ids_are_unique()?;
    if signers.is_empty() {
        return Err(Reject::new(Reason::SignatureMissing, "no pinned key to verify the feed with"));
    }
    let root = dsig::verify(root, signers)?;
    // Of a document that is over nothing is known, also not that it does not name us.
    in_force(Validity::default().within(root)?, now)?;
    let mut found = None;
    descend(root, &Ok(Validity::default()), entity_id, now, &mut found)?;
    Ok(found)
}

fn in_force(validity: Validity, now: UnixTime) -> Result<Validity, Reject> {
    match validity.until.filter(|_| validity.expired(now)) {
        Some(until) => {
            let detail = format_args!("validUntil was {until}; it is {now}");
            Err(Reject::new(Reason::MetadataExpired, detail))
        }
        None => Ok(validity),
    }
}

/// Entities nest no deeper than the reader's limit on depth. What is around an entity is judged when it is the one that is
/// looked for: an aggregate of others may be over, or ill-formed.
fn descend(
    element: SignedElement<'_>,
    around: &Result<Validity, Reject>,
    entity_id: &str,
    now: UnixTime,
    found: &mut Option<PublishedService>,
) -> Result<(), Reject> {
    if element.is(ns::MD, "EntitiesDescriptor") {
        let within = around.clone().and_then(|around| around.within(element));
        for child in element.children() {
            if child.is(ns::MD, "EntitiesDescriptor") || child.is(ns::MD, "EntityDescriptor") {
                descend(child, &within, entity_id, now, found)?;
            }
        }
        return Ok(());
    }
    if element.attribute("entityID").as_deref() != Some(entity_id) {
        return Ok(());
    }
    let Some(role) = element.children().find(|child| child.is(ns::MD, "SPSSODescriptor")) else { return Ok(()) };
    if found.is_some() {
        return Err(Reject::new(Reason::EntityDuplicate, format_args!("the entity {entity_id:?} stands twice")));
    }
    let validity = around.clone()?.within(element)?.within(role)?;
    let validity = in_force(validity, now)?;
    let mut service = PublishedService {
        acs: PublishedEndpoint::all_of(role, "AssertionConsumerService"),
        slo: PublishedEndpoint::all_of(role, "SingleLogoutService"),
        entity_categories: entity_categories(element),
        valid_until: validity.until,
        cache_duration: validity.cache,
        ..PublishedService::default()
    };
    for descriptor in role.children().filter(|e| e.is(ns::MD, "KeyDescriptor")) {
        let keys = fingerprints(descriptor);
        let purpose = descriptor.attribute("use");
        if matches!(purpose.as_deref(), None | Some("signing")) {
            service.signing.extend(&keys);
        }
        if matches!(purpose.as_deref(), None | Some("encryption")) {
            service.encryption.extend(&keys);
        }
    }
    *found = Some(service);
    Ok(())
}

fn fingerprints(descriptor: SignedElement<'_>) -> Vec<[u8; 32]> {
    fn inner<'d>(element: SignedElement<'d>, name: &'static str) -> impl Iterator<Item = SignedElement<'d>> {
        element.children().filter(move |e| e.is(ns::DS, name))
    }
    let data = inner(descriptor, "KeyInfo").flat_map(|info| inner(info, "X509Data"));
    let texts = data.flat_map(|data| inner(data, "X509Certificate")).filter_map(|certificate| certificate.text());
    let keys = texts.filter_map(|text| PublicKey::from_certificate(&base64::decode_spaced(&text)?).ok());
    keys.map(|key| *key.fingerprint()).collect()
}
