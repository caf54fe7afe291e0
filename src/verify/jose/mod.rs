//! JSON Web Signature, Encryption, Key and Token (RFC 7515 to 7519), and what OpenID Connect makes of them.

pub mod json;
