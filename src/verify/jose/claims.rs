//! The claims of a verified token, for whoever reads more than the registered ones.

use super::json::{Document, Object, Value};

/// Every claim of a token, or of UserInfo. It has no `Debug`: claims are personal data.
pub struct Claims(Document);

impl Claims {
    pub(super) const fn new(document: Document) -> Self {
        Self(document)
    }

    /// All of them.
    pub const fn object(&self) -> Object<'_> {
        self.0.root()
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        self.0.root().get(name)
    }

    /// Whether the claim `name` is the string `wanted`, or an array that has it.
    pub fn holds(&self, name: &str, wanted: &str) -> bool {
        let is = |value: Value<'_>| value.as_text().is_some_and(|text| text == wanted);
        self.get(name).is_some_and(|value| match value.as_array() {
            Some(mut list) => list.any(is),
            None => is(value),
        })
    }
}
