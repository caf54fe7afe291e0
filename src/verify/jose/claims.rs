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
}
