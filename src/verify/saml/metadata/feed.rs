//! A feed as a whole: its signature, its validity, its entities.

use std::collections::HashSet;
use std::time::Duration;

use super::super::IdpMetadata;
use super::super::schema::{Readable, instant, required};
use super::entity;
use super::validity::Validity;
use crate::base::{UnixTime, limits};
use crate::crypto::trusted::PublicKey;
use crate::verify::dsig;
use crate::verify::xml::{self, Document, ns};
use crate::verify::{Reason, Reject};

/// What a feed is held against.
#[derive(Clone, Debug)]
pub struct FeedExpect<'a> {
    /// The pinned keys, one of which must have signed it. None: a local file that the operator vouches for.
    pub signers: &'a [PublicKey],
    /// The instant to judge validUntil at.
    pub now: UnixTime,
    /// The entityIDs to extract; none extracts every IdP.
    pub only: Option<&'a [&'a str]>,
    /// Whether the second reader has its veto. On in everything but benchmarks.
    pub second_reader: bool,
}

/// What a feed holds.
#[derive(Debug)]
pub struct Feed {
    /// The identity providers that can be used.
    pub idps: Vec<IdpMetadata>,
    /// Those that were looked for and cannot, and why.
    pub refused: Vec<Refused>,
    /// How many EntityDescriptors there are, of any role.
    pub entities: usize,
    /// validUntil of the whole feed.
    pub valid_until: Option<UnixTime>,
    /// cacheDuration of the whole feed.
    pub cache_duration: Option<Duration>,
    /// When it was made, where mdrpi:PublicationInfo says so.
    pub created: Option<UnixTime>,
    /// Who made it, where mdrpi:PublicationInfo says so.
    pub publisher: Option<String>,
    /// Whether a pinned key vouched for it.
    pub signed: bool,
}

/// An entity that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its entityID.
    pub entity_id: String,
    /// Why.
    pub reject: Reject,
}

/// Reads and verifies a feed.
///
/// # Errors
/// The reader's rejects, `xml_readers_disagree`, `not_metadata`, `signature_*`, `digest_mismatch`, `id_duplicate`,
/// `metadata_expired`, `entity_duplicate`, `saml_schema`. A single entity that cannot be used does not refuse the feed:
/// it is in [`Feed::refused`].
pub fn read_feed(bytes: &[u8], expect: &FeedExpect<'_>) -> Result<Feed, Reject> {
    let document = xml::read(bytes, &limits::FEED)?;
    let root = document.root();
    if !root.is(ns::MD, "EntitiesDescriptor") && !root.is(ns::MD, "EntityDescriptor") {
        let detail = format_args!("the document element is {}", root.local_name());
        return Err(Reject::new(Reason::NotMetadata, detail));
    }
    if expect.second_reader {
        xml::second::veto(&document)?;
    }
    signatures_stand_right(&document)?;
    document.ids_are_unique()?;
    if expect.signers.is_empty() {
        collect(root, expect, false)
    } else {
        collect(dsig::verify(root, expect.signers)?, expect, true)
    }
}

/// A Signature may stand directly under a descriptor, and nowhere else (T1). Only the document element's is verified:
/// it covers everything.
pub(super) fn signatures_stand_right(document: &Document<'_>) -> Result<(), Reject> {
    for signature in document.elements().filter(|e| e.is(ns::DS, "Signature")) {
        let parent = signature.parent();
        let right = parent.is_some_and(|p| p.namespace() == ns::MD && p.local_name().ends_with("Descriptor"));
        if !right {
            let within = parent.map_or("nothing", |p| p.local_name());
            return Err(Reject::new(Reason::SignatureMisplaced, format_args!("a Signature within {within}")));
        }
    }
    Ok(())
}

fn collect<'d, E: Readable<'d>>(root: E, expect: &FeedExpect<'_>, signed: bool) -> Result<Feed, Reject> {
    let validity = Validity::default().within(root)?;
    if validity.expired(expect.now) {
        let until = validity.until.unwrap_or(expect.now);
        return Err(Reject::new(Reason::MetadataExpired, format_args!("validUntil was {until}; it is {}", expect.now)));
    }
    let mut feed = Feed {
        idps: Vec::new(),
        refused: Vec::new(),
        entities: 0,
        valid_until: validity.until,
        cache_duration: validity.cache,
        created: match publication(root) {
            Some(info) => instant(info, "creationInstant")?,
            None => None,
        },
        publisher: publication(root).and_then(|info| info.attribute("publisher")).map(|name| name.into_owned()),
        signed,
    };
    let mut seen = HashSet::new();
    descend(root, Validity::default(), expect, &mut feed, &mut seen)?;
    Ok(feed)
}

/// Walks EntitiesDescriptors; they nest no deeper than the reader's limit on depth.
fn descend<'d, E: Readable<'d>>(
    element: E,
    outer: Validity,
    expect: &FeedExpect<'_>,
    feed: &mut Feed,
    seen: &mut HashSet<String>,
) -> Result<(), Reject> {
    if element.is(ns::MD, "EntitiesDescriptor") {
        let validity = outer.within(element)?;
        for child in element.children() {
            if child.is(ns::MD, "EntitiesDescriptor") || child.is(ns::MD, "EntityDescriptor") {
                descend(child, validity, expect, feed, seen)?;
            }
        }
        return Ok(());
    }
    feed.entities += 1;
    let id = required(element, "entityID")?.into_owned();
    if !seen.insert(id.clone()) {
        return Err(Reject::new(Reason::EntityDuplicate, format_args!("the entity {id:?} stands twice")));
    }
    if expect.only.is_some_and(|only| !only.contains(&id.as_str())) {
        return Ok(());
    }
    // One entity's mistake is its own: the others stay.
    let idp = outer.within(element).and_then(|validity| entity::idp(element, &id, validity, expect.now));
    match idp {
        Ok(Some(idp)) => feed.idps.push(idp),
        // A service provider, or an IdP that does not speak SAML 2.0.
        Ok(None) => {}
        Err(reject) => feed.refused.push(Refused { entity_id: id, reject }),
    }
    Ok(())
}

/// mdrpi:PublicationInfo: who made it and when, which roll-back is judged by.
fn publication<'d, E: Readable<'d>>(root: E) -> Option<E> {
    root.children()
        .filter(|e| e.is(ns::MD, "Extensions"))
        .flat_map(|e| e.children().filter(|e| e.is(ns::MDRPI, "PublicationInfo")).collect::<Vec<_>>())
        .next()
}
