//! From verified claims to a person: attributes to fields, numbers told apart, and the level of assurance.
//!
//! An [`Identity`] is made from a `Verified<…>` and from nothing else, so holding one is proof that a trusted key signed
//! what it says. By SAML or by OpenID Connect, a person is the same person.

mod attributes;
mod claims;
mod field;
mod forms;
mod loa;
mod number;
mod person;
mod saml;
mod subject;

pub use claims::{ClaimRules, from_access_token, from_claims};
pub use field::Field;
pub use loa::{Family, Loa, UnknownLoa};
pub use number::{Number, NumberKind};
pub use person::Identity;
pub use saml::{IdentityRules, from_assertion};
pub use subject::{Subject, SubjectKind};
