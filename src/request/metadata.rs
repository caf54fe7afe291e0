//! Our own metadata: an EntityDescriptor for one service (SAML Metadata 2.3.2, 2.4.4; profile 3.7).

use super::xml::{Writer, ns};

/// What the metadata says. Texts with a language are (language tag, text).
#[derive(Clone, Debug, Default)]
pub struct SpMetadata<'a> {
    /// Our entityID.
    pub entity_id: &'a str,
    /// DER certificates of every signing key: the one that signs, then the ones of a roll-over.
    pub signing_certificates: Vec<&'a [u8]>,
    /// DER certificate to encrypt to; none when nothing encrypted can be opened.
    pub encryption_certificate: Option<&'a [u8]>,
    /// Addresses that a Response may come to; the first is the default.
    pub acs: Vec<&'a str>,
    /// Where messages of single logout may come, by HTTP-Redirect and by HTTP-POST.
    pub slo: Option<&'a str>,
    /// Entity categories (profile 3.7).
    pub entity_categories: Vec<&'a str>,
    /// Names of the service, for the provider's page.
    pub display_names: Vec<(&'a str, &'a str)>,
    /// The service's logo: address, width and height in pixels.
    pub logo: Option<(&'a str, u32, u32)>,
    /// Who runs it.
    pub organisation: Option<Organisation<'a>>,
    /// Whom to ask.
    pub contacts: Vec<Contact<'a>>,
}

/// md:Organization: name, display name and address, each with a language.
#[derive(Clone, Debug, Default)]
pub struct Organisation<'a> {
    /// Legal names.
    pub names: Vec<(&'a str, &'a str)>,
    /// Names that people know it by.
    pub display_names: Vec<(&'a str, &'a str)>,
    /// Web addresses.
    pub urls: Vec<(&'a str, &'a str)>,
    /// Organisation number, ten digits (md-org-ext).
    pub number: Option<&'a str>,
}

/// md:ContactPerson.
#[derive(Clone, Debug)]
pub struct Contact<'a> {
    /// What for.
    pub kind: ContactKind,
    /// A company or unit.
    pub company: Option<&'a str>,
    /// Given name, or the name of a function.
    pub given_name: Option<&'a str>,
    /// Surname.
    pub surname: Option<&'a str>,
    /// Mail address, without `mailto:`.
    pub email: Option<&'a str>,
    /// Telephone number.
    pub telephone: Option<&'a str>,
}

/// contactType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactKind {
    /// technical.
    Technical,
    /// support.
    Support,
    /// administrative.
    Administrative,
    /// billing.
    Billing,
    /// other.
    Other,
}

impl ContactKind {
    /// By its name in SAML Metadata 2.3.2.2; any other is `other`.
    pub fn parse(name: &str) -> Self {
        let known = [Self::Technical, Self::Support, Self::Administrative, Self::Billing];
        known.into_iter().find(|kind| kind.as_str() == name).unwrap_or(Self::Other)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Technical => "technical",
            Self::Support => "support",
            Self::Administrative => "administrative",
            Self::Billing => "billing",
            Self::Other => "other",
        }
    }
}

/// The document, unsigned: a federation signs what it publishes.
pub fn sp_metadata(sp: &SpMetadata<'_>) -> String {
    let mut w = Writer::default();
    w.open("md:EntityDescriptor", &[("md", ns::MD)], &[("entityID", sp.entity_id)]);
    entity_categories(&mut w, &sp.entity_categories);
    w.open(
        "md:SPSSODescriptor",
        &[],
        &[
            ("AuthnRequestsSigned", "true"),
            // What is signed is the Response (profile 3.2); an unsigned assertion inside one is as good.
            ("WantAssertionsSigned", "false"),
            ("protocolSupportEnumeration", ns::SAMLP),
        ],
    );
    ui_info(&mut w, sp);
    for certificate in &sp.signing_certificates {
        w.open("md:KeyDescriptor", &[], &[("use", "signing")]);
        key_info(&mut w, certificate);
        w.close();
    }
    if let Some(certificate) = sp.encryption_certificate {
        w.open("md:KeyDescriptor", &[], &[("use", "encryption")]);
        key_info(&mut w, certificate);
        encryption_methods(&mut w);
        w.close();
    }
    for (binding, location) in ["HTTP-Redirect", "HTTP-POST"].into_iter().zip(sp.slo.into_iter().cycle()) {
        let binding = format!("urn:oasis:names:tc:SAML:2.0:bindings:{binding}");
        w.leaf("md:SingleLogoutService", &[], &[("Binding", &binding), ("Location", location)], "");
    }
    for format in ["persistent", "transient"] {
        w.leaf("md:NameIDFormat", &[], &[], &format!("urn:oasis:names:tc:SAML:2.0:nameid-format:{format}"));
    }
    for (index, acs) in sp.acs.iter().enumerate() {
        w.open(
            "md:AssertionConsumerService",
            &[],
            &[
                ("Binding", "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"),
                ("Location", acs),
                ("index", &index.to_string()),
                ("isDefault", if index == 0 { "true" } else { "false" }),
            ],
        )
        .close();
    }
    w.close();
    if let Some(organisation) = &sp.organisation {
        write_organisation(&mut w, organisation);
    }
    for contact in &sp.contacts {
        write_contact(&mut w, contact);
    }
    w.finish()
}

