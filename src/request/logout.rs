//! LogoutRequest and LogoutResponse (SAML Core 3.7; SAML Profiles 4.4).

use super::binding::Message;
use super::xml::{Writer, ns};
use crate::base::UnixTime;

/// An order to the provider to end its session, and those of everyone else that hang on it.
#[derive(Clone, Copy)]
pub struct LogoutRequest<'a> {
    /// Its ID: an NCName that nobody can guess.
    pub id: &'a str,
    /// When it is made.
    pub issue_instant: UnixTime,
    /// From when on nobody should carry it out.
    pub not_on_or_after: UnixTime,
    /// The provider's address.
    pub destination: &'a str,
    /// Our entityID.
    pub issuer: &'a str,
    /// What the provider calls the person: value, Format, NameQualifier, SPNameQualifier, as it wrote them (SAML Core
    /// 3.7.3.1: they must match).
    pub name_id: &'a str,
    /// The NameID's Format.
    pub format: Option<&'a str>,
    /// Its NameQualifier.
    pub name_qualifier: Option<&'a str>,
    /// Its SPNameQualifier.
    pub sp_name_qualifier: Option<&'a str>,
    /// Which session; none means all of them.
    pub session_index: Option<&'a str>,
}

/// An instant as messages write it: in whole seconds.
fn instant(at: UnixTime) -> String {
    UnixTime::from_secs(at.as_secs()).to_string()
}

impl Message for LogoutRequest<'_> {
    const PARAMETER: &'static str = "SAMLRequest";

    fn id(&self) -> &str {
        self.id
    }

    fn destination(&self) -> &str {
        self.destination
    }

    fn with_signature(&self, signature: &str) -> String {
        let mut w = Writer::default();
        w.open(
            "samlp:LogoutRequest",
            &[("samlp", ns::SAMLP)],
            &[
                ("Destination", self.destination),
                ("ID", self.id),
                ("IssueInstant", &instant(self.issue_instant)),
                ("NotOnOrAfter", &instant(self.not_on_or_after)),
                ("Reason", "urn:oasis:names:tc:SAML:2.0:logout:user"),
                ("Version", "2.0"),
            ],
        );
        w.leaf("saml:Issuer", &[("saml", ns::SAML)], &[], self.issuer);
        w.written(signature);
        let attributes: Vec<(&'static str, &str)> = [
            ("Format", self.format),
            ("NameQualifier", self.name_qualifier),
            ("SPNameQualifier", self.sp_name_qualifier),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        w.leaf("saml:NameID", &[("saml", ns::SAML)], &attributes, self.name_id);
        if let Some(index) = self.session_index {
            w.leaf("samlp:SessionIndex", &[], &[], index);
        }
        w.close();
        w.finish()
    }
}

/// How an order of the provider was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoutStatus {
    /// Every session that it named is over.
    Success,
    /// Here they are, and somewhere they may live on for a while (SAML Core 3.7.3.2).
    Partial,
}

/// Our answer to an order of the provider.
#[derive(Clone, Copy, Debug)]
pub struct LogoutResponse<'a> {
    /// Its ID.
    pub id: &'a str,
    /// The request's.
    pub in_response_to: &'a str,
    /// When it is made.
    pub issue_instant: UnixTime,
    /// The provider's address for answers.
    pub destination: &'a str,
    /// Our entityID.
    pub issuer: &'a str,
    /// How it went.
    pub status: LogoutStatus,
}

impl Message for LogoutResponse<'_> {
    const PARAMETER: &'static str = "SAMLResponse";

    fn id(&self) -> &str {
        self.id
    }

    fn destination(&self) -> &str {
        self.destination
    }

    fn with_signature(&self, signature: &str) -> String {
        let mut w = Writer::default();
        w.open(
            "samlp:LogoutResponse",
            &[("samlp", ns::SAMLP)],
            &[
                ("Destination", self.destination),
                ("ID", self.id),
                ("InResponseTo", self.in_response_to),
                ("IssueInstant", &instant(self.issue_instant)),
                ("Version", "2.0"),
            ],
        );
        w.leaf("saml:Issuer", &[("saml", ns::SAML)], &[], self.issuer);
        w.written(signature);
        const STATUS: &str = "urn:oasis:names:tc:SAML:2.0:status:";
        w.open("samlp:Status", &[], &[]);
        match self.status {
            LogoutStatus::Success => {
                w.leaf("samlp:StatusCode", &[], &[("Value", &format!("{STATUS}Success"))], "");
            }
            LogoutStatus::Partial => {
                w.open("samlp:StatusCode", &[], &[("Value", &format!("{STATUS}Responder"))]);
                w.leaf("samlp:StatusCode", &[], &[("Value", &format!("{STATUS}PartialLogout"))], "").close();
            }
        }
        w.close().close();
        w.finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::super::authn::tests::{hostile, text};
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_772_359_200);

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn t34_whatever_the_strings_hold_the_tree_is_the_same(strings in proptest::collection::vec(hostile(), 8)) {
            let s = |i: usize| strings[i].as_str();
            let request = LogoutRequest {
                id: s(0),
                issue_instant: NOW,
                not_on_or_after: NOW,
                destination: s(1),
                issuer: s(2),
                name_id: s(3),
                format: Some(s(4)),
                name_qualifier: Some(s(5)),
                sp_name_qualifier: Some(s(6)),
                session_index: Some(s(7)),
            };
            let xml = request.to_xml();
            let document = roxmltree::Document::parse(&xml).unwrap();
            let root = document.root_element();
            prop_assert!(root.has_tag_name((ns::SAMLP, "LogoutRequest")));
            prop_assert_eq!(root.attribute("ID"), Some(s(0)));
            prop_assert_eq!(root.attribute("Destination"), Some(s(1)));
            let children: Vec<_> = root.children().collect();
            let names: Vec<_> = children.iter().map(|child| child.tag_name().name()).collect();
            prop_assert_eq!(names, ["Issuer", "NameID", "SessionIndex"]);
            let said: Vec<_> = children.iter().map(|child| text(*child)).collect();
            prop_assert_eq!(said, [s(2), s(3), s(7)]);
            let qualifiers = ["Format", "NameQualifier", "SPNameQualifier"].map(|name| children[1].attribute(name));
            prop_assert_eq!(qualifiers, [Some(s(4)), Some(s(5)), Some(s(6))]);
        }
    }

    #[test]
    fn an_answer_says_how_it_went() {
        let answer = |status| LogoutResponse {
            id: "_a",
            in_response_to: "_r",
            issue_instant: NOW,
            destination: "https://idp.example.se/slo",
            issuer: "https://e.example.se/sp",
            status,
        };
        let codes = |status| {
            let xml = answer(status).to_xml();
            let document = roxmltree::Document::parse(&xml).unwrap();
            let codes = document.descendants().filter(|n| n.has_tag_name((ns::SAMLP, "StatusCode")));
            codes.map(|n| n.attribute("Value").unwrap().rsplit(':').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(codes(LogoutStatus::Success), ["Success"]);
        assert_eq!(codes(LogoutStatus::Partial), ["Responder", "PartialLogout"]);
    }
}
