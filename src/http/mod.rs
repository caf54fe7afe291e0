//! HTTP on both sides: requests come in, own pages and the e-service's answers go out.
//!
//! `service` is the list of what happens to a request; `respond` alone turns a refusal into a status.

pub mod accepted;
pub mod admin;
pub mod admit;
pub mod bearer;
pub mod body;
pub mod cookies;
mod counted;
pub mod form;
mod forward_auth;
pub mod forwarded;
pub mod framing;
pub mod headers;
pub mod navigation;
pub mod own_paths;
pub mod pages;
pub mod proxy;
pub mod query;
pub mod respond;
pub mod server;
pub mod service;
mod small_writes;
pub mod text;
mod trace;
pub mod upgrade;
pub mod upstream;
pub mod watchdog;
