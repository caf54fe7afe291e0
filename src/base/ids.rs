//! Names that come from the configuration: cheap to clone, closed sets, fit for a metric label.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text is not a name that a configuration may use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 characters of a-z, 0-9, '-' and '_', and begin with a letter or digit")]
pub struct BadName;

fn check(text: &str) -> Result<(), BadName> {
    let ok = (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    if ok { Ok(()) } else { Err(BadName) }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a name of the configuration's alphabet: it goes into cookies, paths and labels unescaped.
            ///
            /// # Errors
            /// [`BadName`] for the empty text, over 64 bytes, or any other character.
            pub fn new(text: &str) -> Result<Self, BadName> {
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The name as written in the configuration.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                /// Without a copy: sessions are read with every request.
                struct Text;

                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a name")
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::new(text).map_err(E::custom)
                    }
                }

                d.deserialize_str(Text)
            }
        }
    };
}

name!(
    /// `[[provider]] id`.
    ProviderId
);
name!(
    /// What the citizen picks: providers with the same one are alternates of each other.
    EidId
);
name!(
    /// `[[metadata]] id`, and the name of anything else that is fetched: it is a label and part of a file's name.
    FeedId
);
name!(
    /// `[service] id`: names cookies, metrics and the usage ledger.
    ServiceId
);

impl From<&ProviderId> for FeedId {
    /// What is fetched for one provider has its name.
    fn from(provider: &ProviderId) -> Self {
        Self(Arc::clone(&provider.0))
    }
}

/// A route's name in metrics and logs: its `path` pattern from the configuration, never a path from a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteName(Arc<str>);

impl RouteName {
    /// From the pattern as the configuration wrote it.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// The pattern, such as `/ansokan/*`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_cookies_paths_and_labels() {
        for good in ["bankid-a", "freja", "e_1", "0"] {
            assert!(ProviderId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "BankID", "a b", "å", "-a", "a/b", "a\"b", &"a".repeat(65)] {
            assert_eq!(ProviderId::new(bad), Err(BadName), "{bad}");
        }
    }
}
