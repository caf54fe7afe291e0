//! What we send: AuthnRequest and messages of single logout by HTTP-Redirect and HTTP-POST, our own metadata, and what OpenID providers are asked.
//!
//! XML is written in exclusive canonical form by construction, so that signing our own bytes needs no
//! canonicaliser, and every text is escaped where it is written (T34).

pub mod authn;
pub mod binding;
pub mod jwt;
pub mod logout;
pub mod metadata;
pub mod oidc;
pub mod xml;

pub use authn::AuthnRequest;
pub use binding::{Message, PostForm, RequestError, post, redirect};
pub use jwt::{CLIENT_ASSERTION_TYPE, ClientKey};
pub use logout::{LogoutRequest, LogoutResponse, LogoutStatus};
pub use metadata::{Contact, ContactKind, Organisation, SpMetadata, sp_metadata};
pub use oidc::{AuthorizationRequest, Levels};
