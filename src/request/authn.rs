//! AuthnRequest (SAML Core 3.4.1; profile 3.1).

use super::binding::Message;
use super::xml::{Writer, ns};
use crate::base::UnixTime;

/// A request for a login.
#[derive(Clone, Copy, Debug)]
pub struct AuthnRequest<'a> {
    /// Its ID: random, an NCName.
    pub id: &'a str,
    /// When it is made.
    pub issue_instant: UnixTime,
    /// The provider's sign-on address.
    pub destination: &'a str,
    /// Where the answer is to come: one of the addresses in our metadata.
    pub acs: &'a str,
    /// Our entityID.
    pub issuer: &'a str,
    /// Whether the person must log in anew. Always written, also when false (profile 3.1).
    pub force_authn: bool,
    /// The levels that will do, each by its exact identifier: there is no "at least" (profile 1.2). Empty names none.
    pub loa: &'a [String],
    /// Who is expected to log in: the name and the value of an attribute that the provider's metadata asks for (PSC).
    pub principal: Option<(&'a str, &'a str)>,
}

impl Message for AuthnRequest<'_> {
    const PARAMETER: &'static str = "SAMLRequest";

    fn id(&self) -> &str {
        self.id
    }

    fn destination(&self) -> &str {
        self.destination
    }

    fn with_signature(&self, signature: &str) -> String {
        let instant = UnixTime::from_secs(self.issue_instant.as_secs()).to_string();
        let mut w = Writer::default();
        w.open(
            "samlp:AuthnRequest",
            &[("samlp", ns::SAMLP)],
            &[
                ("AssertionConsumerServiceURL", self.acs),
                ("Destination", self.destination),
                ("ForceAuthn", if self.force_authn { "true" } else { "false" }),
                ("ID", self.id),
                ("IsPassive", "false"),
                ("IssueInstant", &instant),
                ("ProtocolBinding", "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"),
                ("Version", "2.0"),
            ],
        );
        w.leaf("saml:Issuer", &[("saml", ns::SAML)], &[], self.issuer);
        w.written(signature);
        if let Some((attribute, value)) = self.principal {
            w.open("samlp:Extensions", &[], &[]).open("psc:PrincipalSelection", &[("psc", ns::PSC)], &[]);
            w.leaf("psc:MatchValue", &[], &[("Name", attribute)], value).close().close();
        }
        // No NameIDPolicy: the provider's default is persistent (profile 3.1), and a broker that has only transient
        // ones would refuse a wish.
        if !self.loa.is_empty() {
            w.open("samlp:RequestedAuthnContext", &[], &[("Comparison", "exact")]);
            for loa in self.loa {
                w.leaf("saml:AuthnContextClassRef", &[("saml", ns::SAML)], &[], loa);
            }
            w.close();
        }
        w.finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any text that XML can hold, with what breaks careless writers in most of it.
    pub(crate) fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("\"/><x a='".to_owned()),
            Just("]]>".to_owned()),
            Just("<!-- -->".to_owned()),
            Just("&lt;&#0;&x;".to_owned()),
            Just("\r\n\t ".to_owned()),
            Just("</saml:Issuer>".to_owned()),
            "[a-zåäö<>&\"' \r\n\t\u{10000}-\u{10010}]{0,12}",
            any::<String>().prop_map(|s| s.chars().map(|c| if xml_char(c) { c } else { 'x' }).collect()),
        ];
        proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
    }

    fn xml_char(c: char) -> bool {
        matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// T34: whatever the strings hold, the document has the same tree and says them back.
        #[test]
        fn t34_whatever_the_strings_hold_the_tree_is_the_same(
            id in hostile(), destination in hostile(), acs in hostile(), issuer in hostile(),
            loa in proptest::collection::vec(hostile(), 0..3),
            principal in proptest::option::of((hostile(), hostile())),
        ) {
            let request = AuthnRequest {
                id: &id,
                issue_instant: UnixTime::from_millis(1_772_359_200_123),
                destination: &destination,
                acs: &acs,
                issuer: &issuer,
                force_authn: true,
                loa: &loa,
                principal: principal.as_ref().map(|(name, value)| (name.as_str(), value.as_str())),
            };
            let xml = request.to_xml();
            let document = roxmltree::Document::parse(&xml).unwrap();
            let root = document.root_element();
            prop_assert!(root.has_tag_name((ns::SAMLP, "AuthnRequest")));
            prop_assert_eq!(root.attribute("ID"), Some(&*id));
            prop_assert_eq!(root.attribute("Destination"), Some(&*destination));
            prop_assert_eq!(root.attribute("AssertionConsumerServiceURL"), Some(&*acs));
            prop_assert_eq!(root.attribute("ForceAuthn"), Some("true"));
            prop_assert_eq!(root.attribute("IssueInstant"), Some("2026-03-01T10:00:00Z"));
            prop_assert_eq!(root.attributes().len(), 8);
            let children: Vec<_> = root.children().collect();
            let context = 1 + usize::from(principal.is_some());
            prop_assert_eq!(children.len(), context + usize::from(!loa.is_empty()));
            if let Some((name, value)) = &principal {
                let selection = children[1].children().next().unwrap();
                prop_assert!(children[1].has_tag_name((ns::SAMLP, "Extensions")));
                prop_assert!(selection.has_tag_name((ns::PSC, "PrincipalSelection")));
                let matches: Vec<_> = selection.children().collect();
                prop_assert_eq!(matches.len(), 1);
                prop_assert!(matches[0].has_tag_name((ns::PSC, "MatchValue")));
                prop_assert_eq!(matches[0].attribute("Name"), Some(name.as_str()));
                prop_assert_eq!(text(matches[0]), value.as_str());
            }
            prop_assert!(children[0].has_tag_name((ns::SAML, "Issuer")));
            prop_assert_eq!(text(children[0]), issuer);
            if let Some(context) = children.get(context) {
                prop_assert!(context.has_tag_name((ns::SAMLP, "RequestedAuthnContext")));
                prop_assert_eq!(context.attribute("Comparison"), Some("exact"));
                let said: Vec<String> = context.children().map(text).collect();
                prop_assert_eq!(said, loa);
            }
        }
    }

    /// The text of an element that has nothing but text.
    pub(crate) fn text(node: roxmltree::Node<'_, '_>) -> String {
        assert!(node.children().all(|child| child.is_text()));
        node.children().filter_map(|child| child.text()).collect()
    }
}
