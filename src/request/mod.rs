//! What we send: AuthnRequest by HTTP-Redirect and HTTP-POST, and our own metadata.
//!
//! Everything is written in exclusive canonical form by construction, so that signing our own bytes needs no
//! canonicaliser, and every text is escaped where it is written (T34).

pub mod authn;
pub mod binding;
pub mod metadata;
pub mod xml;

pub use authn::AuthnRequest;
pub use binding::{PostForm, RequestError, post, redirect};
pub use metadata::{Contact, ContactKind, Organisation, SpMetadata, sp_metadata};
