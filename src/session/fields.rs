//! What a session keeps of a person, as it lies in the cookie: read where a decision asks for a field, and not before. Most
//! requests ask for none, since their headers are kept.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Sealed;
use super::wire::{Wire, put_number};

/// (field name, value), in the order of the configuration. It has no `Debug`.
///
/// One piece of memory, as it is written: each name and each value behind its length.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields {
    count: usize,
    packed: Vec<u8>,
}

impl Sealed for Fields {
    const FORM: u8 = 1;
}

/// What the fields of most people take.
const USUAL: usize = 384;

impl Fields {
    fn push(&mut self, name: &[u8], value: &[u8]) {
        for text in [name, value] {
            put_number(&mut self.packed, text.len() as u64);
            self.packed.extend_from_slice(text);
        }
        self.count += 1;
    }

    /// What is written of them, at the end of something that is read with every request: not even looked at, but for where
    /// each text ends. Whether it is one is asked when it is read.
    pub(super) fn read(wire: &mut Wire<'_>) -> Option<Self> {
        let count = usize::try_from(wire.number()?).ok()?;
        let all = wire.rest();
        for _ in 0..count.checked_mul(2)? {
            wire.bytes()?;
        }
        let packed = all.get(..all.len() - wire.rest().len())?.to_vec();
        Some(Self { count, packed })
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut wire = Wire::new(&self.packed);
        std::iter::from_fn(move || Some((wire.bytes()?, wire.bytes()?)))
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
            out.push(name.as_bytes(), value.as_bytes());
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
                    out.push(name, value);
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
        fields.push(b"name", &[0xff]);
        fields.push(b"prid", b"x");
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
            let mut wire = Wire::new(&written);
            prop_assert!(Fields::read(&mut wire).is_some_and(|by_hand| by_hand == fields) && wire.rest().is_empty());
            for (name, _) in &pairs {
                let first = pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
                prop_assert_eq!(read.get(name), first);
            }
            prop_assert_eq!(read.get("no such field"), None);
        }
    }
}
