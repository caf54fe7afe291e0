//! The configuration: read, merged and compiled into values that leave nothing to be parsed again, or every problem at
//! once, each with its file and line.
//!
//! Reading files is all the world that this room touches.

mod compile;
mod explain;
pub mod keys;
mod load;
pub mod model;
mod print;
mod problem;
mod provider;
mod reader;
mod route;
mod service;
mod store;
mod tree;
mod url;

pub use crate::verify::jose::OidcProfile;
pub use explain::explain;
pub use keys::{KeyFiles, KeySource, LoadedKeys, MadeKeys, demo_keys, load_decryption, load_keys};
pub use load::{load, load_text, load_to_serve, sources};
pub use model::{
    ClientAuth, Config, Contact, Encryption, Environment, HeaderNames, JwtProvider, Listen, LogFormat, MetadataSource,
    Method, OidcProvider, Organisation, Pages, Protocol, Provider, RedisStore, SamlProvider, SecondReader,
    ServiceConfig, SessionConfig, Store, TokenSettings, Verification,
};
pub use print::print;
pub use problem::Problem;
pub use url::{BaseUrl, Network, Upstream};

#[cfg(test)]
mod tests;
