//! Grindvakt, the gatekeeper: a sidecar that lets a request through only with an identity that it verified itself.

// The pure rooms are denied what clippy.toml lists: clocks, network, environment.
pub mod base;
pub mod cli;
pub mod config;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod crypto;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod identity;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod policy;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod verify;
