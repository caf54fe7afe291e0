//! Grindvakt, the gatekeeper: a sidecar that lets a request through only with an identity that it verified itself.

// The pure rooms are denied what clippy.toml lists: clocks, network, environment.
pub mod app;
pub mod base;
pub mod cli;
pub mod config;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod crypto;
pub mod gate;
pub mod http;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod identity;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod policy;
pub mod provider;
pub mod replay;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod request;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod session;
pub mod telemetry;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod verify;
