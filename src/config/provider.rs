//! `[[provider]]`.

use super::reader::Section;
use super::{Encryption, MetadataSource, Method, Provider};
use crate::base::{EidId, ProviderId};
use crate::identity::Loa;
use crate::verify::saml::{Profile, Signed, SsoBinding};

pub(super) fn read_providers(root: &mut Section<'_>, metadata: &[MetadataSource]) -> Vec<Provider> {
    let sections = root.sections("provider");
    if sections.is_empty() {
        root.missing("provider", "at least one [[provider]] must vouch for people");
    }
    let mut out: Vec<Provider> = Vec::new();
    for mut s in sections {
        let Some(provider) = read_provider(&mut s, metadata) else {
            s.finish();
            continue;
        };
        if out.iter().any(|known| known.id == provider.id) {
            s.problem(&s.at().clone(), format!("another [[provider]] has the id \"{}\"", provider.id));
        }
        if out.iter().any(|known| known.entity_id == provider.entity_id) {
            let message = format!("another [[provider]] has the entity_id {:?}", provider.entity_id);
            s.problem(&s.at().clone(), message);
        }
        s.finish();
        out.push(provider);
    }
    out
}

fn read_provider(s: &mut Section<'_>, metadata: &[MetadataSource]) -> Option<Provider> {
    let id = s.required("id", "the provider's name in metrics and logs");
    let id = id.and_then(|text| match ProviderId::new(&text.text) {
        Ok(id) => Some(id),
        Err(e) => {
            s.problem(&text.at, format!("`id` {e}"));
            None
        }
    });
    let eid = s.required("eid", "what the citizen picks, such as \"bankid\"");
    let eid = eid.and_then(|text| match EidId::new(&text.text) {
        Ok(eid) => Some(eid),
        Err(e) => {
            s.problem(&text.at, format!("`eid` {e}"));
            None
        }
    });
    if let Some(protocol) = s.required("protocol", "\"saml\"")
        && protocol.text != "saml"
    {
        let message = match protocol.text.as_str() {
            "oidc" | "jwt" => format!("this version does not support `protocol = {:?}` yet", protocol.text),
            other => format!("`protocol` must be \"saml\", \"oidc\" or \"jwt\", not {other:?}"),
        };
        s.problem(&protocol.at, message);
        // Its other keys belong to that protocol: naming each would bury the one thing to know.
        let _ = s.free_texts();
        return None;
    }
    let label = s.text("label").map(|t| t.text);
    let methods = [Method::Any, Method::ThisDevice, Method::OtherDevice, Method::Card].map(|m| (m.name(), m));
    let method = s.choice("method", &methods).unwrap_or(Method::Any);
    let profiles = [("federation", Profile::Federation), ("saml-core", Profile::SamlCore)];
    let profile = s.choice("profile", &profiles).unwrap_or(Profile::Federation);
    let entity_id = s.required("entity_id", "the provider's name in its metadata");
    let feed = s.required("metadata", "the id of the [[metadata]] that the provider is in");
    if let Some(feed) = &feed
        && !metadata.iter().any(|known| known.id.as_str() == feed.text)
    {
        s.problem(&feed.at, format!("`metadata`: no [[metadata]] has the id {:?}", feed.text));
    }
    let signed = [("response", Signed::Response), ("assertion", Signed::Assertion), ("either", Signed::Either)];
    let signed = s.choice("signed", &signed).unwrap_or(Signed::Response);
    let encryption = [("required", Encryption::Required), ("optional", Encryption::Optional)];
    let encryption = s.choice("encryption", &encryption).unwrap_or(Encryption::Required);
    let binding = s.choice("binding", &[("redirect", SsoBinding::Redirect), ("post", SsoBinding::Post)]);
    let loa = levels(s, "loa");
    let loa_map = loa_map(s);
    let authorities = s.some_texts("authenticating_authorities").into_iter().map(|t| t.text).collect();
    let allow_unsolicited = s.flag("allow_unsolicited", false);
    let eidas_connector = s.flag("eidas_connector", false);
    let force_authn = s.flag("force_authn", true);
    let (id, eid) = (id?, eid?);
    Some(Provider {
        label: label.unwrap_or_else(|| eid.to_string()),
        id,
        eid,
        method,
        entity_id: entity_id?.text,
        metadata: feed?.text,
        profile,
        signed,
        encryption,
        allow_unsolicited,
        eidas_connector,
        force_authn,
        loa,
        loa_map,
        binding,
        authenticating_authorities: authorities,
    })
}

/// A list of levels, each meaning itself alone.
fn levels(s: &mut Section<'_>, key: &'static str) -> Vec<String> {
    let mut out = Vec::new();
    for text in s.texts(key).unwrap_or_default() {
        match Loa::parse(&text.text) {
            Ok(loa) => out.push(loa.uri().to_owned()),
            Err(e) => s.problem(&text.at, format!("`{key}`: {e}")),
        }
    }
    out
}

/// `loa_map = { "what it writes" = "level" }`.
fn loa_map(s: &mut Section<'_>) -> Vec<(String, String)> {
    let Some(mut table) = s.section("loa_map") else { return Vec::new() };
    let mut out = Vec::new();
    for (written, text) in table.free_texts() {
        match Loa::parse(&text.text) {
            Ok(loa) => out.push((written, loa.uri().to_owned())),
            Err(e) => table.problem(&text.at, format!("`{written}`: {e}")),
        }
    }
    out
}
