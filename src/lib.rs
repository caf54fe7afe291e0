//! Grindvakt, the gatekeeper: a sidecar that lets a request through only with an identity that it verified itself.

pub mod base;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod gate;
pub mod identity;
pub mod policy;
pub mod provider;
pub mod replay;
pub mod request;
pub mod session;
pub mod telemetry;
pub mod verify;
