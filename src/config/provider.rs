//! `[[provider]]`.

use super::provider_tokens::{read_jwt, read_oidc};
use super::reader::Section;
use super::{Encryption, MetadataSource, Method, Protocol, Provider, SamlProvider};
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
        if let Some(message) = out.iter().find_map(|known| same(known, &provider)) {
            s.problem(&s.at().clone(), message);
        }
        s.finish();
        out.push(provider);
    }
    out
}

/// Two entries for one provider: a message could not be told to belong to either.
fn same(known: &Provider, new: &Provider) -> Option<String> {
    match (&known.protocol, &new.protocol) {
        (Protocol::Saml(a), Protocol::Saml(b)) if a.entity_id == b.entity_id => {
            Some(format!("another [[provider]] has the entity_id {:?}", b.entity_id))
        }
        (Protocol::Oidc(a), Protocol::Oidc(b)) if a.issuer == b.issuer && a.client_id == b.client_id => {
            Some(format!("another [[provider]] has the issuer {:?} and the client_id {:?}", b.issuer, b.client_id))
        }
        (Protocol::Jwt(a), Protocol::Jwt(b)) if a.issuer == b.issuer => {
            Some(format!("another [[provider]] of bearer tokens has the issuer {:?}", b.issuer))
        }
        (Protocol::Oidc(login), Protocol::Jwt(tokens)) | (Protocol::Jwt(tokens), Protocol::Oidc(login))
            if login.issuer == tokens.issuer
                && tokens.audience.contains(&login.client_id)
                && !tokens.require_at_jwt =>
        {
            // An ID token has the client's name as its audience, and need not look like one.
            Some(format!(
                "`audience` names {:?}, which is the client_id of logins by the same issuer: its ID tokens would pass for \
                 access tokens. Give the API a name of its own, or say `require_at_jwt = true`",
                login.client_id
            ))
        }
        _ => None,
    }
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
    let protocol = s.required("protocol", "\"saml\", \"oidc\" or \"jwt\"");
    let bearer = protocol.as_ref().is_some_and(|protocol| protocol.text == "jwt");
    let eid = if bearer && !s.has("eid") {
        // Nobody picks it: its own name does.
        id.as_ref().and_then(|id| EidId::new(id.as_str()).ok())
    } else {
        let eid = s.required("eid", "what the citizen picks, such as \"bankid\"");
        eid.and_then(|text| match EidId::new(&text.text) {
            Ok(eid) => Some(eid),
            Err(e) => {
                s.problem(&text.at, format!("`eid` {e}"));
                None
            }
        })
    };
    let label = s.text("label").map(|t| t.text);
    let methods = [Method::Any, Method::ThisDevice, Method::OtherDevice, Method::Card].map(|m| (m.name(), m));
    let method = s.choice("method", &methods).unwrap_or(Method::Any);
    let words = [("on", true), ("off", false)];
    let probe = if bearer { false } else { s.choice("probe", &words).unwrap_or(true) };
    let loa = levels(s, "loa");
    let loa_map = loa_map(s);
    let force_authn = bearer || s.flag("force_authn", true);
    let withdrawn_key_ends_sessions = !bearer && s.flag("withdrawn_key_ends_sessions", false);
    let protocol = match protocol.as_ref().map(|protocol| (protocol, protocol.text.as_str()))? {
        (_, "saml") => read_saml(s, metadata).map(Protocol::Saml),
        (_, "oidc") => read_oidc(s).map(Protocol::Oidc),
        (_, "jwt") => read_jwt(s).map(Protocol::Jwt),
        (at, other) => {
            s.problem(&at.at, format!("`protocol` must be \"saml\", \"oidc\" or \"jwt\", not {other:?}"));
            // Its other keys belong to that protocol: naming each would bury the one thing to know.
            let _ = s.free_texts();
            None
        }
    };
    let (id, eid) = (id?, eid?);
    let label = label.unwrap_or_else(|| eid.to_string());
    let protocol = protocol?;
    Some(Provider { id, eid, method, label, force_authn, withdrawn_key_ends_sessions, probe, loa, loa_map, protocol })
}

fn read_saml(s: &mut Section<'_>, metadata: &[MetadataSource]) -> Option<SamlProvider> {
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
    let authorities = s.some_texts("authenticating_authorities").into_iter().map(|t| t.text).collect();
    let allow_unsolicited = s.flag("allow_unsolicited", false);
    let eidas_connector = s.flag("eidas_connector", false);
    Some(SamlProvider {
        entity_id: entity_id?.text,
        metadata: feed?.text,
        profile,
        signed,
        encryption,
        allow_unsolicited,
        eidas_connector,
        binding,
        authenticating_authorities: authorities,
        logout_at_provider: s.flag("logout_at_provider", true),
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
