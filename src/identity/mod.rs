//! From verified claims to a person: attributes to fields, numbers told apart, and the level of assurance.
//!
//! An [`Identity`] is made from a `Verified<Assertion>` and from nothing else, so holding one is proof that a trusted key
//! signed what it says.

mod attributes;
mod field;
mod loa;
mod number;
mod person;
mod subject;

pub use field::Field;
pub use loa::{Family, Loa, UnknownLoa};
pub use number::{Number, NumberKind};
pub use person::{Identity, IdentityRules, from_assertion};
pub use subject::{Subject, SubjectKind};
