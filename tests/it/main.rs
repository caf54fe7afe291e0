//! The integration tests, in one binary: each file is a story, `support` holds what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod attacks_headers;
mod attacks_paths;
mod attacks_sessions;
#[cfg(feature = "peers")]
mod canonical_oracle;
mod commands;
mod demo;
mod encryption_oracle;
mod hostile_limits;
mod login;
mod metadata_vectors;
mod proxy;
mod reload;
mod saml_vectors;
mod smuggling;
mod support;
mod xml_differential;
mod xml_vectors;
