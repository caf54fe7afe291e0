//! SAML 2.0: Responses, assertions and metadata (SAML Core, Profiles 4.1, Metadata; the Swedish profile).

pub mod assertion;
mod claims;
pub mod expect;
pub mod idp;
mod layout;
pub mod metadata;
pub mod response;
mod rules;
mod schema;
mod status;

pub use assertion::{Assertion, Attribute, NameId};
pub use expect::{Binding, Expect, Profile, Signed};
pub use idp::{Endpoint, IdpMetadata, Scope, SsoBinding};
pub use response::Received;
