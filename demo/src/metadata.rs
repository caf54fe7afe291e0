//! Metadata feeds of demo providers (SAML Metadata 2.3; deployment profile 2.1.3).

use std::time::Duration;

use grindvakt::base::UnixTime;

use crate::demo_idp::DemoIdp;
use crate::key::{DemoKey, new_id};
use crate::names::{ATTRNAME_URI, BINDING_POST, BINDING_REDIRECT, PERSISTENT, PROTOCOL};
use crate::sign::{Place, enveloped};
use crate::xml::{Element, element};

/// A feed in the making.
#[derive(Default)]
pub struct Feed<'a> {
    idps: Vec<&'a DemoIdp>,
    valid_until: Option<UnixTime>,
    cache_duration: Option<String>,
    publication: Option<(UnixTime, String)>,
}

impl<'a> Feed<'a> {
    /// An empty feed.
    pub fn new() -> Self {
        Self::default()
    }

    /// One provider more.
    #[must_use]
    pub fn idp(mut self, idp: &'a DemoIdp) -> Self {
        self.idps.push(idp);
        self
    }

    /// Valid for `lifetime` from `now`.
    #[must_use]
    pub fn valid_for(mut self, now: UnixTime, lifetime: Duration) -> Self {
        self.valid_until = Some(now.plus(lifetime));
        self
    }

    /// With a cacheDuration, as an `xs:duration` such as `PT5H`.
    #[must_use]
    pub fn cache_duration(mut self, duration: &str) -> Self {
        self.cache_duration = Some(duration.to_owned());
        self
    }

    /// Made at `created` by `publisher`, as mdrpi:PublicationInfo says it (SAML Metadata Extensions for Registration and
    /// Publication Information, 2.2).
    #[must_use]
    pub fn published(mut self, created: UnixTime, publisher: &str) -> Self {
        self.publication = Some((created, publisher.to_owned()));
        self
    }

    /// The feed without a signature: good as a local file.
    pub fn build(&self) -> String {
        self.element().canonical()
    }

    /// The feed signed by its operator.
    pub fn build_signed(&self, operator: &DemoKey) -> String {
        enveloped(self.element(), operator, Place::First).canonical()
    }

    /// One provider's own document, signed by the feed's operator: what a metadata query service answers with.
    pub fn build_entity(&self, idp: &DemoIdp, operator: &DemoKey) -> String {
        let document = entity(idp).attr("ID", new_id()).maybe("validUntil", self.valid_until.map(|t| t.to_string()));
        enveloped(document, operator, Place::First).canonical()
    }

    fn element(&self) -> Element {
        let publication = self.publication.as_ref().map(|(created, publisher)| {
            let info = element("mdrpi:PublicationInfo")
                .attr("creationInstant", created.to_string())
                .attr("publisher", publisher);
            element("md:Extensions").child(info)
        });
        element("md:EntitiesDescriptor")
            .attr("ID", new_id())
            .attr("Name", "https://demo.example.com/metadata")
            .maybe("validUntil", self.valid_until.map(|t| t.to_string()))
            .maybe("cacheDuration", self.cache_duration.clone())
            .children(publication)
            .children(self.idps.iter().map(|idp| entity(idp)))
    }
}

fn entity(idp: &DemoIdp) -> Element {
    let certification = element("saml:Attribute")
        .attr("Name", "urn:oasis:names:tc:SAML:attribute:assurance-certification")
        .attr("NameFormat", ATTRNAME_URI)
        .children(idp.loa.iter().map(|uri| element("saml:AttributeValue").text(uri)));
    let mut descriptor = element("md:EntityDescriptor").attr("entityID", &idp.entity_id);
    if !idp.loa.is_empty() {
        descriptor =
            descriptor.child(element("md:Extensions").child(element("mdattr:EntityAttributes").child(certification)));
    }
    descriptor.child(role(idp)).child(
        element("md:Organization")
            .child(element("md:OrganizationName").attr("xml:lang", "sv").text("Demoleverantören"))
            .child(element("md:OrganizationDisplayName").attr("xml:lang", "sv").text("Demoleverantören"))
            .child(element("md:OrganizationURL").attr("xml:lang", "sv").text("https://demo.example.com")),
    )
}

fn role(idp: &DemoIdp) -> Element {
    let names =
        ["sv", "en"].map(|language| element("mdui:DisplayName").attr("xml:lang", language).text(&idp.display_name));
    let selection = (!idp.principal_selection.is_empty()).then(|| {
        let values = idp.principal_selection.iter().map(|name| element("psc:MatchValue").attr("Name", name));
        element("psc:RequestedPrincipalSelection").children(values)
    });
    let extensions = element("md:Extensions")
        .children(idp.scopes.iter().map(|scope| element("shibmd:Scope").attr("regexp", "false").text(scope)))
        .child(element("mdui:UIInfo").children(names))
        .children(selection);
    let keys = idp.published.iter().map(|key| {
        let certificate = element("ds:X509Certificate").text(key.certificate_base64());
        element("md:KeyDescriptor")
            .attr("use", "signing")
            .child(element("ds:KeyInfo").child(element("ds:X509Data").child(certificate)))
    });
    let endpoints = [BINDING_REDIRECT, BINDING_POST]
        .map(|binding| element("md:SingleSignOnService").attr("Binding", binding).attr("Location", idp.sso_url()));
    let logout = [BINDING_REDIRECT, BINDING_POST]
        .into_iter()
        .filter(|_| idp.single_logout)
        .map(|binding| element("md:SingleLogoutService").attr("Binding", binding).attr("Location", idp.slo_url()));
    element("md:IDPSSODescriptor")
        .attr("WantAuthnRequestsSigned", if idp.want_requests_signed { "true" } else { "false" })
        .attr("protocolSupportEnumeration", PROTOCOL)
        .child(extensions)
        .children(keys)
        .children(logout)
        .child(element("md:NameIDFormat").text(PERSISTENT))
        .children(endpoints)
}
