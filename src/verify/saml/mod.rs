//! SAML 2.0: Responses, assertions and metadata (SAML Core, Profiles 4.1, Metadata; the Swedish profile).

pub mod assertion;
pub mod carried;
mod claims;
pub mod expect;
pub mod idp;
mod layout;
pub mod logout;
pub mod metadata;
pub mod response;
mod rules;
mod schema;
mod status;

pub use assertion::{Assertion, Attribute, NameId};
pub use carried::{Carried, Parameter};
pub use expect::{Binding, Expect, Profile, Signed};
pub use idp::{Endpoint, IdpMetadata, Scope, SloEndpoint, SsoBinding};
pub use logout::{LogoutExpect, LogoutMessage, LogoutRequest, LogoutResponse, ReceivedLogout};
pub use response::Received;
