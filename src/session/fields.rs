//! What a session keeps of a person, as it lies in the cookie: read where a decision asks for a field, and not before. Most
//! requests ask for none, since their headers are kept.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Sealed;

/// (field name, value), in the order of the configuration. It has no `Debug`.
///
/// One piece of memory: each name and each value behind its length.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields {
    count: usize,
    packed: Vec<u8>,
}

impl Sealed for Fields {
    const FORM: u8 = 1;
}

const LENGTH: usize = size_of::<u32>();

/// What the fields of most people take.
const USUAL: usize = 384;

impl Fields {
    /// Room for a text is limited by what can be stored of a session, which is far less than a length can say.
    fn push(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        for text in [name, value] {
            self.packed.extend_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
            self.packed.extend_from_slice(text);
        }
        self.count += 1;
        Some(())
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.packed.as_slice();
        let mut next = move || {
            let (length, behind) = rest.split_first_chunk::<LENGTH>()?;
            let (text, behind) = behind.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            rest = behind;
            Some(text)
        };
        std::iter::from_fn(move || Some((next()?, next()?)))
    }

    /// The value of a field; none where it was not kept.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.pairs().find(|(known, _)| *known == name.as_bytes())?;
        std::str::from_utf8(value).ok()
    }
}

impl FromIterator<(String, String)> for Fields {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        let mut out = Self::default();
        for (name, value) in pairs {
            // A text of 4 GB is none that anybody kept.
            let _ = out.push(name.as_bytes(), value.as_bytes());
        }
        out
    }
}

/// As a list of pairs of texts.
impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |bytes| std::str::from_utf8(bytes).map_err(S::Error::custom);
        let mut seq = serializer.serialize_seq(Some(self.count))?;
        for (name, value) in self.pairs() {
            seq.serialize_element(&(text(name)?, text(value)?))?;
        }
        seq.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("pairs of texts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Fields, A::Error> {
                let mut out = Fields { count: 0, packed: Vec::with_capacity(USUAL) };
                // Sealed by us: whether a text is one is asked when it is read.
                while let Some((name, value)) = pairs.next_element::<(&'de [u8], &'de [u8])>()? {
                    out.push(name, value).ok_or_else(|| serde::de::Error::custom("too long a text"))?;
                }
                Ok(out)
            }
        }

        deserializer.deserialize_seq(Pairs)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_is_none_is_no_field() {
        let mut fields = Fields::default();
        fields.push(b"name", &[0xff]).unwrap();
        fields.push(b"prid", b"x").unwrap();
        assert_eq!((fields.get("name"), fields.get("prid")), (None, Some("x")));
        assert!(postcard::to_stdvec(&fields).is_err());
    }

    proptest! {
        /// They are written as a list of pairs of texts is, and read back from one.
        #[test]
        fn they_are_a_list_of_pairs(pairs in proptest::collection::vec((".{0,20}", ".{0,200}"), 0..12)) {
            let pairs: Vec<(String, String)> = pairs;
            let fields: Fields = pairs.iter().cloned().collect();
            let written = postcard::to_stdvec(&pairs).unwrap();
            prop_assert_eq!(&postcard::to_stdvec(&fields).unwrap(), &written);
            let read: Fields = postcard::from_bytes(&written).unwrap();
            prop_assert!(read == fields);
            for (name, _) in &pairs {
                let first = pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
                prop_assert_eq!(read.get(name), first);
            }
            prop_assert_eq!(read.get("no such field"), None);
        }
    }
}
