//! XML as the verifier reads it: one strict reader, one canonical form, and a second reader that may only refuse.
//!
//! The reader takes UTF-8 without a DOCTYPE and keeps flat arrays of nodes and spans into the source. Names are resolved
//! while reading, references and line ends when a value is asked for. What is read here is what is signed and what is
//! believed: there is no other reading on the data path (T2).

pub mod canonical;
pub mod document;
mod names;
mod reader;
pub mod second;
mod start_tag;
mod text;

pub use document::{Document, Element};
pub(in crate::verify) use names::is_ncname;

use super::Reject;
use crate::base::limits::XmlLimits;

/// Reads a whole document.
///
/// # Errors
/// A reject of the `xml_` family, or `message_too_large`.
pub fn read<'a>(source: &'a [u8], limits: &XmlLimits) -> Result<Document<'a>, Reject> {
    reader::read(source, limits)
}

/// Namespace names that the verifier knows.
pub mod ns {
    /// SAML assertions.
    pub const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
    /// SAML protocol.
    pub const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
    /// SAML metadata.
    pub const MD: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
    /// Entity attributes in metadata.
    pub const MDATTR: &str = "urn:oasis:names:tc:SAML:metadata:attribute";
    /// Names and logos in metadata.
    pub const MDUI: &str = "urn:oasis:names:tc:SAML:metadata:ui";
    /// Registration and publication in metadata.
    pub const MDRPI: &str = "urn:oasis:names:tc:SAML:metadata:rpi";
    /// Principal selection (PSC).
    pub const PSC: &str = "http://id.swedenconnect.se/authn/1.0/principal-selection/ns";
    /// Shibboleth's metadata extensions: scopes.
    pub const SHIBMD: &str = "urn:mace:shibboleth:metadata:1.0";
    /// XML Signature.
    pub const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
    /// XML Encryption.
    pub const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
    /// XML Encryption 1.1's additions.
    pub const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
    /// Exclusive canonicalisation.
    pub const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
    /// XML Schema instance.
    pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
    /// The `xml` prefix.
    pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
    /// The `xmlns` prefix.
    pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
}
