//! What the demo and the tests share: identity providers that sign anything they are told to, test persons, a small
//! browser, and the sample e-service. No part of it ships with the sidecar, which contains no code that makes an
//! assertion.

pub mod browser;
pub mod check;
pub mod control;
pub mod cookies;
pub mod demo_idp;
pub mod dev;
pub mod encrypt;
pub mod fault;
pub mod form;
pub mod idp;
pub mod key;
pub mod logout;
pub mod metadata;
pub mod names;
pub mod op;
pub mod outcome;
pub mod person;
pub mod request;
pub mod response;
pub mod serve;
pub mod service;
pub mod sidecar;
pub mod sign;
mod signed_request;
pub mod stage;
pub mod xml;

pub use demo_idp::{DemoIdp, Sign};
pub use encrypt::EncryptionKey;
pub use key::DemoKey;
pub use metadata::Feed;
pub use op::{DemoOp, OpOutcome, OpSite};
pub use outcome::Outcome;
pub use person::Person;
pub use request::{KnownService, Request};