fn key_info(w: &mut Writer, certificate: &[u8]) {
    w.open("ds:KeyInfo", &[("ds", ns::DS)], &[]).open("ds:X509Data", &[], &[]);
    w.leaf("ds:X509Certificate", &[], &[], &base64_simd::STANDARD.encode_to_string(certificate));
    w.close().close();
}

/// What we open, best first (SAML Metadata 2.4.1.1; profile 2.1.1.3). Of RSA-OAEP only pairs of one hash: they are what
/// the library opens, and a provider that reads this sends no others.
fn encryption_methods(w: &mut Writer) {
    for content in [
        "2009/xmlenc11#aes256-gcm",
        "2009/xmlenc11#aes192-gcm",
        "2009/xmlenc11#aes128-gcm",
        "2001/04/xmlenc#aes256-cbc",
        "2001/04/xmlenc#aes192-cbc",
        "2001/04/xmlenc#aes128-cbc",
    ] {
        w.leaf("md:EncryptionMethod", &[], &[("Algorithm", &format!("http://www.w3.org/{content}"))], "");
    }
    w.open("md:EncryptionMethod", &[], &[("Algorithm", "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p")]);
    w.leaf("ds:DigestMethod", &[("ds", ns::DS)], &[("Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1")], "");
    w.close();
    w.open("md:EncryptionMethod", &[], &[("Algorithm", "http://www.w3.org/2009/xmlenc11#rsa-oaep")]);
    w.leaf("ds:DigestMethod", &[("ds", ns::DS)], &[("Algorithm", "http://www.w3.org/2001/04/xmlenc#sha256")], "");
    let mask = [("Algorithm", "http://www.w3.org/2009/xmlenc11#mgf1sha256")];
    w.leaf("xenc11:MGF", &[("xenc11", ns::XENC11)], &mask, "");
    w.close();
}

fn entity_categories(w: &mut Writer, categories: &[&str]) {
    if categories.is_empty() {
        return;
    }
    w.open("md:Extensions", &[], &[]).open("mdattr:EntityAttributes", &[("mdattr", ns::MDATTR)], &[]);
    w.open(
        "saml:Attribute",
        &[("saml", ns::SAML)],
        &[
            ("Name", "http://macedir.org/entity-category"),
            ("NameFormat", "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"),
        ],
    );
    for category in categories {
        w.leaf("saml:AttributeValue", &[], &[], category);
    }
    w.close().close().close();
}

fn ui_info(w: &mut Writer, sp: &SpMetadata<'_>) {
    if sp.display_names.is_empty() && sp.logo.is_none() {
        return;
    }
    w.open("md:Extensions", &[], &[]).open("mdui:UIInfo", &[("mdui", ns::MDUI)], &[]);
    for (language, name) in &sp.display_names {
        w.leaf("mdui:DisplayName", &[], &[("xml:lang", language)], name);
    }
    if let Some((url, width, height)) = sp.logo {
        w.leaf("mdui:Logo", &[], &[("height", &height.to_string()), ("width", &width.to_string())], url);
    }
    w.close().close();
}

fn write_organisation(w: &mut Writer, organisation: &Organisation<'_>) {
    // The schema wants all three, each at least once (SAML Metadata 2.3.2.1): half an Organization is none.
    if organisation.names.is_empty() || organisation.display_names.is_empty() || organisation.urls.is_empty() {
        return;
    }
    w.open("md:Organization", &[], &[]);
    if let Some(number) = organisation.number {
        w.open("md:Extensions", &[], &[]);
        w.leaf("mdorgext:OrganizationNumber", &[("mdorgext", ns::MDORGEXT)], &[], number).close();
    }
    for (name, values) in [
        ("md:OrganizationName", &organisation.names),
        ("md:OrganizationDisplayName", &organisation.display_names),
        ("md:OrganizationURL", &organisation.urls),
    ] {
        for (language, value) in values {
            w.leaf(name, &[], &[("xml:lang", language)], value);
        }
    }
    w.close();
}

