//! `X-Eid-Subject`: the same person through every provider.

use std::fmt;

use crate::crypto::digest::HmacKey;

/// What a subject is made from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubjectKind {
    /// Personal identity number.
    PersonalNumber,
    /// Coordination number.
    CoordinationNumber,
    /// The eIDAS connector's identifier.
    Prid,
    /// Health-care directory.
    HsaId,
    /// Issuer and NameID (or `sub`): one provider's own name for the person.
    Provider,
    /// Issuer and name of a program that acts for itself. A kind of its own: a program whose name is somebody's `sub` must
    /// not be taken for them (RFC 9068, 5).
    Client,
}

impl SubjectKind {
    /// The kind as it stands before the colon: `[a-z_-]+`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PersonalNumber => "personal-number",
            Self::CoordinationNumber => "coordination-number",
            Self::Prid => "prid",
            Self::HsaId => "hsa-id",
            Self::Provider => "provider",
            Self::Client => "client",
        }
    }

    /// Whether another provider names the same person alike. If not, silent failover would make a stranger of them.
    pub const fn holds_across_providers(self) -> bool {
        !matches!(self, Self::Provider | Self::Client)
    }
}

/// A person, as a keyed digest: the same for one person through every provider of a service, and nothing to look a
/// number up with.
///
/// It has no `Debug`: it holds what it was made from.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    kind: SubjectKind,
    text: String,
    parts: Vec<String>,
}

impl Subject {
    /// From the identifier's parts: 192 bits of HMAC-SHA-256 over the kind and each part.
    pub(super) fn new(kind: SubjectKind, parts: &[&str], key: &HmacKey) -> Self {
        Self { kind, text: digest(kind, parts, key), parts: parts.iter().map(|part| (*part).to_owned()).collect() }
    }

    /// Somebody, for the tests of other rooms: here alone an identity is made otherwise.
    #[cfg(test)]
    pub(crate) fn for_tests(kind: SubjectKind, value: &str, key: &HmacKey) -> Self {
        Self::new(kind, &[value], key)
    }

    /// What the same person is called under another key: `<kind>:<digest>`.
    pub fn under(&self, key: &HmacKey) -> String {
        digest(self.kind, &self.parts, key)
    }

    /// What it was made from.
    pub const fn kind(&self) -> SubjectKind {
        self.kind
    }

    /// `<kind>:<digest>`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn digest(kind: SubjectKind, parts: &[impl AsRef<str>], key: &HmacKey) -> String {
    let mut all: Vec<&[u8]> = vec![b"subject", kind.name().as_bytes()];
    all.extend(parts.iter().map(|part| part.as_ref().as_bytes()));
    let tag = key.tag(&all);
    let digest = base64_simd::URL_SAFE_NO_PAD.encode_to_string(tag.get(..24).unwrap_or(&tag));
    format!("{}:{digest}", kind.name())
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;

    #[test]
    fn t51_the_parts_of_an_identity_do_not_run_into_each_other() {
        let key = HmacKey::new(&Secret::new([7; 32]));
        let subject = |kind, parts: &[&str]| Subject::new(kind, parts, &key).as_str().to_owned();
        let provider = |parts: &[&str]| subject(SubjectKind::Provider, parts);
        let one = provider(&["https://idp", "a@evil@good"]);
        for other in [
            provider(&["https://idp", "a@evil", "@good"]),
            provider(&["https://idpa", "@evil@good"]),
            provider(&["https://idp", "a@evil@good", ""]),
            provider(&["https://idpa@evil@good"]),
            provider(&["a@evil@good", "https://idp"]),
            subject(SubjectKind::HsaId, &["https://idp", "a@evil@good"]),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(one, provider(&["https://idp", "a@evil@good"]));
    }

    #[test]
    fn a_person_is_known_under_each_key() {
        let (one, two) = (HmacKey::new(&Secret::new([7; 32])), HmacKey::new(&Secret::new([8; 32])));
        for (kind, parts) in [
            (SubjectKind::PersonalNumber, &["195006262546"][..]),
            (SubjectKind::Provider, &["https://idp", "name", "", ""]),
        ] {
            let (by_one, by_two) = (Subject::new(kind, parts, &one), Subject::new(kind, parts, &two));
            assert_ne!(by_one.as_str(), by_two.as_str());
            assert_eq!((by_one.under(&two), by_two.under(&one)), (by_two.to_string(), by_one.to_string()));
        }
    }
}
