//! SAML 2.0: Responses, assertions and metadata (SAML Core, Profiles 4.1, Metadata; the Swedish profile).

pub mod assertion;
pub mod expect;
pub mod idp;
pub mod response;

pub use assertion::{Assertion, Attribute, NameId};
pub use expect::{Binding, Expect, Profile, Signed};
pub use idp::{Endpoint, IdpMetadata, Scope, SsoBinding};
pub use response::Received;
