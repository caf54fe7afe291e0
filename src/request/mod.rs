//! What we send: AuthnRequest by HTTP-Redirect and HTTP-POST, our own metadata, and what OpenID providers are asked.
//!
//! XML is written in exclusive canonical form by construction, so that signing our own bytes needs no
//! canonicaliser, and every text is escaped where it is written (T34).

pub mod authn;
pub mod binding;
pub mod jwt;
pub mod metadata;
pub mod oidc;
pub mod xml;

pub use authn::AuthnRequest;
pub use binding::{PostForm, RequestError, post, redirect};
pub use jwt::{CLIENT_ASSERTION_TYPE, ClientKey};
pub use metadata::{Contact, ContactKind, Organisation, SpMetadata, sp_metadata};
pub use oidc::{AuthorizationRequest, Levels};
