//! Who may log people in: the configured providers with what their verified metadata says, as one immutable snapshot.
//!
//! A request looks at one snapshot from its start to its end. A provider whose metadata did not come is listed with the
//! reason, never dropped; one whose metadata has expired since is without keys from that instant.

pub mod breaker;
pub mod environment;
pub mod failover;
pub mod feeds;
pub mod fetch;
#[cfg(test)]
pub(crate) mod fixture;
pub mod health;
pub mod load;
pub mod notes;
mod openid;
mod overrides;
pub mod prober;
mod promises;
pub mod refresher;
pub mod registry;
pub mod silence;
pub mod source;
pub mod standby;
pub mod tokens;
pub mod trouble;

pub use feeds::{FeedFault, Feeds, load};
pub use health::{Board, Found};
pub use overrides::{Overrides, REMEMBERED, Said};
pub use refresher::Refresher;
pub use registry::{Known, ProviderEntry, Registry, SamlEntry, Snapshot};
pub use tokens::{JwtEntry, OidcEntry};
pub use trouble::Trouble;
