//! Levels of assurance: exact URIs, in families, ranked only within a family (profile part 1).

use std::fmt;
use std::sync::Arc;

const E: &str = "http://id.elegnamnden.se/loa/1.0/";
const S: &str = "http://id.swedenconnect.se/loa/1.0/";

/// Levels that can be compared with each other. Between families no order holds (TAR 1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Swedish e-identification by providers that Digg has approved.
    Swedish,
    /// The same, for holders without a Swedish number.
    Nonresident,
    /// Self-declared.
    Uncertified,
    /// Foreign, through the Swedish connector; scheme notified or not.
    Eidas,
    /// Foreign, through the Swedish connector; notified schemes only.
    EidasNotified,
    /// Foreign, relayed by a broker.
    EidasUncertified,
    /// Sambi: health care.
    Sambi,
}

/// Every level that has a short name: (short name, URI, family, rank in its family).
const KNOWN: &[(&str, &str, &str, Family, u8)] = &[
    ("loa1", E, "loa1", Family::Swedish, 1),
    ("loa2", E, "loa2", Family::Swedish, 2),
    ("loa3", E, "loa3", Family::Swedish, 3),
    ("loa4", E, "loa4", Family::Swedish, 4),
    ("loa2-nonresident", S, "loa2-nonresident", Family::Nonresident, 2),
    ("loa3-nonresident", S, "loa3-nonresident", Family::Nonresident, 3),
    ("loa4-nonresident", S, "loa4-nonresident", Family::Nonresident, 4),
    ("uncertified-loa2", S, "uncertified-loa2", Family::Uncertified, 2),
    ("uncertified-loa3", S, "uncertified-loa3", Family::Uncertified, 3),
    ("eidas-low", E, "eidas-low", Family::Eidas, 2),
    ("eidas-sub", E, "eidas-sub", Family::Eidas, 3),
    ("eidas-high", E, "eidas-high", Family::Eidas, 4),
    ("eidas-nf-low", E, "eidas-nf-low", Family::EidasNotified, 2),
    ("eidas-nf-sub", E, "eidas-nf-sub", Family::EidasNotified, 3),
    ("eidas-nf-high", E, "eidas-nf-high", Family::EidasNotified, 4),
    ("uncertified-eidas-low", S, "uncertified-eidas-low", Family::EidasUncertified, 2),
    ("uncertified-eidas-sub", S, "uncertified-eidas-sub", Family::EidasUncertified, 3),
    ("uncertified-eidas-high", S, "uncertified-eidas-high", Family::EidasUncertified, 4),
    ("sambi-loa2", "http://id.sambi.se/loa/", "loa2", Family::Sambi, 2),
    ("sambi-loa3", "http://id.sambi.se/loa/", "loa3", Family::Sambi, 3),
];

/// A name that is neither a known short name nor a URI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no level of assurance: a short name such as loa3, uncertified-loa3, eidas-nf-sub, or a full URI")]
pub struct UnknownLoa(pub String);

/// A level of assurance: a URI, compared exactly (profile 1.1). Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Loa(Arc<str>);

impl Loa {
    /// From a short name (`loa3`) or a full URI.
    ///
    /// # Errors
    /// [`UnknownLoa`] for anything else.
    pub fn parse(text: &str) -> Result<Self, UnknownLoa> {
        if let Some((_, prefix, tail, ..)) = KNOWN.iter().find(|(short, ..)| *short == text) {
            return Ok(Self(format!("{prefix}{tail}").into()));
        }
        let uri = text.split_once(':').is_some_and(|(scheme, rest)| {
            !rest.is_empty() && !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        if uri && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.into()))
        } else {
            Err(UnknownLoa(text.into()))
        }
    }

    /// From a URI as a provider wrote it. It equals only what the configuration names.
    pub fn from_uri(uri: &str) -> Self {
        Self(uri.into())
    }

    /// No level at all: of a bearer token that says none. It equals nothing that a configuration can name.
    pub fn unstated() -> Self {
        Self("".into())
    }

    /// Whether no level was stated.
    pub fn is_unstated(&self) -> bool {
        self.0.is_empty()
    }

    /// The URI.
    pub fn uri(&self) -> &str {
        &self.0
    }

    fn known(&self) -> Option<&'static (&'static str, &'static str, &'static str, Family, u8)> {
        KNOWN.iter().find(|(_, prefix, tail, ..)| self.0.strip_prefix(prefix) == Some(tail))
    }

    /// The short name, where there is one.
    pub fn short(&self) -> Option<&'static str> {
        self.known().map(|(short, ..)| *short)
    }

    /// Its family; none for a URI that we do not know.
    pub fn family(&self) -> Option<Family> {
        self.known().map(|known| known.3)
    }

    /// Its rank within its family.
    pub fn rank(&self) -> Option<u8> {
        self.known().map(|known| known.4)
    }

    /// A level of a foreign e-ID that a broker relays, past the official connector.
    pub fn is_relayed_eidas(&self) -> bool {
        self.family() == Some(Family::EidasUncertified)
    }

    /// Whether its holder has no Swedish number (REG 3.1.1.1).
    pub fn is_nonresident(&self) -> bool {
        self.family() == Some(Family::Nonresident)
    }

    /// This level and every higher one of its family, lowest first: what a single name in a configuration means.
    /// A URI that we do not know is only itself.
    pub fn and_higher(&self) -> Vec<Self> {
        let Some((_, _, _, family, rank)) = self.known() else { return vec![self.clone()] };
        let higher = KNOWN.iter().filter(|known| known.3 == *family && known.4 >= *rank);
        higher.map(|(_, prefix, tail, ..)| Self(format!("{prefix}{tail}").into())).collect()
    }
}

impl fmt::Display for Loa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Loa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_single_name_is_a_minimum_within_its_family() {
        for (name, expanded) in [
            ("loa3", &["loa3", "loa4"][..]),
            ("loa4", &["loa4"]),
            ("uncertified-loa2", &["uncertified-loa2", "uncertified-loa3"]),
            ("eidas-nf-sub", &["eidas-nf-sub", "eidas-nf-high"]),
            ("eidas-sub", &["eidas-sub", "eidas-high"]),
            ("loa3-nonresident", &["loa3-nonresident", "loa4-nonresident"]),
        ] {
            let shorts: Vec<_> = Loa::parse(name).unwrap().and_higher().iter().map(|l| l.short().unwrap()).collect();
            assert_eq!(shorts, expanded, "{name}");
        }
        assert_eq!(Loa::parse("urn:example:level").unwrap().and_higher().len(), 1);
    }

    #[test]
    fn names_are_exact() {
        assert_eq!(Loa::parse("loa3").unwrap().uri(), "http://id.elegnamnden.se/loa/1.0/loa3");
        assert_eq!(
            Loa::parse("uncertified-loa3").unwrap().uri(),
            "http://id.swedenconnect.se/loa/1.0/uncertified-loa3"
        );
        for bad in ["", "LOA3", "loa5", "loa3 ", "http:", "a b:c", "3"] {
            assert!(Loa::parse(bad).is_err(), "{bad:?}");
        }
        // Another case is another level.
        assert_eq!(Loa::from_uri("http://id.elegnamnden.se/loa/1.0/LOA3").family(), None);
    }
}
