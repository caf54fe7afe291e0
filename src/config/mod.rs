//! The configuration: read, merged and compiled into values that leave nothing to be parsed again, or every problem at
//! once, each with its file and line.
//!
//! Reading files, and the environment where a key or a proxy is in it, is all the world that this room touches.

mod compile;
mod explain;
mod feed;
pub mod keys;
mod load;
mod logo;
pub mod model;
mod network;
mod notice;
mod overrides;
mod pages;
mod print;
mod problem;
mod provider;
mod provider_tokens;
mod reader;
mod remote;
mod route;
mod service;
mod session;
mod store;
mod tree;
mod url;

pub use crate::verify::jose::OidcProfile;
pub use explain::explain;
pub use feed::is_test_host;
pub use keys::{
    ClientCredential, KeyFiles, KeySource, LoadedKeys, MadeKeys, demo_keys, load_clients, load_decryption, load_keys,
};
pub use load::{load, load_text, load_to_serve, sources};
pub use logo::Logo;
pub use model::{
    ClientAuth, Config, Contact, Encryption, Environment, FeedPlace, ForwardAuth, HeaderNames, JwtProvider, Listen,
    LogFormat, MdqId, MetadataSource, Method, OidcProvider, Organisation, Protocol, Provider, Published, Remote,
    SamlProvider, SecondReader, ServiceConfig, TokenSettings, UpstreamConfig, UpstreamProtocol, Verification,
};
pub use network::{NoProxy, Outbound, ProxyAddress};
pub use notice::Notice;
pub use overrides::{Forced, Override, is_one_line};
pub use pages::{Localised, Pages};
pub use print::{print, printed_pages};
pub use problem::Problem;
pub use remote::{RemoteUrl, is_loopback_name};
pub use session::{LogoutConfig, SessionConfig};
pub use store::{RedisStore, Store};
pub use url::{BaseUrl, Network, Upstream};

#[cfg(test)]
mod tests;