fn write_contact(w: &mut Writer, contact: &Contact<'_>) {
    w.open("md:ContactPerson", &[], &[("contactType", contact.kind.as_str())]);
    let mail = contact.email.map(|mail| format!("mailto:{mail}"));
    for (name, value) in [
        ("md:Company", contact.company),
        ("md:GivenName", contact.given_name),
        ("md:SurName", contact.surname),
        ("md:EmailAddress", mail.as_deref()),
        ("md:TelephoneNumber", contact.telephone),
    ] {
        if let Some(value) = value {
            w.leaf(name, &[], &[], value);
        }
    }
    w.close();
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::super::authn::tests::{hostile, text};
    use super::*;

    fn full<'a>(strings: &'a [String], lang: &'a str) -> SpMetadata<'a> {
        let s = |i: usize| strings[i].as_str();
        SpMetadata {
            encryption_certificate: None,
            entity_id: s(0),
            signing_certificates: vec![b"one", b"two"],
            acs: vec![s(1), s(2)],
            slo: Some(s(14)),
            entity_categories: vec![s(3), s(4)],
            display_names: vec![(lang, s(5))],
            logo: Some((s(6), 16, 32)),
            organisation: Some(Organisation {
                names: vec![(lang, s(7))],
                display_names: vec![(lang, s(8))],
                urls: vec![(lang, s(9))],
                number: Some(s(10)),
            }),
            contacts: vec![Contact {
                kind: ContactKind::Support,
                company: Some(s(11)),
                given_name: None,
                surname: Some(s(12)),
                email: Some(s(13)),
                telephone: None,
            }],
        }
    }

    /// Element names in document order, and every text and attribute value in document order.
    fn shape(xml: &str) -> (Vec<String>, Vec<String>) {
        let document = roxmltree::Document::parse(xml).unwrap();
        let elements = document.descendants().filter(|n| n.is_element());
        let names = elements.clone().map(|n| n.tag_name().name().to_owned()).collect();
        let mut said = Vec::new();
        for element in elements {
            said.extend(element.attributes().map(|a| a.value().to_owned()));
            if element.children().all(|child| child.is_text()) {
                said.push(text(element));
            }
        }
        (names, said)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn t34_whatever_the_strings_hold_the_tree_is_the_same(strings in proptest::collection::vec(hostile(), 15)) {
            let plain: Vec<String> = (0..15).map(|i| format!("s{i}")).collect();
            let (expected, _) = shape(&sp_metadata(&full(&plain, "sv")));
            let (names, said) = shape(&sp_metadata(&full(&strings, "sv")));
            prop_assert_eq!(names, expected);
            for (i, string) in strings.iter().enumerate() {
                let whole = if i == 13 { format!("mailto:{string}") } else { string.clone() };
                prop_assert!(said.contains(&whole), "string {} is not said back", i);
            }
        }
    }

    #[test]
    fn says_what_a_provider_needs_in_the_order_of_the_schema() {
        let plain: Vec<String> = (0..15).map(|i| format!("s{i}")).collect();
        let xml = sp_metadata(&full(&plain, "sv"));
        let document = roxmltree::Document::parse(&xml).unwrap();
        let root = document.root_element();
        assert_eq!(root.attribute("entityID"), Some("s0"));
        let children = |n: roxmltree::Node<'_, '_>| -> Vec<String> {
            n.children().map(|c| c.tag_name().name().to_owned()).collect()
        };
        assert_eq!(children(root), ["Extensions", "SPSSODescriptor", "Organization", "ContactPerson"]);
        let sp = root.children().nth(1).unwrap();
        assert_eq!(
            children(sp),
            [
                "Extensions",
                "KeyDescriptor",
                "KeyDescriptor",
                "SingleLogoutService",
                "SingleLogoutService",
                "NameIDFormat",
                "NameIDFormat",
                "AssertionConsumerService",
                "AssertionConsumerService"
            ]
        );
        assert_eq!(sp.attribute("AuthnRequestsSigned"), Some("true"));
        assert_eq!(sp.attribute("WantAssertionsSigned"), Some("false"));
        let first = sp.children().find(|n| n.has_tag_name((ns::MD, "AssertionConsumerService"))).unwrap();
        assert_eq!((first.attribute("Location"), first.attribute("isDefault")), (Some("s1"), Some("true")));
        let certificate = document.descendants().find(|n| n.has_tag_name((ns::DS, "X509Certificate"))).unwrap();
        assert_eq!(certificate.text(), Some("b25l"));
    }

    #[test]
    fn what_is_not_configured_is_left_out() {
        let sp = SpMetadata { entity_id: "e", acs: vec!["https://a"], ..SpMetadata::default() };
        let (names, _) = shape(&sp_metadata(&sp));
        assert_eq!(
            names,
            ["EntityDescriptor", "SPSSODescriptor", "NameIDFormat", "NameIDFormat", "AssertionConsumerService"]
        );
    }
}
