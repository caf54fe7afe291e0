//! XML Signature, enveloped, as SAML uses it (XMLDSig 1.1; SAML Core 5.4): one Signature, directly under the element that
//! it signs; one Reference, to that element's ID; enveloped-signature and exclusive C14N and nothing else.
//!
//! What comes out is a [`SignedElement`]: claims are read from one, and nothing else can make one.

mod shape;
mod signed;

pub(in crate::verify) use signed::verify_detached;
pub use signed::{SignedChildren, SignedElement, verify};
